"""Errors as OpenAI's clients read them: ``{"error": {message, type, param, code}}``, with our stable code as ``code``.

Source: the OpenAI API reference, "Error codes".
"""

from __future__ import annotations

import logging
from typing import Final

from starlette.responses import JSONResponse

from penstock.errors import PenstockError

STATUS: Final = {
    "request.too_large": 413,
    "request.too_slow": 408,
    "request.no_path": 404,
    "request.method": 405,
    "request.host": 421,
    "provider.busy": 429,
    "upstream.unreachable": 502,
    "upstream.failed": 502,
    "receipt.not_sealed": 503,
}
"""Codes that HTTP has a status of its own for; all others have their kind's."""
RETRY_S: Final = {429: 1, 503: 5}
_LOG: Final = logging.getLogger("penstock.api.inference")


def refusal(error: PenstockError) -> JSONResponse:
    """The answer for an error; the hint is part of the message, as clients show nothing else."""
    status = STATUS.get(error.code, error.http_status)
    said = f"{error.message} {error.hint}".strip()
    kind = "server_error" if status >= 500 else "rate_limit_error" if status == 429 else "invalid_request_error"
    body = {"error": {"message": said, "type": kind, "param": error.ids.get("param"), "code": error.code}}
    headers = {"Retry-After": str(RETRY_S[status])} if status in RETRY_S else {}
    return JSONResponse(body, status, headers)


def fault() -> JSONResponse:
    """The answer while an exception is handled that nobody foresaw; its inside goes to the log alone."""
    _LOG.exception("a request failed")
    return refusal(PenstockError("api.fault", "The server failed; this is our bug."))
