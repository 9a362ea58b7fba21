"""Columns that grow together: one table of rows 0, 1, ..., each column with a dtype and what new rows start with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

ROOM: Final = 16


@dataclass(frozen=True, slots=True)
class Layout:
    """A column: its dtype, what a new row holds, and its width where a row is several values."""

    dtype: str
    fill: int = 0
    width: int = 0


class Growing:
    """The columns of one table. Room doubles, so that adding rows costs the same however many there are."""

    def __init__(self, layouts: Mapping[str, Layout]) -> None:
        self._layouts = dict(layouts)
        self._columns = {name: _filled(layout, ROOM) for name, layout in layouts.items()}
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The column's rows, to write to."""
        return self._columns[name][: self._rows]

    def view(self, name: str) -> NDArray[Any]:
        """The column's rows, read-only."""
        view = self._columns[name][: self._rows]
        view.flags.writeable = False
        return view

    def reach(self, rows: int) -> None:
        """At least ``rows`` rows; new ones hold what their column starts with."""
        room = len(next(iter(self._columns.values())))
        if rows > room:
            more = max(rows, 2 * room) - room
            for name, layout in self._layouts.items():
                self._columns[name] = np.concatenate([self._columns[name], _filled(layout, more)])
        self._rows = max(self._rows, rows)

    def add(self, rows: int, **values: NDArray[Any] | int) -> NDArray[np.int64]:
        """``rows`` more rows that hold ``values`` where given; returns their numbers."""
        first = self._rows
        self.reach(first + rows)
        for name, value in values.items():
            self._columns[name][first : first + rows] = value
        return np.arange(first, first + rows)

    def digest(self) -> bytes:
        """sha256 over every column."""
        digest = hashlib.sha256()
        for name, layout in self._layouts.items():
            digest.update(self[name].astype(np.dtype(layout.dtype).newbyteorder("<"), copy=False).tobytes())
        return digest.digest()


def _filled(layout: Layout, rows: int) -> NDArray[Any]:
    shape = (rows, layout.width) if layout.width else (rows,)
    return np.full(shape, layout.fill, dtype=layout.dtype)
