"""PostgreSQL under SQLAlchemy: one session writes and holds the lease; how it is opened so that COMMIT means durable.

The lease is a session's advisory lock: it goes with the connection, and so with the process, however it ends. A
writer that lost its connection, and perhaps its lease, is stopped by the place its next fact would take.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

import psycopg
from psycopg import sql as text
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, Dialect, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from penstock.errors import Invalid, Refused, Unavailable
from penstock.store.address import Address
from penstock.store.postgres_copy import append_rows, stage_rows
from penstock.store.postgres_errors import sql_errors
from penstock.store.sql import Into, driver

T = TypeVar("T")
VERSION_MIN: Final = 150_000
LEASE_WAIT_S: Final = 3.0
"""A killed writer's session ends when the server notices, or has finished its last commit."""
_DEFAULTS: Final = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_FEW: Final = 16
_CHANGED: Final = ("seed", "place", "person")
_HOLDER: Final = """
SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid::bigint = %s AND objid::bigint = %s
  AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class PostgresDatabase:
    """One schema of a database. Raises as `sql_errors`, and Unavailable ``store.in_use``, naming who holds the lease.

    Raises:
        Invalid: ``store.address`` for one that libpq cannot read, ``store.server`` for a server before 15 or a
            database that is not UTF-8.
        Refused: ``store.not_durable`` where the server does not wait for its disk.
    """

    def __init__(self, address: Address, *, read_only: bool = False) -> None:
        self._schema, self._read_only = address.schema, read_only
        known = _parameters(address)
        self._readers = _engine(known | {"options": _options(known, "on")}, address.schema, QueuePool)
        self._writer = self._readers if read_only else _engine(known, address.schema, NullPool)
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        with sql_errors():
            self._connect()

    @property
    def dialect(self) -> Dialect:
        """How statements are written here."""
        return self._writer.dialect

    def has_workspace(self) -> bool:
        """Whether the schema holds one."""
        found = "SELECT to_regclass(%s)"
        return self.look(lambda session: session.execute(found, [f"{self._schema}.meta"]).fetchone()[0]) is not None

    def hold(self) -> None:
        """Be sure of session and lease, taken anew where the server ended them."""
        self.look(lambda session: session.execute("SELECT 1"))

    def write(self, act: Callable[[Connection], T]) -> T:
        """Run ``act`` in one durable transaction, alone; never twice, for COMMIT may have come through."""
        with self._lock, sql_errors():
            connection = self._live()
            session = driver(connection)
            session.execute("BEGIN")
            try:
                result = act(connection)
                session.commit()
            except BaseException:
                with suppress(psycopg.Error):
                    session.rollback()
                raise
            finally:
                with suppress(DBAPIError):
                    connection.rollback()  # SQLAlchemy's own notion of a transaction; nothing is left in it
            return result

    def look(self, act: Callable[[Any], T]) -> T:
        """Run one SELECT by the writer's session, outside any transaction; again where the server had ended it."""
        with self._lock, sql_errors():
            try:
                return act(driver(self._live()))
            except psycopg.OperationalError:
                if not self._lost():
                    raise
                return act(driver(self._live()))

    def read(self, act: Callable[[Connection], T]) -> T:
        """Run one SELECT where nothing can be written; each SELECT sees one state of the database."""
        with sql_errors(), self._readers.connect() as connection:
            return act(connection)

    def append(self, connection: Connection, into: Into, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows inside the connection's transaction: all, or an error."""
        cursor = driver(connection).cursor()
        if len(rows) < _FEW:
            cursor.executemany(into.statement, rows)
        else:
            append_rows(cursor, into, rows)

    def add_new(self, connection: Connection, into: Into, rows: Sequence[Sequence[Any]]) -> int:
        """Insert the rows that no key of the table stands against, in order; returns how many those were."""
        cursor = driver(connection).cursor()
        if len(rows) >= _FEW:
            return stage_rows(cursor, into, rows)
        cursor.executemany(into.if_new, rows)
        return int(cursor.rowcount)

    def scrub(self) -> bool:
        """Write the tables that rows are deleted from anew, so that the old files go; the server's log is its own."""
        self.look(lambda session: [session.execute(f"VACUUM FULL {table}") for table in _CHANGED])
        return True

    def close(self) -> None:
        """Close all connections; the lease goes with the writer's."""
        with self._lock:
            self._readers.dispose()
            if self._connection is not None:
                with suppress(DBAPIError, psycopg.Error):
                    self._connection.close()
            self._connection = None
            self._writer.dispose()

    def _live(self) -> Connection:
        if self._connection is None or self._lost():
            self._connect()
        assert self._connection is not None  # noqa: S101 - for the type checker
        return self._connection

    def _lost(self) -> bool:
        return self._connection is not None and bool(driver(self._connection).closed)

    def _connect(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
        connection = self._writer.connect()
        try:
            self._prepare(driver(connection))
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        self._connection = connection

    def _prepare(self, session: psycopg.Connection[Any]) -> None:
        _check_server(session)
        if self._read_only:
            return
        _take_lease(session, self._schema)
        session.execute(text.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(text.Identifier(self._schema)))
        if _setting(session, "synchronous_commit") == "off":
            session.execute("SET synchronous_commit = on")


def _parameters(address: Address) -> dict[str, Any]:
    try:
        given = conninfo_to_dict(address.conninfo)
    except psycopg.Error:  # whose message may show the password
        hint = "For example: host=/run/postgresql dbname=penstock"
        raise Invalid("store.address", "This is no address of a PostgreSQL database.", hint=hint) from None
    own = {"application_name": f"penstock {os.getpid()} on {socket.gethostname()}"}
    return _DEFAULTS | own | given | {"client_encoding": "utf8"}


def _options(parameters: dict[str, Any], read_only: str) -> str:
    return f"{parameters.get('options') or ''} -c default_transaction_read_only={read_only}".strip()


def _engine(parameters: dict[str, Any], schema: str, pool: type[NullPool] | type[QueuePool]) -> Engine:
    def connect() -> psycopg.Connection[Any]:
        # The driver opens no transaction of its own: `PostgresDatabase.write` does.
        session = psycopg.connect(**parameters, autocommit=True)
        session.execute(text.SQL("SET search_path TO {}").format(text.Identifier(schema)))
        return session

    found = create_engine(
        "postgresql+psycopg://", creator=connect, poolclass=pool, paramstyle="format", pool_pre_ping=True
    )
    return found.execution_options(isolation_level="AUTOCOMMIT")


def _setting(session: psycopg.Connection[Any], name: str) -> str:
    row = session.execute("SELECT current_setting(%s)", [name]).fetchone()
    return str(row[0]) if row else ""


def _check_server(session: psycopg.Connection[Any]) -> None:
    version, encoding = session.info.server_version, session.info.parameter_status("server_encoding")
    if version < VERSION_MIN or encoding != "UTF8":
        sentence = "The database must be UTF-8 on PostgreSQL 15 or later."
        raise Invalid("store.server", sentence, version=version, encoding=encoding)
    if _setting(session, "fsync") != "on":
        hint = "Set fsync = on in the server's configuration."
        raise Refused("store.not_durable", "The server does not wait for its disk; commits could be lost.", hint=hint)


def _take_lease(session: psycopg.Connection[Any], schema: str) -> None:
    key = hashlib.sha256(b"penstock writer of " + schema.encode()).digest()[:8]
    until = time.monotonic() + LEASE_WAIT_S
    while not _try_lock(session, int.from_bytes(key, "big", signed=True)):
        if time.monotonic() > until:
            raise _in_use(session, schema, key)
        time.sleep(0.05)


def _try_lock(session: psycopg.Connection[Any], number: int) -> bool:
    row = session.execute("SELECT pg_try_advisory_lock(%s::bigint)", [number]).fetchone()
    return bool(row and row[0])


def _in_use(session: psycopg.Connection[Any], schema: str, key: bytes) -> Unavailable:
    halves = [int.from_bytes(key[:4], "big"), int.from_bytes(key[4:], "big")]
    row = session.execute(_HOLDER, halves).fetchone()
    holder = str(row[0]) if row else "?"
    hint = "Stop that process, send the command through it, or open the workspace read-only."
    sentence = f"Another process writes this workspace: {holder}."
    return Unavailable("store.in_use", sentence, hint=hint, holder=holder, schema=schema)
