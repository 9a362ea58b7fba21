"""`penstock device`: what is enrolled, and where each device stands."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from penstock.cli.show import HERE, AsJson, Workspace, emit, kwh, table

app = typer.Typer(help="Devices that sign their readings.", no_args_is_help=True, rich_markup_mode=None)


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
    """One device: key, register, last packet."""
    from penstock.errors import NotFound

    found = [row for row in _devices(workspace) if row["device"] == device]
    if not found:
        raise NotFound(
            "device.unknown", f"There is no device {device}.", hint="See: penstock device list", device=device
        )
    emit(found[0], as_json, lambda: table(device, ("field", "value"), list(found[0].items())))


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
