"""A small plant on a real workspace: four roofs, a rack, two days; each act of the chain as a method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from penstock.capital.exact import Closing, close_period
from penstock.compute.service import RackModel, Service
from penstock.compute.service import serve as run_service
from penstock.energy.forms.cose import FIRST, Packet, packet_hash, sign
from penstock.journal.fact import Entry, FactBody
from penstock.journal.kinds.compute import AnswersServed, CreditsOffered, RackRegistered
from penstock.journal.segment import Column, Columns
from penstock.keys import SigningKey, derive_seed
from penstock.period import DAY_US, HOUR_US, QUARTER_HOUR_US, SECOND_US, Period, parse_iso
from penstock.usecases import certify, close, enrol, ingest, match, originate, sell, serve
from penstock.usecases.sequencer import Receipt
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

DEAL_TEXT: Final = (Path(__file__).parents[2] / "examples" / "deals" / "first.yaml").read_text()
START_US: Final = parse_iso("2016-08-22T00:00:00-07:00")
DAYS: Final = tuple(Period(START_US + day * DAY_US, START_US + (day + 1) * DAY_US) for day in range(2))
ZONE: Final = "US-PSCO"
ROOFS: Final = {"roof-a": 40_000, "roof-b": 60_000, "roof-c": 25_000, "roof-d": 5_000}
MODEL: Final = RackModel(idle_w=14_000, active_mj_per_token=3_600, accelerators=72, time_us_per_token=2_180)
TERMS: Final = CreditsOffered(
    "answers", "operator", "model", "answers/credits", 1_000, 2_600, 3_000_000, DAYS[-1].stop_us + DAY_US
)
LATE_S: Final = DAYS[-1].stop_us // SECOND_US + 10 * 86_400
Decide = Callable[[World], Sequence[Entry]]


def key_of(device: str) -> SigningKey:
    return SigningKey(derive_seed(b"the small plant's meters", device))


def signed(
    device: str, at_us: Sequence[int], position_wh: Sequence[int], sequence: int, previous: bytes
) -> list[bytes]:
    """Readings in packets of four."""
    raws = []
    for first in range(0, len(at_us), 4):
        rows = slice(first, first + 4)
        packet = Packet(device, sequence, previous, tuple(at_us[rows]), tuple(position_wh[rows]))
        raws.append(sign(packet, key_of(device)))
        sequence, previous = sequence + 1, packet_hash(raws[-1])
    return raws


def roof_packets(days: int = len(DAYS)) -> list[bytes]:
    """Every roof's packets of the first days, in order of arrival; sun from 6 to 18."""
    quarters = np.arange(1, days * 96 + 1)
    sun = np.clip(np.sin((quarters % 96 - 24) / 48 * np.pi), 0, None)
    at_us = (START_US + quarters * QUARTER_HOUR_US).tolist()
    streams = []
    for name, watts in ROOFS.items():
        position = np.floor(np.cumsum(sun * watts / 4 * 0.9)).astype(np.int64).tolist()
        streams.append(signed(name, at_us, position, 0, FIRST))
    return [raw for hour in zip(*streams, strict=True) for raw in hour]


