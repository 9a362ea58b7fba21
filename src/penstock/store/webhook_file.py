"""Who wants to hear of which account's facts, and how far each was told; beside the door's keys.

A subscription holds the secret its messages are signed with as it is, for whoever signs needs it: the file is its
owner's alone. How far each was told is one number, so nothing is lost or told out of order when a process dies.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table, delete, insert, select, update

from penstock.store.api_key_file import open_door_file

_METADATA: Final = MetaData()
_WEBHOOK: Final = Table(
    "webhook",
    _METADATA,
    Column("id", String(16), primary_key=True),
    Column("by", String(128), nullable=False),
    Column("account", String(256), nullable=False),
    Column("url", String(2_048), nullable=False),
    Column("secret", LargeBinary(32), nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("next_seq", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("stopped_us", BigInteger, nullable=False),
    Column("note", String(200), nullable=False),
)


@dataclass(frozen=True, slots=True, repr=False)
class WebhookRow:
    """A subscription: facts of ``account`` from ``next_seq`` on go to ``url``; instants [us], 0 for none.

    After ``failures`` in a row it is tried again at ``due_us``; one that ``stopped_us`` is tried no more. ``note`` is
    what came of the last message.
    """

    id: str
    by: str
    account: str
    url: str
    secret: bytes
    made_us: int
    next_seq: int
    failures: int = 0
    due_us: int = 0
    stopped_us: int = 0
    note: str = ""

    def __repr__(self) -> str:
        return f"WebhookRow({self.id})"  # the secret stays out of logs


class WebhookFile:
    """The file, open; several processes may have it open. Raises as `SqliteFile`."""

    def __init__(self, folder: Path) -> None:
        self._sql = open_door_file(folder)
        self._sql.write(_METADATA.create_all)

    def add(self, row: WebhookRow) -> None:
        """Keep a new subscription."""
        values = {name: getattr(row, name) for name in WebhookRow.__slots__}
        self._sql.write(lambda connection: connection.execute(insert(_WEBHOOK).values(**values)))

    def rows(self) -> list[WebhookRow]:
        """Every subscription, in the order they were made."""
        query = select(_WEBHOOK).order_by(_WEBHOOK.c.made_us, _WEBHOOK.c.id)
        return self._sql.read(lambda one: [WebhookRow(**row) for row in one.execute(query).mappings()])

    def find(self, id: str) -> WebhookRow | None:
        """The subscription of this id."""
        query = select(_WEBHOOK).where(_WEBHOOK.c.id == id)
        found = self._sql.read(lambda connection: connection.execute(query).mappings().first())
        return WebhookRow(**found) if found else None

    def note(self, id: str, **changed: Any) -> None:
        """Keep how far a subscription was told, and what came of it; nothing where it was removed meanwhile."""
        statement = update(_WEBHOOK).where(_WEBHOOK.c.id == id).values(**changed)
        self._sql.write(lambda connection: connection.execute(statement))

    def remove(self, id: str) -> bool:
        """Whether there was such a subscription; there is none from now on."""
        statement = delete(_WEBHOOK).where(_WEBHOOK.c.id == id)
        return bool(self._sql.write(lambda connection: connection.execute(statement).rowcount))

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
