"""The page for people: what stands in this workspace, rendered here, without a script, links to the same as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from penstock.api.glimpse import Glimpse
from penstock.api.state import health_of, tally
from penstock.energy.verdict import PACKETS_EXPLAINED, READINGS_EXPLAINED
from penstock.errors import NotFound

STORY: Final = "story.html"
_SHOWN: Final = 20
_WHY: Final = {
    verdict.name.lower(): why for why_of in (PACKETS_EXPLAINED, READINGS_EXPLAINED) for verdict, why in why_of.items()
}


def routes(glimpse: Glimpse) -> APIRouter:
    """The page, and the story that the demo leaves in the workspace."""
    router = APIRouter(include_in_schema=False)
    template = environment().get_template("workspace.html")

    @router.get("/", response_class=HTMLResponse)
    def page() -> str:
        return template.render(view(glimpse))

    @router.get("/story", response_class=HTMLResponse)
    def story() -> FileResponse:
        path = glimpse.workspace.path / STORY
        if not path.is_file():
            raise NotFound("api.no_story", "No story was told in this workspace.", hint="Run: penstock demo")
        return FileResponse(path, media_type="text/html; charset=utf-8")

    return router


def view(glimpse: Glimpse) -> dict[str, Any]:
    """Everything the page shows."""
    refused, deals = glimpse.refusals(), glimpse.deals()
    total, certificates = glimpse.certificates("", 0, _SHOWN)
    return {
        "workspace": glimpse.workspace.path.resolve().name,
        "health": health_of(glimpse),
        "devices": glimpse.devices()[:_SHOWN],
        "metering": glimpse.metering(),
        "refused": [(verdict, count, _WHY[verdict]) for verdict, count in tally(refused).items()],
        "certificates": certificates,
        "certificates_total": total,
        "totals": glimpse.certificate_totals(),
        "deals": [(deal, glimpse.periods(deal["deal"]), glimpse.balances(deal["deal"])) for deal in deals[:_SHOWN]],
        "has_story": _has(glimpse.workspace.path / STORY),
    }


def _has(path: Path) -> bool:
    return path.is_file()


def environment() -> Environment:
    """Templates with their filters; all text escaped."""
    made = Environment(loader=PackageLoader("penstock.api"), autoescape=True, undefined=StrictUndefined)
    made.filters |= {"usdc": usdc, "kwh": kwh, "energy": energy}
    return made


def usdc(micro: int) -> str:
    """Micro-dollars for people: two decimals, cents cut off towards zero."""
    sign, whole = ("-" if micro < 0 else ""), abs(micro)
    return f"{sign}${whole // 1_000_000:,}.{whole % 1_000_000 // 10_000:02d}"


def kwh(wh: int) -> str:
    """Watt-hours for people."""
    return f"{wh / 1_000:,.1f} kWh"


def energy(wh: int) -> str:
    """Watt-hours for people, in the unit that shows what there is."""
    for unit, of_unit in (("GWh", 10**9), ("MWh", 10**6), ("kWh", 10**3)):
        if wh >= 10 * of_unit:
            return f"{wh / of_unit:,.1f} {unit}"
    return f"{wh:,} Wh"
