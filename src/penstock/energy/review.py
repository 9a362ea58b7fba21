"""Review: a day that is over, looked at as a whole - what hourly packets do not show and a day does.

Twins, copies and flat lines need hours of readings of many registers side by side; packets bring an hour of one. So all
readings of a day that counted are held against each other once more, of all registers at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from penstock.energy.checks.balance import site_balance
from penstock.energy.checks.bounds import NO_BOUNDS
from penstock.energy.checks.copied import copied
from penstock.energy.checks.findings import QUARANTINES, Findings
from penstock.energy.checks.flat import flat_line
from penstock.energy.checks.sky import Sky, noon_us, sky_bounds
from penstock.energy.checks.step import Steps, runs
from penstock.energy.checks.sun import SkySteps
from penstock.energy.checks.twin import twin_devices
from penstock.energy.device import Devices
from penstock.energy.message import NO_POWER
from penstock.errors import Invalid
from penstock.journal.segment import Column, Columns
from penstock.period import DAY_US
from penstock.physics.cell import parse_cell

RULES: Final = "review/1"
DAY_ENDS_US: Final = DAY_US // 2
"""How long after a date's end in UTC it has ended by the sun of every place [us]."""
Ints = NDArray[Any]


class Reviewed(NamedTuple):
    """What a review found (columns of ``review/1``), and how many registers and readings it looked at."""

    found: dict[str, Column]
    registers: int
    readings: int


def of_day(readings: Columns, day: int, devices: Devices) -> dict[str, Column]:
    """Register, instant and position of the readings that count (columns of any ``reading``), of one day by the sun.

    ``day`` is its date, in days since 1970. Stand-ins for erased readings are no readings.
    """
    rows = np.flatnonzero((readings["verdict"] == 0) & (readings["packet"] >= 0))
    device = devices.device_of[readings["register"][rows]]
    midnight_us = _midnights_us(devices.cells)[devices.cell[device]]
    rows = rows[(readings["at_us"][rows] - 1 - midnight_us) // DAY_US == day]
    return {name: readings[name][rows] for name in ("register", "at_us", "position_wh")}


def review(parts: Sequence[Columns], devices: Devices, sky: Sky) -> Reviewed:
    """Hold the readings of a day (columns as of `of_day`, part by part as they came) against each other.

    TWIN, COPIED, FLAT and SITE_BALANCE by the rules of their checks; who came first counts. A finding somebody has
    overruled for a register does not come again for readings that counted by then.
    """
    joined = {name: np.concatenate([part[name] for part in parts]) for name in ("register", "at_us", "position_wh")}
    steps = _steps(joined, devices)
    findings = twin_devices(steps) | flat_line(steps)
    if len(devices.parent_of):
        findings |= site_balance(steps, devices.parent_of)
    bounds = sky_bounds(devices, steps.device, steps.at_us, sky)
    if bounds is not NO_BOUNDS:
        findings |= copied(steps, SkySteps.of(steps, bounds))
    return Reviewed(_first_doubts(steps, findings, devices), len(np.unique(joined["register"])), len(joined["at_us"]))


def _steps(readings: Columns, devices: Devices) -> Steps:
    """Each reading but a register's first of the day, with the one before it."""
    order = np.lexsort((readings["at_us"], readings["register"]))
    register, at_us, wh = (readings[name][order] for name in ("register", "at_us", "position_wh"))
    later = np.flatnonzero(register[1:] == register[:-1]) + 1
    device = devices.device_of[register[later]]
    nothing_said = np.full(len(later), NO_POWER)
    return Steps(
        row=order[later],
        register=register[later],
        device=device,
        message=np.zeros(len(later), dtype=np.int64),
        at_us=at_us[later],
        wh=wh[later],
        at0_us=at_us[later - 1],
        wh0=wh[later - 1],
        power_mw=nothing_said,
        power0_mw=nothing_said,
        joined=np.zeros(len(later), dtype=np.bool_),
        capacity_w=devices.capacity_w[device],
        technology=devices.technology[device],
    )


def _first_doubts(steps: Steps, findings: Findings, devices: Devices) -> dict[str, Column]:
    """A row a register of which something was found: all of it, from the first step with energy that quarantines on, if
    any: who counts nothing is not doubted."""
    findings = np.where(steps.at_us <= devices.cleared_us[steps.register], findings & ~QUARANTINES, findings)
    rows = np.flatnonzero((findings != 0) & (steps.energy_wh > 0))
    rows = rows[np.lexsort((steps.at_us[rows], (findings[rows] & QUARANTINES) == 0, steps.register[rows]))]
    starts = runs(steps.register[rows])
    first = rows[starts]
    every = np.bitwise_or.reduceat(findings[rows], starts) if len(rows) else findings[rows]
    return {"register": steps.register[first], "at_us": steps.at_us[first], "findings": every.astype(np.uint32)}


def _midnights_us(cells: Sequence[str]) -> Ints:
    """When the day begins by the sun, from 00:00 UTC [us], by number of cell; 0 where a cell is no place."""
    return np.array([_midnight_us(cell) for cell in cells], dtype=np.int64)


def _midnight_us(cell: str) -> int:
    try:
        return noon_us(parse_cell(cell)) - DAY_US // 2
    except Invalid:
        return 0
