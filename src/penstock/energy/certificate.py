"""Certificates: titles to the attribute of what a register counted, interval by interval.

A Wh belongs to the interval in which it completes, so an interval's span runs
between the register's whole positions at its two ends. Where no reading falls on
an end, even power between the readings around it is assumed (EnergyTag GC
Scheme Standard: interval of at most an hour, rounded down).
"""

from __future__ import annotations

import numpy as np

from penstock.errors import Invalid
from penstock.journal.cutting import ratio_down
from penstock.journal.segment import Column
from penstock.period import HOUR_US


def interval_spans(
    register: Column,
    at_us: Column,
    position_wh: Column,
    certified_at_us: Column,
    certified_wh: Column,
    interval_us: int = HOUR_US,
    assurance: Column | None = None,
    *,
    gap: bool = False,
) -> dict[str, Column]:
    """Spans of whole intervals between accepted readings; only intervals that ended are there.

    Args:
        register, at_us, position_wh: accepted readings, in time order within each register; those at or before
            the end of the register's certificates are passed over, so to hand over too many does no harm.
        certified_at_us, certified_wh: by register number, how far its certificates reach, or the reading up to which
            it stood still since.
        interval_us: interval length [us], at most an hour.
        assurance: each reading's level, an index into ASSURANCES; all meter-signed by default.
        gap: whether to say how far apart the readings are that an interval rests on.

    Returns:
        Columns register, start, stop [Wh], interval_us (the interval's start) and assurance (the weakest level of
        the readings behind it), sorted by (register, start), without empty spans. With ``gap`` also gap_us: the longest
        time between the two readings around either end [us], 0 where readings fall on both.

    Raises:
        Invalid: ``certificate.interval`` for intervals above an hour or that do not divide it.
    """
    if not 0 < interval_us <= HOUR_US or HOUR_US % interval_us:
        raise Invalid("certificate.interval", "Certificates cover an hour or a whole part of one.")
    level = np.zeros(len(register), dtype=np.uint8) if assurance is None else assurance
    register, at_us, position_wh, level = _after(register, at_us, position_wh, level, certified_at_us, certified_wh)
    ends = _interval_ends(register, at_us, position_wh, interval_us)
    same = ends["register"][1:] == ends["register"][:-1]
    start, stop = ends["position"][:-1][same], ends["position"][1:][same]
    filled = stop > start
    spans = {
        "register": ends["register"][1:][same][filled],
        "start": start[filled],
        "stop": stop[filled],
        "interval_us": ends["at_us"][:-1][same][filled],
        "assurance": _weakest(level, ends["first"][:-1][same][filled], ends["last"][1:][same][filled]),
    }
    if gap:
        apart = at_us[ends["last"]] - at_us[ends["first"]]
        spans["gap_us"] = np.maximum(apart[:-1], apart[1:])[same][filled]
    return spans


def _weakest(level: Column, first: Column, last: Column) -> Column:
    """The highest code among rows ``first`` to ``last``, both ends included."""
    if not len(first):
        return level[:0]
    bounds = np.column_stack([first, last + 1]).ravel()
    weakest: Column = np.maximum.reduceat(np.r_[level, np.uint8(0)], bounds)[::2]
    return weakest


def _after(
    register: Column,
    at_us: Column,
    position_wh: Column,
    level: Column,
    certified_at_us: Column,
    certified_wh: Column,
) -> tuple[Column, Column, Column, Column]:
    """The readings after the end of each register's certificates, with that put before them, by (register, time)."""
    present = np.unique(register)
    later = at_us > certified_at_us[register]
    register = np.r_[present, register[later]]
    at_us = np.r_[certified_at_us[present], at_us[later]]
    position_wh = np.r_[certified_wh[present], position_wh[later]]
    level = np.r_[np.zeros(len(present), dtype=np.uint8), level[later]]
    order = np.lexsort((at_us, register))
    return register[order], at_us[order], position_wh[order], level[order]


def _interval_ends(register: Column, at_us: Column, position_wh: Column, interval_us: int) -> dict[str, Column]:
    """Each register's whole position at every interval end that its readings reach, floors of even power.

    ``first`` and ``last`` are the readings (rows) that an end's position rests on: one, or the two around it.
    """
    first = np.r_[True, register[1:] != register[:-1]][: len(register)]
    at0, position0 = np.roll(at_us, 1), np.roll(position_wh, 1)
    at0[first] = at_us[first] // interval_us * interval_us - 1  # certificates end where an interval starts
    position0[first] = position_wh[first]
    ends = at_us // interval_us - at0 // interval_us
    row = np.repeat(np.arange(len(register)), ends)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(ends) - ends, ends)
    end_us = (at0[row] // interval_us + 1 + nth) * interval_us
    counted_wh = position_wh[row] - position0[row]
    position = position0[row] + ratio_down(counted_wh, end_us - at0[row], at_us[row] - at0[row])
    before = np.where((end_us == at_us[row]) | first[row], row, row - 1)
    return {"register": register[row], "at_us": end_us, "position": position, "first": before, "last": row}
