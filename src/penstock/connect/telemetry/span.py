"""A span of a trace, and the attributes by which generative AI and its energy are told.

Names of OpenTelemetry's semantic conventions for generative AI (status: development), with those they replaced and
those vLLM writes. The conventions have no attribute for energy: ours are under ``penstock.``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Value = str | int | float | bool

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
INPUT_TOKENS: Final = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
OUTPUT_TOKENS: Final = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
FIRST_TOKEN_S: Final = ("gen_ai.response.time_to_first_chunk", "gen_ai.latency.time_to_first_token")
QUEUED_S: Final = ("gen_ai.latency.time_in_queue",)

PAYMENT_ID: Final = "penstock.payment.id"
ENERGY_MJ: Final = "penstock.energy.mj"
ENERGY_METHOD: Final = "penstock.energy.method"
ENERGY_SOURCE: Final = "penstock.energy.source"
ENERGY_ROOT: Final = "penstock.energy.root"

CLIENT: Final = 3  # opentelemetry/proto/trace/v1/trace.proto, SpanKind
SERVER: Final = 2


@dataclass(frozen=True, slots=True)
class Span:
    """One span: 16 and 8 bytes of identity, instants [us], attributes that are one value each."""

    trace_id: bytes
    span_id: bytes
    name: str
    start_us: int
    stop_us: int
    attributes: Mapping[str, Value]
