"""The loops of `overlay`, compiled: rows into cells by counting, and the merge of two sides.

Imported only for large inputs, since numba takes long to load. They let go of the interpreter, so that two run at
once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from numpy.typing import NDArray

Ints = NDArray[Any]


def count_rows(cell: Ints, units: Ints, sizes: Ints, totals: Ints) -> None:
    """Add up how many rows each cell has, and how many units."""
    for row in range(len(cell)):
        if cell[row] >= 0 and units[row] > 0:
            sizes[cell[row]] += 1
            totals[cell[row]] += units[row]


def place_rows(cell: Ints, units: Ints, order: Ints, free: Ints, rows: Ints, laid: Ints) -> None:
    """Put rows and their units into their cells, from ``free[cell]`` on; no ``order``: as they come."""
    for number in range(len(cell)):
        row = order[number] if len(order) else number
        if cell[row] >= 0 and units[row] > 0:
            slot = free[cell[row]]
            free[cell[row]] = slot + 1
            rows[slot] = row
            laid[slot] = units[row]


def merge_cells(
    left_first: Ints, left_row: Ints, left_units: Ints, right_first: Ints, right_row: Ints, right_units: Ints,
    met: Ints, low: int, high: int, at: int,
    left: Ints, right: Ints, left_at: Ints, right_at: Ints, units: Ints,
) -> int:  # fmt: skip
    """Edges of cells ``[low, high)``, written from ``at`` on; where they end. Every row has units."""
    for cell in range(low, high):
        i, j, rest = left_first[cell], right_first[cell], met[cell]
        used_i, used_j = 0, 0
        while rest > 0:
            own, other = left_units[i] - used_i, right_units[j] - used_j
            meets = min(own, other, rest)
            left[at], right[at] = left_row[i], right_row[j]
            left_at[at], right_at[at], units[at] = used_i, used_j, meets
            at += 1
            rest -= meets
            used_i += meets
            used_j += meets
            if meets == own:
                i, used_i = i + 1, 0
            if meets == other:
                j, used_j = j + 1, 0
    return at


@cache
def compiled() -> tuple[Callable[..., Any], ...]:
    """`count_rows`, `place_rows` and `merge_cells`, compiled."""
    from numba import njit

    loops = (count_rows, place_rows, merge_cells)
    try:
        return tuple(njit(cache=True, nogil=True)(loop) for loop in loops)
    except RuntimeError:  # nowhere to keep the machine code
        return tuple(njit(nogil=True)(loop) for loop in loops)
