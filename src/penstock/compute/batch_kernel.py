"""Sums over lines that bend, and prices integrated along them: the two passes over all requests.

Two twins of each, NumPy and compiled, give the same bits: sums are of whole numbers, and a price is read by the same
operations in the same order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def bent(at: Ints, places: Ints, rates: Ints, count: int) -> tuple[Ints, Ints]:
    """Changes of slope by cell and their moments: lines rise by ``rates[i]`` from ``at[i]`` to ``at[i + 1]``.

    Args: at, places (k + 1, n); rates (k, n). Returns two columns of ``count`` cells, modulo 2**64.
    """
    slope, moment = np.zeros(count, np.int64), np.zeros(count, np.int64)
    change = np.diff(rates, axis=0, prepend=0, append=0)
    for row in range(len(at)):
        np.add.at(slope, places[row], change[row])
        np.add.at(moment, places[row], change[row] * at[row])
    return slope, moment


def values(at: Ints, places: Ints, rates: Ints, edges: Ints, price: Floats, each: Floats, scale: float) -> Ints:
    """``scale`` times what every request's work and presence cost, rounded down.

    ``price`` is by weight and microsecond of each cell, ``each`` by microsecond of presence.
    """
    cost = [_integral(price, edges, at[row], places[row]) for row in range(3)]
    there = _integral(each, edges, at[2], places[2]) - _integral(each, edges, at[0], places[0])
    value = rates[0] * (cost[1] - cost[0]) + rates[1] * (cost[2] - cost[1]) + there
    return np.maximum(value * scale, 0.0).astype(np.int64)


def _integral(price: Floats, edges: Ints, at: Ints, places: Ints) -> Floats:
    reached = np.concatenate([np.zeros(1), np.cumsum(price * np.diff(edges))])
    whole: Floats = reached[places] + price[places] * (at - edges[places])
    return whole
