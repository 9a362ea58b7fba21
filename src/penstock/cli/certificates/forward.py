"""`penstock certificate forward`: output is estimated, offered, sold, delivered and settled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.show import HERE, AsJson, Workspace, emit, table

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(
    help="Output sold before it is generated: promises, collateral, delivery, settlement.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(help="The forward.")]
Key = Annotated[str, typer.Option(help="The same key again records nothing and tells what it did.")]
By = Annotated[str, typer.Option(help="Which member asks for it; the registry's operator by default.")]
Registers = Annotated[list[str], typer.Option("--register", help="A register of the plant; repeatable.")]
Since = Annotated[str, typer.Option("--from", help="The window's begin (ISO 8601 with an offset).")]
Until = Annotated[str, typer.Option("--to", help="The window's end.")]
BasisFrom = Annotated[str, typer.Option(help="Estimate from the plant's certificates from here on.")]
BasisTo = Annotated[str, typer.Option(help="Up to here.")]


@app.command()
def estimate(
    register: Registers,
    start: Since,
    stop: Until,
    basis_from: BasisFrom,
    basis_to: BasisTo,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """What a plant will yield in a window, with a probability of 50 and 90 %, from what it yielded before."""
    from penstock.period import Period, parse_iso
    from penstock.usecases.registry.forward import estimate as estimate_of
    from penstock.usecases.workspace import Workspace as Opened

    window = Period(parse_iso(start), parse_iso(stop))
    basis = Period(parse_iso(basis_from), parse_iso(basis_to))
    with Opened(workspace, read_only=True) as opened:
        found = opened.read(lambda world: estimate_of(world, tuple(register), window, basis))
    told = {"p50_wh": found.p50_wh, "p90_wh": found.p90_wh, "method": found.method, "basis": found.basis}
    emit(told, as_json, lambda: _fields(f"estimate for {window}", told))


@app.command()
def offer(
    name: Name,
    seller: Annotated[str, typer.Option(help="The account that owns the plant's output.")],
    register: Registers,
    start: Since,
    stop: Until,
    price: Annotated[list[int], typer.Option(help="Micro-dollars per MWh, one for each rank, seniors first.")],
    wh: Annotated[int, typer.Option(help="Promise so many Wh over the window.", min=0)] = 0,
    share: Annotated[int, typer.Option(help="Or so many basis points of each interval's output.", min=0)] = 0,
    shape: Annotated[Path | None, typer.Option(help="Or a CSV of periods: from, to, energy_wh.")] = None,
    energy: Annotated[bool, typer.Option("--energy", help="Deliver the energy with the certificates.")] = False,
    p50_wh: Annotated[
        int, typer.Option("--median-wh", help="P50: what the window yields with a probability of 50 %.", min=0)
    ] = 0,
    p90_wh: Annotated[int, typer.Option("--ninety-wh", help="P90: and of 90 %.", min=0)] = 0,
    method: Annotated[str, typer.Option(help="How these were found.")] = "",
    basis: Annotated[str, typer.Option(help="On what they rest.")] = "",
    basis_from: BasisFrom = "",
    basis_to: BasisTo = "",
    collateral: Annotated[int, typer.Option(help="Basis points of the price put up, of what is below P90.")] = 1_000,
    collateral_above: Annotated[int, typer.Option(help="And of what is sold above P90.")] = 5_000,
    remedy: Annotated[str, typer.Option(help="cash, index or make_up.")] = "cash",
    cash: Annotated[int, typer.Option(help="Micro-dollars per MWh that did not come.", min=0)] = 0,
    index: Annotated[str, typer.Option(help="The index price to settle by.")] = "",
    make_up_until: Annotated[str, typer.Option(help="Until when later output makes up.")] = "",
    grace_hours: Annotated[int, typer.Option(help="How long a settlement waits for readings.", min=0)] = 168,
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Offer output: who delivers how much of which plant, at which price, with what behind it."""
    from penstock.cli.certificates.chosen import word
    from penstock.journal.kinds.forward import Remedy
    from penstock.period import HOUR_US, parse_iso
    from penstock.usecases.registry.forward import Offer
    from penstock.usecases.registry.forward_desk import offer_on
    from penstock.usecases.registry.forward_rows import read_shape

    asked = Offer(
        forward=name,
        seller=seller,
        registers=tuple(register),
        start_us=parse_iso(start),
        stop_us=parse_iso(stop),
        prices_usdc_micro_per_mwh=tuple(price),
        quantity_wh=wh,
        share_basis_points=share,
        shape=read_shape(shape.read_text("utf-8")) if shape else (),
        energy=energy,
        p50_wh=p50_wh,
        p90_wh=p90_wh,
        method=method,
        basis=basis,
        basis_start_us=parse_iso(basis_from) if basis_from else 0,
        basis_stop_us=parse_iso(basis_to) if basis_to else 0,
        collateral_basis_points=collateral,
        collateral_above_basis_points=collateral_above,
        remedy=word(Remedy, remedy),
        cash_usdc_micro_per_mwh=cash,
        index=index,
        make_up_until_us=parse_iso(make_up_until) if make_up_until else 0,
        grace_us=grace_hours * HOUR_US,
        by=by,
    )
    _act(workspace, "forward-offer", key, offer_on, asked, as_json)


