"""Readings to intervals: how far each register had got by the end of each, in one pass over columns.

Rows of one register do not depend on those of another, so parts that share no register can be reckoned apart, on as
many cores or machines as there are, and their results stand side by side.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.journal.segment import Column
from penstock.period import HOUR_US

BLOCK_ROWS: Final = 1 << 17
"""A block's instants and intervals fit a core's cache."""
_DIGIT: Final = 16
Rows = NDArray[np.int64]


def interval_totals(
    register: Column, at_us: Column, position_wh: Column, interval_us: int = HOUR_US
) -> dict[str, Column]:
    """What accepted readings come to by register and interval, sorted by (register, interval).

    A Wh belongs to the interval in which it completes, so a reading at an interval's very end belongs to it.

    Args:
        register, at_us, position_wh: accepted readings in any order; a register's position never goes back in time.
        interval_us: interval length [us].

    Returns:
        Columns register; interval_us, the interval's start; position_wh at the last reading in it; counted_wh since
        the register's reading before the interval, 0 Wh before its first reading of all; readings in it.
    """
    order = reading_order(register, at_us)
    if order is not None:
        register, at_us, position_wh = register[order], at_us[order], position_wh[order]
    starts = _group_starts(register, at_us, interval_us)
    lasts = np.append(starts[1:], len(register))[: len(starts)] - 1
    position = position_wh[lasts]
    before = np.roll(position, 1)
    first = np.flatnonzero(np.append(True, register[starts][1:] != register[starts][:-1])[: len(starts)])
    before[first] = position_wh[starts[first]]
    return {
        "register": register[starts],
        "interval_us": (at_us[starts] - 1) // interval_us * interval_us,
        "position_wh": position,
        "counted_wh": position - before,
        "readings": np.diff(np.append(starts, len(register))),
    }


def reading_order(register: Column, at_us: Column) -> Rows | None:
    """The rows sorted by (register, instant), equal ones in the order they came; None where they are already.

    Readings mostly come in the order of time, and sorting by register is then enough.
    """
    if _in_order(register, at_us):
        return None
    order = _by_register(register, np.arange(len(register)))
    if _in_order(register[order], at_us[order]):
        return order
    return _by_register(register, np.argsort(at_us, kind="stable"))


def _by_register(register: Column, order: Rows) -> Rows:
    """``order`` sorted by register, stably: registers are small numbers, so digit by digit in linear time."""
    for shift in range(0, int(register.max()).bit_length(), _DIGIT):
        digit = (register[order] >> shift).astype(np.uint16)
        order = order[np.argsort(digit, kind="stable")]
    return order


def _in_order(register: Column, at_us: Column) -> bool:
    for rows in _blocks(len(register)):
        a, b = register[rows], at_us[rows]
        if not ((a[1:] > a[:-1]) | ((a[1:] == a[:-1]) & (b[1:] >= b[:-1]))).all():
            return False
    return True


def _group_starts(register: Column, at_us: Column, interval_us: int) -> Rows:
    """The first row of each (register, interval)."""
    found = [np.zeros(min(len(register), 1), dtype=np.int64)]
    for rows in _blocks(len(register)):
        interval = (at_us[rows] - 1) // interval_us
        new = (register[rows][1:] != register[rows][:-1]) | (interval[1:] != interval[:-1])
        found.append(np.flatnonzero(new) + rows.start + 1)
    return np.concatenate(found)


def _blocks(rows: int) -> list[slice]:
    """Blocks that overlap by one row, so that each row meets the one before it."""
    return [slice(max(at - 1, 0), min(at + BLOCK_ROWS, rows)) for at in range(0, rows, BLOCK_ROWS)]
