"""`penstock meter`: bring signed packets in, see what counted and what did not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.show import HERE, AsJson, Workspace, emit, kwh, table

app = typer.Typer(help="Readings: intake, status, refusals.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def ingest(
    file: Annotated[Path, typer.Argument(help="Signed packets as a CBOR sequence (RFC 8742).", exists=True)],
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Judge a file of signed packets and record it; the same file again records nothing."""
    from penstock.usecases.intake import ingest_file

    result = ingest_file(workspace, file)
    emit(result, as_json, lambda: table(file.name, ("verdict", "count"), list(result.items()), right=(1,)))


@app.command()
def status(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """What was received, accepted and refused so far."""
    from penstock.usecases.inspect import metering
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        found = metering(opened)
    emit(found, as_json, lambda: _draw_status(found))


@app.command()
def refused(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Every refused packet and reading, and why in plain words."""
    from penstock.usecases.inspect import refusals
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        rows = refusals(opened)
    cells = [(row["at"], row["device"], row["verdict"], row["why"]) for row in rows]
    emit(
        {"refused": rows},
        as_json,
        lambda: table(f"{len(rows)} refused", ("received", "device", "verdict", "why"), cells),
    )


def _draw_status(found: dict[str, Any]) -> None:
    rows = [("packets " + name, count) for name, count in found["packets"].items()]
    rows += [("readings " + name, count) for name, count in found["readings"].items()]
    counted = ", ".join(f"{kwh(energy_wh)} {technology}" for technology, energy_wh in found["by_technology_wh"].items())
    table(f"counted: {counted}", ("what", "how many"), rows, right=(1,))
