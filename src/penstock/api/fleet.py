"""The fleet's page: map, silent devices, quarantine, what did not count and why; and any one reading explained."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from penstock.api.fleet_map import COLOURS, fleet_map
from penstock.api.forms import Name
from penstock.api.glimpse import Glimpse
from penstock.api.page import environment
from penstock.errors import PenstockError
from penstock.period import parse_iso
from penstock.usecases.explain import explain

Instant = Annotated[str, Query(max_length=40, description="An instant as ISO 8601, e.g. 2026-06-21T12:15:00Z.")]
NOTHING: Final[dict[str, Any]] = {"device": "", "at": "", "error": ""}


def routes(glimpse: Glimpse) -> APIRouter:
    """The page, and the same as JSON."""
    router = APIRouter()
    template = environment().get_template("fleet.html")

    @router.get("/fleet/state", tags=["fleet"])
    def state() -> dict[str, Any]:
        """Devices by state and place, what is silent or in quarantine, what did not count and why."""
        return glimpse.fleet()

    @router.get("/readings/explain", tags=["fleet"])
    def explained(device: Name, at: Instant) -> dict[str, Any]:
        """Why the reading of a device at an instant counted or not, each time it was judged."""
        return explain(glimpse.workspace, device, parse_iso(at))

    @router.get("/fleet", response_class=HTMLResponse, include_in_schema=False)
    def page(device: Name = "", at: Annotated[str, Query(max_length=40)] = "") -> str:
        return template.render(view(glimpse, device, at))

    return router


def view(glimpse: Glimpse, device: str, at: str) -> dict[str, Any]:
    """Everything the page shows."""
    fleet = glimpse.fleet()
    asked, explained = {**NOTHING, "device": device, "at": at}, None
    if device and at:
        try:
            explained = explain(glimpse.workspace, device, parse_iso(at))
        except PenstockError as error:
            asked["error"] = f"{error.message} {error.hint}"
    return {
        "workspace": glimpse.workspace.path.resolve().name,
        "fleet": fleet,
        "map": fleet_map(fleet["cells"]),
        "colours": COLOURS,
        "unplaced": sum(cell["devices"] for cell in fleet["cells"] if cell["latitude_deg"] is None),
        "most": max((one["count"] for one in fleet["not_counted"]["reasons"]), default=1),
        "asked": asked,
        "explained": explained,
    }
