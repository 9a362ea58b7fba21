"""Keys of the HTTP door: a small file of its own beside the journal, which only knows their digests.

It is no part of the record: whoever administers keys writes it while another process owns the workspace, on whichever
engine the facts are.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, RowMapping, String, Table, insert, select, update

from penstock.errors import Conflict
from penstock.store.disk import disk_errors
from penstock.store.sqlite import SqliteFile

FILE: Final = "door.sqlite"
_METADATA: Final = MetaData()
_API_KEY: Final = Table(
    "api_key",
    _METADATA,
    Column("id", String(16), primary_key=True),
    Column("label", String(64), nullable=False),
    Column("scopes", String(128), nullable=False),  # words, a space between them
    Column("digest", LargeBinary(32), nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger, nullable=False),
)


def open_door_file(folder: Path) -> SqliteFile:
    """The door's own file, readable by its owner alone, made where there is none. Raises as `SqliteFile`."""
    path = folder / FILE
    with disk_errors():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return SqliteFile(path)


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    """A key as kept: whom it was made for, what it may, and the sha256 of its secret; instants [us], 0 for none."""

    id: str
    label: str
    scopes: frozenset[str]
    digest: bytes
    made_us: int
    expires_us: int
    revoked_us: int = 0


class ApiKeyFile:
    """The file, open; several processes may have it open. Raises as `SqliteFile`."""

    def __init__(self, folder: Path) -> None:
        self._sql = open_door_file(folder)
        self._sql.write(_METADATA.create_all)

    def add(self, row: ApiKeyRow) -> None:
        """Keep a new key. Raises Conflict ``key.id_taken``."""
        values = {name: getattr(row, name) for name in ApiKeyRow.__slots__} | {"scopes": " ".join(sorted(row.scopes))}
        if self.find(row.id):
            raise Conflict("key.id_taken", "There is a key of this id.", id=row.id)
        self._sql.write(lambda connection: connection.execute(insert(_API_KEY).values(**values)))

    def find(self, id: str) -> ApiKeyRow | None:
        """The key of this id."""
        query = select(_API_KEY).where(_API_KEY.c.id == id)
        found = self._sql.read(lambda connection: connection.execute(query).mappings().first())
        return _row(found) if found else None

    def rows(self) -> list[ApiKeyRow]:
        """Every key, in the order they were made."""
        query = select(_API_KEY).order_by(_API_KEY.c.made_us, _API_KEY.c.id)
        return self._sql.read(lambda connection: [_row(each) for each in connection.execute(query).mappings()])

    def revoke(self, id: str, at_us: int) -> bool:
        """Whether there was such a key that was not revoked yet; it is from now on."""
        statement = update(_API_KEY).where(_API_KEY.c.id == id, _API_KEY.c.revoked_us == 0).values(revoked_us=at_us)
        return bool(self._sql.write(lambda connection: connection.execute(statement).rowcount))

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _row(found: RowMapping) -> ApiKeyRow:
    values = {name: found[name] for name in ApiKeyRow.__slots__}
    return ApiKeyRow(**(values | {"scopes": frozenset(found["scopes"].split())}))
