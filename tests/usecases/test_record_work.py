"""From a provider's signed report to facts, links and dollars: once, in order, and nothing that is not signed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pytest
from provider_kit import MODEL, ClockPower, HandClock, PaidGate, WordEngine, ask, by_hand, offer
from small_plant import DAYS, START_US, ZONE, Plant

from penstock.capital.asset_table import read_assets
from penstock.capital.bills import read_words
from penstock.capital.serviced import FLAGS
from penstock.compute.work import open_report, seal_report
from penstock.compute.work_laws import work_holds
from penstock.errors import Invalid, NotFound, PenstockError, Refused, Unverified
from penstock.journal.kinds.capacity import ProviderRegistered
from penstock.journal.kinds.compute import AnswersServed
from penstock.journal.kinds.energy import SpansLinked
from penstock.journal.kinds.servicing import CollectionsMatched, DealRole, Flag
from penstock.journal.kinds.work import EnergySealed, SalesCollected, WorkStated
from penstock.journal.segment import Columns
from penstock.journal.words import LinkKind
from penstock.keys.dsse import Envelope
from penstock.period import HOUR_US, SECOND_US
from penstock.usecases import enrol, originate
from penstock.usecases import record_work as record
from penstock.usecases.audit import audit_workspace
from penstock.usecases.collect_reports import collect_report_on, read_report
from penstock.usecases.compute.register_provider import register_provider
from penstock.usecases.compute_report.sales import sales as sales_of
from penstock.usecases.provider.provider import Provider
from penstock.usecases.recheck import Recheck
from penstock.usecases.record_work import Payee, record_work
from penstock.usecases.servicing.appoint import appoint
from penstock.usecases.servicing.pool import pool
from penstock.usecases.world import World

energy_of = record._energy
NOON_US = START_US + 12 * HOUR_US
AT_US = DAYS[1].stop_us


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    clock = HandClock(NOON_US + 60 * SECOND_US)
    power = ClockPower(clock)
    made = Provider(tmp_path / "provider", WordEngine(), offer(), clock, gate=PaidGate(), power=power, reports=False)
    with by_hand(made):
        yield made


@pytest.fixture
def market(plant: Plant, provider: Provider) -> Plant:
    """A plant with a day of certified energy, the provider's rack and the provider."""
    plant.certified(0)
    keys = provider.keys
    rack = enrol.enrol_rack("rack-2", "provider-1", ZONE, keys.meter.public, 1, 2_000, START_US)
    plant.do("rack-2", lambda _: rack, START_US)
    fact = ProviderRegistered(
        "provider-1", "http://127.0.0.1", keys.work.public, b"\x22" * 20, "provider-1/collateral", "provider-1/revenue"
    )
    plant.do("provider", lambda world: register_provider(world, fact), START_US)
    return plant


def busy(provider: Provider, answers: int = 5, seconds: int = 60) -> bytes:
    """An interval with answers, and its report."""
    clock = provider.clock
    assert isinstance(clock, HandClock)
    for place in range(answers):
        clock.step_us = 20_000
        ask(provider, f"text number {place}")
        clock.step_us = 0
        clock.now_us += seconds * SECOND_US // answers
        provider.meter.look()
    row = provider.close_interval()
    assert row is not None
    return row.written


def collected(market: Plant, raw: bytes, payee: Payee | None = None, **how: Any) -> object:
    taken = market.workspace.read(lambda world: read_report(world, "provider-1", raw))
    return collect_report_on(market.workspace, taken, payee or Payee(), "provider-1", AT_US, **how)


def last(market: Plant, kind: type) -> object:
    return [row.recorded.fact for row in market.workspace.facts() if isinstance(row.recorded.fact, kind)][-1]


def test_a_report_becomes_facts_and_links(market: Plant, provider: Provider) -> None:
    collected(market, busy(provider))
    stated, energy, sales = last(market, WorkStated), last(market, EnergySealed), last(market, SalesCollected)
    assert isinstance(stated, WorkStated)
    assert isinstance(energy, EnergySealed)
    assert isinstance(sales, SalesCollected)
    assert (stated.segment.rows, stated.first_number, energy.answers, sales.answers) == (5, 0, 5, 5)
    assert energy.answers_mj + energy.idle_mj + energy.overhead_mj + energy.unattributed_mj == energy.meter_mj > 0
    assert sales.paid_usdc_micro == 5 * 3  # three words at a thousandth of a dollar for a thousand
    served = last(market, AnswersServed)
    assert isinstance(served, AnswersServed)
    assert served.energy_mj == energy.meter_mj
    assert market.balance("provider-1/revenue") == 15
    assert market.balance("x402") == -15


