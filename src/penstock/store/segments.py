"""The folder of segments: immutable Parquet files, each named by the sha256 of its bytes.

Temporary files do not end in ``.parquet``, so a glob by other tools never meets a half-written one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
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
_SUFFIX: Final = ".parquet"


class SegmentFolder:
    """Writes, reads and sweeps segment files in one folder."""

    def __init__(self, path: Path, at_point: AtPoint) -> None:
        self._path, self._at_point = path, at_point

    def write(self, segments: Sequence[Segment]) -> list[str]:
        """Make segments durable; returns the digest of each. Raises OSError, leaving no temporary file."""
        if not segments:
            return []
        self._at_point("segment_begin")
        digests = [self._write_one(to_parquet(segment)) for segment in segments]
        sync_folder(self._path)
        self._at_point("folder_synced")
        return digests

    def read(self, digest: str, fmt: SegmentFormat) -> Columns:
        """The columns of a committed segment.

        Raises:
            Corrupt: ``store.segment_missing``, ``store.segment_torn`` where the bytes have another digest,
                ``store.segment_format`` where the file holds another format.
        """
        raw = self._mapped(digest)
        if hashlib.sha256(raw).hexdigest() != digest:
            sentence, hint = "A segment's bytes are not those that were sealed.", "Restore the file from a backup."
            raise Corrupt("store.segment_torn", sentence, hint=hint, segment=digest)
        return from_parquet(raw, fmt, digest)

    def sweep(self, named: Iterable[str]) -> int:
        """Delete every file that no fact names; returns how many. Only under the lease."""
        keep = {name + _SUFFIX for name in named}
        orphans = [path for path in self._path.iterdir() if path.name not in keep]
        for path in orphans:
            path.unlink()
        return len(orphans)

    def _write_one(self, data: pa.Buffer) -> str:
        digest = hashlib.sha256(data).hexdigest()
        temporary = self._path / f".tmp-{digest[:16]}-{os.getpid()}"
        try:
            write_synced(temporary, memoryview(data), self._at_point)
            temporary.rename(self._path / (digest + _SUFFIX))
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self._at_point("segment_renamed")
        return digest

    def _mapped(self, digest: str) -> pa.Buffer:
        try:
            with pa.memory_map(str(self._path / (digest + _SUFFIX))) as file:
                return file.read_buffer()
        except FileNotFoundError:
            hint = "Restore the segments folder from a backup at least as new as the SQL file."
            raise Corrupt(
                "store.segment_missing", "A recorded segment has no file.", hint=hint, segment=digest
            ) from None


def to_parquet(segment: Segment) -> pa.Buffer:
    """The Parquet bytes of a segment: lz4, integers as deltas, row groups of 131,072.

    Raises:
        Invalid: ``segment.columns``.
    """
    fmt = segment.format
    checked = check_columns(fmt, segment.columns)
    table = pa.table(
        {
            name: pa.array(column, pa.binary()) if name == fmt.blob else pa.array(column)
            for name, column in checked.items()
        },
        metadata={FORMAT_KEY: fmt.name.encode()},
    )
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
    table = pq.ParquetFile(pa.BufferReader(raw)).read()
    expected = [name for name, _ in fmt.fixed] + ([fmt.blob] if fmt.blob else [])
    if (table.schema.metadata or {}).get(FORMAT_KEY) != fmt.name.encode() or table.column_names != expected:
        raise Corrupt("store.segment_format", f"A segment does not hold {fmt.name}.", segment=digest)
    return {name: _column(table.column(name), fmt, name) for name in expected}


def _column(values: Any, fmt: SegmentFormat, name: str) -> Column:
    if name == fmt.blob:
        column: Column = values.to_numpy()
        return column
    return np.ascontiguousarray(values.to_numpy(), dtype=dict(fmt.fixed)[name])
