"""The engines that the same tests run on, and how a test reaches behind a store's back on each."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import Protocol

import psycopg

from penstock.store.address import Address
from penstock.store.disk import AtPoint, no_point
from penstock.store.postgres_store import PostgresStore
from penstock.store.sql_store import SqlStore
from penstock.store.sqlite_store import SQL_FILE, SqliteStore


class Engine(Protocol):
    """One way to hold facts."""

    def open(self, path: Path, *, read_only: bool = False, at_point: AtPoint = no_point) -> SqlStore:
        """A store of this engine."""

    def execute(self, path: Path, statement: str) -> None:
        """Change the workspace's tables as an intruder would, and commit."""

    def environment(self, path: Path) -> dict[str, str]:
        """What makes `open_store` in another process choose this engine."""


class OnSqlite:
    """Facts in a file."""

    def open(self, path: Path, *, read_only: bool = False, at_point: AtPoint = no_point) -> SqlStore:
        return SqliteStore.open(path, read_only=read_only, at_point=at_point)

    def execute(self, path: Path, statement: str) -> None:
        connection = sqlite3.connect(path / SQL_FILE)
        connection.execute(statement)
        connection.commit()
        connection.close()

    def environment(self, path: Path) -> dict[str, str]:
        return {}


class OnPostgres:
    """Facts in a server's database, a schema for each workspace."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo

    def address(self, path: Path) -> Address:
        return Address(self.conninfo, "w" + hashlib.sha256(str(path).encode()).hexdigest()[:16])

    def open(self, path: Path, *, read_only: bool = False, at_point: AtPoint = no_point) -> SqlStore:
        return PostgresStore.open(path, self.address(path), read_only=read_only, at_point=at_point)

    def execute(self, path: Path, statement: str) -> None:
        with psycopg.connect(self.conninfo) as connection:
            connection.execute(f"SET search_path TO {self.address(path).schema}".encode())
            connection.execute(statement.encode())

    def environment(self, path: Path) -> dict[str, str]:
        address = self.address(path)
        return {"PENSTOCK_DATABASE": address.conninfo, "PENSTOCK_SCHEMA": address.schema}
