"""A provider's door spoken to in MCP: a signed quote, answers paid for in ``_meta``, energy receipts.

The same desk as over HTTP: money first, then the work, and the same payment again is the same answer. Nobody needs a
key; whoever pays is served. Source: x402 v2, transports/mcp.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Final

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import Field
from x402.http.constants import PAYMENT_RESPONSE_HEADER, PAYMENT_SIGNATURE_HEADER

from penstock import __version__
from penstock.connect.inference.engine import Usage, Vectors
from penstock.connect.inference.gate import TurnedAway
from penstock.connect.x402.tool_call import PAYMENT_RESPONSE, payment_of
from penstock.errors import PenstockError, Refused
from penstock.mcp.answer import answer, as_refusals, told
from penstock.mcp.door import HttpDoor, door_of
from penstock.usecases.provider.desk import Answered, Request
from penstock.usecases.provider.provider import Provider

Asked = Context[Any, Any]
URL: Final = "mcp://tool/embed"
"""What is paid for, as the demand for payment names it."""
BODY_BYTES_MAX: Final = 4 * 2**20
TEXTS_MAX: Final = 2_048
READS: Final = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
PAID: Final = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True)
INSTRUCTIONS: Final = (
    "Embeddings for whoever pays. Ask `quote` for the signed price and the energy behind it. Call `embed`: without a "
    "payment it says how to pay (x402 v2); call it again with the payment in _meta['x402/payment']. The same payment "
    "again gives the same answer and is never charged twice. `receipt` is the signed energy receipt of an answer."
)
Texts = Annotated[list[str], Field(min_length=1, max_length=TEXTS_MAX, description="The texts, one vector each.")]
PaymentId = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="As `embed` gave it.")]


def make_provider_server(provider: Provider) -> MCPServer[Any]:
    """The tools of one provider."""
    server: MCPServer[Any] = MCPServer(
        "penstock-provider", title="Penstock provider", version=__version__, instructions=INSTRUCTIONS,
        log_level="CRITICAL",
    )  # fmt: skip
    server.middleware.append(as_refusals)

    @server.tool(annotations=READS)
    def quote() -> CallToolResult:
        """Price, energy and carbon of a thousand tokens now, as a signed statement (DSSE)."""
        return answer(lambda: _envelope(provider.quote()))

    @server.tool(annotations=PAID)
    async def embed(asked: Asked, texts: Texts, model: str = "") -> CallToolResult:
        """One vector of unit length a text, as base64 of little-endian float32; paid for by x402 in `_meta`."""
        return await _or_refused(lambda: _embedded(provider, asked, texts, model or provider.model))

    @server.tool(annotations=READS)
    def receipt(payment_id: PaymentId) -> CallToolResult:
        """The energy receipt of the answer that a payment bought, as a signed statement (DSSE)."""
        return answer(lambda: _envelope(provider.receipt(bytes.fromhex(payment_id))))

    return server


def provider_door(provider: Provider) -> HttpDoor:
    """The same over streamable HTTP, without a key."""
    return door_of(make_provider_server(provider), BODY_BYTES_MAX)


async def _embedded(provider: Provider, asked: Asked, texts: list[str], model: str) -> CallToolResult:
    arrived_us = provider.clock()
    body = json.dumps({"model": model, "texts": texts}, separators=(",", ":")).encode()
    request = Request(URL, _paying(asked), body, arrived_us)
    found = await provider.desk.embed(request, model, texts, lambda vectors, usage: _written(model, vectors, usage))
    return _demand(found) if isinstance(found, TurnedAway) else _given(found)


def _paying(asked: Asked) -> dict[str, str]:
    """The payment of a call, as HTTP would carry it."""
    payment = payment_of(asked.request_context.meta)
    if payment is None:
        return {}
    return {PAYMENT_SIGNATURE_HEADER: base64.b64encode(json.dumps(payment).encode()).decode()}


def _demand(away: TurnedAway) -> CallToolResult:
    """What to pay, or why the payment is not taken."""
    try:
        said = json.loads(away.body)
    except ValueError:
        said = Refused("mcp.turned_away", "The payment was not taken.", hint="Ask for a new demand.").to_json()
    return told(said, is_error=True)


def _given(found: Answered) -> CallToolResult:
    """The answer, filed under its payment; its confirmation goes out in ``_meta``."""
    filed = {"payment_id": found.payment_id.hex(), "number": found.number if found.number >= 0 else None}
    text = next((value for name, value in found.headers.items() if name.lower() == _CONFIRMED), "")
    meta = {PAYMENT_RESPONSE: json.loads(base64.b64decode(text))} if text else None
    return told({**json.loads(found.body), **filed}, meta=meta)


_CONFIRMED: Final = PAYMENT_RESPONSE_HEADER.lower()


def _written(model: str, vectors: Vectors, usage: Usage) -> bytes:
    """An answer's bytes, as they are kept and given again."""
    rows = [base64.b64encode(vector.astype("<f4").tobytes()).decode() for vector in vectors]
    said = {"model": model, "vectors": rows, "prompt_tokens": usage.prompt_tokens, "output_tokens": usage.output_tokens}
    return json.dumps(said, separators=(",", ":")).encode()


def _envelope(written: bytes) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(written)
    return found


async def _or_refused(work: Callable[[], Awaitable[CallToolResult]]) -> CallToolResult:
    try:
        return await work()
    except PenstockError as error:
        return told(error.to_json(), is_error=True)
