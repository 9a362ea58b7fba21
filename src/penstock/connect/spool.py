"""The spool: what connectors got, on disk until it is delivered, and delivered once.

A connector may acknowledge a message once `Spool.put` returns. Messages leave in batches, and a batch once cut is
the same for good: whoever delivers it again after a crash uses the same key and is answered as the first time. The
very same bytes are kept once, while they wait and for a while after, because every transport repeats itself.
One process has a spool open; threads may share it. SQLite, write-ahead log, synchronous FULL.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from penstock.connect.ports import Arrived
from penstock.errors import Unavailable
from penstock.journal.words import Form
from penstock.period import SECOND_US

BYTES_MAX: Final = 4 << 30
"""Messages waiting [bytes] above which no more are taken."""
BATCH_MESSAGES: Final = 8_192
BATCH_BYTES: Final = 8 << 20
BATCH_SPAN_US: Final = 60 * SECOND_US
"""How far apart in arrival [us] the messages of a batch may lie: it is judged as received at one instant."""
REPEATS_US: Final = 600 * SECOND_US
"""How long [us] after its delivery a message is known again as a repeat of the transport."""
TOKENS_MAX: Final = 100_000
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS message (
  id INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, at_us INTEGER NOT NULL,
  form INTEGER NOT NULL, raw BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS batch (
  number INTEGER PRIMARY KEY AUTOINCREMENT, start INTEGER NOT NULL, stop INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS recent (digest BLOB PRIMARY KEY, at_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS recent_at ON recent (at_us);
CREATE TABLE IF NOT EXISTS token (id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS head (device TEXT PRIMARY KEY, sequence INTEGER NOT NULL, hash BLOB NOT NULL,
  channels BLOB NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that leave together, always the same for one ``key``; received by ``received_us`` [us] at the latest."""

    number: int
    key: str
    received_us: int
    messages: tuple[Arrived, ...]

    @property
    def bytes(self) -> bytes:
        """What was asked for under the key: every message, its form and length before it."""
        return b"".join(bytes([one.form]) + len(one.raw).to_bytes(4, "big") + one.raw for one in self.messages)


@dataclass(frozen=True, slots=True)
class Head:
    """How far a device's chain of messages has been written here: the last one's number and sha256.

    ``channels`` is the writer's own memory of what it last said of each register.
    """

    device: str
    sequence: int
    hash: bytes
    channels: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits: messages, their bytes, and when the oldest came [us] (0 where none waits)."""

    messages: int
    bytes: int
    oldest_us: int


def now_us() -> int:
    """The machine's clock [us, UTC]."""
    return time.time_ns() // 1_000


