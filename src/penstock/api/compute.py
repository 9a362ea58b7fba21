"""The compute page and its JSON: price, load, energy per token, what was sold, whom it paid, energy's share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from penstock.api.compute_charts import curve_chart, dollars, joules, load_chart, share_bar
from penstock.api.forms import Name
from penstock.api.glimpse import Glimpse
from penstock.api.page import environment
from penstock.usecases.compute_report.energy_mix import energy_mix
from penstock.usecases.compute_report.offers import offers, windows
from penstock.usecases.compute_report.overview import overview
from penstock.usecases.compute_report.published import GPU_HOUR, curves
from penstock.usecases.compute_report.work import find_rack, hours

Row = dict[str, Any]
_SHOWN = 20


def routes(glimpse: Glimpse, clock: Callable[[], int]) -> APIRouter:
    """The page at ``/compute``, and the same as JSON below it. ``rack`` may be left out where there is only one."""
    router, workspace = APIRouter(prefix="/compute", tags=["compute"]), glimpse.workspace
    template = environment()
    template.filters |= {"joules": joules, "dollars": dollars}
    page_of = template.get_template("compute.html")

    @router.get("", response_class=HTMLResponse, include_in_schema=False)
    def page() -> str:
        return page_of.render(view(glimpse, clock()))

    @router.get("/racks")
    def racks() -> list[Row]:
        """Racks: answers, tokens, and where their metered energy went [mJ]."""
        return glimpse.compute_racks()

    @router.get("/hours")
    def by_hour(rack: Name = "") -> list[Row]:
        """A rack's last 168 hours of work: load [basis points], answers, tokens, energy [mJ]."""
        return hours(workspace, rack)

    @router.get("/energy-mix")
    def mix(rack: Name = "") -> Row:
        """What of a rack's energy is matched within its hour [Wh], by technology and zone, and the carbon of that."""
        return workspace.read(lambda world: energy_mix(world, find_rack(world, rack)))

    @router.get("/offers")
    def for_sale() -> Row:
        """Credits and windows that can be bought, the cheapest first, then those that cannot (any more)."""
        now_us = clock()
        shown = workspace.read(lambda world: windows(world, now_us))
        return {"credits": offers(workspace, now_us), "windows": shown}

    @router.get("/sales")
    def sold() -> Row:
        """What was sold, by hour, model, rack, site and scheme, and whom it paid [micro-dollars]."""
        return glimpse.sales()

    @router.get("/published")
    def published() -> Row:
        """Published curves of energy per token, and energy's part of an accelerator-hour's price, with sources."""
        return {"curves": curves(), "accelerator_hour": GPU_HOUR}

    return router


def view(glimpse: Glimpse, now_us: int) -> Row:
    """Everything the page shows."""
    found = overview(glimpse.workspace, now_us, glimpse.compute_racks(), glimpse.sales())
    own = [
        (one["rack"], one["energy_mj_per_1k_tokens"] // 1_000)
        for one in found["racks"]
        if one["energy_mj_per_1k_tokens"] is not None
    ]
    return {
        **found,
        "workspace": glimpse.workspace.path.resolve().name,
        "load_charts": {name: load_chart(rows) if len(rows) > 1 else "" for name, rows in found["hours"].items()},
        "curve_chart": curve_chart(found["curves"], own[:3]),
        "share_bar": share_bar(found["accelerator_hour"]["energy_share_bp"]),
        "shown": _SHOWN,
    }
