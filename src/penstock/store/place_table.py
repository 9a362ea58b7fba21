"""Where the rows of segments lie now: the one indirection that lets files change while facts do not."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, bindparam, delete, insert, inspect, select

from penstock.journal.pruned_tree import Mask
from penstock.store.ports import Place
from penstock.store.sql import Sql, driver, text_of
from penstock.store.tables import PLACE

_CHUNK: Final = 500


class PlaceTable:
    """Places by the digest that a fact names; a segment without one lies in the file of that digest."""

    def __init__(self, sql: Sql) -> None:
        self._sql, self._is_made = sql, False
        self._one = text_of(select(PLACE).where(PLACE.c.segment == bindparam("segment")), sql.dialect)

    def of(self, segment: str) -> Place | None:
        """The place of one segment; by the driver, for every segment read or written asks."""

        def look(connection: Connection) -> Any:
            return driver(connection).execute(self._one, (segment,)).fetchone() if self._made(connection) else None

        row = self._sql.read(look)
        return Place(*row) if row else None

    def among(self, segments: Sequence[str]) -> dict[str, Place]:
        """The places of segments that have one."""
        query = select(PLACE).where(PLACE.c.segment.in_(segments))
        rows = self._sql.read(lambda connection: connection.execute(query).all() if self._made(connection) else [])
        return {place.segment: place for place in (Place(*row) for row in rows)}

    def all(self) -> list[Place]:
        """Every segment's place that has one."""
        query = select(PLACE).order_by(PLACE.c.segment)
        rows = self._sql.read(lambda connection: connection.execute(query).all() if self._made(connection) else [])
        return [Place(*row) for row in rows]

    def put(self, connection: Connection, places: Sequence[Place]) -> None:
        """Set places inside the connection's transaction."""
        for at in range(0, len(places), _CHUNK):
            some = places[at : at + _CHUNK]
            connection.execute(delete(PLACE).where(PLACE.c.segment.in_([place.segment for place in some])))
            connection.execute(insert(PLACE), [place._asdict() for place in some])

    def _made(self, connection: Connection) -> bool:
        """Whether the table is there: an older workspace gets it from the first writer that opens it."""
        self._is_made = self._is_made or inspect(connection).has_table(PLACE.name)
        return self._is_made


def pack_mask(mask: Mask) -> bytes:
    """A mask as deflated bits."""
    return zlib.compress(np.packbits(mask).tobytes())


def unpack_mask(packed: bytes, rows: int) -> Mask:
    """The mask of so many rows."""
    bits = np.frombuffer(zlib.decompress(packed), dtype=np.uint8)
    return np.unpackbits(bits, count=rows).astype(np.bool_)
