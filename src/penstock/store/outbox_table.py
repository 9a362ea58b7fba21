"""The outbox: transactions on their way to the chain, planned in the same commit as the facts that ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from penstock.errors import NotFound
from penstock.store.ports import OutboxRow
from penstock.store.sql import Sql
from penstock.store.tables import OUTBOX


class OutboxTable:
    """Rows are added once by their id and change as the chain answers."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    def add(self, rows: Iterable[OutboxRow]) -> int:
        """Plan transactions, but those whose id is there already; returns how many."""
        planned = list(rows)
        return self._sql.write(lambda connection: insert_rows(connection, planned))

    def rows(self, state: str | None = None) -> list[OutboxRow]:
        """Rows in ``state``, or all, in the order they were planned."""
        query = select(OUTBOX).order_by(OUTBOX.c.planned)
        if state is not None:
            query = query.where(OUTBOX.c.state == state)
        return self._sql.read(lambda connection: [_from_sql(row) for row in connection.execute(query).mappings()])

    def change(self, outbox_id: str, values: Mapping[str, Any]) -> None:
        """Set columns of one row.

        Raises:
            NotFound: ``store.no_outbox_row``.
        """
        statement = update(OUTBOX).where(OUTBOX.c.id == outbox_id).values(**values)
        if not self._sql.write(lambda connection: connection.execute(statement).rowcount):
            raise NotFound("store.no_outbox_row", "The outbox has no such row.", id=outbox_id)


def insert_rows(connection: Connection, rows: Sequence[OutboxRow]) -> int:
    """Insert the rows whose id is not there yet, in order; returns how many those were."""
    if not rows:
        return 0
    ids = [row.id for row in rows]
    known = set(connection.scalars(select(OUTBOX.c.id).where(OUTBOX.c.id.in_(ids))))
    new: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.id not in known:
            new.setdefault(row.id, _to_sql(row))
    if new:
        connection.execute(insert(OUTBOX), list(new.values()))
    return len(new)


def _to_sql(row: OutboxRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in OutboxRow.__slots__} | {"value": str(row.value)}


def _from_sql(row: RowMapping) -> OutboxRow:
    return OutboxRow(**{name: row[name] for name in OutboxRow.__slots__ if name != "value"}, value=int(row["value"]))
