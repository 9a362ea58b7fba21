"""Whole columns into and out of PostgreSQL by binary COPY, encoded by NumPy; and a server set up for bulk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from penstock.store.postgres_server import PostgresServer

SETTINGS: Final = (
    "shared_buffers=1GB",
    "work_mem=256MB",
    "maintenance_work_mem=1GB",
    "max_wal_size=16GB",
    "checkpoint_timeout=30min",
)
_HEAD: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_END: Final = b"\xff\xff"
_BLOCK: Final = 1 << 20
Columns = Mapping[str, NDArray[Any]]


def bulk_server() -> PostgresServer:
    """A server of one's own with memory for bulk; durability as it comes: fsync and synchronous_commit on."""
    return PostgresServer(settings=SETTINGS)


def copy_in(session: psycopg.Connection[Any], table: str, columns: Columns) -> None:
    """Append int32 and int64 columns to a table with columns of those names and types."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)")
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    rows = len(next(iter(columns.values())))
    with session.cursor().copy(statement.format(sql.Identifier(table), names)) as copy:
        copy.write(_HEAD)
        for at in range(0, rows, _BLOCK):
            copy.write(_encoded({name: column[at : at + _BLOCK] for name, column in columns.items()}))
        copy.write(_END)


def copy_out(session: psycopg.Connection[Any], query: str, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The bigint columns that a query gives."""
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(sql.SQL(query))
    with session.cursor().copy(statement) as copy:
        raw = b"".join(copy)[len(_HEAD) : -len(_END)]
    rows = np.frombuffer(raw, dtype=_record({name: np.dtype("int64") for name in names}))
    return {name: rows[name].astype(np.int64) for name in names}


def _encoded(columns: Columns) -> bytes:
    rows = np.empty(len(next(iter(columns.values()))), dtype=_record({n: c.dtype for n, c in columns.items()}))
    rows["fields"] = len(columns)
    for name, column in columns.items():
        rows[f"{name} bytes"], rows[name] = column.dtype.itemsize, column
    return rows.tobytes()


def _record(dtypes: Mapping[str, np.dtype[Any]]) -> np.dtype[Any]:
    fields: list[tuple[str, Any]] = [("fields", ">i2")]
    for name, dtype in dtypes.items():
        fields += [(f"{name} bytes", ">i4"), (name, dtype.newbyteorder(">"))]
    return np.dtype(fields)
