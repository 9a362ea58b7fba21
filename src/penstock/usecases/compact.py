"""Compact: rows of many small files move into few large ones; no fact and no root changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from penstock.errors import Conflict, Refused
from penstock.journal.fact import Entry
from penstock.journal.formats import FORMATS
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.upkeep import SegmentsCompacted
from penstock.store.ports import Place, Upkeep
from penstock.store.segments import file_name
from penstock.store.sql_store import SqlStore
from penstock.usecases.replay import read_back, segment_ref
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

ROWS_MAX: Final = 262_144
BYTES_MAX: Final = 64 << 20
"""A file of more rows or bytes is large; a smaller one may be put together with others of its format."""


class Lot(NamedTuple):
    """A file, the segments in it, their format, and its size."""

    file: str
    segments: tuple[str, ...]
    format: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class CompactionAsked:
    """What to call large [rows]."""

    rows_max: int


def compact(workspace: Path, at_us: int, rows_max: int = ROWS_MAX) -> dict[str, Any]:
    """Put small files together and record it; what was done.

    Raises:
        Refused: ``compact.nothing``. Conflict: ``compact.moved`` where rows moved meanwhile.
    """
    with Workspace(workspace) as opened:
        compaction = Compaction(opened.store, rows_max)
        compaction.prepare()
        asked = CompactionAsked(rows_max)
        receipt = opened.submit(f"compact:{at_us}", asked, at_us, compaction.decide, upkeep=compaction.upkeep)
        (row,) = opened.facts(receipt.first_seq, receipt.first_seq + 1)
        fact = row.recorded.fact
        assert isinstance(fact, SegmentsCompacted)  # noqa: S101 - the command records nothing else
        return {
            "segments": fact.segments,
            "files_before": fact.files_before,
            "files_after": fact.files_after,
            "fact": row.recorded.seq,
            "left_over": opened.store.litter(),
        }


@dataclass(slots=True)
class Compaction:
    """One act: files are written beside the sequencer, and used if nothing moved meanwhile."""

    store: SqlStore
    rows_max: int = ROWS_MAX
    _places: list[Place] = field(default_factory=list)
    _before: list[Place | None] = field(default_factory=list)
    _files: int = 0

    def prepare(self) -> None:
        """Write the new files. Raises Refused ``compact.nothing``."""
        in_sql = self.store.rows.small.digests()
        for lots in _batches(lots_of(self.store), self.rows_max):
            digests = [digest for lot in lots for digest in lot.segments]
            self._before += [self.store.rows.places.of(digest) for digest in digests]
            fmt = FORMATS[lots[0].format]
            self._places += self.store.rows.move([(each, self.store.rows.unsalted(each, fmt)) for each in digests])
            self._files += sum(lot.file not in in_sql for lot in lots)
        if not self._places:
            raise Refused("compact.nothing", "No two small files are of one format.")

    def decide(self, _: World) -> list[Entry]:
        """The fact. Raises Conflict ``compact.moved``."""
        now = [self.store.rows.places.of(place.segment) for place in self._places]
        if now != self._before:
            raise Conflict("compact.moved", "Rows moved while files were put together.", hint="Try again.")
        after = len({place.file for place in self._places} - {None})
        return [Entry(SegmentsCompacted(len(self._places), self._files, after))]

    def upkeep(self) -> Upkeep:
        """What the commit moves."""
        return Upkeep(self._places)


def lots_of(store: SqlStore) -> list[Lot]:
    """Every file of segments, in the order in which the journal first names one of its segments."""
    places, sizes = {place.segment: place for place in store.rows.places.all()}, store.file_sizes()
    lots: dict[str, Lot] = {}
    for digest, name, total in named_segments(store):
        place = places.get(digest)
        file, rows = (place.file, place.rows) if place else (digest, total)
        if file is not None:
            one = lots.get(file, Lot(file, (), name, 0, sizes.get(file_name(file), 0)))
            lots[file] = one._replace(segments=(*one.segments, digest), rows=one.rows + rows)
    return list(lots.values())


def named_segments(store: SqlStore) -> Iterator[tuple[str, str, int]]:
    """Digest, format and rows of every segment that a fact names, once each."""
    seen: set[str] = set()
    for stored in store.facts():
        if stored.segment is not None and stored.segment not in seen:
            seen.add(stored.segment)
            ref = segment_ref(read_back(KINDS, stored).fact)
            if ref is not None:
                yield stored.segment, ref.format, ref.rows


def _batches(lots: list[Lot], rows_max: int) -> Iterator[list[Lot]]:
    """Small files of one format, two or more at a time, in the journal's order."""
    for name in sorted({lot.format for lot in lots}):
        batch: list[Lot] = []
        for lot in [one for one in lots if one.format == name and one.rows < rows_max and one.bytes < BYTES_MAX]:
            full = sum(one.rows for one in batch) + lot.rows > rows_max
            if full or sum(one.bytes for one in batch) + lot.bytes > BYTES_MAX:
                if len(batch) > 1:
                    yield batch
                batch = []
            batch.append(lot)
        if len(batch) > 1:
            yield batch
