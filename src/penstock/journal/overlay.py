"""Overlay: units of two sides laid against each other, cell by cell, in order; what lies opposite what is an edge.

Each side is sorted into its cells once, and the two are merged once over their cumulative units: n + m rows make at
most n + m edges, whatever the cells hold. Many rows go through a compiled kernel, few through its NumPy twin.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Invalid
from penstock.journal.cutting import ratio_down

Ints = NDArray[Any]
T = TypeVar("T")
KERNEL: Final = "penstock.journal.overlay_kernel"
ROWS_COLD: Final = 500_000
ROWS_LOADED: Final = 10_000
"""From so many rows on the compiled kernel pays: before numba is loaded, and once it is."""
ROWS_MAX: Final = 2**31 - 1
UNITS_MAX: Final = 2**62
_DIGIT: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """One side in its cells: cell c has the rows ``row[first[c]:first[c + 1]]``, in order, with ``units`` beside, and
    ``totals[c]`` units in all.
    """

    first: NDArray[np.int64]
    row: NDArray[np.int32]
    units: Ints
    totals: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Meetings in order of cell and position: ``units`` of row ``left`` from its unit ``left_at`` on, and as many of
    row ``right`` from its unit ``right_at`` on.
    """

    left: Ints
    right: Ints
    left_at: Ints
    right_at: Ints
    units: Ints

    def __len__(self) -> int:
        return len(self.units)

    def rows(self, keep: Ints | slice) -> Edges:
        """Some of them."""
        return Edges(*(getattr(self, name)[keep] for name in self.__slots__))


