"""A facilitator over HTTP: ``POST /verify``, ``POST /settle``, ``GET /supported``. Source: x402 v2, section 7."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from x402.schemas import SettleRequest, SettleResponse, VerifyRequest, VerifyResponse

from penstock.connect.x402.facilitator import MALFORMED
from penstock.connect.x402.ports import Facilitator
from penstock.errors import Invalid, PenstockError

BODY_BYTES_MAX: Final = 65_536
BODY_S: Final = 30.0
LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})
Next = Callable[[Request], Awaitable[Response]]
_LOG: Final = logging.getLogger("penstock.facilitator")


def make_facilitator_app(facilitator: Facilitator, network: str, hosts: frozenset[str] = LOOPBACK_HOSTS) -> FastAPI:
    """The application; ``network`` is the chain it settles on (CAIP-2), ``hosts`` the names it may be addressed by."""
    app = FastAPI(title="Penstock facilitator", docs_url=None, redoc_url=None)

    @app.middleware("http")
    async def guard(request: Request, call_next: Next) -> Response:
        """By its own names alone: a page that had its own name point here could spend our gas."""
        if (request.url.hostname or "") not in hosts:
            return JSONResponse(Invalid("request.host", "The Host header names another machine.").to_json(), 421)
        return await call_next(request)

    @app.post("/verify")
    async def verify(request: Request) -> JSONResponse:
        try:
            asked = await _read(request, VerifyRequest)
        except ValueError as malformed:
            answer = VerifyResponse(is_valid=False, invalid_reason=MALFORMED, invalid_message=str(malformed))
            return _said(answer, 400)
        try:
            return _said(await facilitator.verify(asked.payment_payload, asked.payment_requirements))
        except PenstockError as failed:
            return _failed(failed)

    @app.post("/settle")
    async def settle(request: Request) -> JSONResponse:
        try:
            asked = await _read(request, SettleRequest)
        except ValueError as malformed:
            answer = SettleResponse(
                success=False, error_reason=MALFORMED, error_message=str(malformed), transaction="", network=network
            )
            return _said(answer, 400)
        try:
            return _said(await facilitator.settle(asked.payment_payload, asked.payment_requirements))
        except PenstockError as failed:
            return _failed(failed)

    @app.get("/supported")
    async def supported() -> JSONResponse:
        return _said(facilitator.get_supported())

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "up", "network": network}

    return app


async def _read(request: Request, form: type[Any]) -> Any:
    """The request's body. Raises ValueError with what is wrong, never with what was sent."""
    try:
        body = await asyncio.wait_for(_body(request), BODY_S)
    except (TimeoutError, ClientDisconnect):
        raise ValueError("the body did not come in time") from None
    try:
        found = form.model_validate(json.loads(body))
    except ValidationError as wrong:
        where = ".".join(str(part) for part in wrong.errors()[0]["loc"])
        raise ValueError(f"{where}: {wrong.errors()[0]['msg']}") from None
    except (ValueError, RecursionError):
        raise ValueError("the body is no JSON") from None
    if found.x402_version != 2 or found.payment_payload.x402_version != 2:
        raise ValueError("only x402 version 2 is spoken here")
    return found


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise ValueError(f"the body is longer than {BODY_BYTES_MAX} bytes")
    return body


def _said(answer: BaseModel, status: int = 200) -> JSONResponse:
    return JSONResponse(answer.model_dump(by_alias=True, exclude_none=True), status)


def _failed(failed: PenstockError) -> JSONResponse:
    _LOG.warning("a payment could not be looked at: %s", failed.code)
    return JSONResponse(failed.to_json(), failed.http_status, {"Retry-After": "1"})