def test_every_link_leads_from_energy_to_dollars(market: Plant, provider: Provider) -> None:
    collected(market, busy(provider))
    books, registers = market.world.books, market.world.books.registers
    energy, billed = (registers.id_of(f"rack-2/{name}") for name in ("energy", "billed"))
    back = books.links[LinkKind.BILL].backward(billed, 3, 6)  # what the second answer was billed
    served = books.links[LinkKind.SERVE].backward(back.source, back.source_start, back.source_stop)
    worked = books.links[LinkKind.WORK].backward(served.source, served.source_start, served.source_stop)
    assert worked.source.tolist() == [energy]
    mj = books.links[LinkKind.CONVERT].backward(worked.source, worked.source_start, worked.source_stop)
    assert len(mj) == 1
    spent = books.links[LinkKind.WORK].spent(energy)
    sealed = last(market, EnergySealed)
    assert isinstance(sealed, EnergySealed)
    assert spent == sealed.meter_mj  # idle and the rest are in it
    assert int(registers.read[energy]) - spent < 3_600_000  # never more than the Wh in progress is bought ahead


def test_reports_follow_each_other_and_each_counts_once(market: Plant, provider: Provider) -> None:
    first, second, third = (busy(provider) for _ in range(3))
    collected(market, first)
    facts = market.workspace.store.size()
    assert collected(market, first).known  # type: ignore[attr-defined]
    assert market.workspace.store.size() == facts
    with pytest.raises(Refused, match=r"work\.gap"):
        collected(market, third)
    collected(market, second)
    collected(market, third)
    assert market.world.compute.answers_served["rack-2"] == 15
    assert market.balance("provider-1/revenue") == 45


def test_sales_reach_an_account_with_a_register(market: Plant, provider: Provider) -> None:
    market.originated()
    account = originate.account_of("first", "collect")
    collected(market, busy(provider), Payee(account=account))
    assert market.balance(account) == 15
    assert market.read_wh(account) == 15
    billed = market.world.books.registers.id_of("rack-2/billed")
    pay = market.world.books.links[LinkKind.PAY].forward(billed, 0, 15)
    assert pay.target.tolist() == [market.world.books.registers.id_of(account)]


def test_energy_that_nobody_bought(market: Plant, provider: Provider) -> None:
    clock = provider.clock
    assert isinstance(clock, HandClock)
    provider.close_interval()
    clock.now_us = START_US + 26 * HOUR_US  # at night, and nothing is certified
    busy(provider)
    night = [row.written for row in provider.reports(-1)]
    assert len(night) > 13  # an hour each
    for raw in night:
        if json.loads(raw) == json.loads(night[-1]):
            break
        collected(market, raw, unmatched=True)
    with pytest.raises(Refused, match=r"allocate\.short"):
        collected(market, raw)
    collected(market, raw, unmatched=True)
    books = market.world.books
    assert books.links[LinkKind.WORK].spent(books.registers.id_of("rack-2/energy")) == 0
    assert market.balance("provider-1/revenue") == 15


def test_a_restart_goes_on_from_where_it_stood(market: Plant, provider: Provider, tmp_path: Path) -> None:
    collected(market, busy(provider))
    clock = provider.clock
    assert isinstance(clock, HandClock)
    stood_mj = provider.meter.position_mj
    provider.__exit__(None, None, None)
    clock.now_us += 60 * SECOND_US
    again = Provider(
        tmp_path / "provider",
        WordEngine(),
        offer(),
        clock,
        gate=PaidGate(taken=50),
        power=ClockPower(clock),
        reports=False,
    )
    with by_hand(again):
        raw = busy(again)
        report = open_report(Envelope.from_json(json.dumps(json.loads(raw)["work"])), again.keys.work.public)
        assert report.first_number == 5
        assert report.metered.start_mj <= stood_mj + 1
        assert report.metered.parts_mj[2] == 0  # what nobody saw is in no register, hence nobody's
        collected(market, raw)
    assert market.world.compute.answers_served["rack-2"] == 10


