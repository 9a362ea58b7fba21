"""Sessions of wallets that signed in, and the nonces they spent; beside the door's keys, digests only.

It is no part of the record: losing it signs everybody out and lets nobody in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from sqlalchemy import BigInteger, Column, Connection, LargeBinary, MetaData, String, Table, delete, insert, select
from sqlalchemy.dialects.sqlite import insert as insert_new

from penstock.store.api_key_file import open_door_file

_METADATA: Final = MetaData()
_SESSION: Final = Table(
    "session",
    _METADATA,
    Column("id", String(16), primary_key=True),
    Column("address", String(42), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
)
_SPENT: Final = Table(
    "spent_nonce",
    _METADATA,
    Column("nonce", String(96), primary_key=True),
    Column("expires_us", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as kept: whose wallet, and the sha256 of its token's secret; instants [us]."""

    id: str
    address: str
    digest: bytes
    made_us: int
    expires_us: int


class SessionFile:
    """The file, open; several processes may have it open. Raises as `SqliteFile`."""

    def __init__(self, folder: Path) -> None:
        self._sql = open_door_file(folder)
        self._sql.write(_METADATA.create_all)

    def open(self, row: SessionRow, nonce: str, nonce_expires_us: int) -> bool:
        """Keep a session unless its nonce is spent, in one transaction; what has expired is forgotten."""
        values = {name: getattr(row, name) for name in SessionRow.__slots__}
        spend = insert_new(_SPENT).values(nonce=nonce, expires_us=nonce_expires_us).on_conflict_do_nothing()

        def act(connection: Connection) -> bool:
            for table in (_SESSION, _SPENT):
                connection.execute(delete(table).where(table.c.expires_us <= row.made_us))
            if not connection.execute(spend).rowcount:
                return False
            connection.execute(insert(_SESSION).values(**values))
            return True

        return self._sql.write(act)

    def find(self, id: str) -> SessionRow | None:
        """The session of this id."""
        query = select(_SESSION).where(_SESSION.c.id == id)
        found = self._sql.read(lambda connection: connection.execute(query).mappings().first())
        return SessionRow(**found) if found else None

    def close_session(self, id: str) -> None:
        """The session opens nothing any more; harmless when repeated."""
        self._sql.write(lambda connection: connection.execute(delete(_SESSION).where(_SESSION.c.id == id)))

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
