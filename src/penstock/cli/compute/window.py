"""`penstock compute window`: accelerators for whole hours - offered, bought, resold, paid for, settled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.compute.acting import Key, act, look_at, named
from penstock.cli.show import HERE, AsJson, Workspace

if TYPE_CHECKING:
    from penstock.journal.kinds.capacity import SkuPublished
    from penstock.usecases.world import World

app = typer.Typer(
    help="Standard windows: accelerators of a kind for whole hours.", no_args_is_help=True, rich_markup_mode=None
)

Offer = Annotated[str, typer.Argument(help="The offer's name.")]
Buyer = Annotated[str, typer.Option(help="The account that pays.")]


@app.command()
def offer(
    name: Offer,
    rack: Annotated[str, typer.Option(help="Of which rack; its operator sells.")],
    region: Annotated[str, typer.Option(help="The grid zone that it is in.")],
    accelerators: Annotated[int, typer.Option(help="How many.", min=1)],
    start: Annotated[str, typer.Option("--from", help="From this whole hour on (ISO 8601 with an offset).")],
    hours: Annotated[int, typer.Option(help="For how many whole hours.", min=1)],
    price: Annotated[int, typer.Option(help="Micro-dollars for the whole window.", min=1)],
    collateral: Annotated[int, typer.Option(help="Micro-dollars on top where nothing is delivered.", min=0)],
    notice_hours: Annotated[int, typer.Option(help="Interruptible with so much notice; firm without.", min=0)] = 0,
    availability: Annotated[int, typer.Option(help="Basis points of the hours that are promised.")] = 9_900,
    kernel_share: Annotated[int, typer.Option(help="Least share of the reference kernel's speed [bp].")] = 9_500,
    pue_max: Annotated[int, typer.Option(help="Highest PUE [bp]; 0 promises none.", min=0)] = 0,
    energy: Annotated[str, typer.Option(help="What is claimed of its energy.")] = "",
    deposit: Annotated[int, typer.Option(help="Basis points of the price paid at the sale.")] = 10_000,
    balance_due: Annotated[str, typer.Option(help="By when the rest is due.")] = "",
    expires: Annotated[str, typer.Option(help="Until when it can be bought; its begin by default.")] = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Offer a window; its accelerators are those that the rack's hours were opened with."""
    from penstock.journal.kinds.capacity import Firmness, WindowOffered
    from penstock.period import HOUR_US, parse_iso
    from penstock.usecases.compute.trade_windows import standard
    from penstock.usecases.workspace import Workspace as Opened

    start_us = parse_iso(start)
    with Opened(workspace, read_only=True) as opened:
        provider, sku = opened.read(lambda world: _opened(world, rack, start_us, start_us + hours * HOUR_US))
    fact = WindowOffered(
        offer=name,
        window="",
        provider=provider,
        rack=rack,
        sku=sku.sku,
        memory_mib=sku.memory_mib,
        interconnect=sku.interconnect,
        region=region,
        accelerators=accelerators,
        start_us=start_us,
        hours=hours,
        firmness=Firmness.INTERRUPTIBLE if notice_hours else Firmness.FIRM,
        notice_us=notice_hours * HOUR_US,
        availability_bp=availability,
        kernel_share_bp=kernel_share,
        pue_max_bp=pue_max,
        energy_claim=energy,
        price_usdc_micro=price,
        deposit_bp=deposit,
        balance_due_us=parse_iso(balance_due) if balance_due else 0,
        collateral_usdc_micro=collateral,
        expires_us=parse_iso(expires) if expires else start_us,
    )
    act(workspace, key, standard(fact), as_json, "window", named("window", name))


@app.command()
def buy(name: Offer, buyer: Buyer, key: Key = "", workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Buy a window from its provider: its hours are the buyer's, the price waits in escrow."""
    from penstock.usecases.compute.trade_windows import Buy

    act(workspace, key, Buy(name, buyer), as_json, "window", named("window", name))


@app.command()
def resell(
    name: Offer,
    seller: Annotated[str, typer.Option(help="Who holds it.")],
    buyer: Buyer,
    price: Annotated[int, typer.Option(help="Micro-dollars, paid to the seller.", min=0)],
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Pass a window on before it begins, with what is still to be paid for it."""
    from penstock.usecases.compute.trade_windows import Resell

    act(workspace, key, Resell(name, seller, buyer, price), as_json, "window", named("window", name))


@app.command()
def pay(name: Offer, key: Key = "", workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Pay the rest of a forward window's price, by the day it is due."""
    from penstock.usecases.compute.trade_windows import Pay

    act(workspace, key, Pay(name), as_json, "window", named("window", name))


@app.command()
def lapse(name: Offer, key: Key = "", workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """The rest of the price did not come: the window goes back to its provider, with the deposit."""
    from penstock.usecases.compute.trade_windows import Pay

    act(workspace, key, Pay(name, lapsed=True), as_json, "window", named("window", name))


@app.command()
def settle(
    name: Offer,
    delivered_ms: Annotated[int, typer.Option(help="Accelerator-milliseconds delivered.", min=0)],
    proof: Annotated[str, typer.Option(help="The sha256 of what shows it (hex); none where nothing was.")] = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Settle a window that is over: what is missing costs its share of price and collateral."""
    from penstock.cli.compute.provider import hexadecimal
    from penstock.usecases.compute.trade_windows import Settle

    asked = Settle(name, delivered_ms, hexadecimal(proof))
    act(workspace, key, asked, as_json, "window", named("window", name))


@app.command("list")
def list_windows(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Every window offered, with its price and who holds it."""
    look_at(workspace, as_json, "windows", named("windows_short" if not as_json else "windows"))


@app.command()
def show(name: Offer, workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """A window: its standard, its terms, where it stands."""
    look_at(workspace, as_json, "window", named("window", name))


def _opened(world: World, rack: str, start_us: int, stop_us: int) -> tuple[str, SkuPublished]:
    """Who sells of a rack in a period, and which accelerators."""
    sku = world.capacity.tables.sku(world.capacity.sku_of(rack, start_us, stop_us))
    return world.capacity.rack(rack).operator, sku
