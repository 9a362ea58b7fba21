"""The fact table: rows in, rows out. The statements are SQLAlchemy's, compiled once and run by the driver,
because a single fact's commit is otherwise half spent on building statements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, Select, bindparam, func, literal_column, select

from penstock.store.ports import ZERO_HASH, RecordedCommand, StoredFact, Write
from penstock.store.sql import Into, Sql, driver, text_of
from penstock.store.tables import FACT

PAGE: Final = 4_096
Row = tuple[int, str, int, str, int, bytes, bytes, str | None, bytes, bytes]

_IN_PAGE = (FACT.c.seq >= bindparam("start")) & (FACT.c.seq < bindparam("stop"))
_OF_KEY = FACT.c.key == bindparam("key")
_KEYS: Final = 200
_LAST = select(func.max(FACT.c.seq)).scalar_subquery()


class FactTable:
    """Inserts and reads facts; nothing changes one."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._into = Into(FACT, FACT.c.keys(), sql.dialect)
        self._first = {count: text_of(_first_facts(count), sql.dialect) for count in (1, _KEYS)}
        self._count = text_of(select(func.count()).where(_OF_KEY), sql.dialect)
        self._page = text_of(select(FACT).where(_IN_PAGE).order_by(FACT.c.seq), sql.dialect)
        self._last = text_of(select(FACT.c.seq, FACT.c.hash).where(FACT.c.seq == _LAST), sql.dialect)

    def insert(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert rows inside the connection's transaction."""
        if len(rows) == 1:
            driver(connection).execute(self._into.statement, rows[0])
        else:
            self._sql.append(connection, self._into, rows)

    def head(self) -> tuple[int, bytes]:
        """How many facts there are, and the hash of the last."""
        row = self._sql.look(lambda connection: connection.execute(self._last).fetchone())
        return (row[0] + 1, row[1]) if row else (0, ZERO_HASH)

    def receipts(self, keys: Sequence[str]) -> dict[str, RecordedCommand]:
        """What the commands with these keys recorded; only those that did."""
        return self._sql.look(lambda connection: self._find(connection, keys))

    def _find(self, connection: Any, keys: Sequence[str]) -> dict[str, RecordedCommand]:
        found = {}
        for at in range(0, len(keys), _KEYS):
            some = keys[at : at + _KEYS]
            if len(keys) > 1:  # one statement for any number: the last key fills the places left over
                some = [*some, *[some[-1]] * (_KEYS - len(some))]
            for key, seq, input_hash in connection.execute(self._first[len(some)], some).fetchall():
                (facts,) = connection.execute(self._count, (key,)).fetchone()
                found[key] = RecordedCommand(key, input_hash, seq, facts)
        return found

    def read(self, start: int, stop: int) -> Iterator[StoredFact]:
        """Facts ``[start, stop)``, a page a transaction, so that a slow reader holds nothing back."""
        for at in range(start, stop, PAGE):
            yield from self._read_page(at, min(at + PAGE, stop))

    def segments(self) -> list[str]:
        """The digests that facts name."""
        query = select(FACT.c.segment).where(FACT.c.segment.is_not(None)).distinct()
        return self._sql.read(lambda connection: list(connection.scalars(query)))

    def _read_page(self, start: int, stop: int) -> list[StoredFact]:
        def page(connection: Connection) -> list[Any]:
            return list(driver(connection).execute(self._page, (start, stop)).fetchall())

        return list(map(StoredFact._make, self._sql.read(page)))


def _first_facts(count: int) -> Select[tuple[str, int, bytes]]:
    """The first fact of each command that has one of ``count`` keys."""
    keys: list[BindParameter[str]] = [bindparam(f"key_{each}") for each in range(count)]
    return select(FACT.c.key, FACT.c.seq, FACT.c.input_hash).where(
        FACT.c.key.in_(keys), FACT.c.part == literal_column("0")
    )


def rows_of(writes: Sequence[Write], digests: Iterator[str], seq: int, prev: bytes) -> list[Row]:
    """The rows that record ``writes`` from ``seq`` on, each chained to the one before."""
    rows: list[Row] = []
    for write in writes:
        for part, fact in enumerate(write.facts):
            link = hashlib.sha256(prev + fact.body).digest()
            segment = next(digests) if fact.segment is not None else None
            rows.append((seq, fact.kind, fact.at_us, write.key, part, write.input_hash, fact.body, segment, prev, link))
            seq, prev = seq + 1, link
    return rows
