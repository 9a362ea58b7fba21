"""`penstock certificate carbon credit|credits|use|offset|offsets`: what certificates are used up for besides claims."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.certificates.chosen import Account, By, Key, Register, Since, Statement, Until, Zone, selection_of
from penstock.cli.show import HERE, AsJson, Workspace, emit, kwh, table

if TYPE_CHECKING:
    from penstock.energy.carbon.factors import FactorName


def credit(
    account: Account,
    method: Annotated[str, typer.Option(help="METHOD@VERSION.")],
    quantity_wh: Annotated[int, typer.Option(help="How much of what it holds, oldest first.")] = 0,
    register: Register = "",
    zone: Zone = "",
    start: Since = "",
    stop: Until = "",
    holder: Annotated[str, typer.Option(help="Whose credits they become; the account's by default.")] = "",
    statement: Statement = "",
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Turn certificates into carbon credits: they are certificates no longer."""
    from penstock.connect.spool import now_us
    from penstock.usecases.registry.avoid import Crediting, avoid_on
    from penstock.usecases.workspace import Workspace as Opened

    name = named(method)
    asked = Crediting(name.source, name.version, holder or account, statement, by)
    selection = selection_of(None, quantity_wh, 0, zone, register, since=start, until=stop)
    with Opened(workspace) as opened:
        done = avoid_on(opened, key or f"credit:{opened.store.size()}", account, selection, asked, now_us()).to_json()
    _done(done, as_json, account)


def credits(workspace: Workspace = HERE, as_json: AsJson = False) -> None:  # noqa: A001 (the command's name)
    """Carbon credits that were made."""
    from penstock.usecases.registry.avoid import credit_rows
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        found = credit_rows(opened)
    cells = [
        (
            r["register"],
            f"[{r['start']:,}, {r['stop']:,})",
            f"{r['grams']:,}",
            f"{r['buffer_g']:,}",
            kwh(r["energy_wh"]),
        )
        for r in found
    ]
    heads = ("register", "span", "g CO2e", "held apart", "from")
    emit({"credits": found}, as_json, lambda: table(f"{len(found)} credits", heads, cells, right=(1, 2, 3, 4)))


def use(
    account: Account,
    grams: Annotated[int, typer.Option(help="How many grams of carbon credits, oldest first.", min=1)],
    register: Register = "",
    to: Annotated[str, typer.Option(help="Hand them to this account instead of retiring them.")] = "",
    beneficiary: Annotated[str, typer.Option(help="For whom they are retired.")] = "",
    reason: Annotated[str, typer.Option(help="What for.")] = "",
    statement: Statement = "",
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Retire carbon credits, or hand them over."""
    from penstock.connect.spool import now_us
    from penstock.usecases.registry.avoid import Using, use_credits_on
    from penstock.usecases.workspace import Workspace as Opened

    asked = Using(account, grams, register, to, beneficiary, reason, statement, by)
    with Opened(workspace) as opened:
        done = use_credits_on(opened, key or f"credit:{opened.store.size()}", asked, now_us()).to_json()
    _done(done, as_json, account)


def offset(
    account: Account,
    rack: Annotated[str, typer.Option(help="Work of this rack.")] = "",
    answer: Annotated[int, typer.Option(help="Of the rack, this answer alone.")] = -1,
    model: Annotated[str, typer.Option(help="Answers of this model.")] = "",
    beneficiary: Annotated[str, typer.Option(help="For whom; the account by default.")] = "",
    zone: Zone = "",
    start: Since = "",
    stop: Until = "",
    statement: Statement = "",
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Retire certificates for AI work, to the energy that its record says, rounded up."""
    from penstock.connect.spool import now_us
    from penstock.errors import Invalid
    from penstock.journal.kinds.carbon import Work
    from penstock.usecases.registry.offset import Offset, offset_on
    from penstock.usecases.workspace import Workspace as Opened

    if bool(rack) == bool(model) or (model and answer >= 0):
        raise Invalid("offset.unclear", "An offset is for a rack, an answer of a rack, or a model.")
    work = Work.MODEL if model else Work.ANSWER if answer >= 0 else Work.RACK
    asked = Offset(work, model or rack, beneficiary or account, max(answer, 0), statement, by)
    selection = selection_of(None, 0, 0, zone, since=start, until=stop)
    with Opened(workspace) as opened:
        name = key or f"offset:{opened.store.size()}"
        done = offset_on(opened, name, account, selection, asked, now_us()).to_json()
    _done(done, as_json, work.value)


def offsets(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """AI work that certificates were retired for."""
    from penstock.usecases.registry.offset import offset_rows
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        found = offset_rows(opened)
    cells = [
        (r["work"], r["name"], r["number"] if r["number"] >= 0 else "", f"{r['energy_mj']:,}", f"{r['quantity_wh']:,}")
        for r in found
    ]
    heads = ("work", "name", "answer", "mJ", "Wh retired")
    emit({"offsets": found}, as_json, lambda: table(f"{len(found)} offsets", heads, cells, right=(2, 3, 4)))


def named(text: str) -> FactorName:
    """A name and its version, written NAME@VERSION; raises Invalid ``factors.name``."""
    from penstock.energy.carbon.factors import parse_name

    return parse_name(text)


def _done(done: dict[str, Any], as_json: bool, title: str) -> None:
    rows = [(act["seq"], act["kind"], f"{act.get('quantity_wh', '')}", act.get("purpose", "")) for act in done["acts"]]
    emit(done, as_json, lambda: table(title, ("fact", "kind", "quantity", "purpose"), rows, right=(0, 2)))
