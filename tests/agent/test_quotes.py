"""Quotes on one scale, by hand; and the doubts that two prices leave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from agent_kit import MODEL, Scene, scene

from penstock.agent.quotes import Quote, judge, read_quote
from penstock.agent.unit_price import carbon_ug_up, ranked, unit_price
from penstock.errors import PenstockError, Unverified


@pytest.fixture
def market(tmp_path: Path) -> Scene:
    return scene(tmp_path, "one", "two", "three")


def quote(market: Scene, **changes: object) -> Quote:
    return replace(read_quote(market.providers[0].quote(), market.mandate().venues[0]), **changes)  # type: ignore[arg-type]


def test_a_unit_price_by_hand(market: Scene) -> None:
    """0.4 kJ a thousand tokens at 100 g/kWh, half of it matched: 400,000 / 3.6e9 kWh * 1e8 ug / 2 = 5,555.6 ug."""
    one = quote(market, price_usdc_micro_per_1k_tokens=100, minimum_usdc_micro=7)
    assert carbon_ug_up(one) == 5_556
    assert one.charge_up(1) == 7
    assert one.charge_up(1_001) == 101
    assert unit_price(one, 1_000).usdc_micro_per_1k == 100
    assert unit_price(one, 10).usdc_micro_per_1k == 700  # the minimum weighs on small calls
    assert unit_price(one, 1_000, arrived_bp=5_000).usdc_micro_per_1k == 200
    assert unit_price(one, 1_000, carbon_usdc_micro_per_kg=10**6).all_in_usdc_micro == 100 + 6


def test_a_price_of_carbon_turns_the_order(market: Scene) -> None:
    cheap = quote(market, url="http://cheap", carbon_mg_per_kwh=800_000)
    clean = quote(market, url="http://clean", price_usdc_micro_per_1k_tokens=101, carbon_mg_per_kwh=0)
    assert [one.quote for one in ranked([clean, cheap], 1_000)] == [cheap, clean]
    assert [one.quote for one in ranked([clean, cheap], 1_000, 100_000)] == [clean, cheap]
    assert [one.quote for one in ranked([clean, cheap], 1_000, 0, {"http://cheap": 9_000})] == [clean, cheap]


@pytest.mark.parametrize(
    ("prices", "known", "kept"),
    [
        ([100, 120, 90], [], 3),
        ([100, 120, 100_000], [], 2),
        ([100, 120, 1], [], 2),
        ([100, 100_000], [], 0),
        ([100, 100_000], [110], 1),
        ([100_000], [110], 0),
        ([100_000], [], 1),
        ([100, 1_000], [], 2),
        ([100, 1_001], [], 0),
    ],
)
def test_prices_out_of_proportion_are_doubted(market: Scene, prices: list[int], known: list[int], kept: int) -> None:
    market.providers = market.providers[: len(prices)]
    for provider, price in zip(market.providers, prices, strict=True):
        provider.price = price
    rules = market.mandate()
    offered: dict[object, bytes | PenstockError] = dict(
        zip(rules.venues, (one.quote() for one in market.providers), strict=True)
    )
    quotes, doubts = judge(offered, rules, MODEL, market.clock(), known)  # type: ignore[arg-type]
    assert (len(quotes), len(doubts)) == (kept, len(prices) - kept)
    assert {doubt.code for doubt in doubts} <= {"quote.proportion"}


def test_a_quote_of_another_key_or_changed_is_not_read(market: Scene) -> None:
    venues = market.mandate().venues
    with pytest.raises(Unverified):
        read_quote(market.providers[0].quote(), venues[1])
    with pytest.raises(PenstockError):
        read_quote(market.providers[0].quote().replace(b"a", b"b"), venues[0])


@pytest.mark.parametrize("said", [{"price_usdc_micro_per_1k_tokens": -1}, {"sku": 5}, {"source": {}}, {"load_bp": 0.5}])
def test_a_quote_of_another_form_is_malformed(market: Scene, said: dict[str, object]) -> None:
    market.providers[0].said = said
    with pytest.raises(PenstockError) as caught:
        read_quote(market.providers[0].quote(), market.mandate().venues[0])
    assert caught.value.code == "quote.malformed"


@pytest.mark.parametrize(
    "said", [{"price_usdc_micro_per_1k_tokens": 0}, {"energy_mj_per_1k_tokens": 0}, {"load_bp": 10_001}]
)
def test_an_absurd_quote_is_doubted(market: Scene, said: dict[str, object]) -> None:
    market.providers[0].said = said
    rules = market.mandate()
    _, doubts = judge({rules.venues[0]: market.providers[0].quote()}, rules, MODEL, market.clock())
    assert [doubt.code for doubt in doubts] == ["quote.absurd"]
