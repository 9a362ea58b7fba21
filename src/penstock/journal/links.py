"""Links: this span became that one. One `LinkBook` for each kind, exclusive on both sides.

Within a kind no unit of a source becomes two things and no unit of a target is filled twice. Forward and backward are
interval joins. A part of a link maps to a part of its other side at ``floor(offset * other / own)``: the identity
between like units; between unlike ones neighbouring parts map to neighbouring parts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict, Invalid
from penstock.journal.cutting import (
    allocate,
    convert_exact,
    cut_at_rate,
    cut_down,
    cut_unlike,
    positions_of,
    ratio_down,
    tile_links,
)
from penstock.journal.formats import LINKS
from penstock.journal.register import grown
from penstock.journal.segment import Columns
from penstock.journal.span_index import Rows, SpanIndex

__all__ = [
    "LinkBook", "Pieces", "allocate", "convert_exact", "cut_at_rate", "cut_down", "cut_unlike", "positions_of",
    "ratio_down", "tile_links",
]  # fmt: skip

Ints = NDArray[Any]
SIDES: Final = {"source": "target", "target": "source"}


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Parts of links, by query and then position: ``query`` and ``row`` (the link's number), and both spans."""

    query: Ints
    row: Ints
    source: Ints
    source_start: Ints
    source_stop: Ints
    target: Ints
    target_start: Ints
    target_stop: Ints

    def __len__(self) -> int:
        return len(self.row)


class LinkBook:
    """All links of one kind. Rows are numbered in the order they came; ``batches`` says where each batch began."""

    def __init__(self) -> None:
        self._columns = {name: np.zeros(0, dtype=dtype) for name, dtype in LINKS.fixed}
        self._sides = {side: SpanIndex({"row": "int64"}) for side in SIDES}
        self._starts: list[int] = []
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    @property
    def batches(self) -> NDArray[np.int64]:
        """First row of every batch."""
        return np.array(self._starts, dtype=np.int64)

    def columns(self) -> Rows:
        """Every link, columns of ``link/1``, in the order they came. Views: do not change them."""
        return {name: column[: self._rows] for name, column in self._columns.items()}

    def check_add(self, links: Columns) -> None:
        """That links are well formed and exclusive, among themselves and with those that stand.

        Raises:
            Invalid: ``links.malformed``. Conflict: ``links.source_twice``, ``links.target_twice``.
        """
        bad = np.zeros(len(links["source"]), dtype=bool)
        for side in SIDES:
            register, start, stop = _spans(links, side)
            bad |= (register < 0) | (start < 0) | (stop < start)
        if bad.any():
            raise Invalid("links.malformed", "A span does not run from 0 or more upwards.", row=int(np.argmax(bad)))
        for side in SIDES:
            self._check_exclusive(links, side)

    def _check_exclusive(self, links: Columns, side: str) -> None:
        register, start, stop = _spans(links, side)
        twice = self._sides[side].overlaps(register, start, stop) | overlapping(register, start, stop)
        if twice.any():
            row = int(np.argmax(twice))
            span = f"[{start[row]}, {stop[row]}) of register {register[row]}"
            raise Conflict(f"links.{side}_twice", f"A unit in {span} is the {side} of another link already.", row=row)

    def add(self, links: Columns) -> None:
        """Add a batch, all or nothing; raises as `check_add`."""
        self.check_add(links)
        rows = np.arange(self._rows, self._rows + len(links["source"]))
        self._starts.append(self._rows)
        for name in self._columns:
            self._columns[name] = grown(self._columns[name], self._rows + len(rows))
            self._columns[name][self._rows : self._rows + len(rows)] = links[name]
        self._rows += len(rows)
        for side, index in self._sides.items():
            register, start, stop = _spans(links, side)
            spans = {"register": register, "start": start, "stop": stop, "row": rows}
            index.insert({name: column[stop > start] for name, column in spans.items()})

    def forward(self, register: Ints | int, start: Ints | int, stop: Ints | int) -> Pieces:
        """What units ``[start, stop)`` became: pieces for each query. O(log n + k) a query."""
        return self._pieces("source", register, start, stop)

    def backward(self, register: Ints | int, start: Ints | int, stop: Ints | int) -> Pieces:
        """What units ``[start, stop)`` came from: pieces for each query."""
        return self._pieces("target", register, start, stop)

    def _pieces(self, side: str, *query: Ints | int) -> Pieces:
        register, start, stop = np.broadcast_arrays(*(np.atleast_1d(np.asarray(part)) for part in query))
        asked, handle = self._sides[side].join(register, start, stop)
        row = self._sides[side].take("row", handle)
        near, far = (_spans(self._columns, name, row) for name in (side, SIDES[side]))
        low, high = np.maximum(start[asked], near[1]), np.minimum(stop[asked], near[2])
        far_low = far[1] + ratio_down(low - near[1], far[2] - far[1], near[2] - near[1])
        far_high = far[1] + ratio_down(high - near[1], far[2] - far[1], near[2] - near[1])
        ends = {side: (near[0], low, high), SIDES[side]: (far[0], far_low, far_high)}
        return Pieces(asked, row, *ends["source"], *ends["target"])

    def filled(self, register: int) -> int:
        """The position behind the last unit of ``register`` that a link fills; 0 where none does."""
        return self._sides["target"].head(register)

    def spent(self, register: int) -> int:
        """The position behind the last unit of ``register`` that became something; 0 where none did."""
        return self._sides["source"].head(register)

    def linked(self, side: str, register: int, start: int, stop: int) -> int:
        """How many units of ``[start, stop)`` are linked on ``side``."""
        pieces = self._pieces(side, register, start, stop)
        lows, highs = getattr(pieces, f"{side}_start"), getattr(pieces, f"{side}_stop")
        return int((highs - lows).sum())

    def digest(self) -> bytes:
        """sha256 over every link in order."""
        digest = hashlib.sha256()
        for name, column in sorted(self.columns().items()):
            digest.update(name.encode() + column.astype(column.dtype.newbyteorder("<"), copy=False).tobytes())
        return digest.digest()


def overlapping(register: Ints, start: Ints, stop: Ints) -> NDArray[np.bool_]:
    """Which spans share a unit with one before them in (register, start) order. Empty spans share none."""
    bad = np.zeros(len(register), dtype=bool)
    rows = np.flatnonzero(stop > start)
    order = rows[np.lexsort((start[rows], register[rows]))]
    same = np.diff(register[order]) == 0
    bad[order[1:]] = same & (start[order][1:] < furthest(register[order], stop[order])[:-1])
    return bad


def furthest(register: Ints, stop: Ints) -> Ints:
    """The furthest stop so far within each register; rows come sorted by register."""
    order = np.lexsort((stop, register))
    rank = np.empty(len(stop), dtype=np.int64)
    rank[order] = np.arange(len(stop))  # any rank of a later register is above all of an earlier one
    reach: Ints = stop[order][np.maximum.accumulate(rank)]
    return reach


def _spans(columns: Columns, side: str, row: Ints | slice = slice(None)) -> tuple[Ints, Ints, Ints]:
    return columns[side][row], columns[f"{side}_start"][row], columns[f"{side}_stop"][row]
