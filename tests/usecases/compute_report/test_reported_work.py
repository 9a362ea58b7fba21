"""What providers report shows: energy as sealed, sales by scheme, hour, model and site, and the deal that was paid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from provider_kit import MODEL, ClockPower, HandClock, PaidGate, WordEngine, ask, by_hand, offer
from small_plant import DAYS, START_US, ZONE, Plant

from penstock.journal.kinds.capacity import ProviderRegistered
from penstock.journal.kinds.work import EnergySealed
from penstock.period import HOUR_US, SECOND_US, iso
from penstock.usecases import enrol, originate
from penstock.usecases.collect_reports import collect_report_on, read_report
from penstock.usecases.compute.register_provider import register_provider
from penstock.usecases.compute_report.offers import offers
from penstock.usecases.compute_report.sales import sales
from penstock.usecases.compute_report.work import hours, racks
from penstock.usecases.provider.provider import Provider
from penstock.usecases.record_work import Payee

NOON_US = START_US + 12 * HOUR_US
RACK = "rack-2"
PAID = 3  # micro-dollars an answer: three words at a thousandth of a dollar for a thousand


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    clock = HandClock(NOON_US + 60 * SECOND_US)
    power = ClockPower(clock)
    made = Provider(tmp_path / "shop", WordEngine(), offer(), clock, gate=PaidGate(PAID), power=power, reports=False)
    with by_hand(made):
        yield made


@pytest.fixture
def market(plant: Plant, provider: Provider) -> Plant:
    """A plant with a day of certified energy, and the provider with its rack."""
    plant.certified(0)
    keys = provider.keys
    rack = enrol.enrol_rack(RACK, "provider-1", ZONE, keys.meter.public, 1, 2_000, START_US)
    plant.do(RACK, lambda _: rack, START_US)
    accounts = ("provider-1/collateral", "provider-1/revenue")
    fact = ProviderRegistered("provider-1", "http://127.0.0.1", keys.work.public, b"\x22" * 20, *accounts)
    plant.do("provider", lambda world: register_provider(world, fact), START_US)
    return plant


def report(provider: Provider, answers: int) -> bytes:
    clock = provider.clock
    assert isinstance(clock, HandClock)
    for place in range(answers):
        clock.step_us = 20_000
        ask(provider, f"text number {place}")
        clock.step_us = 0
        clock.now_us += 10 * SECOND_US
        provider.meter.look()
    row = provider.close_interval()
    assert row is not None
    return row.written


def collected(market: Plant, raw: bytes, payee: Payee, unmatched: bool = False) -> None:
    taken = market.workspace.read(lambda world: read_report(world, "provider-1", raw))
    collect_report_on(market.workspace, taken, payee, "provider-1", DAYS[1].stop_us, unmatched=unmatched)


def sealed(market: Plant) -> list[EnergySealed]:
    facts = (row.recorded.fact for row in market.workspace.facts())
    return [fact for fact in facts if isinstance(fact, EnergySealed)]


@pytest.mark.parametrize("unmatched", [False, True])
def test_energy_is_as_sealed_whether_or_not_anybody_bought_it(
    market: Plant, provider: Provider, unmatched: bool
) -> None:
    collected(market, report(provider, 5), Payee(), unmatched)
    (one,) = sealed(market)
    row = next(row for row in racks(market.workspace) if row["rack"] == RACK)
    assert (row["answers"], row["tokens"]) == (5, 15)
    assert (row["answers_mj"], row["metered_mj"]) == (one.answers_mj, one.meter_mj)
    assert row["power_sources"] == ["model:steady/1"] and row["modelled"]
    (hour,) = hours(market.workspace, RACK)
    assert hour["hour"] == iso(NOON_US)
    assert (hour["answers"], hour["tokens"], hour["energy_mj"]) == (5, 15, one.answers_mj)
    assert hour["energy_mj_per_1k_tokens"] == one.answers_mj * 1_000 // 15


def test_sales_are_told_by_every_cut(market: Plant, provider: Provider) -> None:
    collected(market, report(provider, 5), Payee())
    collected(market, report(provider, 2), Payee())
    found = sales(market.workspace)
    paid = {"paid_usdc_micro": 7 * PAID, "answers": 7}
    assert {name: found[name] for name in paid} == paid
    assert found["by_model"] == [{"name": MODEL, **paid}]
    assert found["by_rack"] == [{"name": RACK, **paid}]
    assert found["by_scheme"] == [{"name": "exact", **paid}]
    assert found["by_hour"] == [{"hour": iso(NOON_US), **paid}]
    assert [one["answers"] for one in found["sales"]] == [5, 2]
    assert found["paid_to"] == [{"account": "provider-1/revenue", "deal": "", "paid_usdc_micro": 7 * PAID}]


def test_what_a_deal_was_paid_is_told_as_the_deals(market: Plant, provider: Provider) -> None:
    market.originated()
    collected(market, report(provider, 5), Payee(account=originate.account_of("first", "collect")))
    assert sales(market.workspace)["paid_to"] == [
        {"account": "first/collect", "deal": "first", "paid_usdc_micro": 5 * PAID}
    ]


def test_an_offer_without_a_rack_behind_it_tells_no_energy(market: Plant) -> None:
    (one,) = offers(market.workspace, START_US)  # two racks: none can be meant
    assert one["energy_mj_per_1k_tokens"] is None
