"""Spans of many registers that never overlap, found by position: what title books and link books are made of.

Rows lie sorted by (register, start) in a few runs, each several times longer than the next. What is added makes the
last run longer, or a new one; a run that is no longer much shorter than the one before it is merged into that. So
adding rows rewrites few of those that stand, and there are never many runs to look in. A row may shrink at its end
while the pieces cut off go to another run. A *handle* numbers rows, run after run; it holds until ``version`` changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.journal.span_search import rows_after

Ints = NDArray[Any]
Rows = dict[str, NDArray[Any]]

SPAN_COLUMNS: Final = {"register": "int32", "start": "int64", "stop": "int64"}
EXTRA_ROWS: Final = 4096  # a last run up to this long takes in all that comes
SHORTER: Final = 4  # a run is at least so many times shorter than the one before it
INDEXED: Final = 16  # a run with fewer rows than a sixteenth of the registers has no index of them


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Rows sorted by (register, start); ``first_row[r]`` is where register r begins, one entry more at the end.

    A run with few rows in many registers has no ``first_row``.
    """

    columns: Rows
    first_row: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.columns["start"])

    def bounds(self, register: Ints) -> tuple[Ints, Ints]:
        """First row of each register and the row after its last."""
        if self.first_row is None:
            rows = self.columns["register"]
            return rows.searchsorted(register), rows.searchsorted(register, side="right")
        last = len(self.first_row) - 1
        low = np.minimum(np.maximum(register, 0), last)
        return self.first_row[low], self.first_row[np.minimum(np.maximum(register + 1, 0), last)]

    def after(self, register: Ints, position: Ints) -> Ints:
        """The row after the last that starts at or before ``position``."""
        return rows_after(self.columns["start"], *self.bounds(register), position)

    def floor(self, register: Ints, position: Ints) -> tuple[Ints, Ints]:
        """`after` each position, and whether the row before that contains the position."""
        low, high = self.bounds(register)
        after = rows_after(self.columns["start"], low, high, position)
        if len(self) == 0:
            return after, np.zeros(len(after), dtype=bool)
        inside = (after > low) & (position < self.columns["stop"][after - 1])
        return after, inside

    def containing(self, register: Ints, position: Ints) -> Ints:
        """The row whose span contains ``position``, or -1."""
        after, inside = self.floor(register, position)
        return np.where(inside, after - 1, -1)

    def meeting(self, register: Ints, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
        """First row, and row after the last, of those that share a unit with ``[start, stop)``."""
        after, inside = self.floor(register, start)
        first = after - inside
        return first, np.maximum(self.after(register, stop - 1), first)


def run_of(rows: Rows) -> Run:
    """A run of rows that are sorted already."""
    register = rows["register"]
    registers = int(register[-1]) + 1 if len(register) else 1
    if len(register) * INDEXED < registers:
        return Run(rows, None)
    first_row = np.zeros(registers + 1, dtype=np.int64)
    np.cumsum(np.bincount(register, minlength=registers), out=first_row[1:])
    return Run(rows, first_row)


def sorted_rows(rows: Rows) -> Rows:
    """``rows`` by (register, start); themselves where they are so already."""
    register, start = rows["register"], rows["start"]
    step = np.diff(register)
    if not len(step) or ((step > 0) | ((step == 0) & (np.diff(start) >= 0))).all():
        return rows
    order = np.lexsort((start, register))
    return {name: column[order] for name, column in rows.items()}


def merge(run: Run, rows: Rows) -> Run:
    """A run with ``rows``, sorted, put in their places."""
    if len(run) == 0:
        return run_of({name: column.copy() for name, column in rows.items()})
    added = len(rows["start"])
    places = run.after(rows["register"], rows["start"]) + np.arange(added)
    kept = np.ones(len(run) + added, dtype=bool)
    kept[places] = False
    return run_of({name: _woven(column, rows[name], kept, places) for name, column in run.columns.items()})


def _woven(old: Ints, new: Ints, kept: Ints, places: Ints) -> Ints:
    column = np.empty(len(kept), dtype=old.dtype)
    column[kept] = old
    column[places] = new
    return column


class SpanIndex:
    """Spans ``register, start, stop`` with the columns of ``payload`` (name to dtype) beside them."""

    def __init__(self, payload: Mapping[str, str]) -> None:
        self._dtypes = {**SPAN_COLUMNS, **payload}
        self._runs = [self._empty()]
        self.version = 0

    def _empty(self) -> Run:
        return run_of({name: np.zeros(0, dtype=dtype) for name, dtype in self._dtypes.items()})

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    @property
    def runs(self) -> tuple[tuple[int, Run], ...]:
        """All runs, the longest first, each with the handle of its first row."""
        offsets, offset = [], 0
        for run in self._runs:
            offsets.append((offset, run))
            offset += len(run)
        return tuple(offsets)

    def insert(self, rows: Rows) -> None:
        """Add rows, in any order, that overlap with nothing: the caller has checked."""
        rows = sorted_rows({name: rows[name].astype(dtype, copy=False) for name, dtype in self._dtypes.items()})
        if not len(rows["start"]):
            return
        self.version += 1
        added = merge(self._empty(), rows)
        while self._runs and not self._stays(added):
            added = merge(self._runs.pop(), added.columns)
        self._runs.append(added)

    def _stays(self, added: Run) -> bool:
        """Whether the last run is so much longer that ``added`` may stand behind it."""
        return len(self._runs[-1]) > max(EXTRA_ROWS, SHORTER * len(added))

    def compact(self) -> None:
        """Merge all runs into one."""
        if len(self._runs) > 1:
            self.version += 1
            while len(self._runs) > 1:
                last = self._runs.pop()
                self._runs[-1] = merge(self._runs[-1], last.columns)

    def columns(self) -> Rows:
        """Every row, sorted by (register, start). Not copies: do not change them."""
        self.compact()
        return self._runs[0].columns

    def find(self, register: Ints, position: Ints) -> Ints:
        """Handle of the row that contains each position, or -1."""
        handle = self._runs[0].containing(register, position)
        for offset, run in self.runs[1:]:
            left = np.flatnonzero(handle < 0)
            if not len(left):
                break
            row = run.containing(register[left], position[left])
            handle[left] = np.where(row < 0, -1, row + offset)
        return handle

    def head(self, register: int) -> int:
        """The position behind a register's last unit here; 0 where it has none."""
        heads = [0]
        for _, run in self.runs:
            low, high = (int(bound[0]) for bound in run.bounds(np.array([register])))
            heads += [int(run.columns["stop"][high - 1])] if high > low else []
        return max(heads)

    def overlaps(self, register: Ints, start: Ints, stop: Ints) -> NDArray[np.bool_]:
        """Which spans share a unit with a row. An empty span shares none."""
        met = np.zeros(len(register), dtype=bool)
        for _, run in self.runs:
            first, last = run.meeting(register, start, stop)
            met |= last > first
        return met & (stop > start)

    def join(self, register: Ints, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
        """All (query, handle) that share a unit, by query and then position."""
        found = [_expand(*run.meeting(register, start, stop), stop > start, offset) for offset, run in self.runs]
        query, handle = (np.concatenate(part) for part in zip(*found, strict=True))
        if any(len(part) for part, _ in found[1:]):
            order = np.lexsort((self.take("start", handle), query))
            query, handle = query[order], handle[order]
        return query, handle

    def take(self, name: str, handle: Ints) -> Ints:
        """Values of one column at handles."""
        if len(self._runs) == 1 or handle.max(initial=-1) < len(self._runs[0]):
            return self._runs[0].columns[name][handle]
        values = np.empty(len(handle), dtype=self._dtypes[name])
        for offset, run in self.runs:
            rows = np.flatnonzero((handle >= offset) & (handle < offset + len(run)))
            values[rows] = run.columns[name][handle[rows] - offset]
        return values

    def rows(self, handle: Ints) -> Rows:
        """The rows at handles, as columns."""
        return {name: self.take(name, handle) for name in self._dtypes}

    def put(self, name: str, handle: Ints, values: Ints) -> None:
        """Change one column at handles. Only payload and, downwards, ``stop``."""
        self.version += 1
        if len(self._runs) == 1 or handle.max(initial=-1) < len(self._runs[0]):
            self._runs[0].columns[name][handle] = values
            return
        for offset, run in self.runs:
            rows = np.flatnonzero((handle >= offset) & (handle < offset + len(run)))
            run.columns[name][handle[rows] - offset] = values[rows]


def _expand(first: Ints, last: Ints, asked: Ints, offset: int) -> tuple[Ints, Ints]:
    counts = np.where(asked, last - first, 0)
    query = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(query)) - np.repeat(np.cumsum(counts) - counts, counts)
    return query, np.repeat(first, counts) + within + offset
