"""SQLite under SQLAlchemy: how to open it so that COMMIT means durable, and what its errors mean."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Dialect, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from penstock.errors import Conflict, Corrupt, PenstockError, Unavailable
from penstock.store.disk import disk_failed, disk_full
from penstock.store.sql import Into, driver

T = TypeVar("T")
BUSY_TIMEOUT_S: Final = 5.0


class SqliteFile:
    """One SQLite file: a transaction takes the write lock at once and is on the disk when COMMIT returns.

    Raises as `sql_errors`.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._readers = _engine(path, "ro")
        self._writer = self._readers if read_only else _engine(path, "rwc")
        if not read_only:
            event.listen(self._writer, "connect", _make_durable)
        self._lock = threading.RLock()
        with sql_errors():
            self._connection = self._writer.connect()
            self._driver = driver(self._connection)

    @property
    def dialect(self) -> Dialect:
        """How statements are written here."""
        return self._writer.dialect

    def hold(self) -> None:
        """Nothing to do: the lease on the folder holds as long as the process."""

    def write(self, act: Callable[[Connection], T]) -> T:
        """Run ``act`` in one durable transaction, alone.

        The driver begins and commits, at half the cost of SQLAlchemy's doing it, whose statements run inside.
        """
        with self._lock, sql_errors():
            self._driver.execute("BEGIN IMMEDIATE")
            try:
                result = act(self._connection)
                self._driver.commit()
            except BaseException:
                self._driver.rollback()
                raise
            finally:
                self._connection.rollback()  # SQLAlchemy's own notion of a transaction; nothing is left in it
            return result

    def look(self, act: Callable[[Any], T]) -> T:
        """Run one SELECT by the writer's driver connection, outside any transaction."""
        with self._lock, sql_errors():
            return act(self._driver)

    def read(self, act: Callable[[Connection], T]) -> T:
        """Run one SELECT where nothing can be written; each SELECT sees one state of the file."""
        with sql_errors(), self._readers.connect() as connection:
            return act(connection)

    def append(self, connection: Connection, into: Into, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows inside the connection's transaction: all, or an error."""
        driver(connection).executemany(into.statement, rows)

    def add_new(self, connection: Connection, into: Into, rows: Sequence[Sequence[Any]]) -> int:
        """Insert the rows that no key of the table stands against, in order; returns how many those were."""
        return int(driver(connection).executemany(into.if_new, rows).rowcount)

    def scrub(self) -> bool:
        """Fold the write-ahead log into the file, and empty it; deleted rows are zeros in the file already."""
        busy, _, _ = self.look(lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())
        return not busy

    def close(self) -> None:
        """Close all connections; the last one folds the write-ahead log into the file."""
        with self._lock:
            self._readers.dispose()
            self._connection.close()
            self._writer.dispose()


@contextmanager
def sql_errors() -> Iterator[None]:
    """Turns an error of the driver, wrapped by SQLAlchemy or not, into its place in the error tree.

    Raises:
        Unavailable: ``store.disk_full``, ``store.disk_failed``, ``store.busy``, ``store.unreadable``.
        Conflict: ``store.fenced`` where another writer recorded the same place first.
        Corrupt: ``store.sql_damaged``.
    """
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # a defect of this program, not of the disk
    except sqlite3.Error as error:
        raise _meaning(error) from error
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise _meaning(error.orig) from error
        raise


def _engine(path: Path, mode: str) -> Engine:
    address = f"{path.absolute().as_uri()}?mode={mode}"

    def connect() -> sqlite3.Connection:
        # The driver opens no transaction of its own: `SqliteFile.write` does.
        return sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)

    return create_engine("sqlite+pysqlite://", creator=connect, poolclass=QueuePool)


def _make_durable(driver: Any, _record: object) -> None:
    driver.execute("PRAGMA journal_mode = WAL")
    driver.execute("PRAGMA synchronous = FULL")
    driver.execute("PRAGMA secure_delete = ON")


def _meaning(error: sqlite3.Error) -> PenstockError:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return disk_full()
    if code == sqlite3.SQLITE_CONSTRAINT:
        return Conflict("store.fenced", "Another writer recorded this place first.", reason=error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Unavailable("store.busy", "Another process holds the SQL file.", hint="Try again.", reason=error)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return Corrupt("store.sql_damaged", "The SQL file is damaged.", hint="Restore a backup.", reason=error)
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return Unavailable("store.unreadable", "The SQL file cannot be opened.", reason=error)
    return disk_failed(str(error))
