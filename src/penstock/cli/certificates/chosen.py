"""Which certificates a command is about, as options; and what became of it, shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.show import emit, kwh, table

if TYPE_CHECKING:
    from penstock.usecases.registry.desk import Done
    from penstock.usecases.registry.selection import Selection
    from penstock.usecases.workspace import Workspace

Account = Annotated[str, typer.Option(help="Whose certificates.")]
Names = Annotated[list[str] | None, typer.Option("--certificate", help="This one, REGISTER@START-STOP; repeatable.")]
Wh = Annotated[int, typer.Option("--wh", help="So many Wh, oldest interval first.", min=0)]
Share = Annotated[int, typer.Option("--share", help="A share of what suits, in basis points, rounded down.", min=0)]
Zone = Annotated[str, typer.Option(help="Only of this zone.")]
Register = Annotated[str, typer.Option(help="Only of this register.")]
Technology = Annotated[str, typer.Option(help="Only of this technology.")]
Assurance = Annotated[str, typer.Option(help="Only of this assurance level or a stronger one.")]
Since = Annotated[str, typer.Option("--from", help="Only of intervals from here on (ISO 8601 with an offset).")]
Until = Annotated[str, typer.Option("--to", help="Only of intervals that start before.")]
Statement = Annotated[str, typer.Option(help="A statement for the public.")]
Beneficiary = Annotated[str, typer.Option(help="For whom.")]
By = Annotated[str, typer.Option(help="Which member asks for it; the registry's operator by default.")]
Key = Annotated[str, typer.Option(help="The same key again records nothing and tells what it did.")]


def selection_of(
    names: Sequence[str] | None,
    wh: int,
    share: int,
    zone: str = "",
    register: str = "",
    technology: str = "",
    assurance: str = "",
    since: str = "",
    until: str = "",
) -> Selection:
    """What the options select; raises Invalid ``certificate.id``, ``selection.word``, ``period.malformed``."""
    from penstock.journal.words import Assurance as Level
    from penstock.journal.words import Technology as Kind
    from penstock.period import parse_iso
    from penstock.usecases.registry.certificate_rows import parse_id
    from penstock.usecases.registry.selection import Selection

    return Selection(
        spans=tuple(parse_id(one) for one in names or ()),
        quantity_wh=wh,
        share_basis_points=share,
        register=register,
        zone=zone,
        technology=word(Kind, technology),
        assurance=word(Level, assurance),
        start_us=parse_iso(since) if since else 0,
        stop_us=parse_iso(until) if until else (2**63 - 1 if since else 0),
    )


def word(kind: Any, text: str) -> Any:
    """One of a list of words, or None where none is given; raises Invalid ``selection.word``."""
    from penstock.errors import Invalid

    if not text:
        return None
    known = [one.value for one in kind]
    if text not in known:
        raise Invalid(
            "selection.word", f"There is no {kind.__name__.lower()} {text}.", hint=f"One of {', '.join(known)}."
        )
    return kind(text)


def act(workspace: Path, key: str, name: str, do: Callable[[Workspace, str, int], Done], as_json: bool) -> None:
    """Do an act in a workspace, under ``key`` or one of its own, and show what became of it."""
    from penstock.connect.spool import now_us
    from penstock.usecases.workspace import Workspace

    with Workspace(workspace) as opened:
        found = do(opened, key or f"{name}:{opened.store.size()}", now_us()).to_json()
    emit(found, as_json, lambda: _draw(name, found))


def _draw(name: str, found: dict[str, Any]) -> None:
    rows = [
        (act["seq"], act["kind"], act.get("right", ""), act.get("state", ""), kwh(act["quantity_wh"]), _owed(act))
        for act in found["acts"]
        if "quantity_wh" in act
    ]
    title = f"{name}, recorded before" if found["repeated"] else name
    table(title, ("fact", "kind", "right", "state", "energy", "owed"), rows, right=(0, 4, 5))


def _owed(act: dict[str, Any]) -> str:
    return kwh(act["owed_wh"]) if "owed_wh" in act else ""
