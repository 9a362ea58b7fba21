"""The inbox: events read from a chain up to its head, taken back while their block can still go away.

An observation is known by block hash and log index. Blocks deeper than ``finality`` are final: a chain that changes one
of them has broken its promise, and the inbox stops rather than rewrite what others have relied on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, Protocol

from penstock.chain.client import BlockRef, ChainClient, ChainIdentity, ChainLog, connect
from penstock.errors import Corrupt, NotFound, Unavailable

BLOCKS_A_QUERY: Final = 2_000
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Observation:
    """An event and whether its block is final; the columns the store keeps."""

    block_number: int
    block_hash: bytes
    log_index: int
    tx_hash: bytes
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    final: bool = False


class ObservationTable(Protocol):
    """Where observations are kept. Each call is durable when it returns."""

    def add(self, observations: Sequence[Observation]) -> int:
        """Insert those not there yet, by block hash and log index; returns how many."""

    def settle(self, up_to_block: int) -> int:
        """Mark those of blocks up to and with ``up_to_block`` as final."""

    def drop(self, from_block: int) -> int:
        """Delete those from ``from_block`` on that are not final."""


class MemoryObservations:
    """An `ObservationTable` in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[bytes, int], Observation] = {}

    def add(self, observations: Sequence[Observation]) -> int:
        before = len(self.kept)
        for item in observations:
            self.kept.setdefault((item.block_hash, item.log_index), item)
        return len(self.kept) - before

    def settle(self, up_to_block: int) -> int:
        reached = [place for place, x in self.kept.items() if x.block_number <= up_to_block and not x.final]
        self.kept |= {place: replace(self.kept[place], final=True) for place in reached}
        return len(reached)

    def drop(self, from_block: int) -> int:
        gone = [place for place, x in self.kept.items() if x.block_number >= from_block and not x.final]
        for place in gone:
            del self.kept[place]
        return len(gone)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the inbox has read: the chain, and the trail of blocks read, from the newest final one to the last."""

    chain: ChainIdentity
    trail: tuple[tuple[int, bytes], ...]

    @property
    def number(self) -> int:
        """The last block read."""
        return self.trail[-1][0]

    def to_json(self) -> dict[str, Any]:
        """The cursor as JSON."""
        trail = [[number, block_hash.hex()] for number, block_hash in self.trail]
        return {"chain_id": self.chain.chain_id, "genesis": self.chain.genesis.hex(), "trail": trail}

    @classmethod
    def from_json(cls, form: dict[str, Any]) -> Cursor:
        """The cursor in its JSON."""
        chain = ChainIdentity(form["chain_id"], bytes.fromhex(form["genesis"]))
        return cls(chain, tuple((number, bytes.fromhex(block_hash)) for number, block_hash in form["trail"]))


def start(client: ChainClient) -> Cursor:
    """A cursor that has read nothing but the genesis block."""
    chain = client.identity()
    return Cursor(chain, ((0, chain.genesis),))


def poll(
    client: ChainClient, table: ObservationTable, cursor: Cursor, addresses: Sequence[bytes], finality: int
) -> Cursor:
    """Read the events of ``addresses`` up to the head into ``table``; keep the cursor returned after that.

    Reading again from an older cursor adds nothing twice.

    Raises:
        Conflict: ``chain.wrong_chain``.
        Corrupt: ``chain.deep_reorg`` where a final block is gone: stop, and find out why.
        Unavailable: ``chain.unreachable``, ``chain.restless`` while the head changes faster than it can be read.
    """
    connect(client, cursor.chain)
    for _ in range(_TRIES):
        cursor = _back_to_common(client, table, cursor)
        further = _forward(client, table, cursor, addresses, finality)
        if further is not None:
            return further
    raise Unavailable("chain.restless", "The chain's newest blocks change while they are read.", hint="Try again.")


def _back_to_common(client: ChainClient, table: ObservationTable, cursor: Cursor) -> Cursor:
    """Drop what was read of blocks that are gone."""
    trail = cursor.trail
    while trail and _hash_at(client, trail[-1][0]) != trail[-1][1]:
        trail = trail[:-1]
    if not trail:
        number, block_hash = cursor.trail[0]
        raise Corrupt(
            "chain.deep_reorg",
            "A block that was final is no longer on the chain.",
            hint="Stop; compare with another node of the same chain.",
            number=number,
            block=block_hash.hex(),
        )
    if trail != cursor.trail:
        table.drop(trail[-1][0] + 1)
    return replace(cursor, trail=trail)


def _hash_at(client: ChainClient, number: int) -> bytes:
    try:
        return client.block(number).hash
    except NotFound:
        return b""


def _forward(
    client: ChainClient, table: ObservationTable, cursor: Cursor, addresses: Sequence[bytes], finality: int
) -> Cursor | None:
    """Read on from the cursor; None where blocks changed meanwhile."""
    head = client.head().number
    last_final = head - finality
    trail = cursor.trail
    for first in range(cursor.number + 1, head + 1, BLOCKS_A_QUERY):
        last = min(first + BLOCKS_A_QUERY - 1, head)
        logs = client.logs(first, last, addresses)
        blocks = _blocks(client, max(first, min(last, last_final)), last)
        if blocks is None or not _consistent(logs, blocks, trail[-1], first):
            return None
        table.add([_observation(log) for log in logs])
        trail += tuple((block.number, block.hash) for block in blocks)
    table.settle(last_final)
    final = [place for place in trail if place[0] <= last_final][-1:] or trail[:1]
    return replace(cursor, trail=(*final, *(place for place in trail if place[0] > max(last_final, final[0][0]))))


def _blocks(client: ChainClient, first: int, last: int) -> list[BlockRef] | None:
    """The blocks in short, each on top of the one before; None where they are not (any more)."""
    try:
        blocks = [client.block(number) for number in range(first, last + 1)]
    except NotFound:
        return None
    linked = all(child.parent_hash == parent.hash for parent, child in pairwise(blocks))
    return blocks if linked else None


def _consistent(logs: Sequence[ChainLog], blocks: Sequence[BlockRef], before: tuple[int, bytes], first: int) -> bool:
    """Whether the blocks stand on what was read before, and the logs lie in these very blocks."""
    number, block_hash = before
    if blocks[0].number == number + 1 == first and blocks[0].parent_hash != block_hash:
        return False
    hashes = {block.number: block.hash for block in blocks}
    return all(hashes.get(log.block_number, log.block_hash) == log.block_hash for log in logs)


def _observation(log: ChainLog) -> Observation:
    return Observation(
        log.block_number, log.block_hash, log.log_index, log.tx_hash, log.address, log.topics, log.data
    )  # fmt: skip
