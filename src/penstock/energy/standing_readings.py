"""Which readings stand already: found by register and instant among any number, exactly, for columns at once.

Readings lie in sorted runs; each is at least twice as long as the next, so that a hundred million of them are some
twenty searches and each reading is merged about as often. A run's columns are only read, so they may be mapped files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.energy.checks.seen import NOT_SEEN
from penstock.energy.hours import reading_order
from penstock.journal.segment import Column

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Readings sorted by (register, instant), each pair once; register n's are rows ``[first[n], first[n + 1])``."""

    first: Rows
    at_us: Column
    position_wh: Column

    def __len__(self) -> int:
        return len(self.at_us)

    def find(self, register: Column, at_us: Column) -> Rows:
        """The row of each (register, instant), -1 where there is none: a binary search of all at once."""
        known = (register >= 0) & (register < len(self.first) - 1)
        held = np.where(known, register, 0)
        low, high = self.first[held], np.where(known, self.first[held + 1], self.first[held])
        end = high.copy()
        for _ in range(int((high - low).max(initial=0)).bit_length()):
            middle = (low + high) >> 1
            right = (low < high) & (self.at_us[np.minimum(middle, len(self) - 1)] < at_us)
            low, high = np.where(right, middle + 1, low), np.where(right, high, middle)
        found = low < end
        found[found] = self.at_us[low[found]] == at_us[found]
        return np.where(found, low, -1)

    def registers(self) -> Column:
        """The register of each row."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))


class StandingReadings:
    """The readings that stand, in runs."""

    def __init__(self, runs: tuple[Run, ...] = ()) -> None:
        self._runs = list(runs)

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def positions(self, register: Column, at_us: Column) -> Column:
        """Where the standing reading of each register and instant stands [Wh], `NOT_SEEN` where there is none."""
        position: Column = np.full(len(register), NOT_SEEN, dtype=np.int64)
        for run in self._runs:
            rows = run.find(register, at_us)
            position[rows >= 0] = run.position_wh[rows[rows >= 0]]
        return position

    def new(self, register: Column, at_us: Column) -> Mask:
        """Which rows are about a register and instant that no standing reading, and no row before, is about."""
        new: Mask = (self.positions(register, at_us) == NOT_SEEN) & first_of_each(register, at_us)
        return new

    def add(self, register: Column, at_us: Column, position_wh: Column) -> None:
        """Let new readings stand; each (register, instant) must be new."""
        if not len(register):
            return
        self._runs.append(run_of(register, at_us, position_wh))
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            newer, older = self._runs.pop(), self._runs.pop()
            self._runs.append(_merged(older, newer))


def first_of_each(register: Column, at_us: Column) -> Mask:
    """Which rows are the first in these columns about their register and instant."""
    order = reading_order(register, at_us)
    rows = np.arange(len(register)) if order is None else order
    a, b = register[rows], at_us[rows]
    first: Mask = np.ones(len(rows), dtype=np.bool_)
    first[rows[1:]] = (a[1:] != a[:-1]) | (b[1:] != b[:-1])
    return first


def run_of(register: Column, at_us: Column, position_wh: Column) -> Run:
    """A run of readings in any order, each (register, instant) once."""
    order = reading_order(register, at_us)
    if order is not None:
        register, at_us, position_wh = register[order], at_us[order], position_wh[order]
    counts = np.bincount(register)
    return Run(np.append(0, np.cumsum(counts)), at_us.astype(np.int64), position_wh.astype(np.int64))


def _merged(older: Run, newer: Run) -> Run:
    columns = zip(
        (older.registers(), older.at_us, older.position_wh),
        (newer.registers(), newer.at_us, newer.position_wh),
        strict=True,
    )
    return run_of(*(np.concatenate(pair) for pair in columns))
