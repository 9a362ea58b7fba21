"""Spans in and out, held to OpenTelemetry's own exporter, messages and JSON."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as conventions

from penstock.connect.telemetry import otlp_read, span
from penstock.connect.telemetry.gen_ai import Answer, requests_of, span_of
from penstock.connect.telemetry.otlp_read import read_json, read_protobuf
from penstock.connect.telemetry.otlp_write import write_json, write_protobuf
from penstock.connect.telemetry.span import Span, Value
from penstock.errors import Invalid

AT_US = 1_790_000_000_000_000
ANSWER = Answer(
    payment_id=bytes(range(32)),
    model="all-MiniLM-L6-v2",
    operation="embeddings",
    arrived_us=AT_US,
    first_us=AT_US + 250_000,
    done_us=AT_US + 900_001,
    prompt_tokens=42,
    output_tokens=7,
    energy_mj=81_234,
    method="batch-share/1",
    source="rapl",
    root=b"\xab" * 32,
)


@contextmanager
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A collector on loopback that keeps (content type, body)."""
    taken: list[tuple[str, bytes]] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.headers["Content-Type"], self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", taken
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_what_the_official_exporter_sends_is_read() -> None:
    with collector() as (url, taken):
        provider = TracerProvider(resource=Resource.create({"service.name": "engine"}))
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=url)))
        tracer = provider.get_tracer("vllm")
        with tracer.start_as_current_span("llm_request", start_time=AT_US * 1_000) as told:
            told.set_attribute(conventions.GEN_AI_USAGE_INPUT_TOKENS, 812)
            told.set_attribute(conventions.GEN_AI_USAGE_OUTPUT_TOKENS, 96)
            told.set_attribute(conventions.GEN_AI_RESPONSE_MODEL, "llama")
            told.set_attribute("gen_ai.latency.time_to_first_token", 0.5)
            told.set_attribute("gen_ai.latency.time_in_queue", 0.125)
            told.set_attribute("gen_ai.request.stop_sequences", ["a", "b"])
        with tracer.start_as_current_span("execute_tool"):
            pass
        provider.shutdown()
    spans = [found for kind, body in taken for found in read_protobuf(body) if kind == "application/x-protobuf"]
    asked = requests_of(spans)
    assert asked.passed_over == 1
    assert asked.models == ("llama",)
    rows = {name: int(column[0]) for name, column in asked.columns.items()}
    assert rows.pop("done_us") == spans[0].stop_us > AT_US
    assert rows == {
        "arrived_us": AT_US,
        "started_us": AT_US + 125_000,
        "first_us": AT_US + 500_000,
        "prompt_tokens": 812,
        "output_tokens": 96,
    }


def test_an_answer_goes_out_by_the_conventions_names() -> None:
    told = span_of(ANSWER).attributes
    assert told[conventions.GEN_AI_OPERATION_NAME] == "embeddings"
    assert told[conventions.GEN_AI_USAGE_INPUT_TOKENS] == 42
    assert told[conventions.GEN_AI_USAGE_OUTPUT_TOKENS] == 7
    assert told[conventions.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] == 0.25
    assert told[conventions.GEN_AI_RESPONSE_MODEL] == "all-MiniLM-L6-v2"
    assert told[span.ENERGY_MJ] == 81_234
    assert told[span.PAYMENT_ID] == ANSWER.payment_id.hex()


def test_out_and_in_again() -> None:
    spans = [span_of(ANSWER), span_of(replace(ANSWER, payment_id=bytes(32)))]
    assert read_json(write_json(spans, "rack-7")) == spans
    assert read_protobuf(write_protobuf(spans, "rack-7")) == spans
    assert spans[0].span_id != spans[1].span_id
    columns = requests_of(spans).columns
    assert columns["first_us"].tolist() == [ANSWER.first_us] * 2
    assert requests_of(spans).payment_ids == (ANSWER.payment_id.hex(), bytes(32).hex())


