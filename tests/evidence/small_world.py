"""A workspace made by the real use cases: three roofs, one rack, one day, a deal that was paid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from penstock.compute.service import RackModel
from penstock.compute.service import serve as run_service
from penstock.energy.forms.cose import FIRST, Packet, packet_hash, sign
from penstock.energy.parsed import Messages
from penstock.journal import checkpoint
from penstock.journal.cutting import positions_of, tile_links
from penstock.journal.fact import Entry, FactBody, Recorded
from penstock.journal.formats import FORMATS
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.chain import ChainAdopted, CheckpointAnchored
from penstock.journal.kinds.compute import CreditsOffered
from penstock.journal.kinds.ledger import RegisterOpened, WorkspaceOpened
from penstock.journal.sealed_rows import SealedRows
from penstock.journal.segment import Column, Columns
from penstock.journal.tree import Proof
from penstock.journal.words import LinkKind, RegisterKind, Right, Unit
from penstock.keys import SigningKey, derive_seed
from penstock.period import DAY_US, HOUR_US, QUARTER_HOUR_US, Period, parse_iso
from penstock.store.sqlite_store import SqliteStore
from penstock.usecases import certify, enrol, ingest, match, serve
from penstock.usecases.sequencer import Receipt, Sequencer
from penstock.usecases.world import World

SEED = b"evidence of a small world, 32 by"
ORIGIN = "test.example/journal"
ZONE = "US-PSCO"
DAY = Period(parse_iso("2016-08-22T00:00:00Z"), parse_iso("2016-08-23T00:00:00Z"))
LOG_KEY = SigningKey(derive_seed(SEED, "log"))
ROOFS = ("roof-a", "roof-b", "roof-c")
ROOF_W = (1_500, 900, 2_000)
QUARTERS_US = list(range(DAY.start_us + QUARTER_HOUR_US, DAY.stop_us + 1, QUARTER_HOUR_US))
MODEL = RackModel(idle_w=150, active_mj_per_token=3_600, accelerators=1, time_us_per_token=40)
TERMS = CreditsOffered(
    "answers", "operator", "model", "answers/credits", 1_000, 2_600, 100_000, DAY.stop_us + 30 * DAY_US
)
DEAL = ("first/collections", "first/paid/roofs", "first/paid/servicer", "first/paid/A", "first/account/dsra")


def key_of(device: str) -> SigningKey:
    """The key of a test meter."""
    return SigningKey(derive_seed(SEED, "meter", device))


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """The record of a store, as a bundle wants it."""

    store: SqliteStore
    note: str

    def size(self) -> int:
        return self.store.size()

    def facts(self, start: int = 0, stop: int | None = None) -> list[Recorded]:
        return [KINDS.decode(stored.body, stored.seq) for stored in self.store.facts(start, stop)]

    def columns(self, seq: int) -> Columns:
        (stored,) = self.store.facts(seq, seq + 1)
        ref = getattr(KINDS.decode(stored.body, seq).fact, "segment", None)
        assert ref is not None and stored.segment is not None
        return self.store.columns(stored.segment, FORMATS[ref.format])

    def sealed(self, seq: int) -> SealedRows:
        (stored,) = self.store.facts(seq, seq + 1)
        ref = getattr(KINDS.decode(stored.body, seq).fact, "segment", None)
        assert ref is not None and stored.segment is not None
        return self.store.sealed(stored.segment, FORMATS[ref.format])

    def inclusion_proof(self, seq: int, size: int) -> Proof:
        return self.store.tree().inclusion_proof(seq, size)

    def checkpoint(self) -> str:
        return self.note


class SmallWorld:
    """Acts of the day, in order; afterwards ``record`` and ``world`` are what the tests read."""

    roofs = ROOFS

    def __init__(self, folder: Path) -> None:
        self.store = SqliteStore.open(folder)
        self.sequencer = Sequencer(self.store, World, KINDS)
        self.rack_positions: list[tuple[int, int]] = []
        self._enrol()
        self._roofs_send()
        self._rack_works()
        self._pay()
        self._anchor()
        self.record = StoredRecord(self.store, self._signed())

    @property
    def world(self) -> World:
        return self.sequencer.read(lambda world: world)

    def _do(self, key: str, decide: Callable[[World], list[Entry]], at_us: int = DAY.stop_us) -> Receipt:
        return self.sequencer.submit(key, b"", at_us, decide)

    def _enrol(self) -> None:
        opened = WorkspaceOpened(ORIGIN, LOG_KEY.public)
        self._do("workspace", lambda _: [Entry(opened)], DAY.start_us)
        self._do("accounts", lambda _: enrol.open_accounts(["buyer"], ["world"]), DAY.start_us)
        self._enrol_roofs()
        rack = enrol.enrol_rack("rack-1", "operator", ZONE, key_of("rack-1").public, 1, 10_000, DAY.start_us)
        self._do("rack", lambda _: rack, DAY.start_us)
        registers: list[FactBody] = [
            RegisterOpened("answers/credits", Unit.TOKENS, RegisterKind.PROMISED, (Right.USE,)),
            *(RegisterOpened(name, Unit.USDC_MICRO, RegisterKind.COUNTED) for name in ("answers/billed", *DEAL)),
        ]
        self._do("offer", lambda _: [Entry(fact) for fact in [*registers, TERMS]], DAY.start_us)

    def _enrol_roofs(self) -> None:
        producers = [
            enrol.Producer(name, key_of(name).public, watts, ZONE, "", DAY.start_us)
            for name, watts in zip(ROOFS, ROOF_W, strict=True)
        ]
        self._do("roofs", lambda world: enrol.enrol_producers(world, producers), DAY.start_us)

    def _send(self, device: str, at_us: list[int], position_wh: list[int], each: int) -> list[bytes]:
        raws, previous = [], FIRST
        for sequence, first in enumerate(range(0, len(at_us), each)):
            rows = slice(first, first + each)
            packet = Packet(device, sequence, previous, tuple(at_us[rows]), tuple(position_wh[rows]))
            raws.append(sign(packet, key_of(device)))
            previous = packet_hash(raws[-1])
        return raws

    def _roofs_send(self) -> None:
        raws = [
            self._send(name, QUARTERS_US, self.positions_wh(watts), 4)
            for name, watts in zip(ROOFS, ROOF_W, strict=True)
        ]
        in_order = [raw for hour in zip(*raws, strict=True) for raw in hour]
        in_order.insert(40, in_order[3])  # a replay, refused and kept
        self._ingest_and_certify(in_order)

    @staticmethod
    def positions_wh(watts: int) -> list[int]:
        """Where a roof of this size stands at the end of each quarter-hour."""
        sun = np.clip(np.sin((np.arange(96) - 24) / 48 * np.pi), 0, None)
        found: list[int] = np.floor(np.cumsum(sun * watts / 4 * 0.9)).astype(np.int64).tolist()
        return found

    def _ingest_and_certify(self, messages: Sequence[bytes] | Messages) -> None:
        receipt = self._do("ingest", lambda world: ingest.ingest(world, messages, DAY.stop_us))
        self._certify("certify", receipt.first_seq + 1)

    def _certify(self, key: str, readings: int) -> None:
        columns = StoredRecord(self.store, "").columns(readings)
        self._do(key, lambda world: certify.certify(world, [columns], ZONE))

    def _rack_works(self) -> None:
        hours, energy = self.sequencer.read(lambda world: match.available_wh(world, DAY))
        dice = np.random.Generator(np.random.PCG64(7))
        arrived = np.sort(dice.integers(DAY.start_us, DAY.stop_us, 240))
        tokens = dice.integers(20_000, 250_000, 240)
        done = run_service(arrived, tokens, hours, energy, MODEL)
        self._rack_meter(done.hour_us, done.import_wh)
        rack, ran = self.world.compute.racks["rack-1"], done.import_wh > 0
        draw = match.Draw(rack, done.hour_us[ran], done.import_wh[ran])
        self._do("match", lambda world: match.match(world, draw, DAY, "deal:first"))
        answers = serve.Answers(DAY, arrived[done.answered], tokens[done.answered], done, "buyer")
        self._do("serve", lambda world: serve.record_answers(world, rack, answers, MODEL))
        self._do("bill", lambda world: serve.bill_answers(world, rack, TERMS, DAY))

    def _rack_meter(self, hour_us: Column, import_wh: Column) -> None:
        drawn = dict(zip(hour_us.tolist(), import_wh.tolist(), strict=True))
        at_us = list(range(DAY.start_us + HOUR_US, DAY.stop_us + 1, HOUR_US))
        position = np.cumsum([drawn.get(at - HOUR_US, 0) for at in at_us]).tolist()
        raws = self._send("rack-1", at_us, position, 1)
        self._do("rack-meter", lambda world: ingest.ingest(world, raws, DAY.stop_us))

    def _pay(self) -> None:
        billed = int(self.world.books.registers.read[self._id("answers/billed")])
        paid = billed - 5_000  # the last credits are not redeemed yet
        steps = np.array([paid // 10, paid * 4 // 10, paid * 3 // 10, 0])
        steps[3] = paid - steps.sum()
        self._link("collect", self._tiles("answers/billed", [paid], ["first/collections"]))
        targets = ["first/paid/servicer", "first/paid/roofs", "first/paid/A", "first/account/dsra"]
        self._link("waterfall", self._tiles("first/collections", steps.tolist(), targets))
        roofs = int(steps[1])
        shares = [roofs // 3, roofs // 3, roofs - 2 * (roofs // 3)]
        self._link("tariffs", self._tiles("first/paid/roofs", shares, [f"{roof}/tariff" for roof in self.roofs]))

    def _anchor(self) -> None:
        tree = self.store.tree()
        facts = ChainAdopted(1_337, bytes(32), ()), CheckpointAnchored(len(tree), tree.root())
        self._do("anchor", lambda _: [Entry(fact) for fact in facts])

    def _id(self, urn: str) -> int:
        return self.world.books.registers.id_of(urn)

    def _tiles(self, source: str, sizes: list[int], targets: list[str]) -> Columns:
        at = positions_of(np.array(sizes))
        links = dict(tile_links(self._id(source), at, np.array([self._id(name) for name in targets]), at))
        links["target_stop"], links["target_start"] = np.diff(at), np.zeros(len(sizes), dtype=np.int64)
        return links

    def _link(self, key: str, links: Columns) -> None:
        self._do(key, lambda world: [match.link_entry(world, LinkKind.PAY, links, DAY)])

    def _signed(self) -> str:
        tree = self.store.tree()
        return checkpoint.sign(checkpoint.Checkpoint(ORIGIN, len(tree), tree.root()), ORIGIN, LOG_KEY)
