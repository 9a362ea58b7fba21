"""Paths of reports: energy and carbon around the clock, for people and for programs."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from penstock.api.acts import instant_us
from penstock.api.certificates import AS_PAGE
from penstock.api.gate import Credentials, Gate
from penstock.api.problem import TOO_MANY, WITH_A_KEY
from penstock.api.report_forms import Report247
from penstock.api.seen import check_sees
from penstock.energy.carbon.factors import parse_name
from penstock.period import Period
from penstock.usecases.api_keys import READ
from penstock.usecases.report_247.build import report_247
from penstock.usecases.report_247.page import html_of
from penstock.usecases.report_247.request import Request as Asked
from penstock.usecases.workspace import Workspace

Account = Annotated[str, Query(min_length=1, max_length=200, description="Whose sites.")]
Instant = Annotated[str, Query(max_length=40, description="A whole hour, ISO 8601 with an offset.")]
Series = Annotated[str, Query(max_length=300, description="SOURCE@VERSION of published factors.")]
AnnualSeries = Annotated[str, Query(max_length=300, description="SOURCE@VERSION of the annual residual mix.")]
ZoneName = Annotated[str, Query(max_length=64, description="Whose hours of the day, as Europe/London.")]
ANSWERS: Final = {**WITH_A_KEY, **TOO_MANY}


def routes(workspace: Workspace, gate: Gate) -> APIRouter:
    """The paths under ``/reports``."""
    router = APIRouter(prefix="/reports", tags=["carbon"], responses=ANSWERS)

    @router.get("/247", name="report_247", response_model=Report247, responses=AS_PAGE)
    def report(
        request: Request, shown: Credentials, account: Account, start: Instant, stop: Instant, factors: Series,
        annual: AnnualSeries = "", time_zone: ZoneName = "UTC",
    ) -> Response | Report247:  # fmt: skip
        """What an account's sites drew and emitted, hour by hour, and what its certificates change of it.

        Needs the scope `registry:read` of that account. With ``Accept: text/html`` a page that prints well.
        """
        by = gate.member(shown, READ)
        check_sees(workspace, by, account)
        period = Period(instant_us(start), instant_us(stop))
        asked = Asked(
            period, parse_name(factors), account, annual=parse_name(annual) if annual else None, time_zone=time_zone
        )
        with gate.slot(by):
            told = report_247(workspace, asked).told
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(html_of(told))
        return Report247(**told)

    return router
