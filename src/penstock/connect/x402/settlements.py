"""What a facilitator has promised to settle and what it sent, in one file that several processes may share.

A transaction is written down before it leaves, so a crash never makes two of one. SQLite, write-ahead log, FULL: what
is sent and what is settled is on the disk before anybody acts on it. A claim, of which nothing came yet, need not be.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from penstock.errors import Unavailable

LEASE_US: Final = 15_000_000
"""How long a process that settles has a payment to itself [us]: above the longest wait for a block."""
_WAIT_S: Final = 10.0
Sign = Callable[[int], tuple[bytes, bytes]]
"""A nonce in, a signed transaction and its hash out."""
Row = tuple[bytes, str, int, int, bytes, bytes]
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS settlement (
  id BLOB PRIMARY KEY, terms BLOB NOT NULL, state TEXT NOT NULL, lease_until_us INTEGER NOT NULL,
  sender BLOB NOT NULL DEFAULT x'', nonce INTEGER NOT NULL DEFAULT -1, raw BLOB NOT NULL DEFAULT x'',
  tx BLOB NOT NULL DEFAULT x'', at_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS settlement_sent ON settlement (sender, nonce) WHERE state = 'sent';
"""


class Claim(StrEnum):
    """What a process may do with a payment."""

    OURS = "ours"  # ours to settle
    SENT = "sent"  # sent before, by us or by one that died: ours to follow up
    BUSY = "busy"  # another has it now
    DONE = "done"  # settled: it paid for something already
    ALTERED = "altered"  # on its way under other terms


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A transaction written down: its nonce, bytes and hash."""

    nonce: int
    raw: bytes
    tx: bytes


class Settlements:
    """The file, open. Processes share it, threads too.

    Raises (all methods):
        Unavailable: ``payment.store_failed``.
    """

    def __init__(self, path: Path | None, clock: Callable[[], int]) -> None:
        self._lock, self._clock = threading.RLock(), clock
        with _failures():
            self._sql = sqlite3.connect(path or ":memory:", _WAIT_S, isolation_level=None, check_same_thread=False)
            self._sql.execute("PRAGMA journal_mode = WAL")
            self._sql.execute("PRAGMA synchronous = FULL")
            self._sql.executescript(_SCHEMA)
        self._on_disk = True

    def claim(self, payment_id: bytes, terms: bytes) -> tuple[Claim, Outgoing | None]:
        """Take a payment to settle it; whoever else asks meanwhile is told it is busy."""
        now = self._clock()
        with self._transaction(on_disk=False):
            row = self._sql.execute(
                "SELECT terms, state, lease_until_us, nonce, raw, tx FROM settlement WHERE id = ?", (payment_id,)
            ).fetchone()
            claim, sent = _judged(row, terms, now)
            if claim in (Claim.OURS, Claim.SENT):
                self._lease(payment_id, terms, claim, now)
        return claim, sent

    def send(self, payment_id: bytes, sender: bytes, floor: Callable[[], int], sign: Sign) -> Outgoing:
        """The payment's transaction: signed with the next free nonce and written down, or the one already there.

        ``floor`` asks the chain for the sender's next nonce; it is asked while nobody else can take one.
        """
        with self._transaction():
            row = self._sql.execute(
                "SELECT nonce, raw, tx FROM settlement WHERE id = ? AND state = 'sent'", (payment_id,)
            ).fetchone()
            if row:
                return Outgoing(*row)
            highest = self._sql.execute(
                "SELECT coalesce(max(nonce), -1) FROM settlement WHERE state = 'sent' AND sender = ?", (sender,)
            ).fetchone()[0]
            nonce = max(floor(), highest + 1)
            raw, tx = sign(nonce)
            self._sql.execute(
                "UPDATE settlement SET state = 'sent', sender = ?, nonce = ?, raw = ?, tx = ? WHERE id = ?",
                (sender, nonce, raw, tx, payment_id),
            )
        return Outgoing(nonce, raw, tx)

    def waiting(self, sender: bytes) -> list[Outgoing]:
        """What left and is not known to be in a block, in order of nonce."""
        with self._lock, _failures():
            rows = self._sql.execute(
                "SELECT nonce, raw, tx FROM settlement WHERE state = 'sent' AND sender = ? ORDER BY nonce", (sender,)
            ).fetchall()
        return [Outgoing(*row) for row in rows]

    def settled(self, payment_id: bytes) -> None:
        """It is in a block and was told: from now on it is used up."""
        with self._transaction():
            self._sql.execute("UPDATE settlement SET state = 'done', raw = x'' WHERE id = ?", (payment_id,))

    def release(self, payment_id: bytes) -> None:
        """It is still on its way: whoever asks next follows it up."""
        with self._transaction():
            self._sql.execute("UPDATE settlement SET lease_until_us = 0 WHERE id = ?", (payment_id,))

    def forget(self, payment_id: bytes) -> None:
        """Nothing came of it: it may be tried again."""
        with self._transaction():
            self._sql.execute("DELETE FROM settlement WHERE id = ? AND state <> 'done'", (payment_id,))

    def close(self) -> None:
        """Give the file back; harmless when repeated."""
        with self._lock:
            self._sql.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lease(self, payment_id: bytes, terms: bytes, claim: Claim, now: int) -> None:
        state = "sent" if claim is Claim.SENT else "claimed"
        self._sql.execute(
            "INSERT INTO settlement (id, terms, state, lease_until_us, at_us) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET terms = excluded.terms, lease_until_us = excluded.lease_until_us",
            (payment_id, terms, state, now + LEASE_US, now),
        )

    @contextmanager
    def _transaction(self, *, on_disk: bool = True) -> Iterator[None]:
        """All of it or nothing; not ``on_disk`` it outlives the process, and the machine once a later one is."""
        with self._lock, _failures():
            if on_disk is not self._on_disk:
                self._sql.execute(f"PRAGMA synchronous = {'FULL' if on_disk else 'NORMAL'}")
                self._on_disk = on_disk
            self._sql.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._sql.execute("COMMIT")
            except BaseException:
                self._sql.execute("ROLLBACK")
                raise


def _judged(
    row: tuple[bytes, str, int, int, bytes, bytes] | None, terms: bytes, now: int
) -> tuple[Claim, Outgoing | None]:
    if row is None:
        return Claim.OURS, None
    found_terms, state, lease_until, nonce, raw, tx = row
    sent = Outgoing(nonce, raw, tx) if tx else None
    if state == "done":
        return Claim.DONE, sent
    if lease_until > now:
        return Claim.BUSY, sent
    if state == "sent":
        return (Claim.SENT if found_terms == terms else Claim.ALTERED), sent
    return Claim.OURS, None


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as failed:
        hint = "Look at the disk; what was settled stays settled."
        raise Unavailable("payment.store_failed", f"The file of payments failed: {failed}.", hint=hint) from failed
