"""What the tables need of an engine: one writer's connection, any number of readers, rows in bulk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Dialect, Table, insert

T = TypeVar("T")


class Sql(Protocol):
    """A database of one engine. Errors of its driver come out as places in the error tree."""

    @property
    def dialect(self) -> Dialect:
        """How statements are written here."""

    def hold(self) -> None:
        """Make sure that this process is the writer, before it does anything that only the writer may."""

    def write(self, act: Callable[[Connection], T]) -> T:
        """Run ``act`` in one durable transaction, alone."""

    def look(self, act: Callable[[Any], T]) -> T:
        """Run one SELECT by the writer's driver connection, outside any transaction."""

    def read(self, act: Callable[[Connection], T]) -> T:
        """Run one SELECT where nothing can be written."""

    def append(self, connection: Connection, into: Into, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows inside the connection's transaction: all, or an error."""

    def add_new(self, connection: Connection, into: Into, rows: Sequence[Sequence[Any]]) -> int:
        """Insert the rows that no key of the table stands against, in order; returns how many those were."""

    def scrub(self) -> bool:
        """Let nothing that was deleted stay in the engine's own files; False where somebody reads them still."""

    def close(self) -> None:
        """Close all connections."""


class Into:
    """Columns of a table, in its order, that rows go into by position; and the statement that takes one row there."""

    def __init__(self, table: Table, names: Sequence[str], dialect: Dialect) -> None:
        self.table, self.names = table, tuple(column.name for column in table.c if column.name in names)
        self.statement = text_of(insert(table).inline().values(dict.fromkeys(self.names)), dialect)
        self.if_new = self.statement + " ON CONFLICT DO NOTHING"


def driver(connection: Connection) -> Any:
    """The driver's own connection, inside the same transaction."""
    return connection.connection.driver_connection


def text_of(statement: Any, dialect: Dialect) -> str:
    """The statement as the driver takes it, its columns by position."""
    return str(statement.compile(dialect=dialect))
