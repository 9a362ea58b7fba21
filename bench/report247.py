"""A year's 24/7 report for 10,000 sites, hourly: from Parquet to the page, against DuckDB on the same files."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.result import Result, is_small
from penstock.energy.carbon.borders import Borders
from penstock.energy.carbon.factors import Factors
from penstock.energy.carbon.matched import lay
from penstock.journal.segment import Columns
from penstock.period import HOUR_US, Period, from_us
from penstock.usecases.report_247 import told
from penstock.usecases.report_247.figures import Certificates, Figures, inventories, tally
from penstock.usecases.report_247.readings import read_borders
from penstock.usecases.report_247.request import Scope

SITES, ZONES, GOAL_S = 10_000, 4, 30
PERIOD: Final = Period(1_735_689_600_000_000, 1_767_225_600_000_000)  # 2025
HOURS: Final = (PERIOD.stop_us - PERIOD.start_us) // HOUR_US
CLAIM_FILES: Final = 40
Arrays = dict[str, NDArray[Any]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Year:
    """A year on disk: readings by day, claims by range of sites; factors and scope in memory."""

    folder: Path
    scope: Scope
    grid: list[Factors]


def make(folder: Path, sites: int) -> Year:
    """Sites that draw at random, and certificates for the daylight part of it."""
    zone = np.sort(np.arange(sites) % ZONES)
    names = [f"site-{number:05}" for number in range(sites)]
    register = np.arange(sites)
    scope = Scope(register, register, zone, np.full(sites, PERIOD.start_us), names, [f"zone-{z}" for z in range(ZONES)])
    year = Year(folder, scope, [_factors(number) for number in range(ZONES)])
    drawn = np.empty((sites, HOURS), dtype=np.int32)
    position = np.zeros(sites, dtype=np.int64)
    for day in range(HOURS // 24):
        position = _write_day(folder, day, drawn, position)
    for part in range(CLAIM_FILES):
        _write_claims(folder, part, drawn)
    return year


def _factors(zone: int) -> Factors:
    dice = np.random.default_rng(zone)
    average = dice.integers(50_000, 500_000, HOURS)
    free = dice.integers(0, 10_001, HOURS)
    none = np.full(HOURS, -1)
    return Factors(average, average * 5 // 4, average * 3 // 2, free, none, none)


def _write_day(folder: Path, day: int, drawn: NDArray[Any], position: NDArray[Any]) -> NDArray[Any]:
    """A day's readings in order of time, as intake seals them; returns where registers stand after it."""
    today = np.random.default_rng([7, day]).integers(0, 3_000, (24, len(position)), dtype=np.int32)
    drawn[:, day * 24 : (day + 1) * 24] = today.T
    at = position + np.cumsum(today, axis=0, dtype=np.int64)
    hour = np.repeat(np.arange(day * 24 + 1, day * 24 + 25), len(position))
    columns = {
        "register": np.tile(np.arange(len(position), dtype=np.int32), 24),
        "at_us": PERIOD.start_us + hour * HOUR_US,
        "position_wh": at.ravel(),
        "verdict": np.zeros(at.size, dtype=np.uint8),
    }
    pq.write_table(pa.table(columns), folder / f"reading-{day:03}.parquet", compression="lz4")
    last: NDArray[Any] = at[-1]
    return last


