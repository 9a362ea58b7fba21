"""Paths of the state that the facts add up to: health, devices, refusals."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from penstock.api import forms
from penstock.api.forms import After, Limit
from penstock.api.glimpse import Glimpse
from penstock.errors import NotFound
from penstock.journal.checkpoint import parse

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


def following(after: int, limit: int, total: int) -> int | None:
    """Where the next page begins; None where this is the last."""
    return after + limit if after + limit < total else None


def tally(refused: list[Row]) -> dict[str, int]:
    """How many refusals of each verdict."""
    verdicts = [str(row["verdict"]) for row in refused]
    return {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))}
