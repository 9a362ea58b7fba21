"""Claims laid on the hours of what they are claimed for: how much of each hour a certificate of that hour covers.

A claim counts in an hour where both say so: the Wh it is claimed for were drawn in that hour, and its certificate was
issued for that hour. What is claimed across hours counts in a year's volume alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]
BULK_ROWS: Final = 20_000


def lay(row: Ints, start: Ints, stop: Ints, hour: Ints, position: Ints, matched: Ints) -> NDArray[np.int64]:
    """Add claims to ``matched`` (registers, intervals), in place; what of each claim counts in its own hour [Wh].

    Args:
        row: the register (a row of ``position``) that drew what is claimed for; start, stop: its units.
        hour: the interval of the certificate behind, by number in the period; -1 where it lies outside.
        position: where registers stood at the borders of intervals (`Borders.position`).
    """
    counted = np.zeros(len(row), dtype=np.int64)
    if len(row) >= BULK_ROWS:
        compiled_lay()(row, start, stop, hour, position, matched, counted)
    else:
        lay_plain(row, start, stop, hour, position, matched, counted)
    return counted


def lay_claims(row: Ints, start: Ints, stop: Ints, hour: Ints, position: Ints, matched: Ints, counted: Ints) -> None:
    """The overlap of each claim with the units that its register drew in the certificate's hour."""
    intervals = matched.shape[1]
    for i in range(len(row)):
        k = hour[i]
        if k < 0 or k >= intervals:
            continue
        low, high = position[row[i], k], position[row[i], k + 1]
        if low < 0 or high < 0:
            continue
        overlap = min(stop[i], high) - max(start[i], low)
        if overlap > 0:
            counted[i] = overlap
            matched[row[i], k] += overlap


@cache
def compiled_lay() -> Callable[..., None]:
    """`lay_claims`, compiled."""
    from numba import njit

    try:
        compiled: Callable[..., None] = njit(cache=True)(lay_claims)
    except RuntimeError:  # nowhere to keep the machine code
        compiled = njit()(lay_claims)
    return compiled


def lay_plain(row: Ints, start: Ints, stop: Ints, hour: Ints, position: Ints, matched: Ints, counted: Ints) -> None:
    """`lay_claims` in columns."""
    inside = (hour >= 0) & (hour < matched.shape[1])
    k = np.where(inside, hour, 0)
    low, high = position[row, k], position[row, k + 1]
    inside &= (low >= 0) & (high >= 0)
    overlap = np.where(inside, np.maximum(np.minimum(stop, high) - np.maximum(start, low), 0), 0)
    counted[:] = overlap
    np.add.at(matched, (row, k), overlap)
