"""The door's papers: signed quotes, energy receipts and work reports; and its figures for Prometheus.

Metrics bear vLLM's names where they mean the same, so that what reads a vLLM server reads this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.responses import Response

from penstock.api.inference.app import LOOPBACK_HOSTS, make_app
from penstock.errors import Invalid, NotFound
from penstock.usecases.provider.desk import BUCKETS_S
from penstock.usecases.provider.provider import Provider

REPORTS_AT_ONCE: Final = 16
NUMBER_MAX: Final = 2**62
_DSSE: Final = "application/vnd.dsse.envelope.v1+json"
_ID_HEX: Final = 64


def provider_app(provider: Provider, hosts: frozenset[str] = LOOPBACK_HOSTS) -> FastAPI:
    """The whole door of a provider: answers, and papers about them."""
    app = make_app(provider.desk, hosts)
    registry = CollectorRegistry()
    registry.register(_Shown(provider))

    @app.get("/v1/quote")
    def quote(model: str = "") -> Response:
        """What an answer costs and draws now, signed."""
        if model not in ("", provider.model):
            raise NotFound("model.unknown", "There is no such model here.")
        return Response(provider.quote(), media_type=_DSSE)

    @app.get("/v1/receipts/{payment_id}")
    def receipt(payment_id: str) -> Response:
        """The energy receipt of the answer that a payment bought, signed."""
        return Response(provider.receipt(_payment(payment_id)), media_type=_DSSE)

    @app.get("/v1/receipts/{payment_id}/work")
    def receipt_work(payment_id: str) -> Response:
        """The signed report that the receipt speaks of."""
        return Response(provider.report_with(_payment(payment_id)), media_type=_DSSE)

    @app.get("/v1/work")
    def work(after: int = -1) -> Response:
        """Signed reports behind number ``after``, at most 16 at once, in order."""
        rows = provider.reports(min(max(after, -1), NUMBER_MAX), REPORTS_AT_ONCE)
        said = b",".join(b'{"number":%d,"report":%s}' % (row.number, row.written) for row in rows)
        return Response(b'{"reports":[%s]}' % said, media_type="application/json")

    @app.get("/metrics")
    def metrics() -> Response:
        """Figures in Prometheus' text form."""
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    return app


def _payment(text: str) -> bytes:
    if len(text) != _ID_HEX or set(text) - set("0123456789abcdef"):
        raise Invalid("receipt.payment_id", "A payment id is 64 small hexadecimal digits.", param="payment_id")
    return bytes.fromhex(text)


class _Shown(Collector):
    """A provider's figures as metrics."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def collect(self) -> Iterator[Metric]:
        """Every figure, by model."""
        figures, model = self._provider.desk.figures, [self._provider.model]
        counters = {
            "vllm:prompt_tokens": figures.prompt_tokens,
            "vllm:generation_tokens": figures.output_tokens,
            "vllm:request_success": figures.answered,
            "penstock:request_failure": figures.failed,
        }
        for name, value in counters.items():
            counter = CounterMetricFamily(name, name.partition(":")[2].replace("_", " "), labels=["model_name"])
            counter.add_metric(model, value)
            yield counter
        running = GaugeMetricFamily("vllm:num_requests_running", "requests being answered", labels=["model_name"])
        running.add_metric(model, figures.running)
        yield running
        latency = HistogramMetricFamily("vllm:e2e_request_latency_seconds", "from request to answer",
                                        labels=["model_name"])  # fmt: skip
        counts = [sum(figures.by_bucket[: place + 1]) for place in range(len(figures.by_bucket))]
        edges = [*map(str, BUCKETS_S), "+Inf"]
        latency.add_metric(model, list(zip(edges, counts, strict=True)), figures.seconds)
        yield latency
        drawn = CounterMetricFamily("penstock:meter_joules", "energy that the rack's meter counted", labels=["source"])
        drawn.add_metric([self._provider.meter.power.source], self._provider.meter.position_mj / 1_000)
        yield drawn
