"""Answers told to a collector as OTLP spans, with the energy that their report gives them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from starlette.responses import Response

from penstock.api.running import serve_in_thread
from penstock.connect.telemetry import span as names
from penstock.connect.telemetry.otlp_read import read_protobuf
from penstock.connect.telemetry.span import Span
from penstock.errors import Invalid, Unavailable
from penstock.usecases.provider.provider import Provider
from penstock.usecases.provider.tell_spans import SpanTeller
from penstock.usecases.provider.upkeep import Upkeep

sys.path.append(str(Path(__file__).resolve().parents[1] / "usecases"))
from provider_kit import MODEL, ClockPower, HandClock, WordEngine, ask, by_hand, offer


class Collector:
    """Keeps what it is told while it is ``open``."""

    def __init__(self) -> None:
        self.open, self.spans, self.app = True, list[Span](), FastAPI()

        @self.app.post("/v1/traces")
        async def traces(request: Request) -> Response:
            if not self.open:
                return Response(status_code=503)
            self.spans += read_protobuf(await request.body())
            return Response(b"", media_type="application/x-protobuf")


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    clock = HandClock(step_us=5_000)
    with by_hand(Provider(tmp_path, WordEngine(), offer(), clock, power=ClockPower(clock), reports=False)) as made:
        yield made


def reported(provider: Provider, answers: int) -> list[bytes]:
    payments = [ask(provider, f"text {place}").payment_id for place in range(answers)]
    assert provider.close_interval() is not None
    return payments


def test_answers_are_told_once_with_their_energy_whatever_the_collector_does(provider: Provider) -> None:
    reported(provider, 2)  # before it was named
    collector, told = Collector(), list[str]()
    with serve_in_thread(collector.app) as running:
        upkeep = Upkeep(provider, spans=SpanTeller(provider, running.url), tell=told.append)
        assert upkeep.once().spans == 0
        collector.open = False
        payments = reported(provider, 3)
        assert (upkeep.once().spans, told) == (0, ["telemetry.not_taken"])
        collector.open = True
        assert (upkeep.once().spans, upkeep.once().spans) == (3, 0)
    assert [one.attributes[names.PAYMENT_ID] for one in collector.spans] == [payment.hex() for payment in payments]
    row = provider.workbook.last_report()
    assert row is not None
    for one in collector.spans:
        assert one.attributes[names.REQUEST_MODEL] == MODEL
        assert one.attributes[names.INPUT_TOKENS[0]] == 2
        assert int(one.attributes[names.ENERGY_MJ]) > 0


def test_spans_go_nowhere_in_the_clear(provider: Provider) -> None:
    for url in ("http://example.com:4318", "ftp://127.0.0.1", "collector"):
        with pytest.raises(Invalid, match=r"provider\.offer"):
            SpanTeller(provider, url)
    teller = SpanTeller(provider, "http://127.0.0.1:9")
    reported(provider, 1)
    with pytest.raises(Unavailable, match=r"telemetry\.not_taken"):
        teller.tell()
