"""Who has a key, among a million: rows sorted by eight bytes of their key, and the few that came or changed since."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]
_UNSORTED_MIN: Final = 4_096


class KeyIndex:
    """An index over a column of keys (rows of bytes), 12 bytes a row.

    It sorts anew once a sixteenth of the rows came since, or some thousands changed, so that one key more costs the
    same however many there are. What changed stays findable under what it was before until then: who asks looks
    whether a row found holds the key.
    """

    def __init__(self) -> None:
        self._words, self._rows = np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int32)
        self._changed: set[int] = set()

    def change(self, row: int) -> None:
        """The row's key is another one now."""
        self._changed.add(row)

    def rows_like(self, keys: NDArray[np.uint8], asked: NDArray[np.uint8]) -> tuple[Ints, NDArray[np.bool_]]:
        """Rows of ``keys`` that share eight bytes with one of ``asked``, and which of ``asked`` share some."""
        came = len(keys) - len(self._rows)
        if came > max(_UNSORTED_MIN, len(keys) >> 4) or len(self._changed) > _UNSORTED_MIN:
            self._sort(keys)
        words = _words(asked)
        changed = np.fromiter(self._changed, dtype=np.int64, count=len(self._changed))
        unsorted = np.r_[np.arange(len(self._rows), len(keys)), changed]
        later = _words(keys[unsorted])
        rows = np.r_[self._sorted_like(np.unique(words)), unsorted[np.isin(later, words)]]
        return rows, np.isin(words, _words(keys[rows]))

    def _sorted_like(self, words: NDArray[np.uint64]) -> Ints:
        low, high = (np.searchsorted(self._words, words, side) for side in ("left", "right"))
        found = np.flatnonzero(high > low)
        many = (high - low)[found]
        places = np.repeat(low[found] - np.cumsum(many) + many, many) + np.arange(many.sum())
        rows: Ints = self._rows[places]
        return rows

    def _sort(self, keys: NDArray[np.uint8]) -> None:
        words = _words(keys)
        order = np.argsort(words)
        self._words, self._rows = words[order], order.astype(np.int32)
        self._changed = set()


def _words(keys: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Eight bytes of each key, past the first, which tells little of a point."""
    words: NDArray[np.uint64] = np.ascontiguousarray(keys[:, 1:9]).view(np.uint64).reshape(-1)
    return words
