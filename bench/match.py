"""Certificates to consumption by interval and zone: 10 million rows a side, against DuckDB's ASOF join."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.result import Race, Result, is_small, race
from penstock.energy.matching import Preference, Rules, Side, match
from penstock.journal.canonical import dump
from penstock.journal.formats import LINKS
from penstock.journal.kinds.energy import SpansLinked
from penstock.journal.overlay import Edges
from penstock.journal.segment import Segment
from penstock.journal.words import LinkKind
from penstock.period import HOUR_US
from penstock.store.ports import NewFact, Write
from penstock.store.sqlite_store import SqliteStore

ROWS, HOURS, ZONES, ROUNDS = 10_000_000, 8_760, 8, 3
START_US: Final = 1_700_000_000_000_000 // HOUR_US * HOUR_US
GOAL, GOAL_DURABLE = 20, 2
RULES: Final = Rules(Preference.FIFO)
NAMES: Final = ("left", "right", "left_at", "right_at", "units")
_RUNNING: Final = """SELECT zone, interval_us, row, (sum(units) OVER w)::BIGINT - units AS start,
    (sum(units) OVER w)::BIGINT AS stop FROM {}
    WINDOW w AS (PARTITION BY zone, interval_us ORDER BY row ROWS UNBOUNDED PRECEDING)"""
EDGES: Final = f"""
WITH s AS ({_RUNNING.format("supply")}), d AS ({_RUNNING.format("demand")}),
     cut AS (SELECT zone, interval_us, start AS pos FROM s UNION SELECT zone, interval_us, start FROM d)
SELECT s.row AS "left", d.row AS "right", pos - s.start AS left_at, pos - d.start AS right_at,
       least(s.stop, d.stop) - pos AS units
FROM cut ASOF JOIN s ON cut.zone = s.zone AND cut.interval_us = s.interval_us AND cut.pos >= s.start
         ASOF JOIN d ON cut.zone = d.zone AND cut.interval_us = d.interval_us AND cut.pos >= d.start
WHERE pos < s.stop AND pos < d.stop
"""  # noqa: S608 - our own constants
"""Each row has a place on its interval's axis of Wh; where a row of either side begins, a row of each is looked up."""
Columns = dict[str, NDArray[Any]]


