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
_LOG: Final = logging.getLogger("penstock.api")


def problem(error: PenstockError, status: int | None = None) -> JSONResponse:
    """The answer for an error: type, title, status and detail of RFC 9457, then the error object of all doors."""
    body = error.to_json()
    number = error.http_status if status is None else status
    about = {"type": f"urn:penstock:error:{error.code}", "title": body["error"], "status": number}
    return JSONResponse({**about, "detail": error.message, **body}, number, media_type=PROBLEM_JSON)


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
            return problem(Invalid("api.method", "This door only reads: use GET."), 405)
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
