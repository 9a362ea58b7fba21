"""Observations: mined logs, known by block hash and log index, deleted again when their block is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from penstock.store.ports import Observation, SeenLog
from penstock.store.sql import Into, Sql
from penstock.store.tables import META, OBSERVATION

TOPIC_BYTES: Final = 32
CURSOR: Final = "inbox_cursor"
_C: Final = OBSERVATION.c


class ObservationTable:
    """What the chain was seen to say; changeable until final."""

    def __init__(self, sql: Sql) -> None:
        self._sql, self._into = sql, Into(OBSERVATION, Observation.__slots__, sql.dialect)

    def add(self, observations: Sequence[SeenLog]) -> int:
        """Insert those not there yet; returns how many those were."""
        rows = [_to_sql(item, self._into) for item in observations]
        return self._sql.write(lambda connection: self._sql.add_new(connection, self._into, rows)) if rows else 0

    def rows(
        self, first_block: int = 0, stop_block: int | None = None, *, final: bool | None = None
    ) -> list[Observation]:
        """Logs of blocks ``[first_block, stop_block)``, in chain order."""
        query = select(OBSERVATION).where(_C.block_number >= first_block).order_by(_C.block_number, _C.log_index)
        if stop_block is not None:
            query = query.where(_C.block_number < stop_block)
        if final is not None:
            query = query.where(_C.final == final)
        return self._sql.read(lambda connection: [_from_sql(row) for row in connection.execute(query).mappings()])

    def settle(self, up_to_block: int) -> int:
        """Mark logs of blocks up to and with ``up_to_block`` as final; returns how many."""
        statement = update(OBSERVATION).where(_C.block_number <= up_to_block, _C.final.is_(False)).values(final=True)
        return self._sql.write(lambda connection: connection.execute(statement).rowcount)

    def cursor(self) -> str | None:
        """How far the chain was read, as the text kept last; None before the first."""
        query = select(META.c.value).where(META.c.name == CURSOR)
        return self._sql.read(lambda connection: connection.scalar(query))

    def keep_cursor(self, text: str) -> None:
        """Keep how far the chain was read, once what was read is added."""
        self._sql.write(lambda connection: _keep(connection, text))

    def drop(self, from_block: int) -> int:
        """Delete logs of blocks from ``from_block`` on that are not final; returns how many."""
        statement = delete(OBSERVATION).where(_C.block_number >= from_block, _C.final.is_(False))
        return self._sql.write(lambda connection: connection.execute(statement).rowcount)


def _keep(connection: Connection, text: str) -> None:
    connection.execute(delete(META).where(META.c.name == CURSOR))
    connection.execute(insert(META).values(name=CURSOR, value=text))


def _to_sql(item: SeenLog, into: Into) -> tuple[Any, ...]:
    return tuple(b"".join(item.topics) if name == "topics" else getattr(item, name) for name in into.names)


def _from_sql(row: RowMapping) -> Observation:
    values = {name: row[name] for name in Observation.__slots__}
    joined = values.pop("topics")
    topics = tuple(joined[at : at + TOPIC_BYTES] for at in range(0, len(joined), TOPIC_BYTES))
    return Observation(**values, topics=topics)