def test_nothing_but_what_the_provider_signed(market: Plant, provider: Provider) -> None:
    raw, other = busy(provider), busy(provider)
    said, another = json.loads(raw), json.loads(other)
    wrong: dict[str, tuple[type[PenstockError], object]] = {
        r"dsse\.signature": (Unverified, said | {"work": said["work"] | {"signatures": another["work"]["signatures"]}}),
        r"work\.bill": (Unverified, said | {"bill": another["bill"]}),
        r"work\.malformed": (Invalid, said | {"packet": "zz"}),
        r"dsse\.malformed": (Invalid, said | {"work": {}}),
    }
    for code, (kind, altered) in wrong.items():
        with pytest.raises(kind, match=code):
            collected(market, json.dumps(altered).encode())
    with pytest.raises(NotFound, match=r"provider\.unknown"):
        market.workspace.read(lambda world: read_report(world, "provider-9", raw))


def test_a_report_that_does_not_hold_together_is_not_even_signed(provider: Provider) -> None:
    raw = busy(provider)
    report = open_report(Envelope.from_json(json.dumps(json.loads(raw)["work"])), provider.keys.work.public)
    key = provider.keys.work
    rows = report.rows
    more = {"energy_mj": rows["energy_mj"] + 1}
    with pytest.raises(Unverified, match=r"work\.energy"):
        seal_report(replace(report, rows={**rows, **more}), key)
    bad = {
        "payment": np.repeat(rows["payment"][:1], len(report), axis=0),
        "number": rows["number"][::-1],
        "done_us": rows["done_us"] + HOUR_US,
        "arrived_us": rows["done_us"] + 1,
        "prompt_tokens": -rows["prompt_tokens"],
    }
    for name, column in bad.items():
        with pytest.raises(Invalid, match=r"work\.rows"):
            seal_report(replace(report, rows={**rows, name: column}), key)
    for name, value in {"scheme": 7, "paid_usdc_micro": -1}.items():
        with pytest.raises(Invalid, match=r"work\.rows"):
            seal_report(replace(report, sales={**report.sales, name: np.full(len(report), value)}), key)


def test_more_time_than_the_rack_has(market: Plant, provider: Provider) -> None:
    raw = busy(provider)
    taken = market.workspace.read(lambda world: read_report(world, "provider-1", raw))
    report = taken.sealed.report
    slow = replace(report, rows={**report.rows, "time_ms": report.rows["time_ms"] + 60_000})
    with pytest.raises(Refused, match=r"work\.time"):
        market.workspace.read(lambda world: record_work(world, replace(taken.sealed, report=slow), Payee()))


def test_the_same_report_for_another_payee_moves_nothing_again(market: Plant, provider: Provider) -> None:
    raw = busy(provider)
    collected(market, raw)
    market.originated()
    collected(market, raw, Payee(account=originate.account_of("first", "collect")))
    assert market.balance("provider-1/revenue") == 15


def test_models_answer_under_their_name(provider: Provider) -> None:
    assert provider.model == MODEL


def rechecked(market: Plant) -> None:
    """The whole record, as an attester folds and checks it."""
    world = World()
    recheck = Recheck(world)
    for row in market.workspace.facts():
        columns = market.workspace.columns(row)
        recheck.before(row.recorded, columns)
        world.apply(row.recorded, columns)
        recheck.after(row.recorded, columns)
    recheck.settle()


def told_otherwise(market: Plant, seq: int, fact: Any, rows: Columns | None = None) -> None:
    """The record with another fact, or other rows, at one place, as an attester folds and checks it."""
    world = World()
    recheck = Recheck(world)
    for row in market.workspace.facts():
        recorded, columns = row.recorded, market.workspace.columns(row)
        if recorded.seq == seq:
            recorded = replace(recorded, fact=fact)
            columns = {**(columns or {}), **(rows or {})}
        recheck.before(recorded, columns)
        world.apply(recorded, columns)
        recheck.after(recorded, columns)
    recheck.settle()


