"""OTLP traces in: the export request of opentelemetry-proto 1.x, as protobuf or JSON.

JSON as OTLP has it: identities in hexadecimal, 64-bit numbers as decimal strings or numbers, unknown keys passed over.
Attributes that are lists or maps are passed over; no request is told by them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from penstock.connect.telemetry.span import Span, Value
from penstock.errors import Invalid
from penstock.journal.nesting import deeper_than
from penstock.keys.half_character import half_character

BODY_MAX: Final = 16 * 2**20
SPANS_MAX: Final = 100_000
NESTING_MAX: Final = 32
NS_PER_US: Final = 1_000
TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8


def read_json(body: bytes) -> list[Span]:
    """Spans of an OTLP/JSON message.

    Raises:
        Invalid: ``telemetry.too_large``, ``telemetry.malformed``.
    """
    _check_size(body)
    try:
        text = body.decode()
        if deeper_than(text, NESTING_MAX):
            raise _malformed()
        message = json.loads(text)
        if half_character(text, message):
            raise _malformed()
        return [_span_of_json(span) for span in _limited(_json_spans(message))]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise _malformed() from None


def read_protobuf(body: bytes) -> list[Span]:
    """Spans of an OTLP protobuf message. Raises as `read_json`."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # an extra, slow to load
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    _check_size(body)
    try:
        message = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        raise _malformed() from None
    scopes = (scope for resource in message.resource_spans for scope in resource.scope_spans)
    return [_span_of_message(span) for span in _limited(span for scope in scopes for span in scope.spans)]


def _json_spans(message: Any) -> Iterable[Any]:
    for resource in message.get("resourceSpans", []):
        for scope in resource.get("scopeSpans", []):
            yield from scope.get("spans", [])


def _span_of_json(span: Any) -> Span:
    named = {one["key"]: _json_value(one.get("value") or {}) for one in span.get("attributes", [])}
    instants = (int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]))
    ids = (bytes.fromhex(span["traceId"]), bytes.fromhex(span["spanId"]))
    return _checked(*ids, str(span.get("name", "")), *instants, named)


def _json_value(value: dict[str, Any]) -> Value | None:
    if "stringValue" in value:
        return str(value["stringValue"])
    if "intValue" in value:
        return int(value["intValue"])
    if "doubleValue" in value:
        return float(value["doubleValue"])
    return bool(value["boolValue"]) if "boolValue" in value else None


def _span_of_message(span: Any) -> Span:
    named = {one.key: _message_value(one.value) for one in span.attributes}
    return _checked(span.trace_id, span.span_id, span.name, span.start_time_unix_nano, span.end_time_unix_nano, named)


def _message_value(value: Any) -> Value | None:
    kind = value.WhichOneof("value")
    if kind not in ("string_value", "int_value", "double_value", "bool_value"):
        return None
    found: Value = getattr(value, kind)
    return found


def _checked(
    trace_id: bytes, span_id: bytes, name: str, start_ns: int, stop_ns: int, named: dict[str, Value | None]
) -> Span:
    if (len(trace_id), len(span_id)) != (TRACE_ID_BYTES, SPAN_ID_BYTES) or not 0 < start_ns <= stop_ns < 2**64:
        raise _malformed()
    values = {key: value for key, value in named.items() if value is not None}
    return Span(trace_id, span_id, name, start_ns // NS_PER_US, stop_ns // NS_PER_US, values)


def _limited(spans: Iterable[Any]) -> Iterable[Any]:
    for count, span in enumerate(spans):
        if count == SPANS_MAX:
            raise Invalid("telemetry.too_large", f"A message has at most {SPANS_MAX:,} spans.")
        yield span


def _check_size(body: bytes) -> None:
    if len(body) > BODY_MAX:
        raise Invalid("telemetry.too_large", f"A message of spans has at most {BODY_MAX:,} bytes.")


def _malformed() -> Invalid:
    return Invalid("telemetry.malformed", "This is no OTLP message of spans.", hint="Send OTLP 1.x, JSON or protobuf.")