def test_the_official_messages_read_what_goes_out() -> None:
    message = ExportTraceServiceRequest.FromString(write_protobuf([span_of(ANSWER)], "rack-7"))
    resource = message.resource_spans[0]
    assert (resource.resource.attributes[0].key, resource.resource.attributes[0].value.string_value) == (
        "service.name",
        "rack-7",
    )
    told = resource.scope_spans[0].spans[0]
    values = {one.key: one.value for one in told.attributes}
    assert (told.kind, told.start_time_unix_nano) == (2, AT_US * 1_000)
    assert values[span.ENERGY_MJ].int_value == 81_234
    assert values[span.FIRST_TOKEN_S[0]].double_value == 0.25


def test_json_is_otlps() -> None:
    """Identities in hexadecimal, 64-bit numbers as strings (OTLP specification, JSON Protobuf Encoding)."""
    told = json.loads(write_json([span_of(ANSWER)], "rack-7"))["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert (len(told["traceId"]), len(told["spanId"])) == (32, 16)
    assert told["startTimeUnixNano"] == str(AT_US * 1_000)
    assert {"key": span.ENERGY_MJ, "value": {"intValue": "81234"}} in told["attributes"]


def test_without_a_first_token_an_answer_came_all_at_once() -> None:
    one = Span(bytes(16), bytes(8), "chat", AT_US, AT_US + 40, {"gen_ai.usage.prompt_tokens": 5})
    columns = requests_of([one]).columns
    assert columns["first_us"].tolist() == columns["done_us"].tolist() == [AT_US + 40]
    assert columns["output_tokens"].tolist() == [0]


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.usage.input_tokens": -1},
        {"gen_ai.usage.input_tokens": 1.5},
        {"gen_ai.usage.input_tokens": True},
        {"gen_ai.usage.input_tokens": "12"},
        {"gen_ai.usage.input_tokens": 2**40},
        {"gen_ai.usage.input_tokens": 1, "gen_ai.latency.time_in_queue": float("nan")},
        {"gen_ai.usage.input_tokens": 1, "gen_ai.latency.time_to_first_token": -0.5},
    ],
)
def test_usage_that_is_none(attributes: dict[str, Value]) -> None:
    with pytest.raises(Invalid) as caught:
        requests_of([Span(bytes(16), bytes(8), "chat", AT_US, AT_US, attributes)])
    assert caught.value.code == "telemetry.usage"


def json_with(**changed: Any) -> bytes:
    message = json.loads(write_json([span_of(ANSWER)], "rack-7"))
    message["resourceSpans"][0]["scopeSpans"][0]["spans"][0].update(changed)
    return json.dumps(message).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"resourceSpans":5}',
        json_with(traceId="zz"),
        json_with(spanId="00"),
        json_with(endTimeUnixNano="1"),
        json_with(startTimeUnixNano=None),
        json_with(attributes=[{"value": {}}]),
        json_with(attributes=[{"key": "n", "value": {"intValue": "many"}}]),
        json_with(attributes=[{"key": "n", "value": {"doubleValue": 10**400}}]),
    ],
)
def test_json_that_is_none(body: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        read_json(body)
    assert caught.value.code == "telemetry.malformed"


def test_protobuf_that_is_none() -> None:
    for body in (b"\xff\xff", write_protobuf([Span(b"short", bytes(8), "", 1, 2, {})], "x")):
        with pytest.raises(Invalid) as caught:
            read_protobuf(body)
        assert caught.value.code == "telemetry.malformed"


def test_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp_read, "SPANS_MAX", 1)
    two = [span_of(ANSWER), span_of(ANSWER)]
    monkeypatch.setattr(otlp_read, "BODY_MAX", 10_000)
    bodies = [(read_json, write_json(two, "x")), (read_protobuf, write_protobuf(two, "x"))]
    for read, body in [*bodies, (read_json, b" " * 10_001), (read_protobuf, b" " * 10_001)]:
        with pytest.raises(Invalid) as caught:
            read(body)
        assert caught.value.code == "telemetry.too_large"
    assert len(read_json(write_json(two[:1], "x"))) == 1
