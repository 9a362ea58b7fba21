"""Sharing out: which buyer gets how much of each interval's output, and which Wh of a promise that fills.

Pure arithmetic of whole numbers. Tables have a row an interval and a column a sale.
"""

from __future__ import annotations

import numpy as np

from penstock.journal.cutting import Ints, positions_of, ratio_down
from penstock.journal.segment import Columns

BASIS_POINTS = 10_000


def fill(available: Ints, remaining: Ints, rank: Ints) -> Ints:
    """What each sale gets of each interval where all that comes is due until ``remaining`` (by sale) is filled [Wh].

    A senior rank is filled before the next gets any; within a rank each interval is shared pro rata, by floors of
    cumulative Wh, so that no sale is ahead of its due by a Wh or more for each sale beside it.
    """
    taken = np.minimum(np.cumsum(available), remaining.sum())
    give = np.zeros((len(available), len(remaining)), dtype=np.int64)
    before = 0
    for level in np.unique(rank):
        mine = np.flatnonzero(rank == level)
        rest = int(remaining[mine].sum())
        left = np.clip(taken - before, 0, rest)
        before += rest
        for sale in mine.tolist():  # what each leaves grows with time, so each part does: nothing is taken back
            part = ratio_down(left, int(remaining[sale]), max(rest, 1))
            give[:, sale] = np.diff(part, prepend=0)
            left, rest = left - part, rest - int(remaining[sale])
    return give


def serve(available: Ints, due: Ints, rank: Ints) -> Ints:
    """What each sale gets of each interval where ``due`` (intervals by sales) is due of it [Wh].

    Where there is less, a senior rank gets all that is due to it before the next gets any; within a rank pro rata.
    """
    left = available.astype(np.int64)
    give = np.zeros_like(due)
    for level in np.unique(rank):
        mine = np.flatnonzero(rank == level)
        whole = due[:, mine].sum(axis=1)
        can = np.minimum(left, whole)
        at = np.cumsum(due[:, mine], axis=1)
        cut = ratio_down(at, can[:, None], np.maximum(whole, 1)[:, None])
        give[:, mine] = np.diff(cut, axis=1, prepend=0)
        left = left - can
    return give


def due_of_share(before_wh: int, output_wh: Ints, share_basis_points: Ints, promised_wh: Ints) -> Ints:
    """What is due of each interval to each sale of a share, up to what was promised [Wh].

    Floors of all output since the window began (``before_wh`` and on), so remainders are carried.
    """
    reach = positions_of(output_wh, before_wh)
    at = ratio_down(reach[:, None], share_basis_points[None, :], BASIS_POINTS)
    due: Ints = np.diff(np.minimum(at, promised_wh[None, :]), axis=0)
    return due


def due_of_shape(energy_wh: Ints, promised_wh: Ints) -> Ints:
    """What is due in each period to each sale of a shape: its part of the whole, cut at the shape's positions [Wh]."""
    reach = positions_of(energy_wh)
    due: Ints = np.diff(ratio_down(reach[:, None], promised_wh[None, :], max(int(reach[-1]), 1)), axis=0)
    return due


def lay(rows: Columns, bucket: Ints, give: Ints, promised_at: Ints) -> dict[str, Ints]:
    """Lay spans of output (register, start, stop; sorted by ``bucket``) along the promises that they fill.

    Of each bucket's rows the head is taken, ``give`` (buckets by sales) in the order of sales; each sale's promise is
    filled from ``promised_at`` (by sale) on. Returns register, start, stop, promised_start, sale, in order.
    """
    size = rows["stop"] - rows["start"]
    ends = np.cumsum(size)
    whole = np.zeros(len(give), dtype=np.int64)
    np.add.at(whole, bucket, size)
    within = ends - size - (np.cumsum(whole) - whole)[bucket]
    used = np.clip(give.sum(axis=1)[bucket] - within, 0, size)
    kept = np.flatnonzero(used)
    source_at = positions_of(used[kept])
    which = np.flatnonzero(give.ravel())
    sale = which % give.shape[1]
    pieces_at = positions_of(give.ravel()[which])
    promised = (promised_at[None, :] + np.cumsum(give, axis=0) - give).ravel()[which]
    cuts = np.unique(np.concatenate([source_at, pieces_at]))
    low, high = cuts[:-1], cuts[1:]
    row, piece = (np.searchsorted(at, low, side="right") - 1 for at in (source_at, pieces_at))
    start = rows["start"][kept][row] + low - source_at[row]
    return {
        "register": rows["register"][kept][row],
        "start": start,
        "stop": start + high - low,
        "promised_start": promised[piece] + low - pieces_at[piece],
        "sale": sale[piece],
    }
