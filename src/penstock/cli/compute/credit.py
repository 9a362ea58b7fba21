"""`penstock compute credit`: credits with capacity behind them - offered, bought, sent, asked for, redeemed, ended."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.compute.acting import Key, act, look_at, named
from penstock.cli.show import HERE, AsJson, Workspace

app = typer.Typer(help="Credits for tokens, inference-seconds or answers.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="The class of credits.")]
Count = Annotated[int, typer.Argument(help="How many credits.", min=1)]
Holder = Annotated[str, typer.Option(help="Who holds them.")]


@app.command()
def offer(
    name: Name,
    rack: Annotated[str, typer.Option(help="The rack whose hours are reserved; its operator sells.")],
    conversion: Annotated[str, typer.Option(help="What an accelerator-hour yields, as published.")],
    units: Annotated[int, typer.Option(help="Units of the conversion in a credit.", min=1)],
    price: Annotated[int, typer.Option(help="Micro-dollars a credit.", min=1)],
    count: Annotated[int, typer.Option(help="How many credits.", min=1)],
    expires: Annotated[str, typer.Option(help="Until when work can be asked for (ISO 8601 with an offset).")],
    collateral: Annotated[int, typer.Option(help="Micro-dollars a credit, where work asked for is late.", min=0)],
    grace_minutes: Annotated[int, typer.Option(help="How soon work asked for is delivered.", min=1)] = 60,
    application: Annotated[str, typer.Option(help="Of credits in requests: of which application.")] = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Offer a class of credits; accelerator-hours for all of them are reserved at once."""
    from penstock.journal.kinds.compute import CreditsOffered
    from penstock.period import SECOND_US, parse_iso
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        table = opened.read(lambda world: world.capacity.tables.conversion(conversion))
        provider = opened.read(lambda world: world.capacity.rack(rack).operator)
        revenue = opened.read(lambda world: world.capacity.providers.named(provider).revenue_account)
    terms = CreditsOffered(
        *(name, provider, table.model, f"{name}/promised", units, price, count, parse_iso(expires), table.unit),
        *(application, conversion, rack, collateral, grace_minutes * 60 * SECOND_US, revenue),
    )
    act(workspace, key, terms, as_json, "class", named("credit_class", name))


@app.command()
def buy(
    name: Name,
    count: Count,
    buyer: Annotated[str, typer.Option(help="The account that pays.")],
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Buy credits; the dollars wait in escrow."""
    from penstock.usecases.compute.trade_credits import BuyCredits

    act(workspace, key, BuyCredits(name, buyer, count), as_json, "class", named("credit_class", name))


@app.command()
def send(
    name: Name,
    count: Count,
    holder: Holder,
    to: Annotated[str, typer.Option(help="Who gets them.")],
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Give credits to somebody else, the oldest first."""
    from penstock.usecases.compute.trade_credits import PassCredits

    act(workspace, key, PassCredits(name, holder, to, count), as_json, "holdings", named("holdings", name))


@app.command()
def ask(
    name: Name, count: Count, holder: Holder, key: Key = "", workspace: Workspace = HERE, as_json: AsJson = False
) -> None:
    """Ask for the work of credits: it is due within the class's grace."""
    from penstock.usecases.compute.trade_credits import AskWork

    act(workspace, key, AskWork(name, holder, count), as_json, "holdings", named("holdings", name))


@app.command()
def redeem(
    name: Name,
    count: Count,
    holder: Holder,
    work_root: Annotated[str, typer.Option(help="The root of the work stated (hex, 32 bytes).")],
    start: Annotated[str, typer.Option("--from", help="When the work began (ISO 8601 with an offset).")],
    stop: Annotated[str, typer.Option("--to", help="When it ended.")],
    answers: Annotated[Path | None, typer.Option(help="Of requests: a file of token positions, one a line.")] = None,
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Redeem credits for work that was delivered: their dollars reach the provider."""
    from penstock.cli.compute.provider import hexadecimal
    from penstock.period import Period, parse_iso
    from penstock.usecases.compute.redeem_credits import Redeem

    period, positions = Period(parse_iso(start), parse_iso(stop)), _positions(answers)
    asked = Redeem(name, holder, count, hexadecimal(work_root), period, answers=positions)
    act(workspace, key, asked, as_json, "class", named("credit_class", name))


@app.command()
def refund(name: Name, holder: Holder, key: Key = "", workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Refund all credits whose work is overdue: price and collateral."""
    from penstock.journal.kinds.capacity import CreditEnd
    from penstock.usecases.compute.trade_credits import EndCredits

    asked = EndCredits(name, holder, CreditEnd.REFUNDED)
    act(workspace, key, asked, as_json, "class", named("credit_class", name))


@app.command()
def expire(name: Name, holder: Holder, key: Key = "", workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """End a holder's credits that nobody asked for in time: their price goes back."""
    from penstock.journal.kinds.capacity import CreditEnd
    from penstock.usecases.compute.trade_credits import EndCredits

    asked = EndCredits(name, holder, CreditEnd.EXPIRED)
    act(workspace, key, asked, as_json, "class", named("credit_class", name))


@app.command("list")
def list_classes(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Every class of credits."""
    look_at(workspace, as_json, "classes", named("classes" if as_json else "classes_short"))


@app.command()
def show(name: Name, workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """A class: its terms, what stands behind it, what is outstanding."""
    look_at(workspace, as_json, "class", named("credit_class", name))


@app.command()
def holders(name: Name, workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Who holds how many credits of a class, and asked work for how many."""
    look_at(workspace, as_json, "holdings", named("holdings", name))


def _positions(path: Path | None) -> tuple[int, ...]:
    """Token positions of a file; raises Invalid ``credit.answers``."""
    from penstock.errors import Invalid

    if path is None:
        return ()
    lines = path.read_text("utf-8").split()
    if not all(line.isdecimal() for line in lines):
        raise Invalid("credit.answers", "A file of answers has one token position a line.", path=str(path))
    return tuple(map(int, lines))
