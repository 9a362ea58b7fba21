"""The store of one workspace: facts in SQL of any engine, bulk in a folder of Parquet segments.

Commit protocol: segment to a temporary file, fsync, rename to its digest, fsync the folder; then one SQL
transaction with facts and outbox rows. COMMIT is the truth. A file that no fact names is garbage, swept at the
next open; a fact whose file is missing is `Corrupt`.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, delete, insert, select, update

from penstock.errors import Invalid, PenstockError, Refused
from penstock.journal.sealed_rows import SealedRows
from penstock.journal.segment import Columns, Segment, SegmentFormat
from penstock.journal.tree import Tree, leaf_hash
from penstock.store.disk import AtPoint, disk_errors, no_point
from penstock.store.fact_table import FactTable, Row, rows_of
from penstock.store.lease import Lease
from penstock.store.observation_table import ObservationTable
from penstock.store.outbox_table import OutboxTable
from penstock.store.ports import RecordedCommand, StoredFact, Write
from penstock.store.row_store import RowStore
from penstock.store.segments import SegmentFolder, file_name, named, to_parquet
from penstock.store.small_table import is_small
from penstock.store.sql import Sql
from penstock.store.tables import META, METADATA, OLDER_SCHEMAS, SCHEMA_VERSION

SEGMENTS, LEASE = "segments", "lease"
UNSCRUBBED = "unscrubbed"


class SqlStore:
    """Facts and segments of a workspace. Threads may share it; one process may write: the one that gives a lease."""

    def __init__(self, path: Path, sql: Sql, lease: Lease | None, at_point: AtPoint) -> None:
        self._path, self._sql, self._lease, self._at_point = path, sql, lease, at_point
        if lease:
            self._sql.write(_make_tables)
        self._segments = SegmentFolder(path / SEGMENTS, at_point)
        self._facts = FactTable(self._sql)
        self.rows = RowStore(self._sql, self._segments)
        self.outbox, self.observations = OutboxTable(self._sql), ObservationTable(self._sql)
        self._lock, self._tree_lock, self._tree = threading.Lock(), threading.Lock(), Tree()
        self._check_schema()
        self._known: tuple[int, bytes] | None = self._facts.head() if lease else None

    @property
    def path(self) -> Path:
        """The workspace folder."""
        return self._path

    @property
    def identity(self) -> str:
        """A random name given when the workspace was made; a restored copy keeps it."""
        return self._meta("workspace")

    def close(self) -> None:
        """Give the workspace back; harmless when repeated."""
        with self._lock:
            self._sql.close()
            if self._lease:
                self._lease.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def size(self) -> int:
        """How many facts are committed."""
        return self._at()[0]

    def head(self) -> bytes:
        """Hash of the last fact, `ZERO_HASH` before the first."""
        return self._at()[1]

    def facts(self, start: int = 0, stop: int | None = None) -> Iterator[StoredFact]:
        """Committed facts ``[start, stop)`` in order; all that stand now by default."""
        return self._facts.read(start, self.size() if stop is None else stop)

    def receipt(self, key: str) -> RecordedCommand | None:
        """What the command with this key recorded; None where it did not."""
        return self.receipts([key]).get(key)

    def receipts(self, keys: Sequence[str]) -> dict[str, RecordedCommand]:
        """What the commands with these keys recorded; only those that did."""
        return self._facts.receipts(keys)

    def columns(self, digest: str, fmt: SegmentFormat) -> Columns:
        """A segment's columns, erased rows blank; raises as `RowStore.columns`, Unavailable ``store.disk_failed``."""
        with disk_errors():
            return self.rows.columns(digest, fmt)

    def columns_of(self, named: Sequence[tuple[str, SegmentFormat]]) -> list[Columns]:
        """`columns` of many segments, small ones above all."""
        with disk_errors():
            return self.rows.columns_of(named)

    def sealed(self, digest: str, fmt: SegmentFormat) -> SealedRows:
        """A segment's rows with all that proves them; raises as `RowStore.sealed`, ``store.disk_failed``."""
        with disk_errors():
            return self.rows.sealed(digest, fmt)

    def export(self, digest: str) -> bytes:
        """A segment as one Parquet file; raises as `RowStore.export`, ``store.disk_failed``."""
        with disk_errors():
            return self.rows.export(digest)

    def segments(self) -> list[str]:
        """The digests that facts name, each once."""
        return self._facts.segments()

    def litter(self) -> int:
        """How many files lie in the folder that nothing names, or are still to be scrubbed from SQL; 0 is clean."""
        named = {file_name(digest) for digest in self.rows.files(self._facts.segments())}
        return len(self._segments.sizes().keys() - named) + (self._meta(UNSCRUBBED) == "1")

    def file_sizes(self) -> dict[str, int]:
        """Every file of segments by name, with its size [bytes]."""
        return self._segments.sizes()

    def tree(self) -> Tree:
        """The tree over all committed facts. It only grows: ask it for roots and proofs of sizes seen before."""
        with self._tree_lock:
            known, size = len(self._tree), self.size()
            if known < size:
                self._tree.append([leaf_hash(fact.body) for fact in self.facts(known, size)])
            return self._tree

    @contextmanager
    def staged(self, segments: Sequence[Segment]) -> Iterator[None]:
        """Make segments durable while others commit: a commit inside that records these very objects need not.

        Raises:
            Unavailable: ``store.disk_full``, ``store.disk_failed``. Refused: ``store.read_only``.
        """
        self._check_writes()
        with ExitStack() as stack:
            with disk_errors():
                stack.enter_context(self._segments.staged([each for each in segments if not is_small(each)]))
            yield

    def commit(self, writes: Sequence[Write]) -> int:
        """Record a group, all or nothing; returns the seq of its first fact.

        After an error the record is as before, unless the disk failed in COMMIT itself: then only the record,
        read again, knows. A command is recorded once at most either way, by its key.

        Raises:
            Conflict: ``store.fenced`` where another writer, or an earlier command of this key, came first.
            Unavailable: ``store.disk_full``, ``store.disk_failed``, ``store.busy``.
            Refused: ``store.read_only``.
        """
        self._check_writes()
        with self._lock:
            self._sql.hold()
            first, prev = self._at()
            try:
                with disk_errors():
                    self._record(writes, first, prev)
            except BaseException:
                self._known = None  # COMMIT may have come through all the same: only the record knows
                with suppress(PenstockError):
                    self._at()
                raise
            return first

    def _check_writes(self) -> None:
        if not self._lease:
            raise Refused("store.read_only", "This workspace was opened for reading.")

    def _at(self) -> tuple[int, bytes]:
        """Size and last hash: as the writer knows them, else as the record says now."""
        known = self._known or self._facts.head()
        if self._lease:
            self._known = known
        return known

    def _record(self, writes: Sequence[Write], first: int, prev: bytes) -> None:
        try:
            erasures = self.rows.check(writes)
            rows, small = self._seal(writes, first, prev)
        except BaseException:
            with suppress(PenstockError, OSError):
                self.sweep()  # files of a group that will not be; not after COMMIT began, whose outcome may be open
            raise
        self._sql.write(lambda connection: self._insert(connection, rows, small, writes))
        if rows:
            self._known = rows[-1][0] + 1, rows[-1][-1]
        self._at_point("committed")
        if any(write.upkeep for write in writes):
            self.rows.seeds.dropped(erasures)
            with suppress(PenstockError, OSError):
                self.clean(self._at_point)  # what is left to do is done when the workspace is next opened to write

    def _seal(self, writes: Sequence[Write], first: int, prev: bytes) -> tuple[list[Row], list[tuple[str, bytes]]]:
        """The rows of the facts, and the segments that go into SQL with them; the others are durable files now."""
        segments = [fact.segment for write in writes for fact in write.facts if fact.segment is not None]
        written = iter(self._segments.write([each for each in segments if not is_small(each)]))
        small = [named(to_parquet(each)) for each in segments if is_small(each)]
        inside = iter(small)
        digests = [next(inside)[0] if is_small(each) else next(written) for each in segments]
        self.rows.check_new(digests)
        return rows_of(writes, iter(digests), first, prev), small

    def _insert(
        self, connection: Connection, rows: Sequence[Row], small: Sequence[tuple[str, bytes]], writes: Sequence[Write]
    ) -> None:
        self.rows.small.insert(connection, small)
        if rows:
            self._facts.insert(connection, rows)
        self.outbox.insert(connection, [row for write in writes for row in write.outbox])
        for write in writes:
            if write.upkeep:
                self.rows.put(connection, write.upkeep)
        if any(write.upkeep and write.upkeep.erases for write in writes):
            _mark_unscrubbed(connection)
        self._at_point("rows_inserted")

    def sweep(self) -> None:
        """Delete the files that nothing names; only under the lease."""
        self._segments.sweep(self.rows.files(self._facts.segments()))

    def clean(self, at_point: AtPoint = no_point) -> None:
        """Sweep, and let nothing that was erased stay behind in the engine's own files; only under the lease."""
        self.sweep()
        at_point("swept")
        if self._meta(UNSCRUBBED) == "1" and self._sql.scrub():
            self._sql.write(lambda connection: connection.execute(delete(META).where(META.c.name == UNSCRUBBED)))
            self._sql.scrub()
        at_point("scrubbed")

    def _check_schema(self) -> None:
        found = self._meta("schema")
        if found != SCHEMA_VERSION and (self._lease or found not in OLDER_SCHEMAS):
            hint = "Open it with the version of the program that wrote it."
            raise Invalid("store.schema", "This workspace has another schema.", hint=hint, found=found)

    def _meta(self, name: str) -> str:
        query = select(META.c.value).where(META.c.name == name)
        return str(self._sql.read(lambda connection: connection.scalar(query)))


def make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
        sentence = f"This cannot be a workspace's folder: {error.strerror}."
        raise Invalid("store.no_folder", sentence, hint="Name another folder.", path=path.parent) from None


def _make_tables(connection: Connection) -> None:
    """All tables, those a workspace of an older schema lacks included."""
    METADATA.create_all(connection)
    found = connection.scalar(select(META.c.value).where(META.c.name == "schema"))
    if found is None:
        values = {"schema": SCHEMA_VERSION, "workspace": secrets.token_hex(16)}
        connection.execute(insert(META), [{"name": name, "value": value} for name, value in values.items()])
    elif found in OLDER_SCHEMAS:
        connection.execute(update(META).where(META.c.name == "schema").values(value=SCHEMA_VERSION))


def _mark_unscrubbed(connection: Connection) -> None:
    connection.execute(delete(META).where(META.c.name == UNSCRUBBED))
    connection.execute(insert(META).values(name=UNSCRUBBED, value="1"))
