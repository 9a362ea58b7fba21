"""A workspace: the folder that holds a journal, its segments, its keys and its chain, opened to write or to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from penstock.journal.fact import Entry, Recorded
from penstock.journal.formats import FORMATS
from penstock.journal.kinds import KINDS
from penstock.journal.sealed_rows import SealedRows
from penstock.journal.segment import Columns
from penstock.journal.tree import Tree
from penstock.store.opening import open_store
from penstock.store.ports import OutboxRow, Upkeep
from penstock.store.sql_store import SqlStore
from penstock.usecases.replay import read_back, segment_ref
from penstock.usecases.sequencer import Receipt, Sequencer
from penstock.usecases.world import World

T = TypeVar("T")
CHAIN_FOLDER: Final = "chain"
KEYS_FOLDER: Final = "keys"


@dataclass(frozen=True, slots=True)
class FactRow:
    """A recorded fact with the digest of its segment's file, where it has one."""

    recorded: Recorded
    key: str
    segment: str | None


class Workspace(AbstractContextManager["Workspace"]):
    """One journal, open. Whoever opens it to write owns it until it is closed.

    Raises:
        As `open_store` and `replay`.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.store: SqlStore = open_store(path, read_only=read_only)
        try:
            self.sequencer: Sequencer[World] = Sequencer(self.store, World, KINDS)
        except BaseException:
            self.store.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.close()

    def submit(
        self,
        key: str,
        asked: Any,
        at_us: int,
        decide: Callable[[World], Sequence[Entry]],
        outbox: Sequence[OutboxRow] = (),
        upkeep: Callable[[], Upkeep] | None = None,
    ) -> Receipt:
        """One command through the sequencer; as `Sequencer.submit`."""
        return self.sequencer.submit(key, asked, at_us, decide, outbox, upkeep)

    def read(self, look: Callable[[World], T]) -> T:
        """What ``look`` finds in the world of committed facts."""
        return self.sequencer.read(look)

    def facts(self, start: int = 0, stop: int | None = None) -> Iterator[FactRow]:
        """Facts in order, read back."""
        for stored in self.store.facts(start, stop):
            yield FactRow(read_back(KINDS, stored), stored.key, stored.segment)

    def columns(self, row: FactRow) -> Columns | None:
        """The columns of a fact's segment; None where it has none."""
        ref = segment_ref(row.recorded.fact)
        return self.store.columns(row.segment, FORMATS[ref.format]) if ref and row.segment else None

    def sealed(self, row: FactRow) -> SealedRows | None:
        """The same rows with all that proves them."""
        ref = segment_ref(row.recorded.fact)
        return self.store.sealed(row.segment, FORMATS[ref.format]) if ref and row.segment else None

    def tree(self) -> Tree:
        """The Merkle tree over all facts."""
        return self.store.tree()
