"""Payment inside an MCP tool call, asked by the official MCP client: in ``_meta`` in, in ``_meta`` out."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import CallToolResult, TextContent
from payment_kit import PRICE, PROVIDER, Scene, exact, make_gate
from x402.schemas import PaymentPayload, PaymentRequired

from mcp import Client
from penstock.connect.inference.gate import Admitted, Asked, Gate
from penstock.connect.x402.facilitator import ChainFacilitator
from penstock.connect.x402.till import Till
from penstock.connect.x402.tool_call import PAYMENT, PAYMENT_RESPONSE, Worked, paid_call, payment_of


def served(gate: Gate, works: list[str], *, broken: bool = False) -> MCPServer[Any]:
    """A server with one tool, which costs the price."""
    server: MCPServer[Any] = MCPServer("provider")

    @server.tool()
    async def embed(text: str, ctx: Context) -> CallToolResult:
        asked = Asked("mcp://tool/embed", {}, hashlib.sha256(text.encode()).digest(), "model", 37, PRICE)

        async def work(admitted: Admitted) -> Worked:
            works.append(text)
            if broken:
                raise RuntimeError("the engine broke")
            return Worked({"digest": hashlib.sha256(text.encode()).hexdigest(), "payer": admitted.payer.hex()})

        found = await paid_call(gate, asked, ctx.request_context.meta, work)
        return CallToolResult(
            content=[TextContent(type="text", text=found.text)],
            structured_content=dict(found.structured),
            is_error=found.is_error,
            _meta=dict(found.meta),
        )

    return server


def _payment(refused: CallToolResult) -> Any:
    """What the refusal asks for, signed."""
    asked = PaymentRequired.model_validate(refused.structured_content).accepts[0]
    payload = PaymentPayload(payload=exact().create_payment_payload(asked), accepted=asked)
    return {PAYMENT: payload.model_dump(by_alias=True, exclude_none=True)}


def test_a_tool_is_paid_for_in_meta(scene: Scene, till: Till, facilitator: ChainFacilitator) -> None:
    works: list[str] = []
    before = scene.balance(PROVIDER)

    async def ask() -> list[CallToolResult]:
        async with Client(served(make_gate(scene, till, facilitator), works)) as client:
            refused = await client.call_tool("embed", {"text": "hello"})
            meta = _payment(refused)
            answers = [await client.call_tool("embed", {"text": "hello"}, meta=meta) for _ in range(2)]
            return [refused, *answers, await client.call_tool("embed", {"text": "other"}, meta=meta)]

    refused, answer, again, replayed = asyncio.run(ask())
    assert refused.is_error and json.loads(refused.content[0].text)["x402Version"] == 2  # type: ignore[union-attr]
    assert not answer.is_error and answer.structured_content == again.structured_content
    assert answer.meta is not None and again.meta == answer.meta
    assert answer.meta[PAYMENT_RESPONSE]["success"] and answer.meta[PAYMENT_RESPONSE]["amount"] == str(PRICE)
    assert replayed.is_error and replayed.structured_content["error"]["code"] == "payment.replayed"
    assert works == ["hello"] and scene.balance(PROVIDER) == before + PRICE


def test_a_tool_that_fails_gives_the_money_back(scene: Scene, till: Till, facilitator: ChainFacilitator) -> None:
    works: list[str] = []

    async def ask() -> tuple[CallToolResult, int]:
        async with Client(served(make_gate(scene, till, facilitator), works, broken=True)) as client:
            meta = _payment(await client.call_tool("embed", {"text": "hello"}))
            failed = await client.call_tool("embed", {"text": "hello"}, meta=meta)
            payer = exact()._signer.address  # the scheme keeps its signer to itself
            return failed, await till.balance(bytes.fromhex(payer[2:]))

    failed, balance = asyncio.run(ask())
    assert failed.is_error and works == ["hello"] and balance == PRICE


class _Model:
    model_extra = {PAYMENT: {"x402Version": 2}}  # noqa: RUF012 (as the SDK's models have it)


@pytest.mark.parametrize(
    ("meta", "found"), [(None, None), ({}, None), ({PAYMENT: {"a": 1}}, {"a": 1}), (_Model(), {"x402Version": 2})]
)
def test_meta_comes_in_three_shapes(meta: object, found: object) -> None:
    assert payment_of(meta) == found
