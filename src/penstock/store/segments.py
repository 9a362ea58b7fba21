"""The folder of segments: immutable Parquet files, each named by the sha256 of its bytes.

A file holds the rows of one segment, or those of many one after the other (`PlaceTable` says whose). Temporary files do
not end in ``.parquet``, so a glob by other tools never meets a half-written one.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from penstock.errors import Corrupt
from penstock.journal.segment import Column, Columns, Segment, SegmentFormat, check_columns
from penstock.store.disk import AtPoint, sync_folder, write_synced

ROW_GROUP: Final = 131_072
FORMAT_KEY: Final = b"penstock.format"
NONCE_KEY: Final = b"penstock.nonce"
FILES_KEPT: Final = 4
_SUFFIX: Final = ".parquet"


class SegmentFolder:
    """Writes, reads and sweeps segment files in one folder."""

    def __init__(self, path: Path, at_point: AtPoint) -> None:
        self._path, self._at_point = path, at_point
        self._parts: dict[str, Columns] = {}
        self._lock, self._sweeping = threading.Lock(), threading.Lock()
        self._staged: dict[int, tuple[Segment, str]] = {}  # by the segment's id
        self._under_way: Counter[str] = Counter()  # names of files of staged segments

    @contextmanager
    def staged(self, segments: Sequence[Segment]) -> Iterator[None]:
        """Write segments now, so that a commit inside, by any thread, finds these very objects durable already.

        Raises OSError, leaving no temporary file.
        """
        with ExitStack() as stack:
            for segment in segments:
                stack.enter_context(self._stage(segment))
            sync_folder(self._path)
            yield

    @contextmanager
    def _stage(self, segment: Segment) -> Iterator[None]:
        digest, data = named(to_parquet(segment))
        names = file_name(digest), self._temporary(digest).name
        with self._sweeping:
            self._under_way.update(names)
        try:
            self._write_one(digest, data)
            self._staged[id(segment)] = segment, digest
            yield
        finally:
            self._staged.pop(id(segment), None)
            with self._sweeping:
                self._under_way.subtract(names)

    def write(self, segments: Sequence[Segment]) -> list[str]:
        """Make segments durable; returns the digest of each. Raises OSError, leaving no temporary file."""
        if not segments:
            return []
        self._at_point("segment_begin")
        staged = [self._staged.get(id(segment)) for segment in segments]
        digests = [
            known[1] if known else self._write_one(*named(to_parquet(segment)))
            for known, segment in zip(staged, segments, strict=True)
        ]
        if not all(staged):
            sync_folder(self._path)
        self._at_point("folder_synced")
        return digests

    def read(self, digest: str, fmt: SegmentFormat) -> Columns:
        """The columns of a committed file.

        Raises:
            Corrupt: ``store.segment_missing``, ``store.segment_torn`` where the bytes have another digest,
                ``store.segment_format`` where the file holds another format.
        """
        return from_parquet(self.raw(digest), fmt, digest)

    def read_part(self, digest: str, fmt: SegmentFormat, start: int, rows: int) -> Columns:
        """Rows ``[start, start + rows)`` of a file; the last few files are kept, for their parts are read in turn.

        Raises:
            Corrupt: as `read`; ``store.segment_torn`` where the file has fewer rows.
        """
        with self._lock:
            whole = self._parts.pop(digest, None)
            whole = self.read(digest, fmt) if whole is None else whole
            if len(self._parts) >= FILES_KEPT:
                self._parts.pop(next(iter(self._parts)))
            self._parts[digest] = whole
        if start + rows > len(whole[fmt.fixed[0][0]]):
            raise Corrupt("store.segment_torn", "A file has fewer rows than lie in it.", segment=digest)
        return {name: column[start : start + rows] for name, column in whole.items()}

    def raw(self, digest: str) -> pa.Buffer:
        """The bytes of a committed file, its digest checked. Raises as `read`."""
        raw = self._mapped(digest)
        if hashlib.sha256(raw).hexdigest() != digest:
            sentence, hint = "A segment's bytes are not those that were sealed.", "Restore the file from a backup."
            raise Corrupt("store.segment_torn", sentence, hint=hint, segment=digest)
        return raw

    def sizes(self) -> dict[str, int]:
        """Every file in the folder by name, with its size [bytes]."""
        return {path.name: path.stat().st_size for path in self._path.iterdir()}

    def sweep(self, named: Iterable[str]) -> int:
        """Delete every file that is not named; returns how many. Only under the lease."""
        keep = {file_name(name) for name in named}
        with self._sweeping:
            keep |= {name for name, count in self._under_way.items() if count}
            orphans = [path for path in self._path.iterdir() if path.name not in keep]
            for path in orphans:
                path.unlink()
        with self._lock:
            self._parts.clear()
        return len(orphans)

    def _temporary(self, digest: str) -> Path:
        return self._path / f".tmp-{digest[:16]}-{os.getpid()}-{threading.get_ident()}"

    def _write_one(self, digest: str, data: bytes) -> str:
        temporary = self._temporary(digest)
        try:
            write_synced(temporary, memoryview(data), self._at_point)
            temporary.rename(self._path / file_name(digest))
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self._at_point("segment_renamed")
        return digest

    def _mapped(self, digest: str) -> pa.Buffer:
        try:
            with pa.memory_map(str(self._path / file_name(digest))) as file:
                return file.read_buffer()
        except FileNotFoundError:
            hint = "Restore the segments folder from a backup at least as new as the SQL file."
            raise Corrupt(
                "store.segment_missing", "A recorded segment has no file.", hint=hint, segment=digest
            ) from None


def file_name(digest: str) -> str:
    """The name of the file whose bytes have this digest."""
    return digest + _SUFFIX


def named(data: pa.Buffer) -> tuple[str, bytes]:
    """The digest of a file's bytes, by which it is known, and those."""
    raw = data.to_pybytes()
    return hashlib.sha256(raw).hexdigest(), raw