def side(rows: int, seed: int) -> Columns:
    """Meters in zones, a year of hours each, meter after meter; so many Wh in each."""
    place = np.arange(rows)
    return {
        "zone": (place // HOURS % ZONES).astype(np.int32),
        "interval_us": START_US + place % HOURS * HOUR_US,
        "row": place.astype(np.int32),
        "units": np.random.default_rng(seed).integers(1, 5_000, rows),
    }


def ours(supply: Columns, demand: Columns) -> Edges:
    """Our side, by the rules of an act: checked, cells numbered, sorted and merged."""
    left, right = (
        Side(one["zone"], one["interval_us"], np.broadcast_to(np.int64(HOUR_US), len(one["row"])), one["units"])
        for one in (supply, demand)
    )
    return match(left, right, [str(zone) for zone in range(ZONES)], RULES)


def load(path: str, supply: Columns, demand: Columns) -> duckdb.DuckDBPyConnection:
    """The peer with both tables; it may answer in any order."""
    peer = duckdb.connect(path)
    peer.execute("SET preserve_insertion_order = false")
    for name, rows in (("supply", supply), ("demand", demand)):
        peer.register("rows", pa.table(rows))
        peer.execute(f"CREATE TABLE {name} AS SELECT * FROM rows")  # noqa: S608 - our own names
        peer.unregister("rows")
    return peer


def theirs(peer: duckdb.DuckDBPyConnection) -> None:
    """The peer's edges, as a table; in a file they are there to stay once it returns."""
    peer.execute(f"CREATE OR REPLACE TABLE edges AS {EDGES}")


def links(edges: Edges, supply: Columns, demand: Columns) -> Columns:
    """Columns of ``link/1``: a register a meter, its intervals one behind the other."""
    start = [np.cumsum(one["units"]) - one["units"] for one in (supply, demand)]
    source, target = start[0][edges.left] + edges.left_at, start[1][edges.right] + edges.right_at
    return {
        "source": edges.left // HOURS,
        "source_start": source,
        "source_stop": source + edges.units,
        "target": edges.right // HOURS,
        "target_start": target,
        "target_stop": target + edges.units,
    }


class Record:
    """A record on disk that takes each round's edges as one sealed fact."""

    def __init__(self, path: Path) -> None:
        self.store, self.size = SqliteStore.open(path), 0

    def match(self, supply: Columns, demand: Columns) -> None:
        """Match, seal and commit; returns when it is durable."""
        segment = Segment(LINKS, links(ours(supply, demand), supply, demand))
        units = int(np.sum(segment.columns["source_stop"] - segment.columns["source_start"]))
        fact = SpansLinked(segment.ref(), LinkKind.CLAIM, START_US, START_US + HOURS * HOUR_US, units, units, 0)
        body = dump({"kind": fact.KIND, "rows": str(fact.segment.rows), "root": fact.segment.root.hex()})
        new = NewFact(fact.KIND, START_US + self.size, body, segment)
        self.store.commit([Write(f"match:{self.size}", bytes(32), [new])])
        self.size += 1


def check(peer: duckdb.DuckDBPyConnection, found: Edges) -> None:
    """Both sides give the same edges, every one."""
    theirs(peer)
    rows = peer.execute('SELECT "left", "right", left_at, right_at, units FROM edges').fetchnumpy()
    mine, other = (np.lexsort((one["right"], one["left"])) for one in ({n: getattr(found, n) for n in NAMES}, rows))
    for name in NAMES:
        assert np.array_equal(getattr(found, name)[mine], np.asarray(rows[name])[other]), name


def run() -> Result:
    """Interleaved rounds, in memory and on disk; every edge is compared first."""
    rows = ROWS // 10 if is_small() else ROWS
    supply, demand = side(rows, 1), side(rows, 2)
    found = ours(supply, demand)
    peer = load(":memory:", supply, demand)
    check(peer, found)
    memory = race(lambda: ours(supply, demand), lambda: theirs(peer), ROUNDS)
    peer.close()
    return told(rows, len(found), memory, on_disk(supply, demand))


def on_disk(supply: Columns, demand: Columns) -> Race:
    """Both with edges durably stored: ours sealed under a Merkle root, theirs in a DuckDB file."""
    with tempfile.TemporaryDirectory() as folder:
        record, peer = Record(Path(folder) / "record"), load(f"{folder}/peer.duckdb", supply, demand)
        record.match(supply, demand)
        durable = race(lambda: record.match(supply, demand), lambda: theirs(peer), ROUNDS)
        record.store.close()
        peer.close()
    return durable


def told(rows: int, edges: int, memory: Race, durable: Race) -> Result:
    """The figures."""
    return Result(
        name="match",
        ours=2 * rows / median(memory.ours_s),
        unit="rows/s matched",
        peer=2 * rows / median(memory.peer_s),
        ratio=memory.ratio,
        peer_name=f"DuckDB {duckdb.__version__} ASOF join",
        notes=(
            f"{memory.spread}; goal {GOAL}; {rows:,} rows a side, {edges:,} edges, {ZONES} zones, {HOURS:,} hours",
            f"in memory {median(memory.ours_s):.2f} s, DuckDB {median(memory.peer_s):.1f} s",
            f"edges durably stored: {durable.ratio:.1f} times, goal {GOAL_DURABLE}; {median(durable.ours_s):.1f} s with"
            f" every edge sealed under a Merkle root, DuckDB {median(durable.peer_s):.1f} s in its file",
            "columns in memory, meter by meter, not sorted by interval; every edge equal, offsets included",
        ),
    )
