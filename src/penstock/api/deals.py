"""Paths of deals: terms and state, closed periods, the investor report of one, the look-through; for people too."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, Response

from penstock.api import forms
from penstock.api.certificates import AS_PAGE
from penstock.api.deal_forms import DealReport, LookThrough, Periods
from penstock.api.forms import After, Limit, NameInPath
from penstock.api.glimpse import Glimpse
from penstock.api.page import environment
from penstock.api.problem import Described
from penstock.api.state import following
from penstock.errors import NotFound
from penstock.usecases.investor_report.build import deal_report
from penstock.usecases.investor_report.page import csv_of, drawn, html_of
from penstock.usecases.look_through.build import look_through
from penstock.usecases.originate import recompile
from penstock.usecases.workspace import Workspace

Told = dict[str, Any]
Number = Annotated[int, Path(ge=1, le=1_000_000, description="Which closed period, counted from 1.")]
Table = Annotated[
    Literal["steps", "tranches", "accounts", "fees", "tests", "history"] | None,
    Query(description="Only this table, as CSV."),
]
Tranche = Annotated[str, Query(min_length=1, max_length=200)]
Shares = Annotated[int, Query(ge=1, le=forms.SEQ_END, description="How many shares of the tranche.")]
First = Annotated[int, Query(ge=0, le=forms.SEQ_END, description="From which of its shares on.")]
AS_TABLE: Final[Described] = {
    200: {"content": {"text/html": {"schema": {"type": "string"}}, "text/csv": {"schema": {"type": "string"}}}}
}
KEPT: Final = 16
"""So many reports are kept until a fact is added."""


class Reports:
    """Investor reports, each made once for a state of the record, one at a time."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._kept: OrderedDict[tuple[str, int, int], Told] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, deal: str, period: int) -> Told:
        """The report of a period, counted from 0. Raises as `deal_report`."""
        with self._lock:
            key = (deal, period, self.workspace.store.size())
            if key not in self._kept:
                self._kept[key] = deal_report(self.workspace, deal, period, key[2]).told
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]

    def look_through(self, deal: str, tranche: str, shares: int, first: int) -> Told:
        """One holding's look-through. Raises as `look_through`."""
        with self._lock:
            return look_through(self.workspace, deal, [(tranche, shares, first)], shown=500).told


def routes(glimpse: Glimpse) -> APIRouter:
    """The paths under ``/deals``; free to whoever reaches the door, as the record is."""
    router, reports = APIRouter(prefix="/deals", tags=["deals"]), Reports(glimpse.workspace)

    @router.get("")
    def deals() -> forms.Deals:
        """Every deal and its state."""
        return forms.Deals(deals=[forms.DealRow(**row) for row in glimpse.deals()])

    @router.get("/{name}", response_model=forms.DealPage, responses=AS_PAGE)
    def deal(name: NameInPath, request: Request, after: After = 0, limit: Limit = 50) -> Response | forms.DealPage:
        """A deal's terms, accounts and closed periods with their waterfall steps.

        With ``Accept: text/html`` a page for people.
        """
        if _for_people(request):
            return HTMLResponse(deal_html(glimpse, reports, name))
        return deal_page(glimpse, name, after, limit)

    @router.get("/{name}/periods")
    def periods(name: NameInPath, after: After = 0, limit: Limit = 50) -> Periods:
        """Closed periods, oldest first, each with every cash step."""
        closed = glimpse.periods(name)
        rows = [forms.PeriodRow(**one) for one in closed[after : after + limit]]
        return Periods(deal=name, total=len(closed), next_after=following(after, limit, len(closed)), closed=rows)

    @router.get("/{name}/periods/{number}", response_model=forms.PeriodRow, responses=AS_PAGE)
    def period(name: NameInPath, number: Number, request: Request) -> Response | forms.PeriodRow:
        """One closed period with every cash step; with ``Accept: text/html`` its investor report, which prints well."""
        if _for_people(request):
            return HTMLResponse(html_of(reports.of(name, number - 1)))
        found = [row for row in glimpse.periods(name) if row["period"] == number - 1]
        if not found:
            raise NotFound("deal.period_unknown", "This period is not closed.", deal=name, period=number)
        return forms.PeriodRow(**found[0])

    @router.get("/{name}/periods/{number}/report", response_model=DealReport, responses=AS_TABLE)
    def report(name: NameInPath, number: Number, request: Request, table: Table = None) -> Response | DealReport:
        """The investor report of a closed period: sources and uses, tests with headroom, balances, proofs.

        As JSON for `penstock deal verify`; with ``table`` one of its tables as CSV; with ``Accept: text/html`` a page.
        """
        told = reports.of(name, number - 1)
        if table:
            said = {"Content-Disposition": f'attachment; filename="{table}.csv"'}
            return Response(csv_of(told, table), media_type="text/csv; charset=utf-8", headers=said)
        return HTMLResponse(html_of(told)) if _for_people(request) else DealReport(**told)

    @router.get("/{name}/look-through", response_model=LookThrough, responses=AS_PAGE)
    def look(
        name: NameInPath, request: Request, tranche: Tranche, shares: Shares, first: First = 0
    ) -> Response | LookThrough:
        """A holding's part of every asset, contract, offtaker, region and reading behind a deal.

        With ``Accept: text/html`` a page for people.
        """
        told = reports.look_through(name, tranche, shares, first)
        if _for_people(request):
            return HTMLResponse(environment().get_template("look_through.html").render(told=told))
        return LookThrough(**told)

    return router


def _for_people(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def deal_page(glimpse: Glimpse, name: str, after: int, limit: int) -> forms.DealPage:
    """One deal, its periods from ``after`` on. Raises NotFound ``deal.unknown``."""
    record = glimpse.workspace.read(lambda world: world.capital.deal(name))
    (row,) = [one for one in glimpse.deals() if one["deal"] == name]
    closed = glimpse.periods(name)
    terms, _ = recompile(record.originated)
    return forms.DealPage(
        **row,
        text=record.originated.text,
        measures=[f"{one.name} [{one.unit}]" for one in terms.measures],
        balances_usdc_micro=glimpse.balances(name),
        closed=[forms.PeriodRow(**one) for one in closed[after : after + limit]],
        next_after=following(after, limit, len(closed)),
    )


def deal_html(glimpse: Glimpse, reports: Reports, name: str) -> str:
    """The page of a deal: where it stands, its periods, what it looks like over time."""
    record = glimpse.workspace.read(lambda world: world.capital.deal(name))
    terms, program = recompile(record.originated)
    (row,) = [one for one in glimpse.deals() if one["deal"] == name]
    last = record.closed[-1].period if record.closed else None
    told = None if last is None else reports.of(name, last)
    shown = {"deal": row, "terms": terms, "text": record.originated.text, "told": told, "program": program}
    shown |= {"balances": glimpse.balances(name), "drawn": drawn(told) if told else None}
    return environment().get_template("deal.html").render(shown)