def to_parquet(segment: Segment) -> pa.Buffer:
    """The Parquet bytes of a segment: lz4, integers as deltas, row groups of 131,072.

    A salted one has a random number beside: the same rows sealed again, after an erasure, are another file.

    Raises:
        Invalid: ``segment.columns``.
    """
    fmt = segment.format
    metadata = {FORMAT_KEY: fmt.name.encode()} | ({NONCE_KEY: secrets.token_bytes(16).hex()} if fmt.salted else {})
    return written(fmt, check_columns(fmt, segment.columns), {}, metadata)


def written(
    fmt: SegmentFormat, columns: Columns, more: dict[str, Any], metadata: dict[bytes, bytes | str]
) -> pa.Buffer:
    """Parquet bytes of checked columns, with ``more`` Arrow arrays behind them."""
    arrays = {
        name: pa.array(column, pa.binary()) if name == fmt.blob else pa.array(column)
        for name, column in columns.items()
    }
    table = pa.table(arrays | more, metadata=metadata)
    deltas = [name for name, dtype in fmt.fixed if dtype == "int64"]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="lz4",
        row_group_size=ROW_GROUP,
        use_dictionary=[name for name, dtype in fmt.fixed if dtype != "int64"],
        column_encoding=dict.fromkeys(deltas, "DELTA_BINARY_PACKED"),
    )
    return sink.getvalue()


def from_parquet(raw: pa.Buffer, fmt: SegmentFormat, digest: str) -> Columns:
    """The columns of Parquet bytes that hold this format. Raises Corrupt ``store.segment_format``."""
    file = pq.ParquetFile(pa.BufferReader(raw), pre_buffer=False)  # it is in memory already
    return columns_in(file.read(use_threads=file.metadata.num_rows > ROW_GROUP), fmt, digest)


def columns_in(table: pa.Table, fmt: SegmentFormat, digest: str, more: Sequence[str] = ()) -> Columns:
    """The format's columns of a table that has them, and ``more`` behind them. Raises as `from_parquet`."""
    expected = [name for name, _ in fmt.fixed] + ([fmt.blob] if fmt.blob else [])
    if (table.schema.metadata or {}).get(FORMAT_KEY) != fmt.name.encode() or table.column_names != [*expected, *more]:
        raise Corrupt("store.segment_format", f"A segment does not hold {fmt.name}.", segment=digest)
    return {name: _column(table.column(name), fmt, name) for name in expected}


def format_in(raw: pa.Buffer) -> str:
    """The name of the format that Parquet bytes say they hold; empty where they do not say."""
    return ((pq.read_schema(pa.BufferReader(raw)).metadata or {}).get(FORMAT_KEY) or b"").decode(errors="replace")


def _column(values: Any, fmt: SegmentFormat, name: str) -> Column:
    if name == fmt.blob:
        column: Column = values.to_numpy()
        return column
    return np.ascontiguousarray(values.to_numpy(), dtype=dict(fmt.fixed)[name])
