"""Binary search in many stretches of one sorted column at once: how spans are found by position.

A few queries go through NumPy's own search one by one; more of them go abreast, a step of all at a time; from
``BULK_QUERIES`` on a compiled loop takes over, which follows one query after the other and so keeps to the cache - or
from ``BULK_QUERIES_LOADED`` on, once it is there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]
FEW_QUERIES: Final = 48
BULK_QUERIES: Final = 10_000
BULK_QUERIES_LOADED: Final = 500


def rows_after(start: Ints, low: Ints, high: Ints, position: Ints) -> NDArray[np.int64]:
    """Per query the row after the last of ``[low, high)`` whose ``start`` is at or before ``position``."""
    if len(position) <= FEW_QUERIES:
        return one_by_one(start, low, high, position)
    if len(position) < (BULK_QUERIES_LOADED if compiled_search.cache_info().currsize else BULK_QUERIES):
        return abreast(start, low, high, position)
    after = np.empty(len(position), dtype=np.int64)
    compiled_search()(start, low, high, position, after)
    return after


def one_by_one(start: Ints, low: Ints, high: Ints, position: Ints) -> NDArray[np.int64]:
    """`rows_after` for a few queries."""
    queries = zip(low.tolist(), high.tolist(), position.tolist(), strict=True)
    return np.array([a + int(start[a:b].searchsorted(at, side="right")) for a, b, at in queries], dtype=np.int64)


def abreast(start: Ints, low: Ints, high: Ints, position: Ints) -> NDArray[np.int64]:
    """`rows_after`, each step for all queries: the twin of the compiled loop."""
    for _ in range(int((high - low).max(initial=0)).bit_length()):
        middle = (low + high) >> 1
        right = (low < high) & (start[np.minimum(middle, len(start) - 1)] <= position)
        low, high = np.where(right, middle + 1, low), np.where(right, high, middle)
    return low.astype(np.int64, copy=False)


def search_each(start: Ints, low: Ints, high: Ints, position: Ints, after: Ints) -> None:
    """`rows_after` into ``after``, as it is compiled."""
    for query in range(len(position)):
        left, right = low[query], high[query]
        while left < right:
            middle = (left + right) >> 1
            if start[middle] <= position[query]:
                left = middle + 1
            else:
                right = middle
        after[query] = left


@cache
def compiled_search() -> Callable[..., None]:
    """`search_each`, compiled; it gives up the interpreter lock."""
    return compiled(search_each)


def compiled(function: Callable[..., None]) -> Callable[..., None]:
    """A loop compiled on first use; the machine code is kept on disk where there is a place to write it."""
    from numba import njit

    try:
        made: Callable[..., None] = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        made = njit(nogil=True)(function)
    return made
