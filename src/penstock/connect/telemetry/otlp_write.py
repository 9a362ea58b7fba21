"""OTLP traces out: what any collector takes at ``/v1/traces``, as JSON or protobuf."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from penstock.connect.telemetry.otlp_read import NS_PER_US
from penstock.connect.telemetry.span import SERVER, Span, Value

SCOPE: Final = "penstock"
SERVICE: Final = "service.name"
JSON_TYPE: Final = "application/json"
PROTOBUF_TYPE: Final = "application/x-protobuf"


def write_json(spans: Sequence[Span], service: str) -> bytes:
    """The spans of ``service`` as OTLP/JSON."""
    resource = {"attributes": _json_attributes({SERVICE: service})}
    scope = {"scope": {"name": SCOPE}, "spans": [_json_span(span) for span in spans]}
    return json.dumps(
        {"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}, separators=(",", ":")
    ).encode()


def write_protobuf(spans: Sequence[Span], service: str) -> bytes:
    """The spans of ``service`` as OTLP protobuf."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest  # slow to load

    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    _add_attributes(resource.resource.attributes, {SERVICE: service})
    scope = resource.scope_spans.add()
    scope.scope.name = SCOPE
    for span in spans:
        _add_span(scope.spans.add(), span)
    body: bytes = message.SerializeToString()
    return body


def _json_span(span: Span) -> dict[str, Any]:
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "name": span.name,
        "kind": SERVER,
        "startTimeUnixNano": str(span.start_us * NS_PER_US),
        "endTimeUnixNano": str(span.stop_us * NS_PER_US),
        "attributes": _json_attributes(span.attributes),
    }


def _json_attributes(attributes: Mapping[str, Value]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _json_value(value)} for key, value in attributes.items()]


def _json_value(value: Value) -> dict[str, Any]:
    kind = _kind(value)
    return {f"{kind}Value": str(value) if kind == "int" else value}


def _add_span(told: Any, span: Span) -> None:
    told.trace_id, told.span_id, told.name, told.kind = span.trace_id, span.span_id, span.name, SERVER
    told.start_time_unix_nano, told.end_time_unix_nano = span.start_us * NS_PER_US, span.stop_us * NS_PER_US
    _add_attributes(told.attributes, span.attributes)


def _add_attributes(told: Any, attributes: Mapping[str, Value]) -> None:
    for key, value in attributes.items():
        one = told.add()
        one.key = key
        setattr(one.value, f"{_kind(value)}_value", value)


def _kind(value: Value) -> str:
    """OTLP's name of the value's kind; a bool is an int too, so it is asked first."""
    if isinstance(value, bool):
        return "bool"
    return "string" if isinstance(value, str) else "int" if isinstance(value, int) else "double"
