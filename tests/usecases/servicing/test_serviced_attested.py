"""A serviced deal's record as an attester takes it: asked for with its tape, recomputed, refused if altered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from servicing_kit import DEAL, START_US, TEXT, USDC, month, payment, table

from penstock.errors import PenstockError
from penstock.journal.fact import Entry
from penstock.journal.kinds.capital import DealLaunched, Deployed
from penstock.journal.kinds.chain import CheckpointAnchored
from penstock.journal.kinds.servicing import DealAmended, MarkSet
from penstock.journal.segment import Segment
from penstock.period import DAY_US
from penstock.usecases.attest import Replica
from penstock.usecases.originate import originate, recompile
from penstock.usecases.publish import Publication, Request
from penstock.usecases.servicing.collect import collect
from penstock.usecases.servicing.mark import mark
from penstock.usecases.servicing.pool import pool
from penstock.usecases.servicing.report import report
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Decide = Callable[[World], list[Entry]]
AFTER = month(0).stop_us + DAY_US
MID = month(0).start_us + 14 * DAY_US


class Record:
    """A workspace with a launched deal whose servicer has told one month."""

    def __init__(self, folder: Path) -> None:
        self.workspace = Workspace(folder)
        launched = DealLaunched(DEAL, 1, (Deployed(DEAL, b"d" * 20),))
        self.do(lambda world: originate(world, DEAL, TEXT, ()), START_US)
        self.do(lambda _: [Entry(launched)], START_US)
        self.do(lambda world: pool(world, DEAL, table()), START_US - 1)
        self.do(lambda world: collect(world, DEAL, "bank-1", [payment("loan-1", 60 * USDC, MID)], AFTER), AFTER)
        sofr = MarkSet("sofr", 5_300_000, "bank", START_US, 40 * 86_400)
        self.do(lambda world: mark(world, sofr, AFTER), AFTER)

    def do(self, decide: Decide, at_us: int) -> None:
        self.workspace.submit(f"act-{self.workspace.store.size()}", b"", at_us, decide)

    def taped(self) -> None:
        self.do(lambda world: report(world, DEAL, 0, {}, AFTER), AFTER)

    def anchored(self) -> list[Request]:
        """Anchor all facts so far; what is asked for by then."""
        size = self.workspace.store.size()
        self.do(lambda _: [Entry(CheckpointAnchored(size, self.workspace.tree().root(size)))], AFTER)
        return Publication(self.workspace.store).requests(DEAL)

    def replica(self) -> Replica:
        size = self.workspace.store.size()
        found = Replica()
        found.advance(Publication(self.workspace.store), size, self.workspace.tree().root(size))
        return found


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    made = Record(tmp_path / "w")
    with made.workspace:
        yield made


def test_a_period_is_asked_for_once_its_tape_is_anchored(record: Record) -> None:
    assert record.anchored() == []
    record.taped()
    (asked,) = record.anchored()
    assert (asked.period, asked.as_of_us, asked.deal) == (0, month(0).stop_us, DEAL)
    assert record.anchored() == [asked]


def test_an_attester_comes_to_the_same_report(record: Record) -> None:
    record.taped()
    mine = record.workspace.read(lambda world: world.capital.report(DEAL, 0))
    theirs = record.replica().world.capital
    assert theirs.report(DEAL, 0) == mine
    assert theirs.ready.covers(DEAL, 0, record.workspace.store.size())
    assert len(mine.words) == 2


def test_a_payment_recorded_after_the_checkpoint_changes_no_figure_of_it(record: Record) -> None:
    record.taped()
    before = record.replica().world.capital.report(DEAL, 0)
    late = payment("loan-2", 9 * USDC, MID)
    record.do(lambda world: collect(world, DEAL, "bank-2", [late], AFTER), AFTER)
    after = record.replica().world.capital
    assert after.report(DEAL, 0) == before
    assert after.measuring(DEAL).flow("interest", 1) == 9 * USDC


def test_a_tape_sealed_with_a_strangers_asset_stops_the_attester(record: Record) -> None:
    def forged(world: World) -> list[Entry]:
        (entry,) = report(world, DEAL, 0, {}, AFTER)
        assert entry.segment is not None
        columns = entry.segment.columns | {"asset": np.array([0, 1, 2, 9], dtype=np.int32)}  # type: ignore[operator]
        segment = Segment(entry.segment.format, columns)
        return [Entry(replace(entry.fact, segment=segment.ref()), segment)]

    with pytest.raises(PenstockError):  # nobody who folds facts takes it, the operator's own books first
        record.do(forged, AFTER)
    assert record.replica().size == record.workspace.store.size()


def test_an_amendment_that_its_text_does_not_compile_to_stops_the_attester(record: Record) -> None:
    said = record.workspace.read(lambda world: world.capital.deal(DEAL).originated)
    text = said.text.replace("amount: 40 USDC", "amount: 70 USDC")
    _, program = recompile(replace(said, text=text))
    honest = DealAmended(
        DEAL, 1, text, program.deal_hash, program.code, program.program_hash, program.rows, said.compiler, 1, "voted"
    )
    record.do(lambda _: [Entry(honest)], AFTER)
    record.replica()
    record.do(lambda _: [Entry(replace(honest, text=said.text))], AFTER)
    with pytest.raises(PenstockError) as caught:
        record.replica()
    assert caught.value.code == "attest.program_differs"
