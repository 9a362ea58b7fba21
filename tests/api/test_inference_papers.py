"""The door's papers: quotes, receipts, reports, metrics; signed, and each checked by whoever reads it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from penstock.agent.mandate import Venue
from penstock.agent.quotes import check_figures, read_quote
from penstock.api.inference.papers import provider_app
from penstock.api.running import serve_in_thread
from penstock.compute.merkle_sum import check_path, leaf_digest
from penstock.compute.work import open_report
from penstock.errors import Invalid
from penstock.keys.dsse import ENERGY_RECEIPT, Envelope, open_sealed, read_statement
from penstock.usecases.provider.provider import Provider

sys.path.append(str(Path(__file__).resolve().parents[1] / "usecases"))
from provider_kit import MODEL, ClockPower, HandClock, WordEngine, by_hand, offer


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    clock = HandClock(step_us=5_000)
    made = Provider(tmp_path, WordEngine(), offer(), clock, power=ClockPower(clock), reports=False)
    with by_hand(made):
        yield made


@pytest.fixture
def url(provider: Provider) -> Iterator[str]:
    with serve_in_thread(provider_app(provider)) as running:
        yield running.url


def sold(url: str, text: str = "one two three") -> httpx.Response:
    return httpx.post(f"{url}/v1/embeddings", json={"model": MODEL, "input": text}).raise_for_status()


def test_a_receipt_shows_that_its_answer_is_in_and_the_total_is_the_meters(url: str, provider: Provider) -> None:
    payments = [sold(url, f"text {place}").headers["Penstock-Payment"] for place in range(5)]
    early = httpx.get(f"{url}/v1/receipts/{payments[0]}")
    assert (early.status_code, early.json()["error"]["code"]) == (503, "receipt.not_sealed")
    provider.close_interval()
    for payment in payments:
        raw = httpx.get(f"{url}/v1/receipts/{payment}").content
        payload = open_sealed(Envelope.from_json(raw), provider.keys.work.public)
        said = read_statement(payload, ENERGY_RECEIPT).predicate
        leaf = leaf_digest(bytes.fromhex(said["salt"]), bytes.fromhex(payment), said["energy_mj"])
        path = tuple((bytes.fromhex(sibling), energy_mj) for sibling, energy_mj in said["path"])
        total = said["meter_mj"]
        check_path(leaf, said["energy_mj"], said["position"], said["count"], path, bytes.fromhex(said["root"]), total)
        assert said["assumptions"]
    assert httpx.get(f"{url}/v1/receipts/{'0' * 64}").json()["error"]["code"] == "workbook.no_answer"
    assert httpx.get(f"{url}/v1/receipts/zz").json()["error"]["code"] == "receipt.payment_id"


def test_a_quote_is_one_that_an_agent_believes(url: str, provider: Provider) -> None:
    raw = httpx.get(f"{url}/v1/quote", params={"model": MODEL}).content
    venue = Venue(url=url, pay_to="0x" + "0" * 40, key=provider.keys.work.public.hex())
    quote = read_quote(raw, venue)
    check_figures(quote)
    assert quote.price_usdc_micro_per_1k_tokens == 1_000
    assert quote.valid_until_us > quote.as_of_us
    provider.set_offer(offer(price_usdc_micro_per_1k_tokens=2_000, technology="solar", matched_bp=10_000))
    again = read_quote(httpx.get(f"{url}/v1/quote").content, venue)
    assert (again.price_usdc_micro_per_1k_tokens, again.technology, again.matched_bp) == (2_000, "solar", 10_000)
    assert httpx.get(f"{url}/v1/quote", params={"model": "other"}).status_code == 404


def test_reports_are_read_in_order(url: str, provider: Provider) -> None:
    for _ in range(3):
        sold(url)
        provider.close_interval()
    rows = httpx.get(f"{url}/v1/work", params={"after": 0}).json()["reports"]
    assert [row["number"] for row in rows] == [1, 2]
    report = open_report(Envelope.from_json(json.dumps(rows[0]["report"]["work"])), provider.keys.work.public)
    assert (len(report), report.first_number) == (1, 1)


def test_metrics_bear_vllms_names(url: str) -> None:
    sold(url)
    text = httpx.get(f"{url}/metrics").text
    assert f'vllm:prompt_tokens_total{{model_name="{MODEL}"}} 3.0' in text
    assert f'vllm:e2e_request_latency_seconds_bucket{{le="+Inf",model_name="{MODEL}"}} 1.0' in text
    assert 'penstock:meter_joules_total{source="model:steady/1"}' in text


@pytest.mark.parametrize(
    "said",
    [
        {"price_usdc_micro_per_1k_tokens": -1},
        {"matched_bp": 10_001},
        {"provider": ""},
        {"unknown": 1},
        {"accelerators": 0},
        {"schemes": "exact"},
        {"interval_s": True},
    ],
)
def test_offers_that_are_none(said: dict[str, object]) -> None:
    with pytest.raises(Invalid, match=r"provider\.offer"):
        offer(**said)
