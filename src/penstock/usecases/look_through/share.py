"""The arithmetic of a look-through: claims [start, stop) cut every asset at floors of cumulative claims.

So an asset's shares, over positions that tile the deal's claims, add up to the asset to the micro-dollar, none is
negative, and a position's parts by any attribute add up to its whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from penstock.capital.pooled import Ints
from penstock.journal.cutting import ratio_down

Row = dict[str, Any]
BLOCK: Final = 1 << 21
"""So many cells are worked out at once."""


def share_of(amounts: Ints, start: Ints, stop: Ints, whole: int) -> Ints:
    """Of each amount, what all positions together hold: the sum of each one's own cut."""
    distinct, place = np.unique(amounts, return_inverse=True)  # standard contracts have few amounts
    found = np.zeros(len(distinct), dtype=np.int64)
    start, stop = joined(start, stop)
    step = max(BLOCK // max(len(distinct), 1), 1)
    for at in range(0, len(start), step):
        rows = slice(at, at + step)
        low, high = (ratio_down(distinct[None, :], ends[rows, None], max(whole, 1)) for ends in (start, stop))
        found += (high - low).sum(axis=0)
    return found[place]


def joined(start: Ints, stop: Ints) -> tuple[Ints, Ints]:
    """The same claims in as few intervals as they make: cuts inside a run cancel out exactly."""
    order = np.argsort(start, kind="stable")
    start, stop = start[order], stop[order]
    filled = stop > start
    start, stop = start[filled], stop[filled]
    if not len(start):
        return start, stop
    fresh = np.r_[True, start[1:] != stop[:-1]]
    return start[fresh], stop[np.r_[np.flatnonzero(fresh)[1:] - 1, len(stop) - 1]]


def by_name(names: Sequence[str], *amounts: Ints) -> list[tuple[str, tuple[int, ...], int]]:
    """Sums by name, largest first sum first: name, sums, how many rows."""
    distinct, place = np.unique(np.asarray(names, dtype=object).astype(str), return_inverse=True)
    sums = np.zeros((len(amounts), len(distinct)), dtype=np.int64)
    for row, amount in enumerate(amounts):
        np.add.at(sums[row], place, amount)
    count = np.bincount(place, minlength=len(distinct))
    order = np.lexsort((distinct, -sums[0]))
    return [(str(distinct[at]), tuple(sums[:, at].tolist()), int(count[at])) for at in order.tolist()]