@app.command()
def sell(
    name: Name,
    buyer: Annotated[str, typer.Option(help="The account that buys; its dollars wait in escrow.")],
    rank: Annotated[int, typer.Option(help="Its seniority, 1 the most senior.")] = 1,
    wh: Annotated[int, typer.Option(help="So many Wh.", min=0)] = 0,
    share: Annotated[int, typer.Option(help="Of a share, so many basis points.", min=0)] = 0,
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Sell of an offer: price and collateral move, and the buyer holds the promise."""
    from penstock.usecases.registry.forward import Sell
    from penstock.usecases.registry.forward_desk import sell_on

    _act(workspace, "forward-sell", key, sell_on, Sell(name, buyer, rank, wh, share, by), as_json)


@app.command("pass")
def pass_on(
    name: Name,
    account: Annotated[str, typer.Option(help="Who holds the promise.")],
    target: Annotated[str, typer.Option(help="Who gets it.")],
    start: Annotated[int, typer.Option(help="From this Wh of the promise on.", min=0)],
    stop: Annotated[int, typer.Option(help="Up to this one.", min=1)],
    by: By = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Give a part of a promise to another holder."""
    from penstock.usecases.registry.forward import PassOn
    from penstock.usecases.registry.forward_desk import pass_on_on

    _act(workspace, "forward-pass", key, pass_on_on, PassOn(name, account, target, start, stop, by), as_json)


@app.command()
def deliver(name: Name, by: By = "", key: Key = "", workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Deliver what is due of all that was certified since the last delivery. Run it after each issue."""
    from penstock.usecases.registry.forward_desk import Named, deliver_on

    _act(workspace, "forward-deliver", key, deliver_on, Named(name, by), as_json)


@app.command()
def settle(name: Name, by: By = "", key: Key = "", workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Settle a forward whose time is over: what did not come is remedied, the rest of the dollars go back."""
    from penstock.usecases.registry.forward_desk import Named, settle_on

    _act(workspace, "forward-settle", key, settle_on, Named(name, by), as_json)


@app.command()
def index(
    name: Annotated[str, typer.Argument(help="The index.")],
    start: Annotated[str, typer.Option("--from", help="Of which period it is (ISO 8601 with an offset).")],
    stop: Annotated[str, typer.Option("--to", help="Up to when.")],
    price: Annotated[int, typer.Option(help="Micro-dollars per MWh.", min=0)],
    source: Annotated[str, typer.Option(help="Who published it.")],
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Publish the price of an index over a period; forwards of that very window settle by it."""
    from penstock.journal.kinds.forward import ForwardIndexPublished
    from penstock.period import iso, parse_iso
    from penstock.usecases.registry.forward_desk import publish_on

    fact = ForwardIndexPublished(name, parse_iso(start), parse_iso(stop), price, source)
    told = _do(workspace, "forward-index", key, publish_on, fact)
    emit(told, as_json, lambda: typer.echo(f"{name}, {iso(fact.start_us)} to {iso(fact.stop_us)}: recorded"))


@app.command("fund")
def book_dollars(
    account: Annotated[str, typer.Argument(help="The account that dollars reached.")],
    usdc_micro: Annotated[int, typer.Argument(help="How many micro-dollars.")],
    reference: Annotated[str, typer.Option(help="By which payment.")],
    source: Annotated[str, typer.Option(help="The external account that they came through.")] = "outside",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Book dollars that reached an account from outside, so that it can buy or put up collateral."""
    from penstock.usecases.registry.forward_desk import fund_on
    from penstock.usecases.registry.fund import Fund

    told = _do(workspace, "forward-fund", key, fund_on, Fund(account, usdc_micro, reference, source))
    emit(told, as_json, lambda: typer.echo(f"{account} holds {told['usdc_micro']:,} micro-dollars"))


@app.command("list")
def list_forwards(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Every forward: what was offered, sold and delivered."""
    from penstock.usecases.registry.forward_rows import forwards
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        rows = opened.read(forwards)
    names = ("offered_wh", "sold_wh", "delivered_wh", "missing_wh")
    cells = [(row["forward"], row["form"], row["from"], row["state"], *_numbers(row, names)) for row in rows]
    heads = ("forward", "form", "from", "state", "offered", "sold", "delivered", "missing")
    emit({"forwards": rows}, as_json, lambda: table(f"{len(rows)} forwards [Wh]", heads, cells, right=(4, 5, 6, 7)))


@app.command()
def show(name: Name, workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """A forward: its terms, its sales, where its dollars lie."""
    from penstock.usecases.registry.forward_rows import forward_row
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        row = opened.read(lambda world: forward_row(world, name))
    emit(row, as_json, lambda: _draw(row))


def _do(workspace: Path, verb: str, key: str, act: Any, asked: Any) -> dict[str, Any]:
    """Do an act of the desk, once under its key."""
    from penstock.connect.spool import now_us
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened:
        told: dict[str, Any] = act(opened, key or f"{verb}:{opened.store.size()}", asked, now_us())
    return told


def _act(workspace: Path, verb: str, key: str, act: Any, asked: Any, as_json: bool) -> None:
    """Do an act and show how the forward stands."""
    told = _do(workspace, verb, key, act, asked)
    emit(told, as_json, lambda: _draw(told["forward"]))


def _draw(row: dict[str, Any]) -> None:
    shown = ("seller", "form", "from", "to", "remedy", "state")
    sums = ("p50_wh", "p90_wh", "offered_wh", "sold_wh", "delivered_wh", "missing_wh")
    dollars = ("escrow_usdc_micro", "collateral_usdc_micro")
    _fields(row["forward"], {name: row[name] for name in (*shown, *sums, *dollars)})
    names = ("quantity_wh", "delivered_wh", "cost_usdc_micro", "earned_usdc_micro", "collateral_usdc_micro")
    cells = [(one["buyer"], ", ".join(one["holders"]), one["rank"], *_numbers(one, names)) for one in row["sales"]]
    heads = ("buyer", "holders", "rank", "promised", "delivered", "cost", "earned", "collateral")
    table("sales [Wh, micro-dollars]", heads, cells, right=(2, 3, 4, 5, 6, 7))


def _fields(title: str, told: dict[str, Any]) -> None:
    cells = [(name, f"{one:,}" if isinstance(one, int) else one) for name, one in told.items()]
    table(title, ("field", "value"), cells, right=(1,))


def _numbers(row: dict[str, Any], names: Sequence[str]) -> list[str]:
    return [f"{row[name]:,}" for name in names]
