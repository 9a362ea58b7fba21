"""A record counted again in parts that do not depend on each other: roots of segments, and readings to hours.

A part names rows; whoever runs it opens the workspace for reading, by the same address as everybody. Segments are cut
at powers of two, so that a part is a full subtree and the parts' roots make the segment's, whoever reckoned them.
Readings are shared out by register, for registers do not depend on each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from penstock.energy.hours import interval_totals
from penstock.errors import Corrupt
from penstock.journal.formats import FORMATS
from penstock.journal.kinds import KINDS
from penstock.journal.sealed_rows import SealedRows
from penstock.journal.segment import Column, SegmentFormat, SegmentRef, leaves_of, root_of_columns
from penstock.journal.tree_kernel import HASH_BYTES, root_of_hashes
from penstock.store.opening import open_store
from penstock.usecases.cluster import Machines
from penstock.usecases.replay import read_back, segment_ref

PIECE_ROWS: Final = 1 << 16
_READINGS: Final = tuple(fmt.name for fmt in FORMATS.values() if fmt.name.startswith("reading/"))
HOURS: Final = SegmentFormat(
    "hour/1",
    (
        ("register", "int32"),
        ("interval_us", "int64"),
        ("position_wh", "int64"),
        ("counted_wh", "int64"),
        ("readings", "int64"),
    ),
)
"""What readings come to, laid out like a segment so that it has a root; it is never sealed."""


class Sealed(NamedTuple):
    """A fact's segment: its file's digest, and what the fact says of it."""

    seq: int
    digest: str
    ref: SegmentRef


class Piece(NamedTuple):
    """Rows ``[start, stop)`` of a segment; ``start`` and the piece's length are such that it is a full subtree."""

    path: Path
    digest: str
    format: str
    start: int
    stop: int


class Share(NamedTuple):
    """The registers that leave ``part`` when divided by ``parts``, in the reading segments of these digests."""

    path: Path
    segments: tuple[tuple[str, str], ...]
    part: int
    parts: int


class Recount(NamedTuple):
    """The root of every segment by the seq of its fact, hours of all accepted readings, and the root over those."""

    roots: dict[int, bytes]
    hours: dict[str, Column]
    hours_root: bytes


def recount(path: Path, machines: Machines, parts: int = 2, piece_rows: int = PIECE_ROWS) -> Recount:
    """Count the record at ``path`` again: segments in pieces of ``piece_rows``, readings in ``parts`` shares.

    Raises:
        Corrupt: ``segment.altered`` where a segment's root is not what its fact sealed; as the store's ``sealed``.
    """
    segments = sealed_segments(path)
    roots = roots_of(path, segments, machines, piece_rows)
    for each in segments:
        if roots[each.seq] != each.ref.root:
            sentence = "A segment's root is not what its fact sealed."
            raise Corrupt("segment.altered", sentence, seq=each.seq, segment=each.digest)
    hours = hours_of(path, segments, machines, parts)
    return Recount(roots, hours, root_of_columns(HOURS, hours))


def sealed_segments(path: Path) -> list[Sealed]:
    """Every fact's segment, in order."""
    with open_store(path, read_only=True) as store:
        found = [(stored, segment_ref(read_back(KINDS, stored).fact)) for stored in store.facts() if stored.segment]
    return [Sealed(stored.seq, stored.segment, ref) for stored, ref in found if ref and stored.segment]


def roots_of(
    path: Path, segments: Sequence[Sealed], machines: Machines, piece_rows: int = PIECE_ROWS
) -> dict[int, bytes]:
    """The root of each segment by its fact's seq, from its rows in pieces of ``piece_rows``, a power of two."""
    pieces = [
        (each.seq, Piece(path, each.digest, each.ref.format, start, start + piece_rows))
        for each in segments
        for start in range(0, max(each.ref.rows, 1), piece_rows)
    ]
    found: dict[int, list[bytes]] = {each.seq: [] for each in segments}
    answers = machines.map(piece_root, [piece for _, piece in pieces])
    for (seq, _), root in zip(pieces, answers, strict=True):
        found[seq].append(root)
    return {seq: _joined([root for root in roots if root]) for seq, roots in found.items()}


def hours_of(path: Path, segments: Sequence[Sealed], machines: Machines, parts: int) -> dict[str, Column]:
    """Accepted readings by register and hour, as `interval_totals` of all of them."""
    readings = tuple((each.digest, each.ref.format) for each in segments if each.ref.format in _READINGS)
    shares = [Share(path, readings, part, parts) for part in range(parts)]
    found = machines.map(share_hours, shares)
    joined = {name: np.concatenate([each[name] for each in found]).astype(dtype) for name, dtype in HOURS.fixed}
    order = np.lexsort((joined["interval_us"], joined["register"]))
    return {name: column[order] for name, column in joined.items()}


def piece_root(piece: Piece) -> bytes:
    """The root of a piece of a segment. Where rows were erased the first piece answers for all, the others nothing."""
    with open_store(piece.path, read_only=True) as store:
        sealed = store.sealed(piece.digest, FORMATS[piece.format])
    if sealed.erased is not None:
        return b"" if piece.start else sealed.tree().root()
    return root_of_hashes(_leaves(sealed, slice(piece.start, piece.stop)))


def share_hours(share: Share) -> dict[str, Column]:
    """The hours of a share's registers."""
    names = ("register", "at_us", "position_wh")
    taken: list[list[Column]] = [[np.empty(0, np.int64) for _ in names]]
    with open_store(share.path, read_only=True) as store:
        for digest, fmt in share.segments:
            columns = store.columns(digest, FORMATS[fmt])
            rows = (columns["verdict"] == 0) & (columns["register"] % share.parts == share.part)
            taken.append([columns[name][rows] for name in names])
    register, at_us, position_wh = (np.concatenate(parts) for parts in zip(*taken, strict=True))
    return interval_totals(register, at_us, position_wh)


def _leaves(sealed: SealedRows, rows: slice) -> Column:
    columns = {name: column[rows] for name, column in sealed.columns.items()}
    return leaves_of(sealed.format, columns, None if sealed.salts is None else sealed.salts[rows])


def _joined(roots: Sequence[bytes]) -> bytes:
    """The root over subtrees of one size, the last of any: they stand where leaves stand in a tree of their own."""
    return root_of_hashes(np.frombuffer(b"".join(roots), dtype=np.uint8).reshape(-1, HASH_BYTES))
