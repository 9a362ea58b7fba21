"""Paths of the record itself: what attesters and auditors fetch, each piece of which can be checked."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import PlainTextResponse, Response

from penstock.api.forms import FACTS_MAX, Asked, Consistency, Fact, Facts, Inclusion, Name, Requests, Seq
from penstock.api.glimpse import Glimpse
from penstock.store.exported import is_erasable

FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}


def routes(glimpse: Glimpse) -> APIRouter:
    """The paths under ``/record``."""
    router, publication = APIRouter(prefix="/record", tags=["record"]), glimpse.publication

    @router.get("/checkpoint", response_class=PlainTextResponse)
    def checkpoint() -> str:
        """The newest signed note (C2SP tlog-checkpoint): size and root of the journal's tree."""
        return publication.checkpoint()

    @router.get("/facts")
    def facts(
        start: Seq = 0, stop: Annotated[int | None, Query(ge=0, description="At most 1,000 after start.")] = None
    ) -> Facts:
        """Facts in order, as their canonical bodies."""
        found = publication.facts(start, start + FACTS_MAX if stop is None else stop)
        rows = [Fact(seq=fact.seq, body=fact.body.decode(), segment=fact.segment) for fact in found]
        return Facts(start=start, size=publication.size(), facts=rows)

    @router.get("/segments/{digest}", response_class=Response)
    def segment(digest: Annotated[str, Path(max_length=64)]) -> Response:
        """A segment as one Parquet file, to be held against its root; kept by nobody where its rows may be erased."""
        raw = publication.segment(digest)
        headers = None if is_erasable(raw) else FOREVER
        return Response(raw, media_type="application/vnd.apache.parquet", headers=headers)

    @router.get("/proof/inclusion")
    def inclusion(index: Seq, size: Seq) -> Inclusion:
        """That a fact stands in the tree of ``size`` facts."""
        leaf, proof, root = publication.inclusion(index, size)
        hashes = [one.hex() for one in proof]
        return Inclusion(index=index, size=size, leaf=leaf.hex(), root=root.hex(), proof=hashes)

    @router.get("/proof/consistency")
    def consistency(old: Seq, new: Seq) -> Consistency:
        """That the tree of ``new`` facts begins with the tree of ``old``."""
        before, after, proof = publication.consistency(old, new)
        hashes = [one.hex() for one in proof]
        return Consistency(old=old, new=new, old_root=before.hex(), new_root=after.hex(), proof=hashes)

    @router.get("/requests")
    def requests(deal: Name = "") -> Requests:
        """Periods ready to be attested, oldest first; of one deal, or of all."""
        rows = [
            Asked(
                deal=one.deal,
                subject="0x" + one.subject.hex(),
                period=one.period,
                as_of_us=one.as_of_us,
                size=one.size,
                root=one.root.hex(),
            )
            for one in publication.requests(deal)
        ]
        return Requests(requests=rows)

    return router
