"""The application: paths, error form, security headers, and a guard against foreign host names (DNS rebinding)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from penstock import __version__
from penstock.api import (
    accounts,
    answers,
    badges,
    bulk,
    carbon,
    certificates,
    commands,
    compute,
    deals,
    fleet,
    forwards,
    ids,
    issuer,
    orders,
    page,
    participants,
    problem,
    proposals,
    push,
    record,
    registry_pages,
    reports,
    sign_in,
    state,
    webhooks,
)
from penstock.api.energytag import certificate as energytag_certificate
from penstock.api.energytag import measurement as energytag_measurement
from penstock.api.energytag import participants as energytag_participants
from penstock.api.energytag import storage as energytag_storage
from penstock.api.gate import Gate, Limits
from penstock.api.glimpse import Glimpse
from penstock.connect.spool import now_us
from penstock.errors import Invalid, PenstockError, Refused
from penstock.journal.nesting import deeper_than
from penstock.usecases.api_keys import KeyRing
from penstock.usecases.sign_in import SignIn
from penstock.usecases.trail import Trail
from penstock.usecases.webhook import Webhooks
from penstock.usecases.workers import Workers
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
DEFAULT_LIMITS: Final = Limits()
ENERGYTAG: Final = "/energytag"
BODY_BYTES_MAX: Final = 65_536
BODY_S: Final = 10.0
NESTING_MAX: Final = 16
LARGE: Final = frozenset({push.PATH, issuer.IMPORT, bulk.BULK, carbon.FACTORS})
"""Paths that read their own bodies, as they come."""
Next = Callable[[Request], Awaitable[Response]]


def make_app(
    workspace: Workspace,
    hosts: frozenset[str] = LOOPBACK_HOSTS,
    limits: Limits = DEFAULT_LIMITS,
    workers: Workers | None = None,
    trail: Trail | None = None,
    hooks: Webhooks | None = None,
) -> FastAPI:
    """The door to one workspace: reading committed state, and writing, with an API key, through its sequencer.

    ``hosts`` are the names by which it may be addressed. The caller keeps workspace and workers open while the app
    runs; without workers of its own the door checks signatures in this process. Who delivers webhooks hands in the
    ``hooks`` and the ``trail`` it delivers from.
    """
    app = FastAPI(title="Penstock", version=__version__, docs_url=None, redoc_url=None, responses=problem.ANYWHERE)
    glimpse = Glimpse(workspace)
    for room in (record, state, deals, answers, fleet, page):
        app.include_router(room.routes(glimpse))
    app.include_router(compute.routes(glimpse, now_us))
    gate = Gate(KeyRing(workspace.path), limits, SignIn(workspace.path))
    app.include_router(push.routes(workspace, gate, workers or Workers()))
    app.include_router(commands.routes(workspace, gate))
    _add_registry(app, workspace, gate, trail or Trail(workspace), hooks or Webhooks(workspace.path))
    problem.install(app)

    @app.middleware("http")
    async def guard(request: Request, call_next: Next) -> Response:
        answer = await _answer(request, call_next, hosts)
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        answer.headers.setdefault("Cache-Control", "no-store")
        if answer.status_code >= 400 and request.method not in ("GET", "HEAD"):
            answer.headers["Connection"] = "close"  # what is left of its body is not waited for
        return answer

    return app


def _add_registry(app: FastAPI, workspace: Workspace, gate: Gate, trail: Trail, hooks: Webhooks) -> None:
    """The paths of accounts and certificates."""
    app.include_router(sign_in.routes(workspace, gate, trail))
    app.include_router(accounts.routes(workspace, gate, trail))
    app.include_router(participants.routes(workspace, gate))
    app.include_router(proposals.routes(workspace, gate))
    app.include_router(orders.routes(workspace, gate))
    app.include_router(webhooks.routes(workspace, gate, hooks))
    app.include_router(certificates.acts(workspace, gate))
    app.include_router(issuer.routes(workspace, gate))
    app.include_router(bulk.routes(workspace, gate))
    app.include_router(carbon.routes(workspace, gate))
    app.include_router(forwards.routes(workspace, gate))
    app.include_router(reports.routes(workspace, gate))
    app.include_router(certificates.routes(workspace, trail))
    app.include_router(badges.routes(workspace, trail))
    app.include_router(ids.routes(workspace))
    app.include_router(registry_pages.routes(workspace))
    for room in (energytag_participants, energytag_measurement, energytag_storage):
        app.include_router(room.routes(workspace, gate), prefix=ENERGYTAG)
    app.include_router(energytag_certificate.routes(workspace, gate, trail), prefix=ENERGYTAG)


async def _answer(request: Request, call_next: Next, hosts: frozenset[str]) -> Response:
    if _host(request) not in hosts:
        return problem.problem(Invalid("api.host", "The Host header names another machine."), 421)
    unfit = _unfit(request) or await _unfit_body(request)
    if unfit:
        return problem.problem(unfit)
    try:
        return await call_next(request)
    except Exception:  # the door of the process: a fault of ours becomes an answer, and a line in the log
        return problem.fault()


def _unfit(request: Request) -> Invalid | None:
    """What is wrong with a body before it is read: all but readings are small, and say how long they are."""
    if not _has_small_body(request):
        return None
    if "transfer-encoding" in request.headers:
        return Invalid("api.body_length", "A body here says how long it is.", hint="Send Content-Length.")
    stated = request.headers.get("content-length", "0")
    if not stated.isdecimal() or int(stated) > BODY_BYTES_MAX:
        return Invalid("api.body_too_large", f"A body here has at most {BODY_BYTES_MAX:,} bytes.")
    return None


async def _unfit_body(request: Request) -> PenstockError | None:
    """What is wrong with a small body before a parser sees it: it comes in time and nests as little as our forms."""
    if not _has_small_body(request):
        return None
    try:
        body = await asyncio.wait_for(request.body(), BODY_S)
    except (TimeoutError, ClientDisconnect):
        return Refused("api.body_too_slow", "The body did not come in time.", hint="Send the same again.")
    if deeper_than(body.decode("utf-8", "replace"), NESTING_MAX):
        return Invalid("api.body_nested", f"A body here nests at most {NESTING_MAX} levels.")
    return None


def _has_small_body(request: Request) -> bool:
    return request.method not in ("GET", "HEAD") and request.url.path not in LARGE


def _host(request: Request) -> str:
    """The name in the Host header, without its port."""
    name, colon, port = request.headers.get("host", "").rpartition(":")
    return name.lower() if colon and port.isdecimal() else f"{name}{colon}{port}".lower()
