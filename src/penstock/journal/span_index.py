"""Spans of many registers that never overlap, found by position: what title books and link books are made of.

Rows lie sorted by (register, start) in a large ``base`` run and a small ``extra`` one. A row of ``base`` may shrink
at its end while the pieces cut off go to ``extra``; so a position is looked for in ``base`` first. From time to time
``extra`` is merged into ``base``. A *handle* numbers rows: those of ``base``, then those of ``extra``; it holds until
``version`` changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]
Rows = dict[str, NDArray[Any]]

SPAN_COLUMNS: Final = {"register": "int32", "start": "int64", "stop": "int64"}
EXTRA_ROWS: Final = 4096  # an extra run up to this long, or a quarter of the base, is not merged


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Rows sorted by (register, start); ``first_row[r]`` is where register r begins, one entry more at the end."""

    columns: Rows
    first_row: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.columns["start"])

    def bounds(self, register: Ints) -> tuple[Ints, Ints]:
        """First row of each register and the row after its last."""
        last = len(self.first_row) - 1
        return self.first_row[np.clip(register, 0, last)], self.first_row[np.clip(register + 1, 0, last)]

    def after(self, register: Ints, position: Ints) -> Ints:
        """The row after the last that starts at or before ``position``: a binary search, all queries abreast."""
        low, high = self.bounds(register)
        start = self.columns["start"]
        for _ in range(int((high - low).max(initial=0)).bit_length()):
            middle = (low + high) >> 1
            right = (low < high) & (start[np.minimum(middle, len(start) - 1)] <= position)
            low, high = np.where(right, middle + 1, low), np.where(right, high, middle)
        return low

    def floor(self, register: Ints, position: Ints) -> tuple[Ints, Ints]:
        """`after` each position, and whether the row before that contains the position."""
        after = self.after(register, position)
        if len(self) == 0:
            return after, np.zeros(len(after), dtype=bool)
        inside = (after > self.bounds(register)[0]) & (position < self.columns["stop"][after - 1])
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
    return Run(rows, np.searchsorted(register, np.arange(registers + 1)).astype(np.int64))


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
        self._base = self._extra = self._empty()
        self.version = 0

    def _empty(self) -> Run:
        return run_of({name: np.zeros(0, dtype=dtype) for name, dtype in self._dtypes.items()})

    def __len__(self) -> int:
        return len(self._base) + len(self._extra)

    @property
    def runs(self) -> tuple[tuple[int, Run], ...]:
        """Both runs, each with the handle of its first row."""
        return (0, self._base), (len(self._base), self._extra)

    def insert(self, rows: Rows) -> None:
        """Add rows, in any order, that overlap with nothing: the caller has checked."""
        rows = sorted_rows({name: rows[name].astype(dtype, copy=False) for name, dtype in self._dtypes.items()})
        if not len(rows["start"]):
            return
        self.version += 1
        if len(self._extra) + len(rows["start"]) <= max(EXTRA_ROWS, len(self._base) // 4):
            self._extra = merge(self._extra, rows)
        else:
            self.compact()
            self._base = merge(self._base, rows)

    def compact(self) -> None:
        """Merge the extra run into the base."""
        if len(self._extra):
            self.version += 1
            self._base, self._extra = merge(self._base, self._extra.columns), self._empty()

    def columns(self) -> Rows:
        """Every row, sorted by (register, start). Not copies: do not change them."""
        self.compact()
        return self._base.columns

    def find(self, register: Ints, position: Ints) -> Ints:
        """Handle of the row that contains each position, or -1."""
        row = self._base.containing(register, position)
        if len(self._extra) == 0:
            return row
        other = self._extra.containing(register, position)
        return np.where((row < 0) & (other >= 0), other + len(self._base), row)

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
        if len(found[1][0]):
            order = np.lexsort((self.take("start", handle), query))
            query, handle = query[order], handle[order]
        return query, handle

    def take(self, name: str, handle: Ints) -> Ints:
        """Values of one column at handles."""
        if len(self._extra) == 0:
            return self._base.columns[name][handle]
        values = np.empty(len(handle), dtype=self._dtypes[name])
        based = handle < len(self._base)
        values[based] = self._base.columns[name][handle[based]]
        values[~based] = self._extra.columns[name][handle[~based] - len(self._base)]
        return values

    def put(self, name: str, handle: Ints, values: Ints) -> None:
        """Change one column at handles. Only payload and, downwards, ``stop``."""
        self.version += 1
        based = handle < len(self._base)
        self._base.columns[name][handle[based]] = values[based]
        self._extra.columns[name][handle[~based] - len(self._base)] = values[~based]


def _expand(first: Ints, last: Ints, asked: Ints, offset: int) -> tuple[Ints, Ints]:
    counts = np.where(asked, last - first, 0)
    query = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(query)) - np.repeat(np.cumsum(counts) - counts, counts)
    return query, np.repeat(first, counts) + within + offset
