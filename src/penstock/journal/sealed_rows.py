"""The rows of a sealed segment as they stand now: some may be erased, and every other one still proves itself.

An erased row keeps its place, so that rows go on being named by their index. In its place stand columns that say
nothing: numbers -1, verdict 255 - or, for the one stand-in that a register keeps, where the register had got to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from penstock.errors import Corrupt, NotFound
from penstock.journal.pruned_tree import Mask, PrunedTree
from penstock.journal.segment import (
    Column,
    Columns,
    SegmentFormat,
    SegmentRef,
    check_columns,
    leaves_of,
    packed_row,
    sum_of,
)
from penstock.journal.tree_kernel import Bytes2D

ERASED: Final = 255
"""The verdict of a row that was erased: it does not count."""
_NOBODY: Final = ("device", "register", "packet")


class ProvedRow(NamedTuple):
    """A packed row, its salt (empty where there is none) and its path to the segment's root."""

    row: bytes
    salt: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SealedRows:
    """Columns of all rows, erased ones blank; salts (rows, 32) uint8 of a salted format.

    ``erased`` says which rows are gone, ``nodes`` what the tree keeps of them (`PrunedTree`).
    """

    format: SegmentFormat
    columns: Columns
    salts: Bytes2D | None = None
    erased: Mask | None = None
    nodes: bytes = b""

    def __len__(self) -> int:
        return len(self.columns[self.format.fixed[0][0]])

    def tree(self) -> PrunedTree:
        """The tree over all rows. Raises Corrupt ``tree.pruned``."""
        return PrunedTree(leaves_of(self.format, self.columns, self.salts), self.erased, self.nodes)

    def prove(self, index: int, tree: PrunedTree | None = None) -> ProvedRow:
        """A row with all that ties it to the segment's root. Raises NotFound ``segment.row_erased``."""
        if self.erased is not None and self.erased[index]:
            raise NotFound("segment.row_erased", "This row was erased; only its place is left.", index=index)
        salt = b"" if self.salts is None else self.salts[index].tobytes()
        return ProvedRow(packed_row(self.format, self.columns, index), salt, (tree or self.tree()).proof(index))

    def differs(self, ref: SegmentRef) -> str:
        """What of it is not as ``ref`` sealed it: ``rows``, ``sum`` or ``root``; empty where nothing is.

        The sum of erased rows is known to nobody; the root holds them all the same.
        """
        if len(self) != ref.rows or self.format.name != ref.format:
            return "rows"
        if self.erased is None and sum_of(self.format, self.columns) != ref.sum:
            return "sum"
        return "" if self.tree().root() == ref.root else "root"

    def check(self, ref: SegmentRef) -> None:
        """Raises Corrupt ``segment.altered`` where these are not the rows that ``ref`` seals."""
        check_columns(self.format, self.columns)
        if self.differs(ref):
            raise Corrupt(
                "segment.altered", f"A segment of {self.format.name} is not what its fact sealed.", root=ref.root.hex()
            )

    def without(self, rows: Mask) -> SealedRows:
        """These rows with those of ``rows`` erased as well."""
        erased = rows if self.erased is None else rows | self.erased
        columns = {name: _blanked(name, column, rows) for name, column in self.columns.items()}
        salts = None if self.salts is None else np.where(rows[:, None], np.uint8(0), self.salts)
        return SealedRows(self.format, columns, salts, erased, self.tree().nodes_for(erased))


def blank_columns(fmt: SegmentFormat, rows: int) -> dict[str, Column]:
    """Columns of rows that say nothing."""
    names = [*fmt.fixed, (fmt.blob, "object")] if fmt.blob else fmt.fixed
    every = np.ones(rows, dtype=np.bool_)
    return {name: _blanked(name, np.empty(rows, dtype=np.dtype(dtype)), every) for name, dtype in names}


def _blanked(name: str, column: Column, rows: Mask) -> Column:
    blanked = column.copy()
    if column.dtype.kind == "O":
        blanked[rows] = b""
    else:
        blanked[rows] = ERASED if name == "verdict" else -1 if name in _NOBODY else 0
    return blanked
