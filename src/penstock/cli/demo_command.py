"""`penstock demo`: one real week of sunshine, from the signed meter to the coupon and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.demo.rents import Rents
from penstock.cli.demo.weather import Weather
from penstock.cli.show import AsJson

DEMO = Path("demo")


def demo(
    workspace: Annotated[Path, typer.Option("--workspace", "-w", help="The folder it lives in; it survives.")] = DEMO,
    weather: Annotated[
        Weather, typer.Option(help="Replay the cloudiest measured week, or one of median sunshine.")
    ] = Weather.CLOUDY,
    rents: Annotated[Rents, typer.Option(help="Rents of accelerators in that week (modelled).")] = Rents.CHEAP,
    week: Annotated[str, typer.Option(help="Or name the Monday of the week to replay (July to October 2016).")] = "",
    seed: Annotated[str, typer.Option(help="Keys, fleet, demand and planted packets follow from it.")] = "first light",
    cloud: Annotated[str, typer.Option(help="Cloud a day: 2016-08-26=30 leaves 30 % of its sunshine.")] = "",
    deal: Annotated[Path | None, typer.Option(help="Another deal file.", exists=True)] = None,
    data: Annotated[Path | None, typer.Option(help="Where the measured sunshine lies.")] = None,
    roofs: Annotated[int, typer.Option(min=6, max=120, help="Fewer and larger roofs make a quicker play.")] = 120,
    holders: Annotated[int, typer.Option(min=1, max=1_000, help="Fewer holders make a quicker play.")] = 1_000,
    days: Annotated[int, typer.Option(min=1, max=7, help="Play only the week's first days.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Replay the week: meter, certify, serve, sell, pay on chain, trace, prove. Run again: nothing is done twice."""
    from penstock.cli.demo.play import Size
    from penstock.cli.demo.programme import Request, run

    run(Request(workspace, week, seed, cloud, deal, data, Size(roofs, holders), days, weather, rents), as_json)
