"""The door's paths: models, embeddings, health; answers carry their number and the payment they are filed under."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from penstock import __version__
from penstock.api.inference.forms import EmbeddingsAnswer, read_chat, read_embeddings
from penstock.api.inference.refusal import fault, refusal
from penstock.connect.inference.gate import TurnedAway
from penstock.errors import Invalid, NotFound, PenstockError, Refused
from penstock.usecases.provider import chat
from penstock.usecases.provider.desk import Answered, Desk
from penstock.usecases.provider.desk import Request as Asking

BODY_BYTES_MAX: Final = 4 * 2**20
LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})
BODY_S: Final = 30.0
EVENTS: Final = "text/event-stream"
PAYMENT_HEADER: Final = "Penstock-Payment"
NUMBER_HEADER: Final = "Penstock-Answer"
Next = Callable[[Request], Awaitable[Response]]


def make_app(desk: Desk, hosts: frozenset[str] = LOOPBACK_HOSTS) -> FastAPI:
    """The door to one desk. ``hosts`` are the names by which it may be addressed."""
    app = FastAPI(title="Penstock provider", version=__version__, docs_url=None, redoc_url=None)

    @app.get("/v1/models")
    def models() -> dict[str, object]:
        """Which models answer here."""
        rows = [{"id": name, "object": "model", "created": 0, "owned_by": "penstock"} for name in desk.engine.models()]
        return {"object": "list", "data": rows}

    @app.get("/v1/models/{model:path}")
    def model(model: str) -> dict[str, object]:
        """One of them."""
        if model not in desk.engine.models():
            raise NotFound("model.unknown", "There is no such model here.")
        return {"id": model, "object": "model", "created": 0, "owned_by": "penstock"}

    @app.post("/v1/embeddings")
    async def embeddings(request: Request) -> Response:
        """Vectors of texts."""
        asking = await read_request(request, desk)
        form = read_embeddings(asking.body)
        write = EmbeddingsAnswer(form.model, form.encoding_format)
        if form.dimensions is not None:
            raise Invalid("request.dimensions", "This model's vectors come in one width.", param="dimensions")
        return to_response(await desk.embed(asking, form.model, form.texts, write))

    @app.post("/v1/chat/completions")
    async def chat_completions(request: Request) -> Response:
        """A chat, whole or as it comes."""
        asking = await read_request(request, desk)
        form = read_chat(asking.body)
        return to_response(await (chat.stream if form.stream else chat.chat)(desk, asking, form.talk()))

    @app.get("/health")
    def health() -> dict[str, object]:
        """Whether the door is open."""
        return {"status": "ok", "running": desk.figures.running}

    _install(app, hosts)
    return app


async def read_request(request: Request, desk: Desk) -> Asking:
    """A request with its body, read within bounds of size and time.

    Raises:
        Invalid: ``request.too_large``. Refused: ``request.too_slow``.
    """
    arrived_us = desk.clock()
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > BODY_BYTES_MAX:
        raise _too_large()
    try:
        body = await asyncio.wait_for(_body(request), BODY_S)
    except (TimeoutError, ClientDisconnect):
        raise Refused("request.too_slow", "The body did not come in time.") from None
    return Asking(str(request.url), dict(request.headers), body, arrived_us)


async def _body(request: Request) -> bytes:
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > BODY_BYTES_MAX:
            raise _too_large()
    return bytes(parts)


def _too_large() -> Invalid:
    return Invalid("request.too_large", f"A request has at most {BODY_BYTES_MAX:,} bytes.", hint="Send it in parts.")


def to_response(found: Answered | chat.Streamed | TurnedAway) -> Response:
    """What the desk found, as HTTP."""
    if isinstance(found, chat.Streamed):
        filed = {PAYMENT_HEADER: found.payment_id.hex()}
        return StreamingResponse(found.parts, 200, {**found.headers, **filed}, EVENTS)
    if isinstance(found, TurnedAway):
        return Response(found.body, found.status, dict(found.headers), found.media_type)
    filed = {PAYMENT_HEADER: found.payment_id.hex()}
    number = {NUMBER_HEADER: str(found.number)} if found.number >= 0 else {}
    kind = EVENTS if found.body.startswith(b"data:") else "application/json"
    return Response(found.body, 200, {**found.headers, **filed, **number}, kind)


def _install(app: FastAPI, hosts: frozenset[str]) -> None:
    """Host guard, and one shape for all errors."""

    @app.middleware("http")
    async def guard(request: Request, call_next: Next) -> Response:
        if (request.url.hostname or "") not in hosts:
            return refusal(Invalid("request.host", "The Host header names another machine."))
        try:
            answer = await call_next(request)
        except Exception:  # the door of the process: a fault of ours becomes an answer, and a line in the log
            return fault()
        answer.headers.setdefault("Cache-Control", "no-store")
        answer.headers.setdefault("X-Content-Type-Options", "nosniff")
        if answer.status_code >= 400 and request.method == "POST":
            answer.headers["Connection"] = "close"  # what is left of its body is not waited for
        return answer

    @app.exception_handler(PenstockError)
    def known(_: Request, error: PenstockError) -> JSONResponse:
        return refusal(error)

    @app.exception_handler(RequestValidationError)
    def malformed(_: Request, __: Exception) -> JSONResponse:
        return refusal(Invalid("request.malformed", "A parameter of the path is malformed."))

    @app.exception_handler(404)
    def no_path(_: Request, __: Exception) -> JSONResponse:
        return refusal(NotFound("request.no_path", "There is nothing at this path."))

    @app.exception_handler(405)
    def no_method(_: Request, __: Exception) -> JSONResponse:
        return refusal(Invalid("request.method", "This path has no such method."))
