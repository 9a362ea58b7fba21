"""What a store takes and gives: rows of the record, and the `Store` that any engine must be.

A store knows facts as bytes and segments as columns; it does not know what they mean. What comes by the thousand is
a named tuple, made at a third of a dataclass's cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from penstock.errors import Invalid
from penstock.journal.sealed_rows import SealedRows
from penstock.journal.segment import Columns, Segment, SegmentFormat
from penstock.journal.tree import Tree

ZERO_HASH = bytes(32)
"""``prev`` of the first fact."""


@dataclass(frozen=True, slots=True)
class NewFact:
    """A fact to record: kind, instant [us], canonical body, and its bulk where it has any."""

    kind: str
    at_us: int
    body: bytes
    segment: Segment | None = None

    def __post_init__(self) -> None:
        if type(self.at_us) is not int:  # the driver would store another kind of integer as bytes
            raise Invalid("store.not_whole", "An instant is a whole number of microseconds.", kind=self.kind)


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A transaction on its way to the chain, by its own ``id``; ``value`` in wei, addresses of 20 bytes.

    ``state`` runs planned, signed, sent, mined, final - or replaced, reverted, reorged. ``nonce``, ``raw`` and
    ``tx_hash`` are None until it is signed.
    """

    id: str
    sender: bytes
    target: bytes | None
    data: bytes
    value: int = 0
    nonce: int | None = None
    raw: bytes | None = None
    tx_hash: bytes | None = None
    state: str = "planned"
    note: str = ""


class SeenLog(Protocol):
    """What an observation says, whoever made it."""

    @property
    def block_number(self) -> int: ...
    @property
    def block_hash(self) -> bytes: ...
    @property
    def log_index(self) -> int: ...
    @property
    def tx_hash(self) -> bytes: ...
    @property
    def address(self) -> bytes: ...
    @property
    def topics(self) -> tuple[bytes, ...]: ...
    @property
    def data(self) -> bytes: ...
    @property
    def final(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Observation:
    """A mined log, known by block hash and log index; changeable until ``final``."""

    block_number: int
    block_hash: bytes
    log_index: int
    tx_hash: bytes
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    final: bool = False


class Place(NamedTuple):
    """Where a segment's rows lie now: rows ``[start, start + rows)`` of a file, by the digest of its bytes.

    ``total`` rows were sealed. ``erased`` says which of them are gone and ``present`` which are in the file (packed
    bits, deflated; empty for none erased, all present); ``nodes`` are the hashes kept of the erased (`PrunedTree`).
    """

    segment: str
    format: str
    file: str | None
    start: int
    rows: int
    total: int
    erased: bytes = b""
    present: bytes = b""
    nodes: bytes = b""


class Forgotten(NamedTuple):
    """Seeds to drop: of ``subjects`` (None: all) in ``scope``, of days before ``before_day`` (None: all)."""

    scope: str
    subjects: Sequence[int] | None
    before_day: int | None


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What a commit changes beside the record: where rows lie, which seeds and which people are forgotten."""

    places: Sequence[Place] = ()
    forgotten: Sequence[Forgotten] = ()
    people: Sequence[str] = ()

    @property
    def erases(self) -> bool:
        """Whether something is gone after it, and not only elsewhere."""
        return bool(self.forgotten or self.people or any(place.erased for place in self.places))


class Write(NamedTuple):
    """The outcome of one command: its key, the sha256 of its input, its facts, outbox rows and upkeep."""

    key: str
    input_hash: bytes
    facts: Sequence[NewFact]
    outbox: Sequence[OutboxRow] = ()
    upkeep: Upkeep | None = None


@dataclass(frozen=True, slots=True)
class RecordedCommand:
    """What the record says of a key: the input's hash and which facts it made."""

    key: str
    input_hash: bytes
    first_seq: int
    facts: int


class StoredFact(NamedTuple):
    """One row of the record: ``hash = sha256(prev || body)``; ``segment`` is the sha256 of its Parquet file."""

    seq: int
    kind: str
    at_us: int
    key: str
    part: int
    input_hash: bytes
    body: bytes
    segment: str | None
    prev: bytes
    hash: bytes


class Store(Protocol):
    """The durable record of one workspace; one process writes, others may read."""

    def size(self) -> int:
        """How many facts are committed."""

    def head(self) -> bytes:
        """Hash of the last fact, `ZERO_HASH` before the first."""

    def facts(self, start: int = 0, stop: int | None = None) -> Iterator[StoredFact]:
        """Committed facts ``[start, stop)`` in order."""

    def receipt(self, key: str) -> RecordedCommand | None:
        """What the command with this key recorded."""

    def receipts(self, keys: Sequence[str]) -> dict[str, RecordedCommand]:
        """What the commands with these keys recorded; only those that did."""

    def columns(self, digest: str, fmt: SegmentFormat) -> Columns:
        """A segment's columns, its file's digest checked; erased rows are blank."""

    def columns_of(self, named: Sequence[tuple[str, SegmentFormat]]) -> list[Columns]:
        """`columns` of many segments."""

    def sealed(self, digest: str, fmt: SegmentFormat) -> SealedRows:
        """A segment's rows with all that proves them."""

    def export(self, digest: str) -> bytes:
        """A segment as one Parquet file, whatever file its rows lie in."""

    def commit(self, writes: Sequence[Write]) -> int:
        """Record a group, all or nothing; returns the first fact's seq."""

    def tree(self) -> Tree:
        """The Merkle tree over all committed facts."""

    def close(self) -> None:
        """Give the workspace back."""
