"""Salted: what was decided about erasable rows, sealed in salted form, for people whose rows must one day go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import PacketsReceived, ReadingsVerified
from penstock.store.sql_store import SqlStore


def salted(store: SqlStore, entries: Sequence[Entry]) -> list[Entry]:
    """The same facts over the same rows with salted leaves; readings name their packets by the new root.

    Call it where the entries are decided, inside the sequencer: seeds drawn earlier may be erased meanwhile.

    Raises:
        As `SeedTable.draw`.
    """
    roots: dict[bytes, bytes] = {}
    sealed = []
    for entry in entries:
        fact = entry.fact
        if entry.segment is None or not isinstance(fact, PacketsReceived | ReadingsVerified):
            sealed.append(entry)
            continue
        segment = store.rows.salt(entry.segment.format, entry.segment.columns)
        if isinstance(fact, PacketsReceived):
            roots[fact.segment.root] = segment.ref().root
            sealed.append(Entry(replace(fact, segment=segment.ref()), segment))
        else:
            packets_root = roots.get(fact.packets_root, fact.packets_root)
            sealed.append(Entry(replace(fact, segment=segment.ref(), packets_root=packets_root), segment))
    return sealed
