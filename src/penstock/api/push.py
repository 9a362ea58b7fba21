"""Pushing readings: a body of any size comes in as a stream, and each message and reading gets its verdict.

The body is never held whole: messages are judged and recorded in parts as they come in, the answer is read back from
the record while it is sent.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from penstock.api import problem
from penstock.api.gate import Credentials, Gate
from penstock.api.push_forms import Pushed
from penstock.errors import Invalid, PenstockError
from penstock.usecases.push import SPLITTERS, Push, Row
from penstock.usecases.workers import Workers
from penstock.usecases.workspace import Workspace

PATH: Final = "/readings"
_ROWS_AT_ONCE: Final = 512
"""Each piece of an answer is one trip to a thread."""
ND_JSON: Final = "application/x-ndjson"
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "Messages one after another: COSE_Sign1 packets or pairs [form, bytes] as a CBOR sequence "
        "(RFC 8742), OCMF records one a line, or one signed generation report as JSON.",
        "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in SPLITTERS},
    },
}
_ERRORS: Final = problem.described(
    {
        400: "No sequence of messages, or a form not taken; whole messages before the fault are recorded.",
        401: "No valid API key.",
        403: "The key lacks the scope `push`.",
        408: "The body comes in too slowly; whole messages are recorded.",
        409: "The idempotency key was used for other messages.",
        413: "The body is too large; whole messages are recorded.",
        415: "Bodies of this type are not taken.",
        429: "Too many bodies at once: wait as long as Retry-After says.",
        503: "The store cannot take it just now: wait as long as Retry-After says.",
    }
)
IdempotencyKey = Annotated[
    str,
    Header(
        max_length=128,
        description="Names this body. The same key and body again are answered as the first time; a new key has the "
        "same messages judged anew. Without one the messages themselves are the key.",
    ),
]


def routes(workspace: Workspace, gate: Gate, workers: Workers) -> APIRouter:
    """The path that takes readings."""
    router = APIRouter(tags=["readings"])

    @router.post(PATH, response_model=Pushed, responses=_ERRORS, openapi_extra=_BODY)
    async def push(request: Request, shown: Credentials, idempotency_key: IdempotencyKey = "") -> StreamingResponse:
        """Push signed messages; every message and every reading is answered with its verdict.

        Messages are kept whatever they are: what does not count is marked with its reason. Needs the scope `push`.
        """
        key = await run_in_threadpool(gate.check, shown, "push")
        media_type = request.headers.get("content-type", "")
        pushed = Push(workspace, workers, gate.clock, key, media_type, idempotency_key)
        with gate.slot(key):
            await _take(gate, request, pushed)
        as_lines = ND_JSON in request.headers.get("accept", "")
        lines = _lines(pushed.rows()) if as_lines else _object(pushed)
        return StreamingResponse(lines, media_type=ND_JSON if as_lines else "application/json")

    return router


async def _take(gate: Gate, request: Request, pushed: Push) -> None:
    """The whole body, recorded. An error says how many messages stand all the same."""
    pieces: AsyncIterator[bytes] = gate.body(request)
    try:
        try:
            async for piece in pieces:
                await run_in_threadpool(pushed.feed, piece)
        except ClientDisconnect:
            raise Invalid("push.cut_off", "The body was cut off.") from None
        await run_in_threadpool(pushed.finish)
    except PenstockError as error:
        error.ids["messages_recorded"] = str(pushed.kept)
        raise


def _lines(rows: Iterator[Row]) -> Iterator[str]:
    while several := list(islice(rows, _ROWS_AT_ONCE)):
        yield "".join(f"{json.dumps(row)}\n" for row in several)


def _object(pushed: Push) -> Iterator[str]:
    repeated = all(receipt.repeated for receipt, _ in pushed.recorded) and bool(pushed.recorded)
    yield f'{{"messages": {pushed.kept}, "repeated": {json.dumps(repeated)}, "answers": ['
    rows, comma = pushed.rows(), ""
    while several := list(islice(rows, _ROWS_AT_ONCE)):
        yield comma + ",".join(json.dumps(row) for row in several)
        comma = ","
    yield "]}\n"
