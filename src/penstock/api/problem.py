"""Errors over HTTP: one shape for all of them, `application/problem+json` with the same code the command line shows.

Source: RFC 9457 (problem details).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field
from starlette.exceptions import HTTPException

from penstock.api.forms import Form
from penstock.errors import Invalid, NotFound, PenstockError

PROBLEM_JSON: Final = "application/problem+json"
STATUS: Final = {
    "api.key_missing": 401,
    "api.key_unknown": 401,
    "api.key_scope": 403,
    "sign_in.session": 401,
    "account.not_member": 403,
    "account.role": 403,
    "energytag.user": 403,
    "api.body_length": 411,
    "api.body_too_large": 413,
    "api.body_too_slow": 408,
    "push.too_slow": 408,
    "push.too_large": 413,
    "push.media_type": 415,
    "push.busy": 429,
}
"""Codes that HTTP has a status of its own for; all others have their kind's."""
RETRY_S: Final = {429: 1, 503: 5}
"""What Retry-After says [s]."""
Described = dict[int | str, dict[str, Any]]
_LOG: Final = logging.getLogger("penstock.api")


class Problem(Form):
    """An error (RFC 9457): ``code`` is stable, and docs/errors.md explains it."""

    type: str = Field(pattern="^urn:penstock:error:")
    title: str
    status: int
    detail: str
    error: str
    code: str
    message: str
    hint: str
    context: dict[str, str]


def problem(error: PenstockError, status: int | None = None) -> JSONResponse:
    """The answer for an error: type, title, status and detail of RFC 9457, then the error object of all doors."""
    body = error.to_json()
    number = STATUS.get(error.code, error.http_status) if status is None else status
    headers = {"Retry-After": str(RETRY_S[number])} if number in RETRY_S else {}
    if number == 401:
        headers["WWW-Authenticate"] = "Bearer"
    about = {"type": f"urn:penstock:error:{error.code}", "title": body["error"], "status": number}
    return JSONResponse({**about, "detail": error.message, **body}, number, headers, media_type=PROBLEM_JSON)


def described(said: Mapping[int, str]) -> Described:
    """Statuses with what each says, as a path describes them: all of them carry a `Problem`."""
    form = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": text, "content": form} for status, text in said.items()}


ANYWHERE: Final = described(
    {
        400: "Malformed: a parameter, or a body.",
        404: "What was named is not there.",
        409: "A rule says no, or it conflicts with what stands.",
        422: "A signature or proof does not hold.",
        500: "A fault of this server.",
        503: "It cannot be done just now: the same may succeed later.",
    }
)
"""What every path may answer besides its own form."""
WITH_A_KEY: Final = described(
    {
        401: "No valid API key.",
        403: "The key lacks the scope for this.",
        408: "The body comes in too slowly.",
        411: "A body that does not say how long it is.",
        413: "The body is too large.",
    }
)
"""What a path that takes an API key may answer besides."""

TOO_MANY: Final = described({429: "Too much at once: wait as long as Retry-After says."})
"""What a path that takes a while may answer besides."""


def install(app: FastAPI) -> None:
    """Answer every foreseen error of ``app`` as a problem, and describe that form."""
    paths_and_forms = app.openapi

    def whole() -> dict[str, Any]:
        found = paths_and_forms()
        found["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        return found

    app.openapi = whole  # type: ignore[method-assign]

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
