"""The server as an ASGI application: streamable HTTP with a key at its door, no session kept between requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from mcp.server.mcpserver import MCPServer
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from penstock.mcp.server import make_server
from penstock.mcp.who import KeyHolders
from penstock.usecases.api_keys import KeyRing
from penstock.usecases.sign_in import SignIn
from penstock.usecases.workspace import Workspace

PATH: Final = "/mcp"
BODY_BYTES_MAX: Final = 65_536


@dataclass(frozen=True, slots=True)
class HttpDoor:
    """An application that answers at `PATH`, and what has to be open while it runs."""

    app: ASGIApp
    running: Callable[[], AbstractAsyncContextManager[None]]


def http_door(workspace: Workspace, clock: Callable[[], int]) -> HttpDoor:
    """The door of a workspace for whoever has an API key or signed in."""
    holders = KeyHolders(KeyRing(workspace.path), SignIn(workspace.path), clock)
    return door_of(make_server(workspace, holders, clock, holders))


def door_of(server: MCPServer[Any], body_bytes_max: int = BODY_BYTES_MAX) -> HttpDoor:
    """Any server as such an application: JSON answers, nothing kept between requests, loopback names only."""
    app = server.streamable_http_app(
        streamable_http_path=PATH, json_response=True, stateless_http=True, max_request_body_size=body_bytes_max
    )
    return HttpDoor(app, server.session_manager.run)


def mount(app: Starlette, door: HttpDoor) -> None:
    """Answer at `PATH` of another application, behind its guards; the door is open while that application runs."""
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def both(running: Starlette) -> AsyncIterator[Mapping[str, Any]]:
        async with inner(running) as state, door.running():
            yield state or {}

    app.router.lifespan_context = both
    app.router.routes.append(Route(PATH, door.app))
