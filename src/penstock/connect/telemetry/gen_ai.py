"""Spans of generative AI to rows of requests, and answers with their energy to spans.

In: one span a request, as an engine or a client library writes it. Without a time to first token an answer came all at
once. Out: the same conventions, with the energy that the answer bears and how that was found, for any tracing tool.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from penstock.connect.telemetry import span as names
from penstock.connect.telemetry.span import Span, Value
from penstock.errors import Invalid
from penstock.journal.segment import Columns

US_PER_S: Final = 1_000_000
TOKENS_MAX: Final = 2**31
COLUMNS: Final = ("arrived_us", "started_us", "first_us", "done_us", "prompt_tokens", "output_tokens")


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Requests as spans tell them: `COLUMNS`, one row a request, with each one's model and payment id ('' for none).

    ``passed_over`` counts spans that are no request of a model.
    """

    columns: Columns
    models: tuple[str, ...]
    payment_ids: tuple[str, ...]
    passed_over: int


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to be told as a span: whose, when [us], tokens, and its energy [mJ] by what method, source and root."""

    payment_id: bytes
    model: str
    operation: str
    arrived_us: int
    first_us: int
    done_us: int
    prompt_tokens: int
    output_tokens: int
    energy_mj: int
    method: str
    source: str
    root: bytes


def requests_of(spans: Sequence[Span]) -> Asked:
    """The requests among spans, in their order.

    Raises:
        Invalid: ``telemetry.usage`` for tokens or times that are none.
    """
    asked = [span for span in spans if _first_of(span, names.INPUT_TOKENS) is not None]
    rows = np.array([_row(span) for span in asked], dtype=np.int64).reshape(-1, len(COLUMNS))
    return Asked(
        columns=dict(zip(COLUMNS, rows.T, strict=True)),
        models=tuple(str(_first_of(span, (names.RESPONSE_MODEL, names.REQUEST_MODEL)) or "") for span in asked),
        payment_ids=tuple(str(span.attributes.get(names.PAYMENT_ID, "")) for span in asked),
        passed_over=len(spans) - len(asked),
    )


def span_of(answer: Answer) -> Span:
    """The answer as a span; its identities come from the payment id, so telling it twice tells the same span."""
    digest = hashlib.sha256(b"penstock span" + answer.payment_id).digest()
    attributes: dict[str, Value] = {
        names.OPERATION: answer.operation,
        names.PROVIDER: "penstock",
        names.REQUEST_MODEL: answer.model,
        names.RESPONSE_MODEL: answer.model,
        names.INPUT_TOKENS[0]: answer.prompt_tokens,
        names.OUTPUT_TOKENS[0]: answer.output_tokens,
        names.FIRST_TOKEN_S[0]: (answer.first_us - answer.arrived_us) / US_PER_S,
        names.PAYMENT_ID: answer.payment_id.hex(),
        names.ENERGY_MJ: answer.energy_mj,
        names.ENERGY_METHOD: answer.method,
        names.ENERGY_SOURCE: answer.source,
        names.ENERGY_ROOT: answer.root.hex(),
    }
    title = f"{answer.operation} {answer.model}"
    return Span(digest[:16], digest[16:24], title, answer.arrived_us, answer.done_us, attributes)


def _row(span: Span) -> tuple[int, ...]:
    first_s, queued_s = _seconds(span, names.FIRST_TOKEN_S), _seconds(span, names.QUEUED_S)
    first_us = span.stop_us if first_s is None else min(span.start_us + first_s, span.stop_us)
    started_us = min(span.start_us + (queued_s or 0), first_us)
    tokens = (_tokens(span, names.INPUT_TOKENS), _tokens(span, names.OUTPUT_TOKENS))
    return span.start_us, started_us, first_us, span.stop_us, *tokens


def _first_of(span: Span, keys: Sequence[str]) -> Value | None:
    return next((span.attributes[key] for key in keys if key in span.attributes), None)


def _tokens(span: Span, keys: Sequence[str]) -> int:
    value = _first_of(span, keys)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < TOKENS_MAX:
        raise Invalid("telemetry.usage", "Tokens are whole numbers from 0.", span=span.span_id.hex())
    return value


def _seconds(span: Span, keys: Sequence[str]) -> int | None:
    """A time in seconds as microseconds, rounded down."""
    value = _first_of(span, keys)
    if value is None:
        return None
    if isinstance(value, bool | str) or not 0 <= value < TOKENS_MAX:  # not a number is in no range
        raise Invalid("telemetry.usage", "Times are numbers of seconds from 0.", span=span.span_id.hex())
    return int(value * US_PER_S)
