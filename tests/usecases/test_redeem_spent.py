"""Answers paid by credits: no dollars twice, and the credits they used up redeemed in the record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from provider_kit import MODEL, ClockPower, HandClock, PaidGate, WordEngine, ask, by_hand, offer
from small_plant import START_US, ZONE, Plant

from penstock.compute.work import check_report, open_report
from penstock.connect.inference.gate import Admitted, Asked, Scheme, TurnedAway
from penstock.errors import Conflict, Invalid, NotFound, Refused
from penstock.journal.fact import Entry
from penstock.journal.kinds.capacity import CapacityOpened, ConversionPublished, ProviderRegistered, SkuPublished
from penstock.journal.kinds.compute import CreditsOffered, CreditsRedeemed
from penstock.journal.kinds.ledger import AccountFunded, AccountOpened, Transfer
from penstock.journal.kinds.work import SalesCollected
from penstock.journal.words import LinkKind, TitleState, Unit
from penstock.keys.dsse import Envelope, read_json
from penstock.period import HOUR_US, SECOND_US
from penstock.usecases import enrol
from penstock.usecases.collect_reports import NOBODY, collect_report_on, read_report
from penstock.usecases.compute.move_collateral import Collateral, move_collateral
from penstock.usecases.compute.open_capacity import open_capacity
from penstock.usecases.compute.publish import publish_conversion, publish_sku
from penstock.usecases.compute.register_provider import register_provider
from penstock.usecases.compute.trade_credits import BuyCredits, offer_credits, sell_credits
from penstock.usecases.compute_report.sales import sales
from penstock.usecases.provider.provider import Provider
from penstock.usecases.record_work import Payee
from penstock.usecases.redeem_spent import Spenders, redeem_spent

NOON_US = START_US + 12 * HOUR_US
CLASS, HOLDER = b"\x07" * 32, b"\x33" * 20
PRICE = 500


@dataclass
class MixedGate(PaidGate):
    """The first payment is in dollars, the second by credits, the third in prepaid dollars, and so on."""

    classes: list[bytes] = field(default_factory=lambda: [b"", CLASS, bytes(32)])

    async def admit(self, asked: Asked) -> Admitted | TurnedAway:
        paid = await super().admit(asked)
        assert isinstance(paid, Admitted)
        token = self.classes[(self.taken - 1) % len(self.classes)]
        return replace(paid, scheme=Scheme.CREDIT, payer=HOLDER, tx=token) if token else paid


def provider_of(folder: Path) -> Provider:
    clock = HandClock(NOON_US + 60 * SECOND_US)
    return Provider(
        folder, WordEngine(), offer(), clock, gate=MixedGate(), power=ClockPower(clock), reports=False
    )  # fmt: skip


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with by_hand(provider_of(tmp_path / "provider")) as made:
        yield made


def terms(unit: Unit) -> CreditsOffered:
    return CreditsOffered(
        "words", "provider-1", MODEL, "words/promised", 2, PRICE, 10, START_US + 60 * HOUR_US, unit,
        "an application" if unit is Unit.REQUESTS else "", "words-1", "rack-2", 100, HOUR_US, "provider-1/revenue",
    )  # fmt: skip


def market_of(plant: Plant, provider: Provider, unit: Unit) -> Plant:
    """The provider with its rack, and a class of credits of two units, ten of them an agent's."""
    plant.certified(0)
    keys = provider.keys
    rack = enrol.enrol_rack("rack-2", "provider-1", ZONE, keys.meter.public, 1, 2_000, START_US)
    plant.do("rack-2", lambda _: rack, START_US)
    known = ProviderRegistered(
        "provider-1", "http://127.0.0.1", keys.work.public, b"\x22" * 20, "provider-1/collateral", "provider-1/revenue"
    )
    sku = SkuPublished("cpu", 1, 1_024, "none", "kernel", 900, 300, "a published run")
    table = ConversionPublished("words-1", 1, "cpu", MODEL, "fp32", "p99 2 s", unit, 1_000, "a published run")
    hours = CapacityOpened("rack-2", "provider-1", "cpu", START_US, START_US + 96 * HOUR_US)
    plant.do("provider", lambda world: register_provider(world, known), START_US)
    plant.do("sku", lambda world: publish_sku(world, sku), START_US)
    plant.do("table", lambda world: publish_conversion(world, table), START_US)
    plant.do("hours", lambda world: open_capacity(world, hours, START_US), START_US)
    plant.do("people", lambda _: [Entry(AccountOpened("bank", external=True)), Entry(AccountOpened("agent"))], START_US)
    for account in ("agent", "provider-1"):
        funded = AccountFunded("a payment", (Transfer("bank", account, 100_000, "funded"),))
        entries = [Entry(funded)]
        plant.do(f"funds {account}", lambda _, entries=entries: entries, START_US)  # type: ignore[misc]
    plant.do("collateral", lambda world: move_collateral(world, Collateral("provider-1", 10_000)), START_US)
    plant.do("class", lambda world: offer_credits(world, terms(unit), START_US), START_US)
    plant.do("bought", lambda world: sell_credits(world, BuyCredits("words", "agent", 10), START_US), START_US)
    return plant


