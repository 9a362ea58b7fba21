"""Small segments: the file of one that a single act makes lies in SQL, so that its commit waits for the disk once.

The same bytes under the same name as the file would have; compaction takes them into files with others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
from sqlalchemy import Connection, bindparam, delete, inspect, select

from penstock.errors import Corrupt
from penstock.journal.formats import LINKS, MOVES
from penstock.journal.segment import Segment
from penstock.store.sql import Into, Sql, driver, text_of
from penstock.store.tables import SMALL

SMALL_ROWS: Final = 64
SMALL_FORMATS: Final = (MOVES, LINKS)
"""What single acts at the doors make; the other formats come in bulk."""


def is_small(segment: Segment) -> bool:
    """Whether a segment lies in SQL until it is compacted."""
    return segment.format in SMALL_FORMATS and len(segment) <= SMALL_ROWS


class SmallTable:
    """Bytes of small segments by their digest."""

    def __init__(self, sql: Sql) -> None:
        self._sql, self._is_made = sql, False
        self._into = Into(SMALL, SMALL.c.keys(), sql.dialect)
        self._one = text_of(select(SMALL.c.data).where(SMALL.c.segment == bindparam("segment")), sql.dialect)

    def raw(self, digest: str) -> pa.Buffer | None:
        """The bytes of a segment, None where it does not lie here. Raises Corrupt ``store.segment_torn``."""

        def look(connection: Connection) -> Any:
            return driver(connection).execute(self._one, (digest,)).fetchone() if self._made(connection) else None

        row = self._sql.read(look)
        return None if row is None else _checked(digest, row[0])

    def among(self, digests: Sequence[str]) -> dict[str, pa.Buffer]:
        """The bytes of the segments that lie here, of many. Raises as `raw`."""
        query = select(SMALL.c.segment, SMALL.c.data).where(SMALL.c.segment.in_(digests))
        rows = self._sql.read(lambda found: found.execute(query).all() if self._made(found) else [])
        return {digest: _checked(digest, data) for digest, data in rows}

    def digests(self) -> set[str]:
        """All segments that lie here."""
        query = select(SMALL.c.segment)
        return set(self._sql.read(lambda found: list(found.scalars(query)) if self._made(found) else []))

    def insert(self, connection: Connection, rows: Sequence[tuple[str, bytes]]) -> None:
        """Keep segments inside the connection's transaction; those that lie here already, once."""
        if rows:
            self._sql.add_new(connection, self._into, list(dict(rows).items()))

    def drop(self, connection: Connection, digests: Sequence[str]) -> None:
        """Forget segments whose rows lie elsewhere now, inside the connection's transaction."""
        for digest in digests:
            connection.execute(delete(SMALL).where(SMALL.c.segment == digest))

    def _made(self, connection: Connection) -> bool:
        """Whether the table is there: an older workspace gets it from the first writer that opens it."""
        self._is_made = self._is_made or inspect(connection).has_table(SMALL.name)
        return self._is_made


def _checked(digest: str, data: bytes) -> pa.Buffer:
    if hashlib.sha256(data).hexdigest() != digest:
        sentence, hint = "A segment's bytes are not those that were sealed.", "Restore the SQL from a backup."
        raise Corrupt("store.segment_torn", sentence, hint=hint, segment=digest)
    return pa.py_buffer(data)
