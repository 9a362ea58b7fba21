"""Replayed readings refused: 1 million, half of them among 100 million stored, against PostgreSQL with a key."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from bench.postgres_rows import bulk_server, copy_in, copy_out
from bench.result import Result, is_small, race
from penstock.energy.standing_readings import Run, StandingReadings
from penstock.journal.fact import encode
from penstock.journal.formats import READINGS
from penstock.journal.kinds.energy import ReadingsVerified
from penstock.journal.segment import Segment
from penstock.journal.tree_kernel import load_kernel
from penstock.journal.words import Assurance
from penstock.period import QUARTER_HOUR_US, SECOND_US
from penstock.store.ports import NewFact, Write
from penstock.store.sqlite_store import SqliteStore

REGISTERS, EACH, OFFERED, ROUNDS = 100_000, 1_000, 1_000_000, 3
START_US: Final = 1_700_000_000_000_000
STORED_TO_US: Final = START_US + EACH * QUARTER_HOUR_US
GOAL: Final = 5
LOAD_REGISTERS: Final = 5_000
STAGED: Final = "INSERT INTO reading SELECT * FROM stage ON CONFLICT DO NOTHING"
Columns = dict[str, NDArray[Any]]


class Ours:
    """Standing readings in runs; what is new is sealed and recorded durably, as a command's readings are."""

    def __init__(self, folder: Path, stored: Columns, registers: int) -> None:
        first = EACH * np.arange(registers + 1, dtype=np.int64)
        self.standing = StandingReadings((Run(first, stored["at_us"], stored["position_wh"]),))
        self.store = SqliteStore.open(folder)
        self.accepted: list[Columns] = []

    def take(self, rows: Columns) -> None:
        """Record the rows that are new."""
        new = self.standing.new(rows["register"], rows["at_us"])
        fresh = {name: column[new] for name, column in rows.items()}
        self.store.commit([self._write(fresh)])
        self.standing.add(**fresh)
        self.accepted.append(fresh)

    def _write(self, fresh: Columns) -> Write:
        count = len(fresh["register"])
        segment = Segment(
            READINGS, {**fresh, "packet": np.zeros(count, np.int32), "verdict": np.zeros(count, np.uint8)}
        )
        fact = ReadingsVerified(segment.ref(), bytes(32), "bench", Assurance.METER_SIGNED, 0, ())
        at_us = START_US + len(self.accepted)
        return Write(f"k{len(self.accepted)}", bytes(32), [NewFact(fact.KIND, at_us, encode(fact, at_us), segment)])


class Theirs:
    """A table keyed by register and instant: binary COPY into a staging table, inserted where nothing stands."""

    def __init__(self, session: psycopg.Connection[Any], stored: Columns, registers: int) -> None:
        self.session = session
        with session.transaction():  # in the transaction that makes the table, loading needs no log
            session.execute("CREATE TABLE reading (register int4, at_us int8, position_wh int8)")
            for at in range(0, registers, LOAD_REGISTERS):
                rows = slice(at * EACH, min(at + LOAD_REGISTERS, registers) * EACH)
                number = np.repeat(np.arange(at, min(at + LOAD_REGISTERS, registers), dtype=np.int32), EACH)
                copy_in(session, "reading", {"register": number, **{name: stored[name][rows] for name in stored}})
            session.execute("ALTER TABLE reading ADD PRIMARY KEY (register, at_us)")
        session.execute("VACUUM ANALYZE reading")
        session.execute("CREATE TEMP TABLE stage (LIKE reading) ON COMMIT DELETE ROWS")

    def take(self, rows: Columns) -> None:
        """Insert the rows that are new, in one durable transaction."""
        with self.session.transaction():
            copy_in(self.session, "stage", rows)
            self.session.execute(STAGED)


