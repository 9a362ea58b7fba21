"""The compiled twins of ``batch_kernel``: loaded for many requests only, since numba takes long to load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile on first use; keep the machine code on disk where there is a place to write it."""
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return njit(nogil=True)(function)


@_compiled
def _cell_of(edges, at, near):  # type: ignore[no-untyped-def]
    """The cell that holds ``at``, sought from ``near`` on: requests come nearly in order, and last a few cells."""
    low, step = near, 1
    if edges[near] > at:
        low = 0
    else:
        while low + step < len(edges) and edges[low + step] <= at:
            low += step
            step *= 2
    high = min(low + step, len(edges)) if edges[near] <= at else near
    while high - low > 1:
        middle = (low + high) // 2
        if edges[middle] <= at:
            low = middle
        else:
            high = middle
    return min(low, len(edges) - 2)


@_compiled
def places_of(edges, at):  # type: ignore[no-untyped-def]
    out = np.empty(at.shape, np.int64)
    near = 0
    for i in range(at.shape[1]):
        near = _cell_of(edges, at[0, i], near)
        out[0, i] = near
        found = near
        for row in range(1, at.shape[0]):
            found = _cell_of(edges, at[row, i], found)
            out[row, i] = found
    return out


@_compiled
def bent(at, places, rates, count):  # type: ignore[no-untyped-def]
    slope, moment = np.zeros(count, np.int64), np.zeros(count, np.int64)
    rows = at.shape[0]
    for i in range(at.shape[1]):
        before = np.int64(0)
        for row in range(rows):
            rate = rates[row, i] if row + 1 < rows else np.int64(0)
            slope[places[row, i]] += rate - before
            moment[places[row, i]] += (rate - before) * at[row, i]
            before = rate
    return slope, moment


@_compiled
def _read(reached, price, edges, at, place):  # type: ignore[no-untyped-def]
    return reached[place] + price[place] * (at - edges[place])


@_compiled
def values(at, places, rates, edges, price, each, price_reached, each_reached, scale):  # type: ignore[no-untyped-def]
    out = np.empty(at.shape[1], np.int64)
    for i in range(at.shape[1]):
        start = _read(price_reached, price, edges, at[0, i], places[0, i])
        first = _read(price_reached, price, edges, at[1, i], places[1, i])
        done = _read(price_reached, price, edges, at[2, i], places[2, i])
        came = _read(each_reached, each, edges, at[0, i], places[0, i])
        went = _read(each_reached, each, edges, at[2, i], places[2, i])
        value = (rates[0, i] * (first - start) + rates[1, i] * (done - first)) + (went - came)
        out[i] = np.int64(max(value * scale, 0.0))
    return out
