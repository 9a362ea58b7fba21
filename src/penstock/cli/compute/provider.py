"""`penstock compute provider`: who sells compute, on which racks, with what collateral."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.cli.compute.acting import Key, act, look_at, named
from penstock.cli.show import HERE, AsJson, Workspace

app = typer.Typer(
    help="Providers: registered, their racks, their collateral.", no_args_is_help=True, rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(help="The provider; its account has the same name.")]
Dollars = Annotated[int, typer.Argument(help="Micro-dollars.", min=1)]
Reason = Annotated[str, typer.Option(help="What for.")]


@app.command()
def register(
    name: Name,
    url: Annotated[str, typer.Option(help="Where it answers.")],
    work_key: Annotated[str, typer.Option(help="The Ed25519 public key that signs its work statements (hex).")],
    address: Annotated[str, typer.Option(help="Its address on chain (hex, 20 bytes).")],
    revenue: Annotated[str, typer.Option(help="The account that its dollars reach; NAME/revenue by default.")] = "",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Register a provider; its collateral and escrow accounts are opened."""
    from penstock.journal.kinds.capacity import ProviderRegistered
    from penstock.usecases.compute.register_provider import collateral_account

    fact = ProviderRegistered(
        *(name, url, hexadecimal(work_key), hexadecimal(address)),
        *(collateral_account(name), revenue or f"{name}/revenue"),
    )
    act(workspace, key, fact, as_json, "providers", named("providers"))


@app.command()
def rack(
    name: Name,
    rack: Annotated[str, typer.Argument(help="The rack.")],
    meter_key: Annotated[str, typer.Option(help="The Ed25519 public key of its import meter (hex).")],
    accelerators: Annotated[int, typer.Option(help="How many it has.", min=1)],
    watts: Annotated[int, typer.Option(help="What it draws at most [W].", min=1)],
    commissioned: Annotated[str, typer.Option(help="Since when (ISO 8601 with an offset).")],
    zone: Annotated[str, typer.Option(help="Its grid zone.")],
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Add a rack: its signed import meter, its calendar, the registers of what it does."""
    from penstock.period import parse_iso
    from penstock.usecases.compute.add_rack import AddRack

    asked = AddRack(rack, name, zone, hexadecimal(meter_key), accelerators, watts, parse_iso(commissioned))
    act(workspace, key, asked, as_json, "racks", lambda world: [{"rack": one} for one in world.compute.racks])


@app.command()
def post(
    name: Name,
    usdc_micro: Dollars,
    reason: Reason = "collateral",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Put up collateral, from the provider's account."""
    from penstock.usecases.compute.move_collateral import Collateral

    asked = Collateral(name, usdc_micro, reason=reason)
    act(workspace, key, asked, as_json, "providers", named("providers"))


@app.command()
def release(
    name: Name,
    usdc_micro: Dollars,
    reason: Reason = "not needed",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Take collateral back that nothing sold needs."""
    from penstock.journal.kinds.capacity import CollateralCause
    from penstock.usecases.compute.move_collateral import Collateral

    asked = Collateral(name, usdc_micro, CollateralCause.RELEASED, reason)
    act(workspace, key, asked, as_json, "providers", named("providers"))


@app.command()
def slash(
    name: Name,
    reason: Reason = "work shown to be false",
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Take a provider's collateral, once a judged challenge failed: to the holders of what it sold, pro rata."""
    from penstock.usecases.compute.slash_collateral import Slash

    act(workspace, key, Slash(name, reason), as_json, "providers", named("providers"))


@app.command("list")
def list_providers(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Every provider and its collateral."""
    look_at(workspace, as_json, "providers", named("providers"))


def hexadecimal(text: str) -> bytes:
    """Bytes from hex, with or without ``0x``; raises Invalid ``compute.hex``."""
    from penstock.errors import Invalid

    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise Invalid("compute.hex", "Keys, addresses and digests are written in hex.") from None
