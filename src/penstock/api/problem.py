"""Errors over HTTP: one shape for all of them, `application/problem+json` with the same code the command line shows.

Source: RFC 9457 (problem details).
"""

from __future__ import annotations

import logging
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from penstock.errors import Invalid, NotFound, PenstockError

PROBLEM_JSON: Final = "application/problem+json"
STATUS: Final = {
    "api.key_missing": 401,
    "api.key_unknown": 401,
    "api.key_scope": 403,
    "api.body_length": 411,
    "api.body_too_large": 413,
    "push.too_slow": 408,
    "push.too_large": 413,
    "push.media_type": 415,
    "push.busy": 429,
}
"""Codes that HTTP has a status of its own for; all others have their kind's."""
RETRY_S: Final = {429: 1, 503: 5}
"""What Retry-After says [s]."""
_LOG: Final = logging.getLogger("penstock.api")


def problem(error: PenstockError, status: int | None = None) -> JSONResponse:
    """The answer for an error: type, title, status and detail of RFC 9457, then the error object of all doors."""
    body = error.to_json()
    number = STATUS.get(error.code, error.http_status) if status is None else status
    headers = {"Retry-After": str(RETRY_S[number])} if number in RETRY_S else {}
    if number == 401:
        headers["WWW-Authenticate"] = "Bearer"
    about = {"type": f"urn:penstock:error:{error.code}", "title": body["error"], "status": number}
    return JSONResponse({**about, "detail": error.message, **body}, number, headers, media_type=PROBLEM_JSON)


def install(app: FastAPI) -> None:
    """Answer every foreseen error of ``app`` as a problem."""

    @app.exception_handler(PenstockError)
    def known(_: Request, error: PenstockError) -> JSONResponse:
        return problem(error)

    @app.exception_handler(RequestValidationError)
    def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        places = ", ".join(_place(one) for one in error.errors()[:8])
        hint = "See /openapi.json for what this path takes."
        return problem(Invalid("api.parameter", f"A parameter is malformed: {places}.", hint=hint))

    @app.exception_handler(HTTPException)
    def unrouted(_: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 405:
            hint = "See /openapi.json for the methods there are."
            return problem(Invalid("api.method", "This path has no such method.", hint=hint), 405)
        if error.status_code == 404:
            hint = "See /openapi.json for the paths there are."
            return problem(NotFound("api.no_path", "There is nothing at this path.", hint=hint))
        return problem(Invalid("api.request", "The request is malformed."), error.status_code)


def fault() -> JSONResponse:
    """The answer while an exception is handled that none of the above foresaw; its inside goes to the log alone."""
    _LOG.exception("a request failed")
    return problem(PenstockError("api.fault", "The server failed; this is our bug."))


def _place(error: Any) -> str:
    return f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"