def found(market: Plant, kind: type) -> tuple[int, Any, Columns]:
    """The last fact of a kind, its place and its rows."""
    row = [one for one in market.workspace.facts() if isinstance(one.recorded.fact, kind)][-1]
    return row.recorded.seq, row.recorded.fact, market.workspace.columns(row) or {}


def test_an_attester_signs_for_no_invented_sales(market: Plant, provider: Provider) -> None:
    for _ in range(2):
        collected(market, busy(provider))
    seq, sales, rows = found(market, SalesCollected)
    told_otherwise(market, seq, sales)
    moved = replace(sales.transfers[0], usdc_micro=sales.paid_usdc_micro + 5)
    dearer = replace(sales.segment, sum=sales.paid_usdc_micro + 5)
    more = replace(sales, paid_usdc_micro=sales.paid_usdc_micro + 5, segment=dearer, transfers=(moved,))
    paid = rows["paid_usdc_micro"].copy()
    paid[0] += 5
    other = np.array([b"\0" * 84, *rows["payment"][1:]], dtype=object)
    first = next(row.recorded.fact for row in market.workspace.facts() if isinstance(row.recorded.fact, SalesCollected))
    assert isinstance(first, SalesCollected)
    wrong: list[tuple[Any, Columns]] = [
        (more, {"paid_usdc_micro": paid}),  # dearer than billed
        (replace(sales, signed=b""), {}),  # nobody signed
        (replace(sales, signed=first.signed, bill=first.bill), {}),  # another interval's bill
        (replace(sales, bill=bytes(32)), {}),
        (replace(sales, model="better words"), {}),
        (sales, {"payment": other}),
        (sales, {"number": rows["number"] + 1}),
        (sales, {"number": rows["number"][::-1]}),
        (sales, {"scheme": rows["scheme"] + np.uint8(9)}),
    ]
    for fact, columns in wrong:
        with pytest.raises(Unverified, match=r"attest\.sales_differ"):
            told_otherwise(market, seq, fact, columns)
    seq, links, rows = found(market, SpansLinked)
    assert links.link is LinkKind.BILL
    shifted = {"target_stop": rows["target_stop"].copy(), "target_start": rows["target_start"].copy()}
    shifted["target_stop"][0] += 1
    shifted["target_start"][1] += 1
    with pytest.raises(Unverified, match=r"attest\.sales_differ"):  # a dollar of one answer billed on another
        told_otherwise(market, seq, links, shifted)


def test_an_attester_signs_for_no_invented_work(market: Plant, provider: Provider) -> None:
    collected(market, busy(provider))
    seq, stated, rows = found(market, WorkStated)
    payments = rows["digests"].copy()
    payments[1] = payments[0]
    for fact, columns in (
        (replace(stated, root=bytes(32)), {}),
        (stated, {"number": rows["number"] + 1}),
        (stated, {"done_us": rows["done_us"] + HOUR_US}),
        (stated, {"digests": payments}),
        (stated, {"prompt_tokens": rows["prompt_tokens"] + 1}),
        (stated, {"energy_mj": rows["energy_mj"] - 1}),
    ):
        with pytest.raises(Unverified, match=r"attest\.(work|sales)_differ"):
            told_otherwise(market, seq, fact, columns)
    seq, sealed, _ = found(market, EnergySealed)
    for fact in (
        replace(sealed, root=bytes(32)),
        replace(sealed, start_us=sealed.start_us + 1),
        replace(sealed, answers=sealed.answers + 1),
        replace(sealed, idle_mj=sealed.idle_mj + 1, meter_mj=sealed.meter_mj + 1),
    ):
        with pytest.raises(Unverified, match=r"attest\.work_differs"):
            told_otherwise(market, seq, fact)


def test_an_attester_agrees_and_sees_what_was_altered(market: Plant, provider: Provider) -> None:
    for _ in range(2):
        collected(market, busy(provider))
    rechecked(market)
    raw = busy(provider)
    taken = market.workspace.read(lambda world: read_report(world, "provider-1", raw))
    report = taken.sealed.report
    ahead = replace(report.metered, stop_mj=report.metered.stop_mj + 10**9, parts_mj=(10**9, 0, 0))
    less = replace(report, metered=replace(ahead, stop_mj=report.metered.start_mj + report.answers_mj + 10**9))
    lied = replace(taken, sealed=replace(taken.sealed, report=less))
    collect_report_on(market.workspace, lied, Payee(), "provider-1", AT_US, unmatched=True)
    with pytest.raises(Unverified, match=r"attest\.figures_differ"):
        rechecked(market)


