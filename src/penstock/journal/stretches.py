"""Stretches: the rows of a span index in order, so many at a time, so that nobody has to hold all of them still."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from penstock.journal.span_index import Rows, Run

Place = tuple[int, int]
FIRST: Final[Place] = (-1, 0)
"""The place before all rows."""


def stretch(runs: Sequence[Run], after: Place, n: int) -> tuple[Rows, Place | None]:
    """The next rows after a place (register, start), in order, at most ``n`` of each run, and where they end.

    That is None where no rows follow. Columns may be views: copy what is kept.
    """
    lows = [_after(run, after) for run in runs]
    ends = [_place(run, low + n - 1) for run, low in zip(runs, lows, strict=True) if low + n < len(run)]
    end = min(ends) if ends else None
    highs = [_after(run, end) if end else len(run) for run in runs]
    found = [
        {name: column[low:high] for name, column in run.columns.items()}
        for run, low, high in zip(runs, lows, highs, strict=True)
        if high > low or run is runs[0]
    ]
    return _joined(found), end


def _after(run: Run, place: Place) -> int:
    register, start = (np.array([value]) for value in place)
    return int(run.after(register, start)[0]) if len(run) else 0


def _place(run: Run, row: int) -> Place:
    return int(run.columns["register"][row]), int(run.columns["start"][row])


def _joined(found: Sequence[Rows]) -> dict[str, Any]:
    if len(found) == 1:
        return found[0]
    rows = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    order = np.lexsort((rows["start"], rows["register"]))
    return {name: column[order] for name, column in rows.items()}