def stored_readings(registers: int) -> Columns:
    """Every quarter of an hour a reading, at some second of it; register n's are rows ``EACH * n`` and on."""
    dice = np.random.default_rng(11)
    at_us, position = np.empty(registers * EACH, np.int64), np.empty(registers * EACH, np.int64)
    quarter = START_US + QUARTER_HOUR_US * np.arange(EACH)
    for register in range(0, registers, LOAD_REGISTERS):
        many = min(LOAD_REGISTERS, registers - register)
        rows = slice(register * EACH, (register + many) * EACH)
        at_us[rows] = (quarter + SECOND_US * dice.integers(0, 900, (many, EACH))).ravel()
        position[rows] = np.cumsum(dice.integers(0, 3_000, (many, EACH)), axis=1).ravel()
    return {"at_us": at_us, "position_wh": position}


def offered(stored: Columns, registers: int, turn: int, rows: int) -> Columns:
    """Half stored before, half of instants of this turn, shuffled."""
    dice = np.random.default_rng(100 + turn)
    old = dice.choice(registers * EACH, rows // 2, replace=False)
    per_register = -(-rows // 2 // registers)
    fresh = np.arange(rows - rows // 2)
    at_us = STORED_TO_US + QUARTER_HOUR_US * (turn * per_register + fresh // registers)
    columns = {
        "register": np.r_[old // EACH, fresh % registers].astype(np.int32),
        "at_us": np.r_[stored["at_us"][old], at_us],
        "position_wh": np.r_[stored["position_wh"][old], 10_000_000 + fresh],
    }
    order = dice.permutation(rows)
    return {name: column[order] for name, column in columns.items()}


def run() -> Result:
    """Interleaved rounds, each with readings of its own; at the end both hold the very same new readings."""
    registers, rows = (2_000, 50_000) if is_small() else (REGISTERS, OFFERED)
    stored = stored_readings(registers)
    load_kernel()
    with (
        tempfile.TemporaryDirectory() as folder,
        bulk_server() as server,
        psycopg.connect(server.address, autocommit=True) as session,
    ):
        theirs, ours = Theirs(session, stored, registers), Ours(Path(folder), stored, registers)
        batches = [offered(stored, registers, turn, rows) for turn in range(ROUNDS + 1)]
        return measure(ours, theirs, batches)


def measure(ours: Ours, theirs: Theirs, batches: list[Columns]) -> Result:
    """The figures; the first batch warms both."""
    rows, held = len(batches[0]["register"]), len(ours.standing)
    ours.take(batches[0])
    theirs.take(batches[0])
    left, right = iter(batches[1:]), iter(batches[1:])
    both = race(lambda: ours.take(next(left)), lambda: theirs.take(next(right)), ROUNDS)
    search = race(lambda: ours.standing.new(batches[0]["register"], batches[0]["at_us"]), lambda: None, ROUNDS)
    check(ours, theirs, rows)
    return Result(
        name="replay",
        ours=rows / median(both.ours_s),
        unit="readings/s, replays refused",
        peer=rows / median(both.peer_s),
        ratio=both.ratio,
        peer_name=f"PostgreSQL {theirs.session.info.server_version // 10_000}",
        notes=(
            f"{both.spread}; goal {GOAL}; {rows:,} offered a round, half of them among {held:,} stored; exact",
            "both durable: ours searches, seals the new rows in a segment with its Merkle root and records the fact;",
            "PostgreSQL copies into a staging table and inserts on conflict do nothing; 1 GB buffers",
            f"ours, the search alone: {rows / median(search.ours_s):,.0f} readings/s",
        ),
    )


def check(ours: Ours, theirs: Theirs, rows: int) -> None:
    """Every new reading stands once on both sides, and nothing else came in."""
    names = ("register", "at_us", "position_wh")
    query = "SELECT register::bigint, at_us, position_wh FROM reading"
    query += f" WHERE at_us >= {STORED_TO_US} ORDER BY at_us, register"
    found = copy_out(theirs.session, query, names)
    accepted = {name: np.concatenate([part[name] for part in ours.accepted]) for name in names}
    order = np.lexsort((accepted["register"], accepted["at_us"]))
    assert len(order) == (ROUNDS + 1) * (rows - rows // 2)
    assert all(np.array_equal(accepted[name][order], found[name]) for name in names)
    (count,) = theirs.session.execute("SELECT count(*) FROM reading").fetchone() or (0,)
    assert count == len(ours.standing)
    ours.store.close()
