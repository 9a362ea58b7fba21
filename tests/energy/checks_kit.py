"""Columns for the tests of the reading checks: a fleet's books, and readings of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from penstock.energy.checks.bounds import Bounds
from penstock.energy.checks.findings import bit
from penstock.energy.checks.table import Checked, check_readings
from penstock.energy.verdict import ReadingVerdict
from penstock.journal.words import TECHNOLOGIES, Technology
from penstock.period import HOUR_US, QUARTER_HOUR_US, parse_iso

START_US = parse_iso("2026-06-21T00:00:00Z")
LATE_US = parse_iso("2030-01-01T00:00:00Z")
Ints = np.ndarray[Any, Any]


@dataclass
class Books:
    """``count`` devices with a register each, numbered alike, at 0 since ``START_US``; columns may be set."""

    count: int = 1
    capacity: int = 4_000
    kind: Technology = Technology.SOLAR_PV
    rolls_over: int = 0
    cells: tuple[str, ...] = ("9xj4",)
    tilt_deg: Ints = field(init=False)
    last_wh: Ints = field(init=False)
    last_at_us: Ints = field(init=False)
    held_since_us: Ints = field(init=False)
    epoch_start_wh: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.capacity_w = np.full(self.count, self.capacity)
        self.commissioned_us = np.full(self.count, START_US)
        self.technology = np.full(self.count, TECHNOLOGIES.index(self.kind), np.uint8)
        self.tilt_deg = np.full(self.count, 30, np.int16)
        self.azimuth_deg = np.full(self.count, 180, np.int16)
        self.cell = np.zeros(self.count, np.int32)
        self.device_of = np.arange(self.count, dtype=np.int32)
        self.last_at_us = np.full(self.count, START_US)
        self.rolls_over_wh = np.full(self.count, self.rolls_over)
        self.last_wh, self.epoch_start_wh, self.held_since_us = (np.zeros(self.count, np.int64) for _ in range(3))


def readings(position_wh: Any, at_us: Any = None, register: Any = None, **more: Any) -> dict[str, Ints]:
    """Quarter-hours of register 0 unless said otherwise."""
    position = np.asarray(position_wh, dtype=np.int64)
    steps = np.arange(1, len(position) + 1, dtype=np.int64)
    registers = np.zeros(len(position), np.int32) if register is None else np.asarray(register, np.int32)
    return {
        "register": registers,
        "device": np.maximum(registers, 0),
        "message": np.zeros(len(position), np.int64),
        "at_us": START_US + steps * QUARTER_HOUR_US if at_us is None else np.asarray(at_us, np.int64),
        "position_wh": position,
        **{name: np.asarray(column) for name, column in more.items()},
    }


def checked(columns: dict[str, Ints], books: Books | None = None, **more: Any) -> Checked:
    """The readings judged against ``books``, received in 2030."""
    return check_readings(columns, books or Books(), more.pop("received_us", LATE_US), **more)


def found(outcome: Checked, verdict: ReadingVerdict) -> list[bool]:
    """Which readings have that finding."""
    flags: list[bool] = ((outcome.findings & bit(verdict)) != 0).tolist()
    return flags


def square_sun(count: int = 1, days: int = 3) -> Bounds:
    """A sun that gives 1,000 Wh per kW in each hour from 06:00 to 18:00 UTC, for all devices."""
    hours = np.tile(np.repeat([0, 250, 0], [24, 48, 24]), days)
    cumulative = np.r_[0, np.cumsum(hours)][None, :]
    noon = np.array([12 * HOUR_US])
    return Bounds(START_US, QUARTER_HOUR_US, cumulative, np.zeros(count, np.int32), noon)
