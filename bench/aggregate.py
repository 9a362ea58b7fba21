"""Readings to hours: 10 million quarter-hours, against PostgreSQL on the same rows."""

from __future__ import annotations

from statistics import median
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from bench.postgres_rows import bulk_server, copy_in, copy_out
from bench.result import Result, is_small, race
from penstock.energy.hours import interval_totals
from penstock.period import HOUR_US, QUARTER_HOUR_US

REGISTERS, QUARTERS, ROUNDS = 10_000, 1_000, 5
START_US: Final = 1_700_000_000_000_000 // HOUR_US * HOUR_US
GOAL: Final = 10
NAMES: Final = ("register", "interval_us", "position_wh", "counted_wh", "readings")
BY_HOUR: Final = f"""
SELECT register, hour * {HOUR_US}, last_wh,
       last_wh - coalesce(lag(last_wh) OVER (PARTITION BY register ORDER BY hour), first_wh), readings
FROM (SELECT register::bigint, (at_us - 1) / {HOUR_US} AS hour, max(position_wh) AS last_wh,
             min(position_wh) AS first_wh, count(*) AS readings
      FROM reading GROUP BY 1, 2) AS found (register, hour, last_wh, first_wh, readings)
"""  # noqa: S608 - our own constants
SUMS: Final = f"SELECT count(*), sum(counted_wh), sum(readings) FROM ({BY_HOUR}) AS h ({', '.join(NAMES)})"  # noqa: S608
Columns = dict[str, NDArray[Any]]


def readings(registers: int, quarters: int) -> Columns:
    """Registers that only go up, read each quarter of an hour; sorted by (register, instant)."""
    steps = np.random.default_rng(7).integers(0, 3_000, (registers, quarters))
    return {
        "register": np.repeat(np.arange(registers, dtype=np.int32), quarters),
        "at_us": np.tile(START_US + QUARTER_HOUR_US * np.arange(1, quarters + 1), registers),
        "position_wh": np.cumsum(steps, axis=1).ravel(),
    }


def as_they_come(rows: Columns) -> Columns:
    """The same readings in order of time: every register's first, then every register's second."""
    order = np.argsort(rows["at_us"], kind="stable")
    return {name: column[order] for name, column in rows.items()}


def hours(rows: Columns) -> Columns:
    """Our side."""
    return interval_totals(rows["register"], rows["at_us"], rows["position_wh"])


def load(session: psycopg.Connection[Any], rows: Columns) -> None:
    """A table as one would keep for this: keyed, in the key's order, its statistics fresh."""
    session.execute("CREATE TABLE reading (register int4, at_us int8, position_wh int8)")
    copy_in(session, "reading", rows)
    session.execute("ALTER TABLE reading ADD PRIMARY KEY (register, at_us)")
    session.execute("VACUUM ANALYZE reading")


def run() -> Result:
    """Interleaved rounds; every row of the answer is compared first."""
    registers = REGISTERS // 20 if is_small() else REGISTERS
    rows = readings(registers, QUARTERS)
    with bulk_server() as server, psycopg.connect(server.address, autocommit=True) as session:
        load(session, rows)
        check(session, rows)
        return measure(session, rows)


def check(session: psycopg.Connection[Any], rows: Columns) -> None:
    """Both sides give the same hours, all of them, however the rows come."""
    theirs = copy_out(session, BY_HOUR + " ORDER BY 1, 2", NAMES)
    for order in (rows, as_they_come(rows)):
        ours = hours(order)
        assert all(np.array_equal(ours[name], theirs[name]) for name in NAMES)


def measure(session: psycopg.Connection[Any], rows: Columns) -> Result:
    """The figures. The peer is spared sending its rows: it answers with their number and sums."""
    count, unordered = len(rows["register"]), as_they_come(rows)
    both = race(lambda: hours(rows), lambda: session.execute(SUMS.encode()).fetchone(), ROUNDS)
    other = race(lambda: hours(unordered), lambda: None, ROUNDS)
    return Result(
        name="aggregate",
        ours=count / median(both.ours_s),
        unit="readings/s to hours",
        peer=count / median(both.peer_s),
        ratio=both.ratio,
        peer_name=f"PostgreSQL {session.info.server_version // 10_000}",
        notes=(
            f"{both.spread}; goal {GOAL}; {count:,} readings of {count // QUARTERS:,} registers, columns in memory",
            f"in order of time instead of register, sorting included: {count / median(other.ours_s):,.0f} readings/s",
            "PostgreSQL: keyed, vacuumed, 1 GB buffers, 256 MB work_mem; it sends sums only, ours gives every hour",
        ),
    )
