"""People: who is behind an account. Facts name accounts and nothing else, so that this can be forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from penstock.store.sql import Sql
from penstock.store.tables import PERSON


class PersonTable:
    """What is known of people, by account; the text is whatever the operator's doors keep there."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    def keep(self, account: str, said: str) -> None:
        """Keep what is known of the person behind an account, in place of what was."""

        def put(connection: Connection) -> None:
            self.forget(connection, [account])
            connection.execute(insert(PERSON).values(account=account, said=said))

        self._sql.write(put)

    def of(self, account: str) -> str | None:
        """What is known; None where nothing is."""
        query = select(PERSON.c.said).where(PERSON.c.account == account)
        return self._sql.read(lambda connection: connection.scalar(query))

    def forget(self, connection: Connection, accounts: Sequence[str]) -> None:
        """Delete inside the connection's transaction."""
        for account in accounts:
            connection.execute(delete(PERSON).where(PERSON.c.account == account))
