"""`penstock deal servicing` and its kin: how a deal's servicing stands, losses, disputes, marks, who acts for it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from penstock.cli.deals.collect import By, Deal, Key, acted, decided
from penstock.cli.show import HERE, AsJson, Workspace, emit, table, usdc

Asset = Annotated[str, typer.Argument(help="The asset's name.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]


def servicing(
    deal: Deal,
    period: Annotated[int, typer.Option(min=0, help="Also the measures of this period, counted from 1.")] = 0,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Show a deal's assets, what came in by period, tapes, disputes and roles."""
    from penstock.usecases.servicing.serviced_rows import measure_rows, serviced
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        row = serviced(opened, deal)
        measures = opened.read(lambda world: measure_rows(world, deal, period - 1)) if period else []
    emit(row | {"measures": measures}, as_json, lambda: _draw(row, measures))


def write_off(
    deal: Deal,
    asset: Asset,
    usdc_micro: Annotated[int, typer.Option("--usdc-micro", min=1, help="How much [micro-dollars].")],
    reason: Reason,
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Write off what will not be collected on an asset."""
    from penstock.usecases.servicing.write_off import write_off as act

    asked = f"{deal} {asset} {usdc_micro} {reason} {by}".encode()
    decided(
        workspace,
        as_json,
        "write-off",
        key,
        asked,
        lambda world: act(world, deal, {asset: usdc_micro}, reason, by),
    )


def release(
    deal: Deal,
    asset: Asset,
    reason: Reason,
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Let an asset leave a deal: repaid, substituted or bought back."""
    from penstock.usecases.servicing.release import release as act

    asked = f"{deal} {asset} {reason} {by}".encode()
    decided(workspace, as_json, "release", key, asked, lambda world: act(world, deal, [asset], reason, by))


def dispute(
    deal: Deal,
    asset: Asset,
    name: Annotated[str, typer.Option(help="What the dispute is called from now on.")],
    usdc_micro: Annotated[int, typer.Option("--usdc-micro", min=1, help="How much of it is disputed [micro-dollars].")],
    reason: Reason,
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Record that an obligor disputes what it owes on an asset."""
    from penstock.usecases.servicing.dispute import dispute as act
    from penstock.usecases.servicing.dispute import disputed

    fact = disputed(deal, name, asset, usdc_micro, reason, by)
    decided(workspace, as_json, "dispute", key, fact, lambda world: act(world, fact))


def resolve(
    deal: Deal,
    name: Annotated[str, typer.Argument(help="The dispute.")],
    outcome: Annotated[str, typer.Option(help="upheld, rejected or settled.")],
    reason: Reason,
    credited_usdc_micro: Annotated[int, typer.Option("--credited-usdc-micro", min=0, help="What is not owed.")] = 0,
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """End a dispute: upheld in full, rejected, or settled in part."""
    from penstock.journal.kinds.servicing import DisputeOutcome
    from penstock.usecases.servicing.dispute import resolve as act

    ended = DisputeOutcome(_word(outcome, tuple(DisputeOutcome), "outcome"))
    asked = f"{deal} {name} {outcome} {credited_usdc_micro} {reason} {by}".encode()
    decided(
        workspace,
        as_json,
        "resolve",
        key,
        asked,
        lambda world: act(world, deal, name, ended, credited_usdc_micro, reason, by),
    )


def mark(
    name: Annotated[str, typer.Argument(help="What is marked: sofr, value/accelerator, DEAL/milestone.")],
    value_e8: Annotated[int, typer.Option("--value", help="Its value [hundred-millionths]: 5.3 % is 5300000.")],
    source: Annotated[str, typer.Option(help="Whose value it is.")],
    as_of: Annotated[str, typer.Option(help="Of when (ISO 8601 with offset).")],
    days: Annotated[int, typer.Option(min=1, max=3_660, help="For how many days it speaks.")] = 35,
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Set a value from outside: a floating rate, an accelerator index, a milestone."""
    from penstock.journal.kinds.servicing import MarkSet
    from penstock.period import parse_iso
    from penstock.usecases.servicing.mark import mark as act

    fact = MarkSet(name, value_e8, source, parse_iso(as_of), days * 86_400, by)
    acted(workspace, as_json, "mark", key, lambda opened, word, at_us: opened.submit(
        word, fact, at_us, lambda world: act(world, fact, at_us)))  # fmt: skip


def call(
    deal: Deal,
    name: Annotated[str, typer.Argument(help="The call, as the deal's text names it.")],
    usdc_micro: Annotated[int, typer.Option("--usdc-micro", min=1, help="The price paid in [micro-dollars].")],
    source: Annotated[str, typer.Option(help="The account it is paid from.")],
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Exercise a call: its price is paid in, and the next close retires the notes if the call holds."""
    from penstock.usecases.servicing.call import exercise

    asked = f"{deal} {name} {usdc_micro} {source} {by}".encode()
    decided(workspace, as_json, "call", key, asked, lambda world: exercise(world, deal, name, usdc_micro, source, by))


def appoint(
    deal: Deal,
    role: Annotated[str, typer.Argument(help="sponsor, servicer, backup_servicer, trustee or attester.")],
    account: Annotated[str, typer.Argument(help="Who acts from now on.")],
    reason: Reason,
    replaces: Annotated[str, typer.Option(help="Whose seat an attester takes; empty for one more.")] = "",
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Appoint who acts for a deal; a new servicer replaces the one before."""
    from penstock.journal.kinds.servicing import DealRole
    from penstock.usecases.servicing.appoint import appoint as act

    held = DealRole(_word(role, tuple(DealRole), "role"))
    asked = f"{deal} {role} {account} {replaces} {reason} {by}".encode()
    decided(
        workspace,
        as_json,
        "appoint",
        key,
        asked,
        lambda world: act(world, deal, held, account, reason, replaces=replaces, by=by),
    )


def _word(said: str, known: tuple[str, ...], what: str) -> str:
    from penstock.errors import Invalid

    if said not in known:
        hint = f"One of: {', '.join(map(str, known))}."
        raise Invalid("servicing.word", f"There is no {what} {said}.", hint=hint)
    return said


def _draw(row: dict[str, Any], measures: list[dict[str, Any]]) -> None:
    title = f"{row['deal']}: {row['assets']:,} assets, {usdc(row['outstanding_usdc_micro'])} outstanding"
    roles = [(f"role {role}", ", ".join(accounts)) for role, accounts in row["roles"].items()]
    disputes = [(f"dispute {one['dispute']}", f"{one['asset']}, {usdc(one['usdc_micro'])}") for one in row["disputes"]]
    table(title, ("what", "value"), [("period open", row["period_open"] + 1), *roles, *disputes])
    cells = [(one["period"] + 1, one["kind"], one["flag"], usdc(one["usdc_micro"])) for one in row["collections"]]
    table("collections", ("period", "kind", "flag", "amount"), cells, right=(0, 3))
    if measures:
        told = [(one["measure"], one["definition"], one["value"], one["unit"], one["why"]) for one in measures]
        table("measures", ("measure", "definition", "value", "unit", "why not"), told, right=(2,))
