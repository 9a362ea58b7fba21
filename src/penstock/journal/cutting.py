"""The arithmetic of cutting and sharing: floors of cumulative positions, exact, so that remainders cannot pile up.

One rule serves all: a quantity laid along another is cut at ``floor(p * num / den)`` of the *cumulative* position p.
The pieces sum to the whole by construction, each is within one unit of its due, and no product loses a digit.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Invalid, Refused
from penstock.journal.segment import Columns

Ints = NDArray[Any]
Positions = NDArray[np.int64]

QUOTIENT_MAX: Final = 2.0**50  # below these two, a float quotient is within 2 of the true one
DIVISOR_MAX: Final = 2**60


def ratio_down(position: Ints | int, num: Ints | int, den: Ints | int) -> Positions:
    """``floor(position * num / den)``, exact though the product has 128 bits. Arrays broadcast.

    Raises:
        Invalid: ``cut.ratio`` for a negative argument or a divisor of 0, ``cut.too_large`` beyond 63 bits.
    """
    columns = (np.atleast_1d(np.asarray(value, dtype=np.int64)) for value in (position, num, den))
    p, n, d = np.broadcast_arrays(*columns)
    if (p < 0).any() or (n < 0).any() or (d <= 0).any():
        raise Invalid("cut.ratio", "Positions are cut by a ratio of whole numbers, none negative, not over 0.")
    estimate = p.astype(np.float64) * n / d
    small = (estimate < QUOTIENT_MAX) & (d < DIVISOR_MAX)
    quotient = np.where(small, estimate, 0.0).astype(np.int64)
    # The products below may wrap; their difference is small, so it comes out right modulo 2**64.
    quotient += (p * n - quotient * d) // d
    if not small.all():
        quotient[~small] = _ratio_of_bigs(p[~small], n[~small], d[~small])
    return quotient


def _ratio_of_bigs(position: Ints, num: Ints, den: Ints) -> Positions:
    exact = position.astype(object) * num.astype(object) // den.astype(object)
    try:
        whole: Positions = exact.astype(np.int64)
        return whole
    except OverflowError:
        raise Invalid("cut.too_large", "A position would not fit in 63 bits.") from None


def ratio_up(position: Ints | int, num: Ints | int, den: Ints | int) -> Positions:
    """``ceil(position * num / den)``, exact; the least that `ratio_down` by ``den / num`` brings to ``position``.

    Raises:
        Invalid: ``cut.ratio`` for a negative argument or a 0 on either side, ``cut.too_large`` beyond 63 bits.
    """
    below = ratio_down(position, num, den)
    return below + (ratio_down(below, den, num) < position)


def positions_of(sizes: Ints, start: int = 0) -> Positions:
    """Where consecutive pieces of ``sizes`` begin, from ``start`` on, and where the last ends: n + 1 positions.

    Raises:
        Invalid: ``cut.negative``, ``cut.too_large`` beyond 63 bits.
    """
    if start < 0 or (sizes < 0).any():
        raise Invalid("cut.negative", "Sizes and positions are never negative.")
    positions = np.zeros(len(sizes) + 1, dtype=np.int64)
    positions[0] = start
    np.cumsum(sizes, out=positions[1:])
    positions[1:] += start
    if (positions < 0).any():  # non-negative addends: the first overflow shows as a negative sum
        raise Invalid("cut.too_large", "These sizes sum to more than 63 bits hold.")
    return positions


def cut_down(total: int, weights: Ints) -> Positions:
    """Share ``total`` over weights: n + 1 positions ``floor(cumulative weight * total / sum)``, from 0 to ``total``.

    Raises:
        Invalid: ``cut.no_weight`` where there is something to share and nothing to share it by; as `positions_of`.
    """
    positions = positions_of(weights)
    whole = int(positions[-1])
    if total < 0:
        raise Invalid("cut.negative", "Sizes and positions are never negative.")
    if whole == 0 and total > 0:
        raise Invalid("cut.no_weight", f"{total} units cannot be shared over weights that sum to 0.")
    return ratio_down(positions, total, max(whole, 1))


def tile_links(source: Ints | int, source_at: Positions, target: Ints | int, target_at: Positions) -> Columns:
    """Columns of ``link/1`` that lay consecutive spans, cut at n + 1 positions each, side by side."""
    rows = len(source_at) - 1
    return {
        "source": np.broadcast_to(np.asarray(source, dtype=np.int32), rows),
        "source_start": source_at[:-1],
        "source_stop": source_at[1:],
        "target": np.broadcast_to(np.asarray(target, dtype=np.int32), rows),
        "target_start": target_at[:-1],
        "target_stop": target_at[1:],
    }


def cut_unlike(source: int, source_start: int, total: int, target: int, target_start: int, sizes: Ints) -> Columns:
    """Link ``total`` units of one register to consecutive spans of ``sizes`` units of another, in their order.

    The source is cut at ``floor(cumulative size * total / sum of sizes)``: energy over accelerator time, time over
    tokens. Raises as `cut_down`.
    """
    source_at = cut_down(total, sizes) + source_start
    return tile_links(source, source_at, target, positions_of(sizes, target_start))


def cut_at_rate(source: int, source_at: Positions, target: int, num: int, den: int) -> Columns:
    """Link consecutive spans of one register to another at ``num / den`` target units a source unit, from 0 to 0.

    Target positions are ``floor(p * num / den)`` of the register's own positions, so batches join without a remainder.
    """
    return tile_links(source, source_at, target, ratio_down(source_at, num, den))


def convert_exact(source: int, target: int, links: Columns, finer: int) -> Columns:
    """Link the ``source`` spans that ``links`` filled to the same quantity on a scale ``finer`` times as fine.

    Positions keep their ratio: ``[start, stop)`` becomes ``[start * finer, stop * finer)``.

    Raises:
        Invalid: ``cut.too_large`` beyond 63 bits.
    """
    rows = links["target"] == source
    start, stop = links["target_start"][rows], links["target_stop"][rows]
    return {
        "source": links["target"][rows],
        "source_start": start,
        "source_stop": stop,
        "target": np.full(len(start), target, dtype=np.int32),
        "target_start": ratio_down(start, finer, 1),
        "target_stop": ratio_down(stop, finer, 1),
    }


def allocate(register: Ints, start: Ints, stop: Ints, target: int, target_start: int, quantity: int) -> Columns:
    """Fill ``[target_start, target_start + quantity)`` from source spans pro rata, each giving its head.

    A source gives a ``floor`` difference of cumulative positions, so never more than it has; what it keeps begins
    at its ``source_stop``. Sources that give nothing have no link. Returns columns of ``link/1``.

    Raises:
        Refused: ``allocate.short`` where the sources together hold less. Invalid: as `positions_of`.
    """
    held = positions_of(stop - start)
    whole = int(held[-1])
    if quantity > whole:
        raise Refused("allocate.short", f"{quantity} units are asked of sources that hold {whole}.", target=target)
    filled = ratio_down(held, quantity, max(whole, 1))
    taken = np.diff(filled)
    gives = taken > 0
    return {
        "source": register[gives],
        "source_start": start[gives],
        "source_stop": (start + taken)[gives],
        "target": np.full(int(gives.sum()), target, dtype=np.int32),
        "target_start": filled[:-1][gives] + target_start,
        "target_stop": filled[1:][gives] + target_start,
    }
