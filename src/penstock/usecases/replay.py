"""From the record to a world: every link of the hash chain checked, every segment opened by its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol, runtime_checkable

from penstock.errors import Corrupt, Invalid
from penstock.journal.fact import FactBody, Kinds, Recorded
from penstock.journal.formats import FORMATS
from penstock.journal.sealed_rows import SealedRows
from penstock.journal.segment import Columns, SegmentFormat, SegmentRef
from penstock.store.ports import ZERO_HASH, Store, StoredFact

Told = tuple[Recorded, Columns | None]
_Read = tuple[StoredFact, Recorded]
TOGETHER: Final = 1_024
"""So many facts are read and applied at once where none of them seals much."""
TOGETHER_ROWS: Final = 64


class AnyWorld(Protocol):
    """Books that follow from facts alone: the same facts in the same order give the same world."""

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        """Take one fact in, with its segment's columns where it has one."""


@runtime_checkable
class TakesMany(AnyWorld, Protocol):
    """A world that takes consecutive facts together, faster, and exactly as one after the other."""

    def apply_all(self, told: Sequence[Told]) -> None:
        """Take facts in, each with the columns of its segment where it has one."""


def replay(store: Store, kinds: Kinds, world: AnyWorld, start: int = 0, stop: int | None = None) -> bytes:
    """Apply committed facts ``[start, stop)`` to ``world``; returns the hash of the last.

    Raises:
        Corrupt: ``journal.broken_link``, ``journal.unreadable`` where a fact is of no known kind or form, and as
            the store's ``columns``; whatever ``world.apply`` raises.
    """
    prev = next(store.facts(start - 1, start)).hash if start else ZERO_HASH
    for some in _together(_read(store, kinds, prev, start, stop)):
        _apply(world, [*zip((recorded for _, recorded in some), _columns(store, some), strict=True)])
        prev = some[-1][0].hash
    return prev


def _read(store: Store, kinds: Kinds, prev: bytes, start: int, stop: int | None) -> Iterator[_Read]:
    for seq, stored in enumerate(store.facts(start, stop), start):
        broken = broken_link(stored, seq, prev)
        if broken:
            hint = "Run an audit, then restore a backup."
            raise Corrupt("journal.broken_link", f"The record is damaged: {broken}.", hint=hint, seq=seq)
        yield stored, read_back(kinds, stored)
        prev = stored.hash


def _together(facts: Iterable[_Read]) -> Iterator[list[_Read]]:
    """Facts in order, several at once where they are small, one that seals more than a few rows alone."""
    some: list[_Read] = []
    for stored, recorded in facts:
        ref = segment_ref(recorded.fact)
        large = ref is not None and ref.rows > TOGETHER_ROWS
        if some and (large or len(some) == TOGETHER):
            yield some
            some = []
        some.append((stored, recorded))
        if large:
            yield some
            some = []
    if some:
        yield some


def _columns(store: Store, some: Sequence[_Read]) -> list[Columns | None]:
    names = [_named(stored, recorded) for stored, recorded in some]
    found = iter(store.columns_of([name for name in names if name]))
    return [next(found) if name else None for name in names]


def _apply(world: AnyWorld, told: Sequence[Told]) -> None:
    if isinstance(world, TakesMany):
        world.apply_all(told)
        return
    for recorded, columns in told:
        world.apply(recorded, columns)


def broken_link(stored: StoredFact, seq: int, prev: bytes) -> str:
    """What is wrong with a row as the next after ``prev``; empty when nothing is."""
    if stored.seq != seq:
        return f"fact {seq} is missing"
    if stored.prev != prev:
        return "a fact does not name the one before it"
    if hashlib.sha256(prev + stored.body).digest() != stored.hash:
        return "a fact is not what was hashed"
    return ""


def read_back(kinds: Kinds, stored: StoredFact) -> Recorded:
    """The fact of a row. Raises Corrupt ``journal.unreadable``."""
    try:
        recorded = kinds.decode(stored.body, stored.seq)
    except Invalid as error:
        raise Corrupt("journal.unreadable", error.message, hint="Is the program older?", seq=stored.seq) from error
    if (recorded.fact.KIND, recorded.at_us) != (stored.kind, stored.at_us):
        raise Corrupt("journal.unreadable", "A row says another kind or time than its fact.", seq=stored.seq)
    return recorded


def columns_of(store: Store, stored: StoredFact, recorded: Recorded) -> Columns | None:
    """The columns a fact names; None where it names none. Raises Corrupt as the store's ``columns``."""
    named = _named(stored, recorded)
    return store.columns(*named) if named else None


def sealed_of(store: Store, stored: StoredFact, recorded: Recorded) -> SealedRows | None:
    """The same rows with all that proves them. Raises Corrupt as the store's ``sealed``."""
    named = _named(stored, recorded)
    return store.sealed(*named) if named else None


def _named(stored: StoredFact, recorded: Recorded) -> tuple[str, SegmentFormat] | None:
    ref = segment_ref(recorded.fact)
    if ref is None:
        return None
    if stored.segment is None or ref.format not in FORMATS:
        raise Corrupt("store.segment_missing", "A fact names bulk that its row does not.", seq=stored.seq)
    return stored.segment, FORMATS[ref.format]


def segment_ref(fact: FactBody) -> SegmentRef | None:
    """What a fact says of its segment; None where it has none."""
    ref = getattr(fact, "segment", None)
    return ref if isinstance(ref, SegmentRef) else None
