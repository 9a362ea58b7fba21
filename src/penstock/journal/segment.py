"""Segments: the bulk of a fact as columns, sealed by a Merkle root over packed rows.

A format fixes the columns and their order. A row packs its fixed columns
little-endian, in that order, then its one optional bytes column; the segment's
root is the RFC 9162 root over the rows, one leaf a row - never over a file's
bytes, which a library may write otherwise tomorrow. The fact carries root,
count and sum; the store keeps the file and its digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Corrupt, Invalid
from penstock.journal.tree import leaf_hash, root_of
from penstock.journal.tree_kernel import root_of_rows

Column = NDArray[Any]
Columns = Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class SegmentFormat:
    """A versioned layout: fixed columns (name, NumPy dtype), at most one bytes column, the column that is summed."""

    name: str
    fixed: tuple[tuple[str, str], ...]
    blob: str | None = None
    summed: str | None = None

    @property
    def row_bytes(self) -> int:
        """Width of the fixed part of a packed row [bytes]."""
        return sum(np.dtype(dtype).itemsize for _, dtype in self.fixed)


@dataclass(frozen=True, slots=True)
class SegmentRef:
    """What a fact says of its segment: format, rows, the sum of its summed column, the rows' Merkle root."""

    format: str
    rows: int
    sum: int
    root: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Columns of one format, all of one length."""

    format: SegmentFormat
    columns: Columns

    def __len__(self) -> int:
        name = self.format.fixed[0][0]
        return len(self.columns[name])

    def ref(self) -> SegmentRef:
        """Seal: the reference a fact carries.

        Raises:
            Invalid: ``segment.columns`` where a column is missing, extra, ragged or would not fit its dtype.
        """
        checked = check_columns(self.format, self.columns)
        return SegmentRef(
            self.format.name, len(self), _sum_of(self.format, checked), root_of_columns(self.format, checked)
        )


def check_columns(fmt: SegmentFormat, columns: Columns) -> dict[str, Column]:
    """``columns`` in the format's order and dtypes; raises as `Segment.ref`."""
    names = [name for name, _ in fmt.fixed] + ([fmt.blob] if fmt.blob else [])
    if set(columns) != set(names) or len({len(columns[name]) for name in names}) != 1:
        raise Invalid("segment.columns", f"{fmt.name} has the columns {', '.join(names)}, all of one length.")
    return {name: _cast(fmt, name, columns[name]) for name in names}


def _cast(fmt: SegmentFormat, name: str, column: Column) -> Column:
    if name == fmt.blob:
        return np.asarray(column, dtype=object)
    dtype = np.dtype(dict(fmt.fixed)[name])
    try:
        cast = np.ascontiguousarray(column, dtype=dtype)
    except (OverflowError, TypeError, ValueError):
        cast = np.empty(0, dtype)
    if cast.ndim != 1 or not np.array_equal(cast, column):
        raise Invalid("segment.columns", f"{fmt.name}.{name} does not fit {dtype}.")
    return cast


def pack_rows(fmt: SegmentFormat, columns: Columns) -> NDArray[np.uint8]:
    """The fixed columns packed little-endian: uint8 of shape (rows, row_bytes)."""
    rows = len(columns[fmt.fixed[0][0]])
    packed = np.empty((rows, fmt.row_bytes), dtype=np.uint8)
    at = 0
    for name, dtype in fmt.fixed:
        little = np.dtype(dtype).newbyteorder("<")
        packed[:, at : at + little.itemsize] = columns[name].astype(little, copy=False).reshape(-1, 1).view(np.uint8)
        at += little.itemsize
    return packed


def packed_row(fmt: SegmentFormat, columns: Columns, index: int) -> bytes:
    """The packed bytes of one row, blob included: what its leaf hashes."""
    one = {name: column[index : index + 1] for name, column in columns.items()}
    fixed = pack_rows(fmt, one).tobytes()
    return fixed + bytes(one[fmt.blob][0]) if fmt.blob else fixed


def leaf_hashes_of(fmt: SegmentFormat, columns: Columns) -> list[bytes]:
    """Leaf hash of every row, in order; for proofs of single rows."""
    packed = pack_rows(fmt, columns)
    blobs = columns[fmt.blob] if fmt.blob else [b""] * len(packed)
    return [leaf_hash(row.tobytes() + blob) for row, blob in zip(packed, blobs, strict=True)]


def root_of_columns(fmt: SegmentFormat, columns: Columns) -> bytes:
    """The RFC 9162 root over the packed rows."""
    if fmt.blob:
        return root_of(leaf_hashes_of(fmt, columns))
    return root_of_rows(pack_rows(fmt, columns))


def check_sealed(fmt: SegmentFormat, columns: Columns, ref: SegmentRef) -> None:
    """That ``columns`` are the very rows that ``ref`` seals.

    Raises:
        Corrupt: ``segment.altered``.
    """
    if Segment(fmt, columns).ref() != ref:
        raise Corrupt("segment.altered", f"A segment of {fmt.name} is not what its fact sealed.", root=ref.root.hex())


def _sum_of(fmt: SegmentFormat, columns: Columns) -> int:
    """Exact, though the sum of int64 values may need more than 64 bits."""
    if not fmt.summed:
        return 0
    column = columns[fmt.summed].astype(np.int64, copy=False)
    return (int((column >> 32).sum()) << 32) + int((column & 0xFFFF_FFFF).sum())
