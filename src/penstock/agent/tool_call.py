"""Paid calls of MCP tools: the same payer, with a tool's ``_meta`` where HTTP has headers.

A venue at ``URL`` has its tools at ``URL/tools/NAME``; the call's JSON is the tool's arguments. Uses the official MCP
client. Source: x402 v2, transports/mcp.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import httpx

PAYMENT: Final = "x402/payment"
PAYMENT_RESPONSE: Final = "x402/payment-response"
TOOLS: Final = "/tools/"
TIMEOUT_S: Final = 30.0
Open = Callable[[], Any]
"""Opens a session: an asynchronous context of an official MCP client, ``mcp.Client(url)`` or one with a key."""


@dataclass(frozen=True)
class ToolTransport(httpx.BaseTransport):
    """Carries a payer's HTTP calls to an MCP server's tools; a session a call."""

    open: Open

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The tool's result as an HTTP answer: 402 with what it asks, 200 with what it says, else 502."""
        name = request.url.path.rpartition(TOOLS)[2]
        header = request.headers.get("PAYMENT-SIGNATURE", "")
        meta = {PAYMENT: json.loads(b64decode(header))} if header else None
        try:
            with ThreadPoolExecutor(1) as pool:  # a loop of its own, also where the caller runs in one
                found = pool.submit(asyncio.run, self._ask(name, json.loads(request.read()), meta)).result()
        except Exception as error:  # whatever the session raises: nothing is known of the call
            raise httpx.ReadError(f"the session failed: {type(error).__name__}") from error
        return _response(found)

    async def _ask(self, name: str, arguments: dict[str, Any], meta: dict[str, Any] | None) -> Any:
        async with asyncio.timeout(TIMEOUT_S), self.open() as client:
            return await client.call_tool(name, arguments, meta=meta)


def _response(found: Any) -> httpx.Response:
    said: Mapping[str, Any] = found.structured_content or {}
    if found.is_error and "accepts" in said:
        return httpx.Response(402, headers={"PAYMENT-REQUIRED": _written(said)}, json=dict(said))
    if found.is_error:
        return httpx.Response(502, json=dict(said))
    settled = (found.meta or {}).get(PAYMENT_RESPONSE)
    headers = {"PAYMENT-RESPONSE": _written(settled)} if settled else {}
    return httpx.Response(200, headers=headers, json=dict(said))


def _written(value: object) -> str:
    return b64encode(json.dumps(value).encode()).decode()
