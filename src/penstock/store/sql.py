"""What the tables need of an engine: one writer's connection, any number of readers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Dialect

T = TypeVar("T")


class Sql(Protocol):
    """A database of one engine. Errors of its driver come out as places in the error tree."""

    @property
    def dialect(self) -> Dialect:
        """How statements are written here."""

    def write(self, act: Callable[[Connection], T]) -> T:
        """Run ``act`` in one durable transaction, alone."""

    def look(self, act: Callable[[Any], T]) -> T:
        """Run one SELECT by the writer's driver connection, outside any transaction."""

    def read(self, act: Callable[[Connection], T]) -> T:
        """Run one SELECT where nothing can be written."""

    def close(self) -> None:
        """Close all connections."""


def driver(connection: Connection) -> Any:
    """The driver's own connection, inside the same transaction."""
    return connection.connection.driver_connection


def text_of(statement: Any, dialect: Dialect) -> str:
    """The statement as the driver takes it, its columns by position."""
    return str(statement.compile(dialect=dialect))
