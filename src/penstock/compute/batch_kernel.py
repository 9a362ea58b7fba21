"""The two passes over all requests: what lines that bend sum to, and prices integrated along them.

A few requests go through NumPy, many through the compiled kernel of ``batch_compiled``; both give the same bits, and a
test holds them to it. Sums are of whole numbers, so their order is free; a price is read by the same operations in
the same order.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

KERNEL: Final = "penstock.compute.batch_compiled"
KERNEL_ROWS_LOADED: Final = 1 << 12
KERNEL_ROWS_COLD: Final = 1 << 21  # NumPy needs about as long for these as loading takes

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def places_of(edges: Ints, at: Ints) -> Ints:
    """The cell that holds each instant: (k, n) between the first edge and the last, which the last cell holds."""
    kernel = _kernel_for(at.shape[1])
    found: Ints = (plain_places_of if kernel is None else kernel.places_of)(edges, at)
    return found


def bent(at: Ints, places: Ints, rates: Ints, count: int) -> tuple[Ints, Ints]:
    """Changes of slope by cell and their moments: line i rises by ``rates[j, i]`` between instants j and j + 1.

    Args: at, places (k + 1, n); rates (k, n). Returns two columns of ``count`` cells, modulo 2**64.
    """
    kernel = _kernel_for(at.shape[1])
    found: tuple[Ints, Ints] = (plain_bent if kernel is None else kernel.bent)(at, places, rates, count)
    return found


def values(at: Ints, places: Ints, rates: Ints, edges: Ints, price: Floats, each: Floats, scale: float) -> Ints:
    """``scale`` times what every request's work and presence cost, rounded down.

    ``price`` is by weight and microsecond of each cell, ``each`` by microsecond of presence.
    """
    kernel = _kernel_for(at.shape[1])
    act = plain_values if kernel is None else kernel.values
    reached = (_reached(price, edges), _reached(each, edges))
    found: Ints = act(at, places, rates, edges, price, each, *reached, scale)
    return found


def load_kernel() -> None:
    """Load the compiled kernel ahead of the first need, as a long-running process does at its start."""
    importlib.import_module(KERNEL)


def plain_places_of(edges: Ints, at: Ints) -> Ints:
    """`places_of` by NumPy."""
    return np.minimum(np.searchsorted(edges, at.ravel(), side="right").reshape(at.shape) - 1, len(edges) - 2)


def plain_bent(at: Ints, places: Ints, rates: Ints, count: int) -> tuple[Ints, Ints]:
    """`bent` by NumPy."""
    slope, moment = np.zeros(count, np.int64), np.zeros(count, np.int64)
    change = np.diff(rates, axis=0, prepend=0, append=0)
    for row in range(len(at)):
        np.add.at(slope, places[row], change[row])
        np.add.at(moment, places[row], change[row] * at[row])
    return slope, moment


def plain_values(
    at: Ints,
    places: Ints,
    rates: Ints,
    edges: Ints,
    price: Floats,
    each: Floats,
    price_reached: Floats,
    each_reached: Floats,
    scale: float,
) -> Ints:
    """`values` by NumPy; ``..._reached`` are both prices integrated up to every edge."""
    start, first, done = (price_reached[at_] + price[at_] * (at[i] - edges[at_]) for i, at_ in enumerate(places))
    came, went = (each_reached[places[i]] + each[places[i]] * (at[i] - edges[places[i]]) for i in (0, 2))
    value = (rates[0] * (first - start) + rates[1] * (done - first)) + (went - came)
    whole: Ints = np.maximum(value * scale, 0.0).astype(np.int64)
    return whole


def _reached(price: Floats, edges: Ints) -> Floats:
    return np.concatenate([np.zeros(1), np.cumsum(price * np.diff(edges))])


def _kernel_for(count: int) -> Any:
    """The compiled kernel if ``count`` requests are worth it, else None."""
    enough = KERNEL_ROWS_LOADED if KERNEL in sys.modules else KERNEL_ROWS_COLD
    return importlib.import_module(KERNEL) if count >= enough else None
