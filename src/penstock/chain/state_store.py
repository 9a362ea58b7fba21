"""Where the chain lies: trie nodes, blocks, transactions and logs in one SQLite file, or in memory.

One SQL transaction carries a block's trie nodes together with its header, transactions, receipts and logs
(WAL, synchronous=FULL), so a block is there wholly or not at all. A file is made under another name and renamed when
its genesis is committed: a file that exists and has no head is damaged, never a reason to start anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

from eth.abc import AtomicWriteBatchAPI
from eth.db.atomic import AtomicDBWriteBatch
from eth.db.backends.base import BaseAtomicDB
from lru import LRU

from penstock.errors import Corrupt, Unavailable

SCHEMA_VERSION: Final = 1
_TRY_AGAIN: Final = "Free some space, then send it again: what was not acknowledged left no trace."
_CACHED_NODES: Final = 100_000
_SCHEMA: Final = """
create table meta(k text primary key, v blob not null) without rowid;
create table node(k blob primary key, v blob not null) without rowid;
create table block(number integer primary key, hash blob not null unique, header blob not null, size int not null);
create table tx(hash blob primary key, number int not null, position int not null, raw blob not null,
  sender blob not null, status int not null, gas_used int not null, gas_cumulative int not null, price blob not null,
  contract blob, bloom blob not null, log_first int not null) without rowid;
create unique index tx_place on tx(number, position);
create table log(number int not null, position int not null, tx_position int not null, address blob not null,
  topic0 blob, topic1 blob, topic2 blob, topic3 blob, data blob not null, primary key(number, position)) without rowid;
create index log_source on log(address, topic0, number);
create table pool(arrived integer primary key, hash blob not null unique, raw blob not null);
"""


class StateStore(BaseAtomicDB):
    """Trie nodes by hash, and the tables of a chain. ``path`` of None keeps everything in memory.

    Writes gather in memory until `commit`; `rollback` forgets them. Not safe for threads: the node holds the lock.

    Raises:
        Corrupt: ``chain.store_damaged``.
        Unavailable: ``chain.store_in_use`` where another process has the file open.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._pending: dict[bytes, bytes] = {}
        self._settled: Any = {} if path is None else LRU(_CACHED_NODES)
        self.sql = _connect(":memory:" if path is None else str(path))
        if path is None:
            self.sql.executescript(_SCHEMA)
            self.sql.execute("begin")

    # the engine's view: a key-value database of trie nodes and code

    def __getitem__(self, key: bytes) -> bytes:
        value = self._pending.get(key)
        if value is None:
            value = self._settled.get(key)
        if value is None:
            value = self._read(key)
            self._settled[key] = value
        return cast(bytes, value)

    def _read(self, key: bytes) -> bytes:
        if self.path is None:
            raise KeyError(key)
        row = self.row("select v from node where k = ?", key)
        if row is None:
            raise KeyError(key)
        return cast(bytes, row[0])

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._pending[key] = value

    def __delitem__(self, key: bytes) -> None:
        """Nodes are kept: every past state stays readable."""

    def _exists(self, key: bytes) -> bool:
        try:
            self[key]
        except KeyError:
            return False
        return True

    @contextmanager
    def atomic_batch(self) -> Iterator[AtomicWriteBatchAPI]:
        with AtomicDBWriteBatch._commit_unless_raises(self) as batch:
            yield batch

    # the node's view: rows, and one transaction at a time

    def row(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        """The first row, or None."""
        with _damage_named():
            return cast("tuple[Any, ...] | None", self.sql.execute(statement, values).fetchone())

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows."""
        with _damage_named():
            return self.sql.execute(statement, values).fetchall()

    def write(self, statement: str, *rows: tuple[object, ...]) -> None:
        """Run ``statement`` once for each of ``rows``, inside the open transaction."""
        with _damage_named():
            self.sql.executemany(statement, rows)

    def commit(self) -> None:
        """Make the gathered nodes and rows durable, all or none."""
        with _damage_named():
            if self.path is not None:
                self.sql.executemany("insert or ignore into node values (?, ?)", self._pending.items())
            self.sql.execute("commit")
            self.sql.execute("begin")
        self._settled.update(self._pending)
        self._pending = {}

    def rollback(self) -> None:
        """Forget the gathered nodes and rows."""
        self._pending = {}
        if self.sql.in_transaction:
            self.sql.execute("rollback")
        self.sql.execute("begin")

    def close(self) -> None:
        """Close without saving what was not committed."""
        self._pending = {}
        if self.sql.in_transaction:
            self.sql.execute("rollback")
        self.sql.close()


def open_file(path: Path) -> StateStore:
    """The store in an existing file, looked over before use. Raises as `StateStore`."""
    with path.open("rb") as file:
        start = file.read(64)
    # Byte 60 on: the schema version (SQLite file format 1.3.10). Looked at before SQLite may touch the file.
    if start[:16] != b"SQLite format 3\0" or start[60:] != SCHEMA_VERSION.to_bytes(4, "big"):
        raise Corrupt("chain.store_damaged", "This is no chain's file.", hint="Restore it from a backup.", path=path)
    store = StateStore(path)
    try:
        with _damage_named():
            _look_over(store)
    except BaseException:
        store.close()
        raise
    return store


def _look_over(store: StateStore) -> None:
    (verdict,) = store.sql.execute("pragma quick_check(1)").fetchone()
    store.sql.execute("begin")
    if verdict != "ok":
        raise Corrupt(
            "chain.store_damaged",
            f"The chain's file is damaged: {verdict}.",
            hint="Restore the chain folder from a backup.",
            path=store.path,
        )


def new_file(path: Path) -> StateStore:
    """A store in a file not yet at its name; `place` puts it there once the genesis is committed."""
    draft = path.with_name(path.name + ".new")
    for leftover in (draft, draft.with_name(draft.name + "-wal")):
        leftover.unlink(missing_ok=True)
    store = StateStore(draft)
    with _damage_named():
        store.sql.executescript(f"{_SCHEMA}pragma user_version = {SCHEMA_VERSION};")
        store.sql.execute("begin")
    return store


def place(store: StateStore, path: Path) -> StateStore:
    """Fold the log into the draft file, rename it to ``path`` and open it there."""
    store.close()
    cast(Path, store.path).rename(path)
    return open_file(path)


def _connect(name: str) -> sqlite3.Connection:
    sql = sqlite3.connect(name, isolation_level=None, check_same_thread=False, timeout=0.2)
    try:
        with _damage_named():
            # Exclusive: one process owns a chain, and the write-ahead log then needs no shared memory.
            sql.execute("pragma locking_mode = exclusive")
            sql.execute("pragma journal_mode = wal")
            sql.execute("pragma synchronous = full")
            sql.execute("pragma cache_size = -65536")
            sql.execute("begin immediate")
            sql.execute("commit")
    except BaseException:
        sql.close()
        raise
    return sql


@contextmanager
def _damage_named() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as failed:
        if "locked" in str(failed):
            raise Unavailable("chain.store_in_use", "Another process has this chain open.") from failed
        if "full" in str(failed) or "disk I/O" in str(failed):
            raise Unavailable(
                "chain.store_io", f"The chain's file cannot be written: {failed}.", hint=_TRY_AGAIN
            ) from failed
        raise Corrupt(
            "chain.store_damaged",
            f"The chain's file is damaged: {failed}.",
            hint="Restore the chain folder from a backup.",
        ) from failed
    except sqlite3.DatabaseError as damaged:
        raise Corrupt(
            "chain.store_damaged",
            f"The chain's file is damaged: {damaged}.",
            hint="Restore the chain folder from a backup.",
        ) from damaged
