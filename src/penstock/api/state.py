"""Paths of the state that the facts add up to: health, devices, refusals, deals."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from penstock.api import forms
from penstock.api.forms import After, Limit, NameInPath
from penstock.api.glimpse import Glimpse
from penstock.errors import NotFound
from penstock.journal.checkpoint import parse
from penstock.usecases.originate import recompile

Row = dict[str, Any]


def routes(glimpse: Glimpse) -> APIRouter:
    """The paths of a workspace's state."""
    router = APIRouter(tags=["state"])

    @router.get("/health")
    def health() -> forms.Health:
        """Sizes, how far the record is signed and anchored, and breaches of the five laws."""
        return health_of(glimpse)

    @router.get("/devices")
    def devices(after: After = 0, limit: Limit = 100) -> forms.Devices:
        """Enrolled devices and where they stand."""
        found = glimpse.devices()
        rows = [forms.Device(**row) for row in found[after : after + limit]]
        return forms.Devices(total=len(found), next_after=following(after, limit, len(found)), devices=rows)

    @router.get("/readings/refused")
    def refused(after: After = 0, limit: Limit = 100) -> forms.RefusedReadings:
        """Packets and readings that were kept and not counted, each with its reason."""
        found = glimpse.refusals()
        rows = [forms.Refused(**row) for row in found[after : after + limit]]
        follows = following(after, limit, len(found))
        return forms.RefusedReadings(total=len(found), next_after=follows, verdicts=tally(found), refused=rows)

    @router.get("/deals")
    def deals() -> forms.Deals:
        """Every deal and its state."""
        return forms.Deals(deals=[forms.DealRow(**row) for row in glimpse.deals()])

    @router.get("/deals/{name}")
    def deal(name: NameInPath, after: After = 0, limit: Limit = 50) -> forms.DealPage:
        """A deal's terms, accounts and closed periods with their waterfall steps."""
        return deal_page(glimpse, name, after, limit)

    return router


def health_of(glimpse: Glimpse) -> forms.Health:
    """How the workspace stands."""
    publication, workspace = glimpse.publication, glimpse.workspace
    size, anchored = publication.size(), publication.anchored()
    oldest = next(iter(workspace.store.facts(anchored, anchored + 1)), None) if anchored < size else None
    return forms.Health(
        facts=size,
        signed_facts=_signed(glimpse),
        anchored_facts=anchored,
        unanchored_facts=size - anchored,
        oldest_unanchored_at_us=oldest.at_us if oldest else None,
        law_breaches=glimpse.breaches(),
        devices=len(glimpse.devices()),
        deals=len(glimpse.deals()),
    )


def _signed(glimpse: Glimpse) -> int:
    try:
        return parse(glimpse.publication.checkpoint())[0].size
    except NotFound:
        return 0


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


def following(after: int, limit: int, total: int) -> int | None:
    """Where the next page begins; None where this is the last."""
    return after + limit if after + limit < total else None


def tally(refused: list[Row]) -> dict[str, int]:
    """How many refusals of each verdict."""
    verdicts = [str(row["verdict"]) for row in refused]
    return {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))}
