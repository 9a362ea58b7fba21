"""A workspace's server: tools to quote, buy, redeem, prove, see a portfolio and an energy mix; and resources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from pydantic import AnyHttpUrl

from penstock import __version__
from penstock.mcp.answer import as_refusals
from penstock.mcp.market_tools import add_market_tools
from penstock.mcp.record_tools import Door, add_record_tools
from penstock.mcp.resources import add_resources
from penstock.mcp.who import Who
from penstock.usecases.workspace import Workspace

NAME: Final = "penstock"
INSTRUCTIONS: Final = (
    "Compute bought with proven energy. Ask `quote` first; prices are whole micro-dollars (1,000,000 = $1), energy "
    "whole mJ or Wh. `buy` moves an account's dollars into escrow and takes the most you pay; give every act a `key` "
    "of your own, and the same call again is recorded once. `prove` shows where an answer's energy came from and whom "
    "its dollars reached; `energy_mix` what is behind a rack. A refusal says a stable code, a sentence and the next "
    "step."
)
_NO_ISSUER: Final = AnyHttpUrl("http://127.0.0.1")
"""Keys are made by whoever has the workspace's folder: no server issues tokens, and none is advertised."""


def make_server(
    workspace: Workspace, who: Who, clock: Callable[[], int], verifier: TokenVerifier | None = None
) -> MCPServer[Any]:
    """The server of one workspace; with a ``verifier`` every HTTP request shows a key that it knows."""
    auth = AuthSettings(issuer_url=_NO_ISSUER, resource_server_url=None) if verifier else None
    server: MCPServer[Any] = MCPServer(
        NAME, title="Penstock", version=__version__, instructions=INSTRUCTIONS, token_verifier=verifier, auth=auth,
        log_level="CRITICAL",
    )  # fmt: skip
    door = Door(workspace, who, clock)
    server.middleware.append(as_refusals)
    add_record_tools(server, door)
    add_market_tools(server, door)
    add_resources(server, door)
    return server
