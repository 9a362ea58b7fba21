"""The application: paths, error form, security headers, and a guard against foreign host names (DNS rebinding)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import Response

from penstock import __version__
from penstock.api import answers, fleet, page, problem, record, state
from penstock.api.glimpse import Glimpse
from penstock.errors import Invalid
from penstock.usecases.workspace import Workspace

LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
Next = Callable[[Request], Awaitable[Response]]


def make_app(workspace: Workspace, hosts: frozenset[str] = LOOPBACK_HOSTS) -> FastAPI:
    """The door to one workspace, reading committed state only.

    ``hosts`` are the names by which it may be addressed. The caller keeps the workspace open while the app runs.
    """
    app = FastAPI(title="Penstock", version=__version__, docs_url=None, redoc_url=None)
    glimpse = Glimpse(workspace)
    for room in (record, state, answers, fleet, page):
        app.include_router(room.routes(glimpse))
    problem.install(app)

    @app.middleware("http")
    async def guard(request: Request, call_next: Next) -> Response:
        answer = await _answer(request, call_next, hosts)
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    return app


async def _answer(request: Request, call_next: Next, hosts: frozenset[str]) -> Response:
    if _host(request) not in hosts:
        return problem.problem(Invalid("api.host", "The Host header names another machine."), 421)
    try:
        return await call_next(request)
    except Exception:  # the door of the process: a fault of ours becomes an answer, and a line in the log
        return problem.fault()


def _host(request: Request) -> str:
    """The name in the Host header, without its port."""
    name, colon, port = request.headers.get("host", "").rpartition(":")
    return name.lower() if colon and port.isdecimal() else f"{name}{colon}{port}".lower()
