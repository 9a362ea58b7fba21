"""A workspace whose facts are in PostgreSQL; its segments stay a folder.

The folder's file ``workspace`` names the workspace that its segments belong to, so that a folder and a database that
do not belong together are refused before anything is swept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from penstock.errors import Conflict, NotFound
from penstock.store.address import MARKER_FILE, Address
from penstock.store.disk import AtPoint, disk_errors, no_point, sync_folder, write_synced
from penstock.store.lease import Lease
from penstock.store.postgres import PostgresDatabase
from penstock.store.sql_store import LEASE, SEGMENTS, SqlStore, make_folder


class PostgresStore(SqlStore):
    """Facts in PostgreSQL."""

    @classmethod
    def open(cls, path: Path, address: Address, *, read_only: bool = False, at_point: AtPoint = no_point) -> Self:
        """Open a workspace: to write, making it where there is none, or to read beside its writer.

        Raises:
            Unavailable: ``store.in_use``, ``store.unreachable``, ``store.disk_full``, ``store.disk_failed``.
            NotFound: ``store.no_workspace`` when reading.
            Conflict: ``store.other_workspace`` where folder and database are not of one workspace.
            Invalid: ``store.schema``, ``store.no_folder``, and as `PostgresDatabase`.
        """
        if read_only:
            return cls._open_to_read(path, address, at_point)
        with disk_errors():
            make_folder(path / SEGMENTS)
            sync_folder(path.parent)
            lease = Lease(path / LEASE)
        with _given_back(lease):
            database = PostgresDatabase(address)
            with _given_back(database), disk_errors():
                marked = _marked(path)
                _check_made(path, database, marked)
                store = cls(path, database, lease, at_point)
                store._belong(marked)
                store.clean()
                return store

    @classmethod
    def _open_to_read(cls, path: Path, address: Address, at_point: AtPoint) -> Self:
        marked = _marked(path)
        if marked is None:
            raise NotFound("store.no_workspace", "There is no workspace here.", path=path)
        database = PostgresDatabase(address, read_only=True)
        with _given_back(database):
            _check_made(path, database, marked)
            store = cls(path, database, None, at_point)
            store._belong(marked)
            return store

    def _belong(self, marked: str | None) -> None:
        """Marks a folder as this workspace's, where none has recorded anything yet."""
        if marked is None and self.size() == 0:
            temporary = self.path / f".{MARKER_FILE}"
            write_synced(temporary, f"{self.identity}\n".encode(), no_point)
            temporary.rename(self.path / MARKER_FILE)
            sync_folder(self.path)
        elif marked != self.identity:
            raise _other(self.path, "The database holds another workspace than this folder.")


def _marked(path: Path) -> str | None:
    try:
        return (path / MARKER_FILE).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def _check_made(path: Path, database: PostgresDatabase, marked: str | None) -> None:
    """A folder with segments and a database without facts would lose the segments to the next sweep."""
    if marked is not None and not database.has_workspace():
        raise _other(path, "The database does not hold this folder's workspace.")


def _other(path: Path, sentence: str) -> Conflict:
    hint = "Name the right database and schema; restore folder and database together; one schema holds one workspace."
    return Conflict("store.other_workspace", sentence, hint=hint, path=path)


@contextmanager
def _given_back(held: Lease | PostgresDatabase) -> Iterator[None]:
    """Gives back what was taken when opening fails after all."""
    try:
        yield
    except BaseException:
        held.release() if isinstance(held, Lease) else held.close()
        raise
