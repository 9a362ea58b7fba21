"""Filling promised spans with counted ones, unit for unit: rows of links cut wherever either side ends."""

from __future__ import annotations

import numpy as np

from penstock.errors import Refused
from penstock.journal.links import LinkBook
from penstock.journal.segment import Column, Columns


def fill(source: int, spans: Columns, target: int, promised: Columns) -> dict[str, Column]:
    """Columns of ``link/1`` from spans of one register to spans of another (start, stop), both in their order.

    Raises:
        Refused: ``credit.undelivered`` where they are not as many units.
    """
    lengths = [one["stop"] - one["start"] for one in (spans, promised)]
    if int(lengths[0].sum()) != int(lengths[1].sum()):
        raise Refused("credit.undelivered", "Credits are redeemed for as many units as were delivered.")
    reached = [np.cumsum(length) for length in lengths]
    stops = np.union1d(*reached)
    starts = np.r_[0, stops[:-1]]
    begin = [
        _at(one["start"], length, ends, starts)
        for one, length, ends in zip((spans, promised), lengths, reached, strict=True)
    ]
    count, length = len(stops), stops - starts
    return {
        "source": np.full(count, source, dtype=np.int32),
        "source_start": begin[0],
        "source_stop": begin[0] + length,
        "target": np.full(count, target, dtype=np.int32),
        "target_start": begin[1],
        "target_stop": begin[1] + length,
    }


def _at(start: Column, length: Column, reached: Column, offset: Column) -> Column:
    """Where the unit so many units into all spans lies."""
    row = np.searchsorted(reached, offset, side="right")
    begin: Column = start[row] + offset - (reached - length)[row]
    return begin


def next_worked(work: LinkBook, deliver: LinkBook, calendar: int, units: int) -> dict[str, Column]:
    """The next accelerator-milliseconds of a calendar that were worked and fill no credit yet.

    Raises:
        Refused: ``credit.undelivered`` where there are fewer.
    """
    links, first = work.columns(), deliver.spent(calendar)
    rows = np.flatnonzero((links["target"] == calendar) & (links["target_start"] >= first))
    rows = rows[np.argsort(links["target_start"][rows], kind="stable")]
    start, stop = links["target_start"][rows], links["target_stop"][rows]
    length = stop - start
    taken = np.clip(units - (np.cumsum(length) - length), 0, length)
    if int(taken.sum()) != units:
        raise Refused("credit.undelivered", "Credits are redeemed for accelerator time that was worked.")
    kept = np.flatnonzero(taken)
    return {"start": start[kept], "stop": start[kept] + taken[kept]}


def one_span(start: int, stop: int) -> dict[str, Column]:
    """A single span."""
    return {"start": np.array([start], dtype=np.int64), "stop": np.array([stop], dtype=np.int64)}
