"""Rows of sealed segments, wherever they lie now: whole files, parts of files, erased.

A segment is known by the digest that its fact names, for ever. What lies where may change, file first, then one
transaction; a file that nothing names any more is garbage.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from penstock.errors import Conflict, Corrupt, Refused, Unavailable
from penstock.journal.formats import FORMATS
from penstock.journal.pruned_tree import Mask
from penstock.journal.sealed_rows import ERASED, SealedRows, blank_columns
from penstock.journal.segment import Columns, Segment, SegmentFormat, salts_of
from penstock.journal.tree_kernel import HASH_BYTES, Bytes2D
from penstock.store.exported import to_exported
from penstock.store.person_table import PersonTable
from penstock.store.place_table import PlaceTable, pack_mask, unpack_mask
from penstock.store.ports import Place, Upkeep, Write
from penstock.store.seed_table import SeedTable
from penstock.store.segments import SegmentFolder, file_name, format_in, from_parquet
from penstock.store.small_table import SMALL_FORMATS, SmallTable
from penstock.store.sql import Sql

_TRIES: Final = 3


class RowStore:
    """Reads sealed rows and moves them. Threads may share it; only the writer moves."""

    def __init__(self, sql: Sql, folder: SegmentFolder) -> None:
        self._folder, self.places, self.seeds, self.people = folder, PlaceTable(sql), SeedTable(sql), PersonTable(sql)
        self.small = SmallTable(sql)
        self._erased: bool | None = None  # whether any segment has lost rows; the writer alone asks, and changes it

    def columns(self, digest: str, fmt: SegmentFormat) -> Columns:
        """A segment's columns, erased rows blank.

        Raises:
            Corrupt: ``store.segment_missing``, ``store.segment_torn``, ``store.segment_format``.
        """
        return self.unsalted(digest, fmt).columns

    def columns_of(self, named: Sequence[tuple[str, SegmentFormat]]) -> list[Columns]:
        """`columns` of many segments, asked of SQL at once."""
        places = self.places.among([digest for digest, _ in named])
        small = self.small.among([digest for digest, fmt in named if digest not in places and fmt in SMALL_FORMATS])
        return [
            from_parquet(small[digest], fmt, digest)
            if digest in small
            else self._found(digest, places.get(digest), fmt).columns
            for digest, fmt in named
        ]

    def sealed(self, digest: str, fmt: SegmentFormat) -> SealedRows:
        """A segment's rows with the salts of those that are left. Raises as `columns`; ``store.seed_missing``."""
        found = self.unsalted(digest, fmt)
        if not fmt.salted:
            return found
        return SealedRows(fmt, found.columns, self._salts(fmt, found), found.erased, found.nodes)

    def export(self, digest: str) -> bytes:
        """A segment as one Parquet file, salts and what is left of erased rows beside it. Raises as `sealed`."""
        place = self.places.of(digest)
        raw = None if place else self._raw(digest)
        name = place.format if place else format_in(raw)
        if raw is not None and name in FORMATS and not FORMATS[name].salted:
            return bytes(raw)
        if name not in FORMATS:
            raise Corrupt("store.segment_format", "A segment's file says no format.", segment=digest)
        return to_exported(self.sealed(digest, FORMATS[name]))

    def salt(self, fmt: SegmentFormat, columns: Columns) -> Segment:
        """A segment in the salted form of an erasable format, its seeds drawn; sealed once it is committed."""
        found = FORMATS[fmt.name if fmt.salted else f"{fmt.name}+salt"]
        return Segment(found, columns, self.seeds.draw(found, columns))

    def move(self, parts: Sequence[tuple[str, SealedRows]]) -> list[Place]:
        """Write the rows of segments of one format into one new file; where they will lie, once that is committed.

        Raises OSError, leaving no temporary file.
        """
        fmt = parts[0][1].format
        present = [_present(rows) for _, rows in parts]
        counts = [int(mask.sum()) for mask in present]
        file: str | None = None
        if sum(counts):
            names = [name for name, _ in fmt.fixed] + ([fmt.blob] if fmt.blob else [])
            kept = [
                {name: rows.columns[name][mask] for name in names}
                for (_, rows), mask in zip(parts, present, strict=True)
            ]
            joined = {name: np.concatenate([columns[name] for columns in kept]) for name in names}
            (file,) = self._folder.write([Segment(fmt, joined)])
        starts = np.cumsum([0, *counts])[:-1].tolist()
        return [
            _place(digest, rows, file if count else None, start, mask)
            for (digest, rows), mask, start, count in zip(parts, present, starts, counts, strict=True)
        ]

    def check(self, writes: Sequence[Write]) -> int:
        """How many erasures will have been after ``writes``.

        Raises:
            Conflict: ``store.seed_erased`` where rows were salted before an erasure that now comes before them.
        """
        erasures = self.seeds.erasures
        for write in writes:
            for fact in write.facts:
                salting = fact.segment.salting if fact.segment else None
                if salting and salting.erasures != erasures:
                    hint = "Send the command again."
                    raise Conflict("store.seed_erased", "Seeds were erased while these rows were salted.", hint=hint)
            erasures += bool(write.upkeep and write.upkeep.forgotten)
        return erasures

    def check_new(self, digests: Iterable[str]) -> None:
        """Raises Refused ``store.segment_erased`` where the same rows were sealed before and erased since."""
        if self._erased is None:
            self._erased = any(place.erased for place in self.places.all())
        for digest in digests if self._erased else ():
            place = self.places.of(digest)
            if place and place.erased:
                raise Refused("store.segment_erased", "These very rows were erased; they cannot come back unsalted.")

    def put(self, connection: Connection, upkeep: Upkeep) -> None:
        """Move and forget, inside the connection's transaction.

        Raises:
            Unavailable: ``store.file_swept`` where a file that was written for this is not there any more.
            Refused: ``store.file_shared`` where rows are erased in a file that goes on being used by others.
        """
        sizes = self._folder.sizes()
        if any(place.file is not None and file_name(place.file) not in sizes for place in upkeep.places):
            hint = "Send the command again."
            raise Unavailable("store.file_swept", "A file written for this was swept in between.", hint=hint)
        self._check_leaving(upkeep.places)
        self._erased = None
        self.places.put(connection, upkeep.places)
        self.small.drop(connection, [place.segment for place in upkeep.places])
        for forgotten in upkeep.forgotten:
            self.seeds.drop(connection, forgotten)
        self.people.forget(connection, upkeep.people)

    def sharing(self, digests: Iterable[str]) -> set[str]:
        """These segments, and all that lie in the same files."""
        places, wanted = {place.segment: place.file for place in self.places.all()}, set(digests)
        files = {places[digest] for digest in wanted if places.get(digest) is not None}
        return wanted | {digest for digest, file in places.items() if file in files}

    def _check_leaving(self, places: Sequence[Place]) -> None:
        moved = {place.segment for place in places}
        if any(place.erased for place in places) and self.sharing(moved) != moved:
            raise Refused("store.file_shared", "Rows of other segments lie in the file; they have to move as well.")

    def files(self, segments: Iterable[str]) -> set[str]:
        """The digests of the files in which the rows of ``segments`` lie."""
        places = {place.segment: place.file for place in self.places.all()}
        return {file for digest in segments if (file := places.get(digest, digest)) is not None}

    def _salts(self, fmt: SegmentFormat, rows: SealedRows) -> Bytes2D:
        live = np.ones(len(rows), dtype=np.bool_) if rows.erased is None else ~rows.erased
        salts = np.zeros((len(rows), HASH_BYTES), dtype=np.uint8)
        left = {name: column[live] for name, column in rows.columns.items()}
        salts[live] = salts_of(fmt, left, self.seeds.seeds_of(fmt, left))
        return salts

    def unsalted(self, digest: str, fmt: SegmentFormat) -> SealedRows:
        """A segment's rows without salts, which prove nothing but may be moved. Raises as `columns`.

        Read anew where a file went between looking where it is and opening it.
        """
        return self._found(digest, self.places.of(digest), fmt)

    def _found(self, digest: str, place: Place | None, fmt: SegmentFormat) -> SealedRows:
        for _ in range(_TRIES):
            try:
                return self._read(digest, place, fmt)
            except Corrupt as error:
                found = self.places.of(digest)
                if error.code != "store.segment_missing" or found == place:
                    raise
                place = found
        return self._read(digest, place, fmt)

    def _raw(self, digest: str, fmt: SegmentFormat | None = None) -> pa.Buffer:
        """A segment's own file, which may lie in SQL."""
        small = self.small.raw(digest) if fmt is None or fmt in SMALL_FORMATS else None
        return self._folder.raw(digest) if small is None else small

    def _read(self, digest: str, place: Place | None, fmt: SegmentFormat) -> SealedRows:
        if place is None:
            return SealedRows(fmt, from_parquet(self._raw(digest, fmt), fmt, digest))
        if place.format != fmt.name:
            raise Corrupt("store.segment_format", f"A segment does not hold {fmt.name}.", segment=digest)
        if place.file is None:
            part = blank_columns(fmt, 0)
        else:
            part = dict(self._folder.read_part(place.file, fmt, place.start, place.rows))
        if not place.erased:
            return SealedRows(fmt, part)
        columns, present = blank_columns(fmt, place.total), unpack_mask(place.present, place.total)
        for name, column in columns.items():
            column[present] = part[name]
        return SealedRows(fmt, columns, None, unpack_mask(place.erased, place.total), bytes(place.nodes))


def _present(rows: SealedRows) -> Mask:
    """Which rows a file holds: those that are left, and stand-ins of the erased."""
    if rows.erased is None:
        return np.ones(len(rows), dtype=np.bool_)
    stand_ins: Mask = rows.columns["verdict"] != ERASED
    return ~rows.erased | stand_ins


def _place(digest: str, rows: SealedRows, file: str | None, start: int, present: Mask) -> Place:
    if rows.erased is None:
        return Place(digest, rows.format.name, file, start, len(rows), len(rows))
    masks = pack_mask(rows.erased), pack_mask(present)
    return Place(digest, rows.format.name, file, start, int(present.sum()), len(rows), *masks, rows.nodes)
