"""Audit the record itself: chain, forms, segments against what their facts sealed, signed checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from penstock.errors import PenstockError
from penstock.journal.fact import Kinds, Recorded
from penstock.journal.finding import Finding, finding
from penstock.journal.kinds.ledger import CheckpointSigned
from penstock.journal.kinds.upkeep import ReadingsErased
from penstock.journal.sealed_rows import SealedRows
from penstock.journal.segment import SegmentRef
from penstock.store.ports import ZERO_HASH, Store, StoredFact
from penstock.usecases.erasures import Erasures
from penstock.usecases.replay import broken_link, read_back, sealed_of, segment_ref

RECORD: Final = 0
"""Stands where findings name one of the five laws: the record they are all read from."""


def audit_record(store: Store, kinds: Kinds) -> Iterator[Finding]:
    """Everything that is wrong with the record, in order of the facts; nothing when it is whole.

    Codes: ``journal.broken_link``, ``journal.unreadable``, ``journal.split_command``, ``journal.checkpoint``,
    ``store.segment_missing``, ``store.segment_torn``, ``store.segment_format``, ``segment.altered``,
    ``store.erased_untold``.
    """
    before: StoredFact | None = None
    erasures = Erasures()
    for stored in store.facts():
        yield from _audit_place(stored, before)
        yield from _audit_content(store, kinds, stored, erasures)
        before = stored
    for sentence in erasures.wrong():
        yield finding(RECORD, "store.erased_untold", sentence)


def _audit_place(stored: StoredFact, before: StoredFact | None) -> Iterator[Finding]:
    broken = broken_link(stored, before.seq + 1 if before else 0, before.hash if before else ZERO_HASH)
    if broken:
        yield _finding("journal.broken_link", f"The record is damaged: {broken}.", stored)
    part = before.part + 1 if before and before.key == stored.key else 0
    if stored.part != part:
        yield _finding("journal.split_command", "A command's facts do not stand together.", stored)


def _audit_content(store: Store, kinds: Kinds, stored: StoredFact, erasures: Erasures) -> Iterator[Finding]:
    try:
        recorded = read_back(kinds, stored)
        sealed = sealed_of(store, stored, recorded)
    except PenstockError as error:
        yield _finding(error.code, error.message, stored)
        return
    ref = segment_ref(recorded.fact)
    if ref is not None and sealed is not None:
        yield from _audit_segment(stored, ref, sealed)
        erasures.look(stored.segment or "", sealed)
        if isinstance(recorded.fact, ReadingsErased):
            erasures.tell(recorded.fact, sealed.columns)
    yield from _audit_checkpoint(store, stored, recorded)


def _audit_segment(stored: StoredFact, ref: SegmentRef, sealed: SealedRows) -> Iterator[Finding]:
    differs = sealed.differs(ref)
    if differs:
        yield _finding("segment.altered", f"A segment's {differs} is not what its fact sealed.", stored)


def _audit_checkpoint(store: Store, stored: StoredFact, recorded: Recorded) -> Iterator[Finding]:
    fact = recorded.fact
    if isinstance(fact, CheckpointSigned) and (fact.size > stored.seq or store.tree().root(fact.size) != fact.root):
        yield _finding("journal.checkpoint", "A signed checkpoint is not the root of this record.", stored)


def _finding(code: str, message: str, stored: StoredFact) -> Finding:
    segment = {"segment": stored.segment} if stored.segment else {}
    return finding(RECORD, code, message, seq=stored.seq, kind=stored.kind, key=stored.key, **segment)