def lay(cell: Ints, units: Ints, cells: int, order: Ints | None = None) -> Laid:
    """Sort one side into cells ``0 .. cells - 1``; rows of cell -1 and rows without units take part in nothing.

    Within a cell rows stay as they come, or as ``order`` (row numbers) has them.

    Raises:
        Invalid: ``overlay.units`` for negative units or more than 2**62 together, ``overlay.rows`` beyond 2**31.
    """
    if len(cell) > ROWS_MAX:
        raise Invalid("overlay.rows", "So many rows are matched in parts.")
    most = int(units.max(initial=0))
    if int(units.min(initial=0)) < 0 or (most > UNITS_MAX // max(len(units), 1) and sum(units.tolist()) > UNITS_MAX):
        raise Invalid("overlay.units", "Units to lay are never negative, and at most 2**62 together.")
    if not _pays(len(cell)):
        return plain_lay(cell, units, cells, order)
    return _compiled_lay(cell, units, cells, np.empty(0, dtype=np.int64) if order is None else order, most)


def _pays(rows: int) -> bool:
    return rows >= (ROWS_LOADED if KERNEL in sys.modules else ROWS_COLD)


def _compiled_lay(cell: Ints, units: Ints, cells: int, order: Ints, most: int) -> Laid:
    """By counting. Large arrays are made here, not in the kernel: NumPy asks for them in huge pages."""
    count, place, _ = importlib.import_module(KERNEL).compiled()
    first, totals = np.zeros(cells + 1, dtype=np.int64), np.zeros(cells, dtype=np.int64)
    count(cell, units, first[1:], totals)
    first = np.cumsum(first)
    row = np.empty(int(first[-1]), dtype=np.int32)
    laid = np.empty(len(row), dtype=np.int32 if most < 2**31 else np.int64)
    place(cell, units, order, first.copy(), row, laid)
    return Laid(first, row, laid, totals)


def plain_lay(cell: Ints, units: Ints, cells: int, order: Ints | None = None) -> Laid:
    """`lay` in NumPy: a stable sort, digit by digit."""
    row = np.flatnonzero((cell >= 0) & (units > 0)) if order is None else order[(cell[order] >= 0) & (units[order] > 0)]
    for shift in range(0, max(cells - 1, 1).bit_length(), _DIGIT):
        row = row[np.argsort((cell[row] >> shift).astype(np.uint16), kind="stable")]
    return _laid(np.searchsorted(cell[row], np.arange(cells + 1)), row, units[row])


def _laid(first: Ints, row: Ints, units: Ints) -> Laid:
    totals = np.diff(np.r_[0, np.cumsum(units)][first])
    return Laid(first.astype(np.int64), row.astype(np.int32), units.astype(np.int64), totals)


def _reach(laid: Laid) -> tuple[Ints, Ints]:
    """How far each row reaches in its cell [units], and the cell of each row."""
    cell = np.repeat(np.arange(len(laid.totals)), np.diff(laid.first))
    reach = np.cumsum(laid.units, dtype=np.int64)
    return reach - np.r_[0, reach][laid.first[:-1]][cell], cell


def share_down(laid: Laid, whole: Ints) -> Laid:
    """The same rows with their part of ``whole`` by cell, pro rata: floors of cumulative units, which sum to it.

    ``whole`` is no more than a cell has.
    """
    reach, cell = _reach(laid)
    total = np.maximum(laid.totals, 1)[cell]
    share = ratio_down(reach, whole[cell], total) - ratio_down(reach - laid.units, whole[cell], total)
    given = share > 0
    return _laid(np.r_[0, np.cumsum(given)][laid.first], laid.row[given], share[given])


def overlay(left: Laid, right: Laid, limit: Ints | None = None) -> Edges:
    """Lay two sides against each other: in each cell the first units of one meet the first units of the other.

    As many as the lesser side has, and at most ``limit`` by cell.
    """
    met = np.minimum(left.totals, right.totals)
    met = met if limit is None else np.minimum(met, limit)
    if not _pays(len(left.row) + len(right.row)):
        return plain_overlay(left, right, met)
    return _compiled_overlay(left, right, met)


def plain_overlay(left: Laid, right: Laid, met: Ints) -> Edges:
    """`overlay` in NumPy: both sides cut at all ends on one axis, on which each cell is as long as what meets in it."""
    base = np.r_[0, np.cumsum(met)]
    ends = [_ends(side, base, met) for side in (left, right)]
    cuts = np.unique(np.concatenate([[0], *ends]))
    start, units = cuts[:-1], np.diff(cuts)
    rows, at = [], []
    for side, end in zip((left, right), ends, strict=True):
        place = np.searchsorted(end, start, side="right")
        begin = np.r_[0, end][place]
        rows.append(side.row[place])
        at.append(start - begin)
    return Edges(rows[0], rows[1], at[0], at[1], units)


def _ends(side: Laid, base: Ints, met: Ints) -> Ints:
    """Where each row's units end on the common axis; those that meet nothing end where the row before does."""
    reach, cell = _reach(side)
    ends: Ints = base[cell] + np.minimum(reach, met[cell])
    return ends


def _compiled_overlay(left: Laid, right: Laid, met: Ints) -> Edges:
    """The merge, cells shared out over two cores; each writes behind the room that the cells before it may need."""
    merge = importlib.import_module(KERNEL).compiled()[2]
    room = left.first + right.first
    middle, size = int(np.searchsorted(room, room[-1] // 2)), int(room[-1])
    wide = np.promote_types(left.units.dtype, right.units.dtype)
    out = [np.empty(size, dtype=dtype) for dtype in (np.int32, np.int32, wide, wide, wide)]
    sides = (left.first, left.row, left.units, right.first, right.row, right.units, met)

    def part(low: int, high: int) -> int:
        return int(merge(*sides, low, high, int(room[low]), *out))

    ends = both(lambda: part(0, middle), lambda: part(middle, len(met)))
    gap = int(room[middle])
    whole = ends[0] + ends[1] - gap
    for column in out:
        column[ends[0] : whole] = column[gap : ends[1]]
    return Edges(*(column[:whole] for column in out))


def both(one: Callable[[], T], other: Callable[[], T]) -> tuple[T, T]:
    """Two calls at once, where the work lets go of the interpreter."""
    with ThreadPoolExecutor(1) as beside:
        waiting = beside.submit(other)
        first = one()
        return first, waiting.result()
