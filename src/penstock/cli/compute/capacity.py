"""`penstock compute capacity`: accelerators by the hour - published, opened, lost, looked at."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.cli.compute.acting import Key, Look, act, look_at, named
from penstock.cli.show import HERE, AsJson, Workspace

app = typer.Typer(
    help="Accelerators by the hour, and what an hour yields.", no_args_is_help=True, rich_markup_mode=None
)

Rack = Annotated[str, typer.Argument(help="The rack.")]
Since = Annotated[str, typer.Option("--from", help="From this whole hour on (ISO 8601 with an offset).")]
Until = Annotated[str, typer.Option("--to", help="Up to this one.")]
Source = Annotated[str, typer.Option(help="Where the figures come from.")]


@app.command()
def sku(
    name: Annotated[str, typer.Argument(help="The accelerator, as H100-SXM5-80GB.")],
    memory: Annotated[int, typer.Option(help="Its memory [MiB].", min=1)],
    interconnect: Annotated[str, typer.Option(help="PCIe, NVLink-8, IB-400G and the like.")],
    kernel_us: Annotated[int, typer.Option(help="How long its reference kernel takes [us].", min=1)],
    source: Source,
    kernel: Annotated[str, typer.Option(help="The reference kernel.")] = "reference/1",
    tolerance: Annotated[int, typer.Option(help="Slower by more basis points is another accelerator.")] = 500,
    version: Annotated[int, typer.Option(help="1 the first time, then one more.", min=1)] = 1,
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Publish a standard accelerator."""
    from penstock.journal.kinds.capacity import SkuPublished

    fact = SkuPublished(name, version, memory, interconnect, kernel, kernel_us, tolerance, source)
    act(workspace, key, fact, as_json, "skus", lambda world: [{"sku": one} for one in world.capacity.tables.skus])


@app.command()
def conversion(
    name: Annotated[str, typer.Argument(help="The conversion.")],
    sku: Annotated[str, typer.Option(help="Of which accelerator.")],
    model: Annotated[str, typer.Option(help="Of which model.")],
    units: Annotated[int, typer.Option(help="What an accelerator-hour yields.", min=1)],
    source: Source,
    unit: Annotated[str, typer.Option(help="tokens, ms or requests.")] = "tokens",
    precision: Annotated[str, typer.Option(help="At which precision.")] = "bf16",
    slo: Annotated[str, typer.Option(help="At which service level.")] = "best effort",
    version: Annotated[int, typer.Option(help="1 the first time, then one more.", min=1)] = 1,
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Publish what an hour of an accelerator yields of a model."""
    from penstock.cli.certificates.chosen import word
    from penstock.journal.kinds.capacity import ConversionPublished
    from penstock.journal.words import Unit

    fact = ConversionPublished(name, version, sku, model, precision, slo, word(Unit, unit), units, source)
    found = "conversions"
    act(
        workspace,
        key,
        fact,
        as_json,
        found,
        lambda world: [{"conversion": n} for n in world.capacity.tables.conversions],
    )


@app.command("open")
def open_hours(
    rack: Rack,
    provider: Annotated[str, typer.Option(help="The rack's operator.")],
    sku: Annotated[str, typer.Option(help="Which accelerators it has.")],
    start: Since,
    stop: Until,
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Open hours of a rack: titles to their use are its provider's, to sell or to promise against."""
    from penstock.journal.kinds.capacity import CapacityOpened
    from penstock.period import parse_iso

    fact = CapacityOpened(rack, provider, sku, parse_iso(start), parse_iso(stop))
    act(workspace, key, fact, as_json, "hours", _hours(rack, start, stop))


@app.command()
def lose(
    rack: Rack,
    start: Since,
    hours: Annotated[int, typer.Option(help="For how many hours.", min=1)],
    accelerators: Annotated[int, typer.Option(help="How many accelerators.", min=1)],
    reason: Annotated[str, typer.Option(help="Why.")],
    key: Key = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Say that accelerators will not be there: holders are paid, from escrow and collateral."""
    from penstock.period import HOUR_US, iso, parse_iso
    from penstock.usecases.compute.open_capacity import Lose

    asked = Lose(rack, parse_iso(start), hours, accelerators, reason)
    stop = iso(asked.start_us + hours * HOUR_US)
    act(workspace, key, asked, as_json, "hours", _hours(rack, start, stop))


@app.command("list")
def list_hours(rack: Rack, start: Since, stop: Until, workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Hours of a rack: how many accelerators are free, sold, reserved for credits, lost."""
    look_at(workspace, as_json, "hours", _hours(rack, start, stop))


def _hours(rack: str, start: str, stop: str) -> Look:
    from penstock.period import parse_iso

    return named("capacity", rack, parse_iso(start), parse_iso(stop))
