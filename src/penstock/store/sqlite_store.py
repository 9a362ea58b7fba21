"""A workspace on one machine: its facts in a SQLite file beside its segments."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from penstock.errors import NotFound
from penstock.store.disk import AtPoint, disk_errors, no_point, sync_folder
from penstock.store.lease import Lease
from penstock.store.sql_store import LEASE, SEGMENTS, SqlStore, make_folder
from penstock.store.sqlite import SqliteFile

SQL_FILE = "journal.sqlite"


class SqliteStore(SqlStore):
    """Facts in SQLite."""

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False, at_point: AtPoint = no_point) -> Self:
        """Open a workspace: to write, making it where there is none, or to read beside its writer.

        Raises:
            Unavailable: ``store.in_use``, ``store.disk_full``, ``store.disk_failed``, ``store.unreadable``.
            NotFound: ``store.no_workspace`` when reading.
            Invalid: ``store.schema`` where another version of the program wrote it, ``store.no_folder``.
        """
        if not read_only:
            return cls._open_to_write(path, at_point)
        if not (path / SQL_FILE).is_file():
            raise NotFound("store.no_workspace", "There is no workspace here.", path=path)
        return cls(path, SqliteFile(path / SQL_FILE, read_only=True), None, at_point)

    @classmethod
    def _open_to_write(cls, path: Path, at_point: AtPoint) -> Self:
        with disk_errors():
            make_folder(path / SEGMENTS)
            sync_folder(path.parent)
            lease = Lease(path / LEASE)
        try:
            with disk_errors():
                store = cls(path, SqliteFile(path / SQL_FILE), lease, at_point)
                store.clean()
        except BaseException:
            lease.release()
            raise
        return store