def test_an_audit_is_clean_and_sees_what_was_altered(market: Plant, provider: Provider) -> None:
    for _ in range(2):
        collected(market, busy(provider))
    path = market.workspace.path
    assert audit_workspace(path).findings == ()
    book, world = market.world.work, market.world
    book.sold_usdc_micro["rack-2"] += 1
    book.sealed_mj["rack-2"] += 10**12
    laws = work_holds(book, world.compute.racks, world.books.registers)
    assert {one.code for one in laws} == {"law4.work", "law5.sold"}


def test_an_audit_sees_energy_moved_between_answers(
    market: Plant, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "_energy", lambda report: replace(energy_of(report), root=bytes(32)))
    collected(market, busy(provider))
    (found,) = audit_workspace(market.workspace.path).findings
    assert (found.law, found.code) == (3, "attest.work_differs")


POOLED: Final = """
deal: Desks
dollar: USDC
calendar: {pays: monthly, starts: 2016-08-01T00:00:00Z, grace: 5 d}
report: {income: {unit: USDC, of: revenue}}
accounts: {collect: {}}
tranches:
  E: {residual: true}
tests: {}
states: [normal]
waterfall: {normal: [pay E rest]}
pool: {assurance: at least gateway_signed}
"""
DESK: Final = {
    "asset": "desk-2", "contract": "c-2", "offtaker": "agents", "obligor": "agents", "region": "CO", "kind": "loan",
    "technology": "solar_pv", "assurance": "meter_signed", "related": "no", "balance_usdc": "1000",
    "rate_percent": "0", "starts": "2016-01-01", "ends": "2026-01-01", "first_due": "2016-08-15", "term_periods": "99",
}  # fmt: skip


@pytest.fixture
def pooled(market: Plant) -> Plant:
    """A deal that owns the rack's income, brought by the investor."""
    table = read_assets(pa.table({name: [cell] for name, cell in DESK.items()}))
    market.do("deal", lambda world: originate.originate(world, "desks", POOLED, ("desks",)), START_US)
    market.do("pool", lambda world: pool(world, "desks", table), START_US)
    market.do("sponsor", lambda world: appoint(world, "desks", DealRole.SPONSOR, "investor", "brought it"), START_US)
    return market


def test_a_sponsor_s_own_purchases_are_flagged(pooled: Plant, provider: Provider) -> None:
    gate = provider.desk.gate
    assert isinstance(gate, PaidGate)
    gate.payers = (b"\x11" * 20, b"\x33" * 20)
    pooled.world.participants.account_of_wallet[b"\x33" * 20] = "investor"
    raw = busy(provider)
    collected(pooled, raw, Payee("desks", "desk-2"))
    _, sales, _ = found(pooled, SalesCollected)
    assert {one.target: one.usdc_micro for one in sales.transfers} == {"provider-1/revenue": 6, "investor": 9}
    _, matched, rows = found(pooled, CollectionsMatched)
    assert dict(zip(read_words(rows["payer"]), rows["flag"].tolist(), strict=True)) == {
        "provider-1/revenue": FLAGS.index(Flag.NONE),
        "investor": FLAGS.index(Flag.RELATED),
    }
    assert matched.reference == f"rack-2/{sales.start_us}"
    assert (pooled.balance("desks/collect"), pooled.balance("investor"), pooled.balance("x402")) == (15, 0, -15)
    told = sales_of(pooled.workspace)
    assert told["flagged"] == [{"flag": "related", "paid_usdc_micro": 9}]
    rechecked(pooled)


def test_dollars_stay_with_their_answers_where_the_payee_changes(market: Plant, provider: Provider) -> None:
    market.originated()
    collected(market, busy(provider))
    collected(market, busy(provider), Payee(account=originate.account_of("first", "collect")))
    billed = market.world.books.registers.id_of("rack-2/billed")
    pay = market.world.books.links[LinkKind.PAY].forward(billed, 0, 30)
    assert (pay.source_start.tolist(), pay.source_stop.tolist()) == ([15], [30])