class Plant:
    """The acts, day by day; each refuses or raises as its use case does."""

    def __init__(self, folder: Path) -> None:
        self.workspace = Workspace(folder)
        self.packets = roof_packets()

    def do(self, key: str, decide: Decide, at_us: int = DAYS[-1].stop_us, asked: bytes = b"") -> Receipt:
        return self.workspace.submit(key, asked, at_us, decide)

    @property
    def world(self) -> World:
        return self.workspace.read(lambda world: world)

    @property
    def rack(self) -> RackRegistered:
        return self.world.compute.racks["rack-1"]

    def facts(self, receipt: Receipt) -> list[FactBody]:
        rows = self.workspace.facts(receipt.first_seq, receipt.first_seq + receipt.facts)
        return [row.recorded.fact for row in rows]

    def columns(self, receipt: Receipt, place: int) -> Columns:
        (row,) = self.workspace.facts(receipt.first_seq + place, receipt.first_seq + place + 1)
        columns = self.workspace.columns(row)
        assert columns is not None
        return columns

    def read_wh(self, register: str) -> int:
        registers = self.world.books.registers
        return int(registers.read[registers.id_of(register)])

    def balance(self, account: str) -> int:
        return self.world.books.ledger.balance(self.world.books.accounts.id_of(account))

    def enrolled(self) -> Plant:
        self.do("accounts", lambda _: enrol.open_accounts(["investor"], ["buyer", "wallets"]), START_US)
        producers = [producer(name, watts) for name, watts in ROOFS.items()]
        self.do("roofs", lambda world: enrol.enrol_producers(world, producers), START_US)
        rack_key = key_of("rack-1").public
        rack = enrol.enrol_rack("rack-1", "operator", ZONE, rack_key, MODEL.accelerators, 140_000, START_US)
        self.do("rack", lambda _: rack, START_US)
        self.do("offer", lambda world: sell.offer(world, TERMS), START_US)
        return self

    def ingested(self, day: int) -> Receipt:
        raws = self.packets[day * 24 * len(ROOFS) : (day + 1) * 24 * len(ROOFS)]
        at_us = DAYS[day].stop_us
        return self.do(f"ingest:{day}", lambda world: ingest.ingest(world, raws, at_us), at_us)

    def certified(self, day: int) -> Receipt:
        columns = self.columns(self.ingested(day), 1)
        return self.do(f"certify:{day}", lambda world: certify.certify(world, [columns], ZONE), DAYS[day].stop_us)

    def requests(self, day: int) -> tuple[Column, Column]:
        dice = np.random.Generator(np.random.PCG64(100 + day))
        return np.sort(dice.integers(DAYS[day].start_us, DAYS[day].stop_us, 900)), dice.integers(50_000, 2_500_000, 900)

    def service(self, day: int) -> Service:
        hours, energy_wh = self.workspace.read(lambda world: match.available_wh(world, DAYS[day]))
        return run_service(*self.requests(day), hours, energy_wh, MODEL)

    def rack_metered(self, day: int, done: Service) -> Receipt:
        drawn = dict(zip(done.hour_us.tolist(), done.import_wh.tolist(), strict=True))
        at_us, position_wh, reached = [], [], self.read_wh("rack-1/import")
        for hour_us in range(DAYS[day].start_us, DAYS[day].stop_us, HOUR_US):
            energy = drawn.get(hour_us, 0)
            at_us += [hour_us + quarter * QUARTER_HOUR_US for quarter in (1, 2, 3, 4)]
            position_wh += [reached + energy * quarter // 4 for quarter in (1, 2, 3, 4)]
            reached += energy
        energy, number = self.world.energy, self.world.energy.number("rack-1")
        sequence, previous = int(energy.head_sequence[number]) + 1, energy.head_hash[number].tobytes()
        raws = signed("rack-1", at_us, position_wh, sequence, previous)
        return self.do(f"rack:{day}", lambda world: ingest.ingest(world, raws, DAYS[day].stop_us), DAYS[day].stop_us)

    def draw(self, done: Service) -> match.Draw:
        ran = done.import_wh > 0
        return match.Draw(self.rack, done.hour_us[ran], done.import_wh[ran])

    def matched(self, day: int, done: Service) -> Receipt:
        draw, at_us = self.draw(done), DAYS[day].stop_us
        return self.do(f"match:{day}", lambda world: match.match(world, draw, DAYS[day], "deal:first"), at_us)

    def answers(self, day: int, done: Service) -> serve.Answers:
        arrived, tokens = self.requests(day)
        return serve.Answers(DAYS[day], arrived[done.answered], tokens[done.answered], done, "buyer")

    def served(self, day: int, done: Service) -> Receipt:
        answers, rack, at_us = self.answers(day, done), self.rack, DAYS[day].stop_us
        return self.do(f"serve:{day}", lambda world: serve.record_answers(world, rack, answers, MODEL), at_us)

    def billed(self, day: int) -> Receipt:
        rack, at_us = self.rack, DAYS[day].stop_us
        return self.do(f"bill:{day}", lambda world: serve.bill_answers(world, rack, TERMS, DAYS[day]), at_us)

    def worked(self, day: int) -> Service:
        """The roofs send, the rack serves, every answer is billed."""
        self.certified(day)
        done = self.service(day)
        self.rack_metered(day, done)
        self.matched(day, done)
        self.served(day, done)
        self.billed(day)
        return done

    def sold(self, key: str, count: int, buyer: str = "buyer", at_us: int = START_US) -> Receipt:
        return self.do(key, lambda world: sell.sell(world, "answers", buyer, count, at_us), at_us)

    def redeemed(self, day: int, count: int, buyer: str = "buyer") -> Receipt:
        rack, collect, at_us = self.rack, originate.account_of("first", "collect"), DAYS[day].stop_us
        return self.do(
            f"redeem:{day}:{count}:{buyer}",
            lambda world: sell.redeem(world, "answers", rack, buyer, count, self.work_root(), collect, DAYS[day]),
            at_us,
        )

    def work_root(self) -> bytes:
        facts = (row.recorded.fact for row in self.workspace.facts())
        return [fact.segment.root for fact in facts if isinstance(fact, AnswersServed)][-1]

    def originated(self, name: str = "first", assets: tuple[str, ...] = ("rack-1",)) -> Receipt:
        return self.do(f"originate:{name}", lambda world: originate.originate(world, name, DEAL_TEXT, assets), START_US)

    def closing(self, day: int) -> Closing:
        record = self.world.capital.deal("first")
        _, program = originate.recompile(record.originated)
        report = replace(self.world.capital.report("first", day), expiry_s=2**32 - 1)
        return close_period(program.code, record.state, report, self.cash_usdc_micro(), LATE_S)

    def cash_usdc_micro(self) -> int:
        """Dollars at the deal's address: its accounts, and what it paid that waits to be pulled."""
        deal, _ = originate.recompile(self.world.capital.deal("first").originated)
        accounts = [originate.account_of("first", one.name) for one in deal.accounts]
        return sum(self.balance(one) for one in [*accounts, *(originate.paid_to("first", p) for p in deal.payees)])

    def closed(self, day: int) -> Receipt:
        _, program = originate.recompile(self.world.capital.deal("first").originated)
        closing, at_us = self.closing(day), DAYS[day].stop_us
        return self.do(f"close:{day}", lambda world: close.close(world, "first", program, closing), at_us)

    def lived(self) -> Plant:
        """Two whole days, sold, redeemed and closed."""
        self.enrolled()
        self.originated()
        for day in range(len(DAYS)):
            self.sold(f"sell:{day}", 1_200_000, at_us=DAYS[day].start_us)
            self.worked(day)
            self.redeemed(day, sell.redeemable(self.world, "answers", self.rack))
            self.closed(day)
        return self


def producer(name: str, watts: int) -> enrol.Producer:
    return enrol.Producer(name, key_of(name).public, watts, ZONE, "39.7,-105.2", START_US, 30, 180)
