"""`penstock device`: what is enrolled, where each device stands, and new devices."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli import device_life
from penstock.cli.show import HERE, AsJson, Workspace, emit, kwh, table

STARTS = "What each channel showed at commissioning [Wh], in order, where the file does not say; 0 where left out."
app = typer.Typer(help="Devices that sign their readings.", no_args_is_help=True, rich_markup_mode=None)
for act in (
    device_life.rotate,
    device_life.revoke,
    device_life.reclaim,
    device_life.transfer,
    device_life.replace,
    device_life.epoch,
    device_life.retire,
    device_life.lock,
    device_life.place,
):
    app.command()(act)


@app.command()
def enrol(
    file: Annotated[Path, typer.Argument(help="A CSV file, one line a device (see docs/devices.md).", exists=True)],
    site: Annotated[str, typer.Option(help="The site they stand on; registered where it is not known yet.")],
    owner: Annotated[str, typer.Option(help="A new site's owner: an account, opened where there is none.")] = "",
    zone: Annotated[str, typer.Option(help="A new site's grid zone.")] = "",
    cell: Annotated[str, typer.Option(help="Where a new site lies: a geohash.")] = "",
    cell_digits: Annotated[int, typer.Option(help="How many geohash digits the owner allows.", min=0, max=12)] = 5,
    owner_key: Annotated[str, typer.Option(help="The owner's Ed25519 public key, in hex.")] = "",
    personal: Annotated[bool, typer.Option("--personal", help="Readings of a new site can be erased.")] = False,
    channel: Annotated[list[str] | None, typer.Option("--channel", help="Register names; the first issues.")] = None,
    start_wh: Annotated[list[int] | None, typer.Option(help=STARTS)] = None,
    consumption: Annotated[
        bool, typer.Option("--consumption", help="The first channel certifies consumption.")
    ] = False,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Take devices in, one or a million, in one fact; the same file again records nothing."""
    from penstock.journal.kinds.energy import SiteRegistered
    from penstock.usecases.device_desk import enrol_file

    asked = SiteRegistered(site, zone, cell, owner or site, device_life.hex_bytes(owner_key), personal)
    now_us, channels, starts_wh = time.time_ns() // 1_000, tuple(channel or ["export"]), tuple(start_wh or ())
    done = enrol_file(workspace, file, asked, channels, now_us, cell_digits, starts_wh, consumption=consumption)
    emit(done, as_json, lambda: table(file.name, ("field", "value"), list(done.items())))


@app.command("tree")
def show_tree(
    site: Annotated[str, typer.Argument(help="The site's name.")],
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """A site's measuring points: which register issues, and which check."""
    from penstock.usecases.device_desk import tree

    rows = tree(workspace, site)
    cells = [
        ("  " * row["depth"] + row["register"], row["role"], row["direction"], kwh(row["read_wh"])) for row in rows
    ]
    heads = ("register", "role", "direction", "counted")
    emit({"site": site, "registers": rows}, as_json, lambda: table(site, heads, cells, right=(3,)))


@app.command("list")
def list_devices(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Every enrolled device with its capacity and where its register stands."""
    rows = _devices(workspace)
    emit({"devices": rows}, as_json, lambda: _draw(rows))


@app.command()
def show(
    device: Annotated[str, typer.Argument(help="The device's name.")],
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """One device: its keys, owner, registers, last packet."""
    from penstock.usecases.device_desk import shown

    found = shown(workspace, device)
    emit(found, as_json, lambda: table(device, ("field", "value"), list(found.items())))


def _devices(workspace: Any) -> list[dict[str, object]]:
    from penstock.usecases.inspect import devices
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        return devices(opened)


def _draw(rows: list[dict[str, Any]]) -> None:
    cells = [
        (row["device"], row["technology"], f"{row['capacity_w']:,} W", kwh(row["read_wh"]), row["packets"])
        for row in rows
    ]
    table(f"{len(rows)} devices", ("device", "technology", "capacity", "register", "packets"), cells, right=(2, 3, 4))
