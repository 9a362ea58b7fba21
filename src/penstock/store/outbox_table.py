"""The outbox: transactions on their way to the chain, planned in the same commit as the facts that ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from penstock.errors import NotFound
from penstock.store.ports import OutboxRow
from penstock.store.sql import Into, Sql
from penstock.store.tables import OUTBOX


class OutboxTable:
    """Rows are added once by their id and change as the chain answers."""

    def __init__(self, sql: Sql) -> None:
        self._sql, self._into = sql, Into(OUTBOX, OutboxRow.__slots__, sql.dialect)

    def add(self, rows: Iterable[OutboxRow]) -> int:
        """Plan transactions, but those whose id is there already; returns how many."""
        planned = list(rows)
        return self._sql.write(lambda connection: self.insert(connection, planned))

    def insert(self, connection: Connection, rows: Sequence[OutboxRow]) -> int:
        """As `add`, inside the connection's transaction."""
        return self._sql.add_new(connection, self._into, [_to_sql(row, self._into) for row in rows]) if rows else 0

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


def _to_sql(row: OutboxRow, into: Into) -> tuple[Any, ...]:
    return tuple(str(row.value) if name == "value" else getattr(row, name) for name in into.names)


def _from_sql(row: RowMapping) -> OutboxRow:
    return OutboxRow(**{name: row[name] for name in OutboxRow.__slots__ if name != "value"}, value=int(row["value"]))
