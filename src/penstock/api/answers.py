"""Paths of one answer: back to the roofs, forward to the coupons, and the bundle that proves it offline."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from penstock.api.forms import SEQ_END, AnswerRow, Name, Trace, TraceNode
from penstock.api.glimpse import Glimpse
from penstock.errors import NotFound
from penstock.trace.bundle import build_bundle
from penstock.trace.lineage import Node
from penstock.usecases.find_answer import find_payment
from penstock.usecases.prove import JournalRecord, trace_answer

Payment = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="The payment's id, in hex.")]
Number = Annotated[int, Path(ge=0, le=SEQ_END, description="The answer's number on its rack, from 0.")]


def routes(glimpse: Glimpse) -> APIRouter:
    """The paths under ``/answers``; ``rack`` may be left out where there is only one."""
    router, workspace = APIRouter(prefix="/answers", tags=["answers"]), glimpse.workspace

    @router.get("/{number}/trace")
    def trace(number: Number, rack: Name = "") -> Trace:
        """Where an answer's energy came from, span by span, and where its dollars went."""
        named = _rack(glimpse, rack)
        back, forward = trace_answer(workspace, named, number)
        return Trace(rack=named, number=number, back=node(back), forward=node(forward))

    @router.get("/{number}/bundle", response_class=Response)
    def bundle(number: Number, rack: Name = "") -> Response:
        """One file that proves an answer to whoever trusts the log's key; `penstock verify` checks it offline."""
        named, record = _rack(glimpse, rack), JournalRecord(workspace)
        raw = workspace.read(lambda world: build_bundle(record, world.books, named, number))
        said = {"Content-Disposition": f'attachment; filename="answer-{number}.json"'}
        return Response(raw, media_type="application/json", headers=said)

    @router.get("/payments/{payment}")
    def paid(payment: Payment) -> AnswerRow:
        """Rack and number of the answer that was bought with a payment; its trace and its bundle are under these."""
        rack, number = find_payment(workspace, bytes.fromhex(payment))
        return AnswerRow(rack=rack, number=number)

    return router


def _rack(glimpse: Glimpse, named: str) -> str:
    """The rack named, or the only one. Raises NotFound ``api.which_rack``."""
    racks = glimpse.workspace.read(lambda world: list(world.compute.racks))
    if named or len(racks) == 1:
        return named or racks[0]
    raise NotFound("api.which_rack", f"There are {len(racks)} racks here.", hint="Name one: ?rack=")


def node(one: Node) -> TraceNode:
    """A node of a trace and all below it, as a form."""
    return TraceNode(
        register=one.register,
        unit=one.unit.value,
        start=one.start,
        stop=one.stop,
        part=one.part,
        link=one.link.value if one.link else None,
        links=one.links,
        state=one.state,
        notes=[*one.notes],
        gap=one.gap,
        folded=one.folded,
        folded_part=one.folded_part,
        children=[node(child) for child in one.children],
    )
