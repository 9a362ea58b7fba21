"""`penstock deal look-through`: from a holding to its part of every asset, contract, offtaker, region and reading."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from penstock.cli.deals.report import read_text
from penstock.cli.show import HERE, AsJson, Workspace, emit, table, usdc

if TYPE_CHECKING:
    from penstock.usecases.look_through.build import Position
    from penstock.usecases.workspace import Workspace as Opened

SHOWN: Final = 40


def look_through(
    deal: Annotated[str, typer.Argument(help="The deal's name.")],
    tranche: Annotated[str, typer.Option(help="A holding in this tranche.")] = "",
    shares: Annotated[int, typer.Option(min=0, help="So many of its shares.")] = 0,
    holder: Annotated[str, typer.Option(help="What this holder had when income was last taken.")] = "",
    positions: Annotated[Path | None, typer.Option(help="Many positions (CSV: tranche,shares).")] = None,
    by: Annotated[str, typer.Option(help="Sum by: offtaker, contract, region, technology, assurance ...")] = "offtaker",
    readings: Annotated[bool, typer.Option(help="What the meters behind it counted, too.")] = True,
    out: Annotated[Path | None, typer.Option(help="Write it all to this file (JSON).")] = None,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """A holding's part of every asset behind a deal; parts add up to the micro-dollar."""
    import json

    from penstock.usecases.look_through.build import look_through as look
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        held = _positions(opened, deal, tranche, shares, holder, positions)
        told = look(opened, deal, held, readings=readings).told
    rows = _summed(told, by)
    if out:
        out.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    emit(told, as_json, lambda: _draw(told, by, rows))


def _positions(opened: Opened, deal: str, tranche: str, shares: int, holder: str, file: Path | None) -> list[Position]:
    """The holding meant. Raises Invalid ``look_through.holding``; as `holder_positions`, `positions_of_csv`."""
    from penstock.errors import Invalid
    from penstock.usecases.look_through.build import holder_positions, positions_of_csv

    if holder:
        return holder_positions(opened, deal, holder)
    if file:
        return positions_of_csv(read_text(file))
    if tranche and shares:
        return [(tranche, shares, -1)]
    hint = "Give --tranche and --shares, or --holder, or --positions."
    raise Invalid("look_through.holding", "It is not said what is held.", hint=hint)


def _summed(told: dict[str, Any], by: str) -> list[dict[str, Any]]:
    from penstock.errors import Invalid

    if by == "asset":
        return [one | {"name": one["asset"], "assets": 1} for one in told["assets"]]
    if by not in told["by"]:
        raise Invalid("look_through.by", f"Nothing is summed by {by}.", hint=f"One of: asset, {', '.join(told['by'])}.")
    rows: list[dict[str, Any]] = told["by"][by]
    return rows


def _draw(told: dict[str, Any], by: str, rows: list[dict[str, Any]]) -> None:
    held = told["holding"]
    many = f"{held['positions']:,} position{'s' * (held['positions'] > 1)}"
    title = f"{told['deal']}: {many}, a claim of {usdc(held['claim_usdc_micro'])}"
    cells = [
        (one["tranche"], f"{one['shares']:,}", usdc(one["claim_usdc_micro"]), usdc(one["ahead_usdc_micro"]))
        for one in held["tranches"]
    ]
    table(title, ("tranche", "shares", "claim", "ahead of it"), cells, right=(1, 2, 3))
    part = f"its part of {usdc(told['pool_usdc_micro'])} ({told['basis']}): {usdc(told['part_usdc_micro'])}"
    cells = [
        (one["name"], f"{one['assets']:,}", usdc(one["usdc_micro"]), usdc(one["part_usdc_micro"])) for one in rows[:40]
    ]
    table(part, (by, "assets", "of the pool", "its part"), cells, right=(1, 2, 3))
    meters = [
        (one["register"], f"{one['stop'] - one['start']:,} {one['unit']}", f"{one['part']:,} {one['unit']}")
        for one in told["readings"][:SHOWN]
    ]
    if meters:
        table(
            f"counted {told['readings_from']} to {told['readings_to']}",
            ("register", "all", "its part"),
            meters,
            right=(1, 2),
        )
