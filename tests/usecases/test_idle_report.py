"""An interval in which nobody asked is a report of no rows: recorded, audited and attested like any other."""

from __future__ import annotations

from pathlib import Path

from provider_kit import ClockPower, HandClock, PaidGate, WordEngine, by_hand, offer
from small_plant import DAYS, START_US, ZONE, Plant

from penstock.journal.kinds.capacity import ProviderRegistered
from penstock.journal.kinds.work import WorkStated
from penstock.period import HOUR_US, SECOND_US
from penstock.usecases import enrol
from penstock.usecases.attest import Replica
from penstock.usecases.audit import audit_workspace
from penstock.usecases.collect_reports import collect_report_on, read_report
from penstock.usecases.compute.register_provider import register_provider
from penstock.usecases.provider.provider import Provider
from penstock.usecases.publish import Publication
from penstock.usecases.record_work import Payee


def idled(folder: Path) -> tuple[Provider, bytes]:
    """A provider and its report of a minute without answers."""
    clock = HandClock(START_US + 12 * HOUR_US)
    made = Provider(folder, WordEngine(), offer(), clock, gate=PaidGate(), power=ClockPower(clock), reports=False)
    with by_hand(made) as provider:
        clock.now_us += 60 * SECOND_US
        row = provider.close_interval()
    assert row is not None and row.answers == 0
    return made, row.written


def test_a_report_without_answers(plant: Plant, tmp_path: Path) -> None:
    provider, raw = idled(tmp_path / "provider")
    work, meter = provider.keys.work.public, provider.keys.meter.public
    rack = enrol.enrol_rack("rack-2", "provider-1", ZONE, meter, 1, 2_000, START_US)
    plant.do("rack-2", lambda _: rack, START_US)
    who = "provider-1", "http://127.0.0.1", work, b"\x22" * 20, "provider-1/collateral", "provider-1/revenue"
    plant.do("provider", lambda world: register_provider(world, ProviderRegistered(*who)), START_US)
    taken = plant.workspace.read(lambda world: read_report(world, "provider-1", raw))
    collect_report_on(plant.workspace, taken, Payee(), "provider-1", DAYS[1].stop_us, unmatched=True)
    facts = [row.recorded.fact for row in plant.workspace.facts()]
    assert [fact.segment.rows for fact in facts if isinstance(fact, WorkStated)] == [0]
    assert audit_workspace(plant.workspace.path).findings == ()
    store, replica = plant.workspace.store, Replica()
    replica.advance(Publication(store), store.size(), store.tree().root())
    assert replica.size == len(facts)
