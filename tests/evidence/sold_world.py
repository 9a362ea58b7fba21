"""A workspace in which a provider's answers were sold one by one: its signed reports, a deal that got the dollars.

Made by the real use cases: roofs are certified, two reports of an hour's noon are collected, the deal's day is closed.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from small_world import LOG_KEY, ORIGIN, StoredRecord

from penstock.compute.work import WorkReport
from penstock.journal import checkpoint
from penstock.journal.fact import Entry
from penstock.journal.kinds.capacity import ProviderRegistered
from penstock.journal.kinds.ledger import WorkspaceOpened
from penstock.period import HOUR_US, SECOND_US
from penstock.store.sqlite_store import SqliteStore
from penstock.usecases import enrol, originate
from penstock.usecases.collect_reports import Taken, collect_report_on, read_report
from penstock.usecases.compute.register_provider import register_provider
from penstock.usecases.provider.provider import Provider
from penstock.usecases.record_work import Payee
from penstock.usecases.world import World

sys.path.append(str(Path(__file__).resolve().parents[1] / "usecases"))
PLANT: Any = import_module("small_plant")
KIT: Any = import_module("provider_kit")

DAYS, START_US = PLANT.DAYS, PLANT.START_US
PROVIDER = "provider-1"
RACK = "rack-2"
NOON_US = START_US + 12 * HOUR_US
AT_US = DAYS[0].stop_us
ANSWERS = 5
"""In each report."""


class SoldWorld:
    """Acts of the day, in order; afterwards ``record`` and ``world`` are what the tests read."""

    def __init__(self, folder: Path) -> None:
        clock = KIT.HandClock(NOON_US + 600 * SECOND_US)
        self.plant = PLANT.Plant(folder / "plant")
        self.plant.do("workspace", lambda _: [Entry(WorkspaceOpened(ORIGIN, LOG_KEY.public))], START_US)
        self.plant.enrolled().originated()
        self.plant.certified(0)
        self.provider = Provider(
            folder / "provider",
            KIT.WordEngine(),
            KIT.offer(),
            clock,
            gate=KIT.PaidGate(),
            power=KIT.ClockPower(clock),
            reports=False,
        )
        with self.provider:
            self._register()
            self.reports = [self._busy(clock) for _ in range(2)]
        for raw in self.reports:
            self.collected(raw)
        self.work()
        self.record = self.signed()

    @property
    def world(self) -> World:
        return cast(World, self.plant.world)

    def reported(self, which: int) -> WorkReport:
        """One of the two reports."""
        return self._taken(which).sealed.report

    def digest(self, which: int) -> str:
        """The sha256 of its signed envelope."""
        return self._taken(which).sealed.envelope.hex()

    def _taken(self, which: int) -> Taken:
        raw = self.reports[which]
        return cast(Taken, self.plant.workspace.read(lambda world: read_report(world, PROVIDER, raw)))

    def collected(self, raw: bytes) -> None:
        """Record a report, its dollars for the deal."""
        taken = self.plant.workspace.read(lambda world: read_report(world, PROVIDER, raw))
        payee = Payee(account=originate.account_of("first", "collect"))
        collect_report_on(self.plant.workspace, taken, payee, "deal:first", AT_US)

    def work(self) -> None:
        """The deal's own rack works, and the day is closed."""
        plant = self.plant
        plant.sold("sell:0", 1_200_000, at_us=START_US)
        done = plant.service(0)
        plant.rack_metered(0, done)
        plant.matched(0, done)
        plant.served(0, done)
        plant.billed(0)
        plant.closed(0)

    def signed(self) -> StoredRecord:
        """The record under a checkpoint of all there is."""
        store = self.plant.workspace.store
        assert isinstance(store, SqliteStore)
        tree = store.tree()
        note = checkpoint.sign(checkpoint.Checkpoint(ORIGIN, len(tree), tree.root()), ORIGIN, LOG_KEY)
        return StoredRecord(store, note)

    def _register(self) -> None:
        keys = self.provider.keys
        rack = enrol.enrol_rack(RACK, PROVIDER, PLANT.ZONE, keys.meter.public, 1, 2_000, START_US)
        self.plant.do("rack-2", lambda _: rack, START_US)
        fact = ProviderRegistered(
            PROVIDER, "http://127.0.0.1", keys.work.public, b"\x22" * 20, "provider-1/collateral", "provider-1/revenue"
        )
        self.plant.do("provider", lambda world: register_provider(world, fact), START_US)

    def _busy(self, clock: Any) -> bytes:
        """A minute with answers, and its report."""
        for place in range(ANSWERS):
            clock.step_us = 20_000
            KIT.ask(self.provider, f"text number {place}")
            clock.step_us = 0
            clock.now_us += 60 * SECOND_US // ANSWERS
            self.provider.meter.look()
        clock.now_us += 30 * SECOND_US  # nobody asks
        self.provider.meter.look()
        row = self.provider.close_interval()
        assert row is not None
        return row.written
