"""Payment inside an MCP tool call: it comes in the request's ``_meta``, its confirmation goes out in the result's.

A refusal is a result with ``is_error`` whose structured content is the 402 object. Source: x402 v2, transports/mcp.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from x402.http.constants import PAYMENT_RESPONSE_HEADER, PAYMENT_SIGNATURE_HEADER

from penstock.connect.inference.engine import Usage
from penstock.connect.inference.gate import Admitted, Asked, Gate, TurnedAway

PAYMENT: Final = "x402/payment"
PAYMENT_RESPONSE: Final = "x402/payment-response"
NO_USAGE: Final = Usage(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a tool returns: structured content, the same as text, and ``_meta``."""

    structured: Mapping[str, Any]
    is_error: bool = False
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The content as text, for clients that read no structure."""
        return json.dumps(self.structured)


@dataclass(frozen=True, slots=True)
class Worked:
    """What the work came to: content, tokens used, cost [micro-dollars]; None charges the whole price."""

    structured: Mapping[str, Any]
    usage: Usage = NO_USAGE
    cost_usdc_micro: int | None = None


Work = Callable[[Admitted], Awaitable[Worked]]


def payment_of(meta: object) -> object:
    """The payment in a request's ``_meta``, which may be missing, a mapping or a model; None where there is none."""
    if meta is None:
        return None
    if isinstance(meta, Mapping):
        return meta.get(PAYMENT)
    extra = getattr(meta, "model_extra", None) or {}
    return extra.get(PAYMENT) or getattr(meta, PAYMENT, None)


async def paid_call(gate: Gate, asked: Asked, meta: object, work: Work) -> ToolAnswer:
    """Take the payment, do the work, answer; a payment that was answered before gets the same answer again.

    What ``work`` raises is raised again, after the payment has gone back.
    """
    payment = payment_of(meta)
    header = base64.b64encode(json.dumps(payment).encode()).decode() if payment is not None else ""
    admitted = await gate.admit(replace(asked, headers={PAYMENT_SIGNATURE_HEADER: header} if header else {}))
    if isinstance(admitted, TurnedAway):
        return ToolAnswer(json.loads(admitted.body), is_error=True)
    if admitted.stored is not None:
        return ToolAnswer(json.loads(admitted.stored), meta=_confirmation(admitted.headers))
    return await _worked(gate, admitted, asked, work)


async def _worked(gate: Gate, admitted: Admitted, asked: Asked, work: Work) -> ToolAnswer:
    try:
        done = await work(admitted)
        body = json.dumps(done.structured).encode()
    except BaseException as failed:
        await gate.failed(admitted, type(failed).__name__)
        raise
    cost = asked.price_usdc_micro if done.cost_usdc_micro is None else done.cost_usdc_micro
    headers = {**admitted.headers, **await gate.answered(admitted, body, done.usage, cost)}
    return ToolAnswer(done.structured, meta=_confirmation(headers))


def _confirmation(headers: Mapping[str, str]) -> dict[str, Any]:
    text = headers.get(PAYMENT_RESPONSE_HEADER)
    return {PAYMENT_RESPONSE: json.loads(base64.b64decode(text))} if text else {}