class Spool:
    """A spool file, open.

    Raises:
        Unavailable: ``connect.spool_in_use``, ``connect.spool_failed``.
    """

    def __init__(self, path: Path, *, bytes_max: int = BYTES_MAX, clock: Callable[[], int] = now_us) -> None:
        self._lock, self._arrival, self._clock, self._bytes_max = (
            threading.RLock(),
            threading.Condition(),
            clock,
            bytes_max,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        with _failures(path):
            self._sql = sqlite3.connect(path, timeout=0.2, isolation_level=None, check_same_thread=False)
            self._sql.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._sql.execute("PRAGMA journal_mode = WAL")
            self._sql.execute("PRAGMA synchronous = FULL")
            self._sql.executescript(_SCHEMA)
            self._path, self.identity = path, self._identity()
            self._bytes = int(self._one("SELECT coalesce(sum(length(raw)), 0) FROM message"))

    def put(self, arrived: Sequence[Arrived], token: str = "", heads: Sequence[Head] = ()) -> int:
        """Keep messages, and the heads of the chains they continue, in one durable step; returns how many were new.

        With a ``token`` all of it happens once: again, nothing is kept.

        Raises:
            Unavailable: ``connect.full`` where too much waits already, ``connect.spool_failed``.
        """
        size = sum(len(one.raw) for one in arrived)
        if self._bytes + size > self._bytes_max and arrived:
            hint = "It empties as soon as what waits can be delivered."
            raise Unavailable("connect.full", "The spool is full.", hint=hint, waiting_bytes=self._bytes)
        with self._transaction():
            if token and not self._first_use(token):
                return 0
            kept, kept_bytes = self._insert(arrived)
            for head in heads:
                values = (head.device, head.sequence, head.hash, head.channels)
                self._sql.execute("INSERT OR REPLACE INTO head VALUES (?, ?, ?, ?)", values)
        self._bytes += kept_bytes
        if kept:
            with self._arrival:
                self._arrival.notify_all()
        return kept

    def cut(self, messages_max: int = BATCH_MESSAGES, bytes_max: int = BATCH_BYTES) -> Batch | None:
        """The oldest batch that is not delivered, cut now where there is none; None where nothing waits."""
        with self._transaction():
            row = self._sql.execute("SELECT number, start, stop FROM batch ORDER BY number LIMIT 1").fetchone()
            if row is None:
                span = self._span(messages_max, bytes_max)
                if span is None:
                    return None
                number = self._sql.execute("INSERT INTO batch (start, stop) VALUES (?, ?)", span).lastrowid
                row = (number, *span)
            return self._batch(*row)

    def done(self, number: int) -> None:
        """The batch is delivered for good: forget it, but know its messages again for a while."""
        with self._transaction():
            row = self._sql.execute("SELECT start, stop FROM batch WHERE number = ?", (number,)).fetchone()
            if row is None:
                return
            now, span = self._clock(), "FROM message WHERE id >= ? AND id < ?"
            self._sql.execute(f"INSERT OR REPLACE INTO recent SELECT digest, ? {span}", (now, *row))
            freed = self._one(f"SELECT coalesce(sum(length(raw)), 0) {span}", row)
            self._sql.execute(f"DELETE {span}", row)
            self._sql.execute("DELETE FROM batch WHERE number = ?", (number,))
            self._sql.execute("DELETE FROM recent WHERE at_us < ?", (now - REPEATS_US,))
        self._bytes -= int(freed)

    def knows(self, token: str) -> bool:
        """Whether something was kept under ``token``."""
        with self._lock, _failures(self._path):
            return self._sql.execute("SELECT 1 FROM token WHERE token = ?", (token,)).fetchone() is not None

    def head(self, device: str) -> Head | None:
        """How far ``device``'s chain has been written here."""
        with self._lock, _failures(self._path):
            row = self._sql.execute("SELECT * FROM head WHERE device = ?", (device,)).fetchone()
        return None if row is None else Head(*row)

    def waiting(self) -> Waiting:
        """What waits to be delivered."""
        with self._lock, _failures(self._path):
            count, oldest = self._sql.execute("SELECT count(*), coalesce(min(at_us), 0) FROM message").fetchone()
        return Waiting(int(count), self._bytes, int(oldest))

    def wait(self, timeout_s: float) -> None:
        """Return when something arrives, or after ``timeout_s``."""
        with self._arrival:
            self._arrival.wait(timeout_s)

    def close(self) -> None:
        """Give the file back; harmless when repeated."""
        with self._lock:
            self._sql.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _identity(self) -> str:
        values = ("identity", secrets.token_hex(8))
        self._sql.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", values)
        return str(self._one("SELECT value FROM meta WHERE name = 'identity'"))

    def _one(self, query: str, values: tuple[object, ...] = ()) -> int | str:
        (found,) = self._sql.execute(query, values).fetchone()
        return found if isinstance(found, str) else int(found)

    def _first_use(self, token: str) -> bool:
        cursor = self._sql.execute("INSERT OR IGNORE INTO token (token) VALUES (?)", (token,))
        if cursor.rowcount and cursor.lastrowid:
            self._sql.execute("DELETE FROM token WHERE id <= ?", (cursor.lastrowid - TOKENS_MAX,))
        return bool(cursor.rowcount)

    def _insert(self, arrived: Sequence[Arrived]) -> tuple[int, int]:
        now, count, size = self._clock(), 0, 0
        for one in arrived:
            digest = hashlib.sha256(bytes([one.form]) + one.raw).digest()
            values = (digest, now, int(one.form), one.raw, digest, now - REPEATS_US)
            new = self._sql.execute(
                "INSERT OR IGNORE INTO message (digest, at_us, form, raw) SELECT ?, ?, ?, ?"
                " WHERE NOT EXISTS (SELECT 1 FROM recent WHERE digest = ? AND at_us >= ?)",
                values,
            ).rowcount
            count, size = count + new, size + new * len(one.raw)
        return count, size

    def _span(self, messages_max: int, bytes_max: int) -> tuple[int, int] | None:
        """Ids [start, stop) of the next batch: one message at least, and no more than the bounds allow."""
        query = "SELECT id, at_us, length(raw) FROM message ORDER BY id LIMIT ?"
        start, stop, size, first_us = 0, 0, 0, 0
        for number, at_us, length in self._sql.execute(query, (messages_max,)):
            size += length
            if stop and (size > bytes_max or at_us - first_us > BATCH_SPAN_US):
                break
            start, first_us = (start, first_us) if stop else (number, at_us)
            stop = number + 1
        return (start, stop) if stop else None

    def _batch(self, number: int, start: int, stop: int) -> Batch:
        query = "SELECT form, raw, at_us FROM message WHERE id >= ? AND id < ? ORDER BY id"
        rows = self._sql.execute(query, (start, stop)).fetchall()
        messages = tuple(Arrived(Form(form), raw) for form, raw, _ in rows)
        return Batch(number, f"spool:{self.identity}:{number}", max(row[2] for row in rows), messages)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, _failures(self._path):
            self._sql.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._sql.execute("COMMIT")
            except BaseException:
                if self._sql.in_transaction:
                    self._sql.execute("ROLLBACK")
                raise


@contextmanager
def _failures(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            hint = "Stop that process, or name another folder."
            raise Unavailable(
                "connect.spool_in_use", "Another process has this spool.", hint=hint, path=path
            ) from error
        raise _failed(path, error) from error
    except sqlite3.DatabaseError as error:
        raise _failed(path, error) from error


def _failed(path: Path, error: sqlite3.Error) -> Unavailable:
    hint = "Nothing was acknowledged that is not kept; see the disk, then start again."
    return Unavailable("connect.spool_failed", "The spool's file failed.", hint=hint, path=path, reason=error)
