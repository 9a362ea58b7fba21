"""Where registers stood at the borders of hours, from readings as they come: what was drawn in each hour.

Where no reading falls on a border, even power between the readings around it is assumed, rounded down: the rule of
certificates (`energy.certificate`), so that an hour here and a certificate's hour are the same Wh.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.journal.cutting import ratio_down
from penstock.journal.segment import Column
from penstock.period import HOUR_US, Period

Ints = NDArray[Any]
BULK_ROWS: Final = 20_000  # from here on compiling the kernel pays
UNKNOWN: Final = -1


@dataclass(slots=True, eq=False)
class Borders:
    """Positions of registers at the ends of a period's intervals, filled batch by batch of readings.

    ``position[i, k]`` is where register i stood at ``start_us + k * interval_us``, -1 where no reading reaches.
    ``last_at_us`` and ``last_wh`` carry on from batch to batch; ``filled[i]`` counts borders between readings that
    are more than an interval apart.
    """

    start_us: int
    interval_us: int
    position: NDArray[np.int64]
    last_at_us: NDArray[np.int64]
    last_wh: NDArray[np.int64]
    filled: NDArray[np.int64]

    @classmethod
    def of(cls, period: Period, registers: int, interval_us: int = HOUR_US) -> Borders:
        """Nothing known yet of so many registers; the period begins and ends on borders."""
        intervals = (period.stop_us - period.start_us) // interval_us
        position = np.full((registers, intervals + 1), UNKNOWN, dtype=np.int64)
        unknown = np.full(registers, UNKNOWN, dtype=np.int64)
        return cls(period.start_us, interval_us, position, unknown, unknown.copy(), np.zeros(registers, np.int64))

    def begin(self, row: Ints, at_us: Ints, position: Ints) -> None:
        """Where registers (rows) stood before their first reading, when they were commissioned."""
        self.read(row, at_us, position)

    def read(self, row: Ints, at_us: Ints, position: Ints) -> None:
        """Take in accepted readings: the register's row here, instants in order within each, positions."""
        fill = compiled_fill() if len(row) >= BULK_ROWS else fill_plain
        fill(
            row, at_us, position, self.start_us // self.interval_us, self.interval_us,
            self.position, self.last_at_us, self.last_wh, self.filled,
        )  # fmt: skip

    def drawn(self, rows: slice = slice(None)) -> tuple[Column, NDArray[np.bool_]]:
        """What registers counted in each interval, and where that is known: both of shape (registers, intervals)."""
        at = self.position[rows]
        known = (at[:, 1:] >= 0) & (at[:, :-1] >= 0)
        return np.where(known, at[:, 1:] - at[:, :-1], 0), known


def fill_borders(
    row: Ints, at_us: Ints, position: Ints, first: int, interval_us: int, border: Ints, last_at: Ints, last_wh: Ints,
    filled: Ints,
) -> None:  # fmt: skip
    """Carry each reading to the borders since its register's reading before; ``first`` is the number of border 0."""
    borders = border.shape[1]
    for i in range(len(row)):
        r, at, wh = row[i], at_us[i], position[i]
        before, before_wh = last_at[r], last_wh[r]
        last_at[r], last_wh[r] = at, wh
        low = before // interval_us + 1 if before >= 0 else (at + interval_us - 1) // interval_us
        high = at // interval_us
        if before < 0:
            before, before_wh = at - 1, wh
        span, counted = at - before, wh - before_wh
        if span <= 0:
            continue
        for number in range(max(low, first), min(high, first + borders - 1) + 1):
            after = number * interval_us - before
            share = np.int64(np.float64(counted) * after / span)
            share += (counted * after - share * span) // span  # products may wrap; their difference is small
            border[r, number - first] = before_wh + share
            if span > interval_us and after < span:
                filled[r] += 1


@cache
def compiled_fill() -> Callable[..., None]:
    """`fill_borders`, compiled."""
    from numba import njit

    try:
        compiled: Callable[..., None] = njit(cache=True)(fill_borders)
    except RuntimeError:  # nowhere to keep the machine code
        compiled = njit()(fill_borders)
    return compiled


def fill_plain(
    row: Ints, at_us: Ints, position: Ints, first: int, interval_us: int, border: Ints, last_at: Ints, last_wh: Ints,
    filled: Ints,
) -> None:  # fmt: skip
    """`fill_borders` in columns."""
    order = np.argsort(row, kind="stable")
    row, at_us, position = row[order], at_us[order].astype(np.int64), position[order].astype(np.int64)
    begins = np.append(True, row[1:] != row[:-1])[: len(row)]
    before, before_wh = np.roll(at_us, 1), np.roll(position, 1)
    before[begins], before_wh[begins] = last_at[row[begins]], last_wh[row[begins]]
    ends = np.append(begins[1:], True)[: len(row)]
    last_at[row[ends]], last_wh[row[ends]] = at_us[ends], position[ends]
    fresh = before < 0
    low = np.where(fresh, -(-at_us // interval_us), before // interval_us + 1)
    before, before_wh = np.where(fresh, at_us - 1, before), np.where(fresh, position, before_wh)
    span, counted = at_us - before, position - before_wh
    low, high = np.maximum(low, first), np.minimum(at_us // interval_us, first + border.shape[1] - 1)
    count = np.where(span > 0, np.maximum(high - low + 1, 0), 0)
    at = np.repeat(np.arange(len(row)), count)
    number = low[at] + np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count)
    after = number * interval_us - before[at]
    border[row[at], number - first] = before_wh[at] + ratio_down(counted[at], after, span[at])
    np.add.at(filled, row[at], (span[at] > interval_us) & (after < span[at]))
