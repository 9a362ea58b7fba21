"""Open a workspace's store on the engine it is on."""

from __future__ import annotations

import os
from pathlib import Path

from penstock.errors import Unavailable
from penstock.store.address import MARKER_FILE, Address, address_of
from penstock.store.disk import AtPoint, no_point
from penstock.store.sql_store import SqlStore
from penstock.store.sqlite_store import SQL_FILE, SqliteStore


def open_store(path: Path, *, read_only: bool = False, at_point: AtPoint = no_point) -> SqlStore:
    """The store of a workspace folder; `address_of` says on which engine.

    Raises:
        As `address_of`, `SqliteStore.open`, `PostgresStore.open`; Unavailable ``store.no_driver``.
    """
    address = address_of(path, os.environ)
    if address is None:
        return SqliteStore.open(path, read_only=read_only, at_point=at_point)
    return _open_postgres(path, address, read_only=read_only, at_point=at_point)


def is_workspace(path: Path) -> bool:
    """Whether this folder holds a workspace, on whichever engine."""
    return any((path / name).is_file() for name in (SQL_FILE, MARKER_FILE))


def _open_postgres(path: Path, address: Address, *, read_only: bool, at_point: AtPoint) -> SqlStore:
    try:
        from penstock.store.postgres_store import PostgresStore  # its driver is an extra
    except ModuleNotFoundError as missing:
        hint = "Install penstock[postgres]."
        raise Unavailable("store.no_driver", "The driver for PostgreSQL is missing.", hint=hint) from missing
    return PostgresStore.open(path, address, read_only=read_only, at_point=at_point)