def _write_claims(folder: Path, part: int, drawn: NDArray[Any]) -> None:
    """Half of what daylight hours drew, claimed for its first units; sorted by what is claimed for."""
    bounds = np.linspace(0, len(drawn), CLAIM_FILES + 1).astype(int)[part : part + 2]
    mine = drawn[bounds[0] : bounds[1]].astype(np.int64)
    hour = np.arange(HOURS) % 24
    claimed = np.where((hour >= 7) & (hour < 18), mine // 2, 0)
    start = np.cumsum(mine, axis=1) - mine
    row, at = np.nonzero(claimed)
    columns = {
        "row": (row + bounds[0]).astype(np.int32),
        "hour": at.astype(np.int32),
        "start": start[row, at],
        "stop": start[row, at] + claimed[row, at],
        "carbon": np.where(row % 2 == 0, 0, 30_000).astype(np.int32),
    }
    pq.write_table(pa.table(columns), folder / f"claim-{part:03}.parquet", compression="lz4")


def batches(year: Year) -> Iterator[tuple[int, Columns]]:
    """Readings, day by day."""
    for number, path in enumerate(sorted(year.folder.glob("reading-*.parquet"))):
        yield number, _columns(path)


def _columns(path: Path) -> Arrays:
    found = pq.ParquetFile(path).read()
    return {name: found[name].to_numpy() for name in found.column_names}


def ours(year: Year) -> tuple[Figures, dict[str, Any]]:
    """Borders, claims, all figures, and the rows that the page shows."""
    read = read_borders(year.scope, PERIOD, batches(year), len(year.scope))
    parts = [_columns(path) for path in sorted(year.folder.glob("claim-*.parquet"))]
    claims = {name: np.concatenate([part.pop(name) for part in parts]) for name in list(parts[0])}
    figures = tally(year.scope, read.borders, claims, claims["hour"], year.grid)
    zone = year.scope.zone.astype(np.int8)[claims["row"]]
    quantity = claims["stop"] - claims["start"]
    of_zone = [zone == number for number in range(ZONES)]
    wh = [int(quantity[mine].sum()) for mine in of_zone]
    own = [int(np.dot(quantity[mine], claims["carbon"][mine].astype(np.int64))) for mine in of_zone]
    certificates = Certificates(zone, claims["carbon"].astype(np.int64), wh, own)
    figures.zones = inventories(figures, certificates, year.grid, year.grid)
    local = [from_us(int(at)).astimezone(UTC) for at in range(PERIOD.start_us, PERIOD.stop_us, HOUR_US)]
    rows = {
        "sites": told.sites(year.scope, figures, year.scope.sites),
        "months": told.months(local, figures),
        "heat": told.heat(local, figures),
        "figures": told.figures(figures.total),
    }
    return figures, rows


HOURLY: Final = """
CREATE OR REPLACE TEMP TABLE hourly AS
WITH drawn AS (
  SELECT register, (at_us - {start}) // {hour} - 1 AS hour,
         position_wh - lag(position_wh, 1, 0) OVER (PARTITION BY register ORDER BY at_us) AS drawn
  FROM read_parquet('{folder}/reading-*.parquet') WHERE verdict = 0),
claimed AS (
  SELECT row AS register, hour, sum(stop - start)::BIGINT AS matched, sum((stop - start) * carbon)::BIGINT AS own_ug
  FROM read_parquet('{folder}/claim-*.parquet') GROUP BY ALL)
SELECT d.register, d.hour, s.zone, drawn, coalesce(matched, 0) AS matched, coalesce(own_ug, 0) AS own_ug,
       drawn * average AS location_ug, (drawn - coalesce(matched, 0)) * residual AS hourly_ug,
       coalesce(matched, 0) * 10000 + (drawn - coalesce(matched, 0)) * free AS free_wh_bp
FROM drawn d LEFT JOIN claimed USING (register, hour) JOIN site s USING (register)
JOIN factor f ON f.zone = s.zone AND f.hour = d.hour
"""
SUMS: Final = "sum(drawn), sum(matched), sum(location_ug), sum(hourly_ug), sum(free_wh_bp), sum(own_ug)"
BY_ZONE: Final = f"SELECT zone, {SUMS} FROM hourly GROUP BY zone ORDER BY zone"  # noqa: S608 (our own text)
BY_SITE: Final = f"SELECT register, {SUMS} FROM hourly GROUP BY register ORDER BY register"  # noqa: S608
BY_HEAT: Final = """
SELECT month(make_timestamp({start} + hour * {hour})) AS m, hour % 24 AS h, sum(drawn), sum(matched)
FROM hourly GROUP BY ALL ORDER BY ALL
"""


def peer(session: duckdb.DuckDBPyConnection, year: Year) -> list[list[Any]]:
    """The same figures by plain SQL: by zone, by site, by month and hour of the day."""
    named = {"start": PERIOD.start_us, "hour": HOUR_US, "folder": year.folder}
    session.execute(HOURLY.format(**named))
    return [session.execute(text.format(**named)).fetchall() for text in (BY_ZONE, BY_SITE, BY_HEAT)]


def prepare(year: Year) -> duckdb.DuckDBPyConnection:
    """A session with what is small in memory already."""
    session = duckdb.connect(config={"threads": 2, "memory_limit": "8GB", "temp_directory": str(year.folder / "spill")})
    site = pa.table({"register": year.scope.register, "zone": year.scope.zone})
    factor = pa.concat_tables(
        pa.table(
            {"zone": np.full(HOURS, zone), "hour": np.arange(HOURS), "average": one.average, "residual": one.residual,
             "free": one.carbon_free_bp}
        )
        for zone, one in enumerate(year.grid)
    )  # fmt: skip
    session.register("site_rows", site)
    session.register("factor_rows", factor)
    session.execute("CREATE TABLE site AS SELECT * FROM site_rows; CREATE TABLE factor AS SELECT * FROM factor_rows")
    return session


def check(figures: Figures, rows: dict[str, Any], theirs: list[list[Any]]) -> None:
    """Every figure of both is the same."""
    zones, sites, heat = theirs
    assert figures.drawn.sum(axis=1).tolist() == [row[1] for row in zones]
    assert [one.location_ug for one in figures.zones] == [row[3] for row in zones]
    assert [one.market_hourly_ug for one in figures.zones] == [row[4] + row[6] for row in zones]
    assert [one.carbon_free_wh_bp for one in figures.zones] == [row[5] for row in zones]
    mine = (figures.register_drawn, figures.register_matched, figures.register_location_ug, figures.register_hourly_ug)
    for place, column in enumerate(mine, 1):
        assert column.tolist() == [row[place] for row in sites]
    for name, place in (("drawn_wh", 2), ("matched_wh", 3)):
        assert list(chain.from_iterable(rows["heat"][name])) == [row[place] for row in heat]


def run() -> Result:
    """Both sides over the same files; figures compared, then timed in turn."""
    sites = SITES // 50 if is_small() else SITES
    with tempfile.TemporaryDirectory() as folder:
        year = make(Path(folder), sites)
        compile_kernels()
        with prepare(year) as session:
            return measure(year, session)


def timed(act: Callable[[], T]) -> tuple[float, T]:
    """Wall-clock seconds of one call, and what it gave."""
    start = time.perf_counter()
    found = act()
    return time.perf_counter() - start, found


def compile_kernels() -> None:
    """Call both kernels once with the types that they will meet."""
    rows = 1 << 15
    row, at_us = np.zeros(rows, dtype=np.int32), PERIOD.start_us + np.arange(rows) * HOUR_US
    borders = Borders.of(PERIOD, 1)
    borders.read(row, at_us, np.arange(rows))
    lay(row, np.arange(rows), np.arange(rows) + 1, row, borders.position, np.zeros((1, HOURS), dtype=np.int64))


def measure(year: Year, session: duckdb.DuckDBPyConnection) -> Result:
    """The figures: ours twice, then the peer, which is slow enough to be asked once."""
    before_s = time.process_time()
    first_s, _ = timed(lambda: ours(year))
    again_s, (figures, rows) = timed(lambda: ours(year))
    cpu_s = (time.process_time() - before_s) / 2
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_024
    peer_s, theirs = timed(lambda: peer(session, year))
    check(figures, rows, theirs)
    ours_s, cells, claims = (first_s + again_s) / 2, len(year.scope) * HOURS, len(figures.counted)
    return Result(
        name="report247",
        ours=ours_s,
        unit="s for a year's report",
        peer=peer_s,
        ratio=peer_s / ours_s,
        peer_name=f"DuckDB {duckdb.__version__}",
        notes=(
            f"goal below {GOAL_S} s; {len(year.scope):,} sites, {cells:,} readings in 365 files, {claims:,} claims",
            f"ours {first_s:.1f} s, again {again_s:.1f} s, {cpu_s:.1f} s of a processor each; at most {peak_mb:,} MB",
            "Parquet to figures by zone, site, month and hour of the day on both sides; ours carries positions to the"
            " ends of hours whenever readings come, the SQL takes it that they come on the hour",
            "DuckDB: 2 threads, 8 GB of memory",
        ),
    )
