"""A real PostgreSQL server for the tests of this folder, and the engine that a test runs on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from engines import Engine, OnPostgres, OnSqlite

from penstock.store.postgres_server import PostgresServer, server_programs


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A server of our own; skipped where none is installed."""
    if not server_programs():
        pytest.skip("no PostgreSQL server is installed, nor the package that carries one")
    with PostgresServer() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    if request.param == "sqlite":
        return OnSqlite()
    return OnPostgres(request.getfixturevalue("server").address)
