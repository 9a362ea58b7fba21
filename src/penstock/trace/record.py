"""What a bundle is made from: recorded facts, the columns they sealed, proofs. Use cases read it from a store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from penstock.journal.fact import Recorded
from penstock.journal.sealed_rows import SealedRows
from penstock.journal.segment import Columns
from penstock.journal.tree import Proof


class Record(Protocol):
    """A journal to prove from."""

    def facts(self, start: int = 0, stop: int | None = None) -> Iterable[Recorded]:
        """Facts ``[start, stop)`` in order."""

    def columns(self, seq: int) -> Columns:
        """The columns of the segment that fact ``seq`` names."""

    def sealed(self, seq: int) -> SealedRows:
        """The same rows with all that proves them."""

    def inclusion_proof(self, seq: int, size: int) -> Proof:
        """Hashes that prove fact ``seq`` in the tree of ``size`` facts (RFC 9162, 2.1.3.1)."""

    def checkpoint(self) -> str:
        """The latest signed checkpoint, as its note."""