def busy(provider: Provider, answers: int) -> bytes:
    """An interval of answers of three words each, and its report."""
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


def collected(market: Plant, raw: bytes, spenders: Spenders = NOBODY) -> None:
    taken = market.workspace.read(lambda world: read_report(world, "provider-1", raw))
    at_us = START_US + 40 * HOUR_US
    collect_report_on(market.workspace, taken, Payee(), "provider-1", at_us, spenders=spenders)


KNOWN = Spenders({CLASS: "words"}, {HOLDER: "agent"})


def redeemed(market: Plant) -> list[CreditsRedeemed]:
    facts = (row.recorded.fact for row in market.workspace.facts())
    return [fact for fact in facts if isinstance(fact, CreditsRedeemed)]


def test_credits_are_redeemed_and_their_answers_bring_no_dollars(plant: Plant, provider: Provider) -> None:
    market = market_of(plant, provider, Unit.TOKENS)
    collected(market, busy(provider, 9), KNOWN)
    sold = [row.recorded.fact for row in market.workspace.facts() if isinstance(row.recorded.fact, SalesCollected)]
    assert [(one.answers, one.paid_usdc_micro) for one in sold] == [(6, 6 * 3)]  # dollars, and prepaid dollars
    assert [(one.buyer, one.credits) for one in redeemed(market)] == [("agent", 4)]  # nine tokens, two a credit
    assert market.balance("provider-1/revenue") == 6 * 3 + 4 * PRICE
    told = sales(market.workspace)
    assert told["paid_usdc_micro"] == 6 * 3 + 4 * PRICE
    assert {row["name"]: row["paid_usdc_micro"] for row in told["by_scheme"]} == {
        "exact": 9, "credit": 9 + 4 * PRICE,
    }  # fmt: skip
    books, tokens = market.world.books, market.world.books.registers.id_of("rack-2/tokens")
    first = books.links[LinkKind.DELIVER].forward(tokens, 3, 6)
    assert int((first.source_stop - first.source_start).sum()) == 3  # the second answer's tokens are delivered ones
    assert len(books.links[LinkKind.DELIVER].forward(tokens, 0, 3)) == 0


def test_a_report_collected_twice_redeems_once(plant: Plant, provider: Provider) -> None:
    market = market_of(plant, provider, Unit.TOKENS)
    raw = busy(provider, 6)
    collected(market, raw, KNOWN)
    size = market.workspace.store.size()
    collected(market, raw, KNOWN)
    assert market.workspace.store.size() == size
    assert sum(one.credits for one in redeemed(market)) == 3


def test_credits_the_record_does_not_know_stop_the_collection(plant: Plant, provider: Provider) -> None:
    market = market_of(plant, provider, Unit.TOKENS)
    first, second = busy(provider, 3), busy(provider, 3)
    for spenders in (NOBODY, Spenders({CLASS: "words"})):
        with pytest.raises(NotFound, match=r"work\.credit_unknown"):
            collected(market, first, spenders)
    collected(market, first, KNOWN)  # goes on from there
    collected(market, second, KNOWN)
    assert [one.credits for one in redeemed(market)] == [1, 1]


def test_more_credits_than_the_holder_has_are_refused(plant: Plant, provider: Provider) -> None:
    market = market_of(plant, provider, Unit.TOKENS)
    with pytest.raises(Refused, match=r"credit\.not_held"):
        collected(market, busy(provider, 24), KNOWN)
    assert not redeemed(market)


def test_requests_are_redeemed_run_by_run(plant: Plant, provider: Provider) -> None:
    market = market_of(plant, provider, Unit.REQUESTS)
    gate = provider.desk.gate
    assert isinstance(gate, MixedGate)
    gate.classes = [CLASS, CLASS, CLASS, CLASS, b""]
    collected(market, busy(provider, 8), KNOWN)  # runs of four and of three
    assert [one.credits for one in redeemed(market)] == [2, 1]
    holding = market.world.capacity.credits.named("words").count(market.world.books, "agent", TitleState.HELD)
    assert holding == 7


def test_a_report_that_counts_credits_as_dollars_is_none(provider: Provider) -> None:
    raw = busy(provider, 3)
    said = read_json(raw)
    report = open_report(Envelope.from_json(json.dumps(said["work"])), provider.keys.work.public)
    paid = report.sales["paid_usdc_micro"] + np.array([0, 1, 0])
    with pytest.raises(Invalid, match=r"work\.rows"):
        check_report(replace(report, sales={**report.sales, "paid_usdc_micro": paid}))


def test_a_later_report_in_between_is_told(plant: Plant, provider: Provider) -> None:
    market = market_of(plant, provider, Unit.TOKENS)
    first, second = busy(provider, 3), busy(provider, 3)
    collected(market, first, KNOWN)
    collected(market, second, KNOWN)
    taken = market.workspace.read(lambda world: read_report(world, "provider-1", first))
    with pytest.raises(Conflict, match=r"work\.later"):
        market.workspace.read(lambda world: redeem_spent(world, taken.sealed.report, KNOWN))
