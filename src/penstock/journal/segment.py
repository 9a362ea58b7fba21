"""Segments: the bulk of a fact as columns, sealed by a Merkle root over packed rows.

A format fixes the columns and their order. A row packs its fixed columns
little-endian, in that order, then its one optional bytes column; the segment's
root is the RFC 9162 root over the rows, one leaf a row - never over a file's
bytes, which a library may write otherwise tomorrow. The fact carries root,
count and sum; the store keeps the file and its digest. In a salted format a
leaf is its row behind a salt, so that the leaf of an erased row tells nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Corrupt, Invalid
from penstock.journal.tree import leaf_hash
from penstock.journal.tree_kernel import HASH_BYTES, Bytes2D, hashes_of, leaf_hashes, root_of_hashes, root_of_rows

Column = NDArray[Any]
Columns = Mapping[str, Column]
SALT_PREFIX: Final = b"\x02"
SALTED: Final = "+salt"


@dataclass(frozen=True, slots=True)
class SegmentFormat:
    """A versioned layout: fixed columns (name, NumPy dtype), at most one bytes column, the column that is summed.

    Rows that can be erased name whose they are (``subject``, a column of numbers) and when (``instant`` [us]).
    """

    name: str
    fixed: tuple[tuple[str, str], ...]
    blob: str | None = None
    summed: str | None = None
    subject: str = ""
    instant: str = ""
    salted: bool = False

    @property
    def row_bytes(self) -> int:
        """Width of the fixed part of a packed row [bytes]."""
        return sum(np.dtype(dtype).itemsize for _, dtype in self.fixed)


def salted(fmt: SegmentFormat) -> SegmentFormat:
    """The same layout with salted leaves: ``reading/2`` becomes ``reading/2+salt``."""
    return replace(fmt, name=fmt.name + SALTED, salted=True)


@dataclass(frozen=True, slots=True, eq=False)
class Salting:
    """A secret seed for each row, (rows, 32) uint8, and how many erasures had been when they were drawn."""

    seeds: Bytes2D
    erasures: int = 0


@dataclass(frozen=True, slots=True)
class SegmentRef:
    """What a fact says of its segment: format, rows, the sum of its summed column, the rows' Merkle root."""

    format: str
    rows: int
    sum: int
    root: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Columns of one format, all of one length; with ``salting`` where the format is salted."""

    format: SegmentFormat
    columns: Columns
    salting: Salting | None = None

    def __len__(self) -> int:
        name = self.format.fixed[0][0]
        return len(self.columns[name])

    def ref(self) -> SegmentRef:
        """Seal: the reference a fact carries.

        Raises:
            Invalid: ``segment.columns`` where a column is missing, extra, ragged or would not fit its dtype;
                ``segment.salting`` where a salted format has no seed for each row, or another has.
        """
        checked = check_columns(self.format, self.columns)
        return SegmentRef(self.format.name, len(self), sum_of(self.format, checked), self._root(checked))

    def _root(self, checked: Columns) -> bytes:
        seeds = self.salting.seeds if self.salting else None
        if self.format.salted != (seeds is not None) or (seeds is not None and seeds.shape != (len(self), HASH_BYTES)):
            raise Invalid("segment.salting", f"{self.format.name} has a seed for each row, or none at all.")
        if seeds is None:
            return root_of_columns(self.format, checked)
        return root_of_hashes(leaves_of(self.format, checked, salts_of(self.format, checked, seeds)))


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
    packed = np.empty(rows, dtype=[(name, np.dtype(dtype).newbyteorder("<")) for name, dtype in fmt.fixed])
    for name, _ in fmt.fixed:
        packed[name] = columns[name]
    return packed.view(np.uint8).reshape(rows, fmt.row_bytes)


def packed_row(fmt: SegmentFormat, columns: Columns, index: int) -> bytes:
    """The packed bytes of one row, blob included: what its leaf hashes."""
    one = {name: column[index : index + 1] for name, column in columns.items()}
    fixed = pack_rows(fmt, one).tobytes()
    return fixed + bytes(one[fmt.blob][0]) if fmt.blob else fixed


def leaf_hashes_of(fmt: SegmentFormat, columns: Columns) -> list[bytes]:
    """Leaf hash of every row without salt, in order."""
    packed = pack_rows(fmt, columns)
    blobs = columns[fmt.blob] if fmt.blob else [b""] * len(packed)
    return [leaf_hash(row.tobytes() + blob) for row, blob in zip(packed, blobs, strict=True)]


def leaves_of(fmt: SegmentFormat, columns: Columns, salts: Bytes2D | None = None) -> Bytes2D:
    """Leaf hashes (rows, 32) uint8: ``sha256(0x00 || row)``, or ``sha256(0x00 || salt || row)`` with salts."""
    packed = pack_rows(fmt, columns)
    salted_rows = packed if salts is None else np.hstack([salts, packed])
    if not fmt.blob:
        return leaf_hashes(salted_rows)
    hashes = [leaf_hash(row.tobytes() + blob) for row, blob in zip(salted_rows, columns[fmt.blob], strict=True)]
    return np.frombuffer(b"".join(hashes), dtype=np.uint8).reshape(-1, HASH_BYTES)


def salts_of(fmt: SegmentFormat, columns: Columns, seeds: Bytes2D) -> Bytes2D:
    """The salt of every row, (rows, 32) uint8: ``sha256(0x02 || seed || sha256(0x00 || row))``.

    A salt that is shown tells nothing of its seed, nor of another row's salt. The inner hash has one length for rows
    of any length, so that no salt can be made from another by lengthening its row.
    """
    return hashes_of(np.hstack([seeds, leaves_of(fmt, columns)]), SALT_PREFIX)


def root_of_columns(fmt: SegmentFormat, columns: Columns) -> bytes:
    """The RFC 9162 root over the packed rows, without salts."""
    if fmt.blob:
        return root_of_hashes(leaves_of(fmt, columns))
    return root_of_rows(pack_rows(fmt, columns))


def check_sealed(fmt: SegmentFormat, columns: Columns, ref: SegmentRef) -> None:
    """That ``columns`` are the very rows that ``ref`` seals.

    Raises:
        Corrupt: ``segment.altered``.
    """
    if Segment(fmt, columns).ref() != ref:
        raise Corrupt("segment.altered", f"A segment of {fmt.name} is not what its fact sealed.", root=ref.root.hex())


def sum_of(fmt: SegmentFormat, columns: Columns) -> int:
    """Sum of the format's summed column; exact, though it may need more than 64 bits. 0 where it has none."""
    if not fmt.summed:
        return 0
    column = columns[fmt.summed].astype(np.int64, copy=False)
    return (int((column >> 32).sum()) << 32) + int((column & 0xFFFF_FFFF).sum())
