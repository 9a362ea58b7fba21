"""A segment handed out as one Parquet file, wherever its rows lie: with salts, and the hashes left of erased rows.

Whoever gets one holds it against the root in the fact. A segment that lies in a file of its own, without salts, is
handed out as that file, which has the digest it is asked by.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from penstock.errors import Corrupt
from penstock.journal.formats import FORMATS
from penstock.journal.sealed_rows import SealedRows
from penstock.journal.segment import SegmentFormat
from penstock.journal.tree_kernel import HASH_BYTES
from penstock.store.place_table import pack_mask, unpack_mask
from penstock.store.segments import FORMAT_KEY, columns_in, format_in, written

SALT: Final = "salt"
_AFRESH: Final = b"penstock.exported"
_ERASED: Final = b"penstock.erased"
_NODES: Final = b"penstock.nodes"


def is_erasable(raw: bytes) -> bool:
    """Whether Parquet bytes hold rows that may be erased one day; others are the same for ever."""
    fmt = FORMATS.get(format_in(pa.py_buffer(raw)))
    return fmt is None or bool(fmt.subject)


def to_exported(rows: SealedRows) -> bytes:
    """The Parquet bytes."""
    metadata: dict[bytes, bytes | str] = {FORMAT_KEY: rows.format.name.encode(), _AFRESH: b"1"}
    if rows.erased is not None:
        metadata |= {_ERASED: pack_mask(rows.erased).hex(), _NODES: rows.nodes.hex()}
    salts = {} if rows.salts is None else {SALT: pa.array([salt.tobytes() for salt in rows.salts], pa.binary())}
    return bytes(written(rows.format, rows.columns, salts, metadata))


def from_exported(raw: bytes, fmt: SegmentFormat, digest: str) -> SealedRows:
    """The rows in such bytes.

    Raises:
        Corrupt: ``store.segment_format``, ``store.segment_torn`` for a segment's own file that has another digest;
            ArrowException and ValueError for bytes that are no Parquet file.
    """
    table = pq.ParquetFile(pa.BufferReader(pa.py_buffer(raw))).read()
    columns = columns_in(table, fmt, digest, (SALT,) if fmt.salted else ())
    said = table.schema.metadata or {}
    if _AFRESH not in said and hashlib.sha256(raw).hexdigest() != digest:
        raise Corrupt("store.segment_torn", "A segment's bytes are not those that were sealed.", segment=digest)
    salts = None
    if fmt.salted:
        joined = b"".join(table.column(SALT).to_pylist())
        if len(joined) != HASH_BYTES * len(table):
            raise Corrupt("store.segment_format", "A salt has not 32 bytes.", segment=digest)
        salts = np.frombuffer(joined, dtype=np.uint8).reshape(-1, HASH_BYTES)
    if _ERASED not in said:
        return SealedRows(fmt, columns, salts)
    erased = unpack_mask(bytes.fromhex(said[_ERASED].decode()), len(table))
    return SealedRows(fmt, columns, salts, erased, bytes.fromhex(said[_NODES].decode()))
