"""Blocks, mined transactions and logs as rows: written once, found by hash, number, sender of an event or topic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from eth_utils.crypto import keccak
from lru import LRU
from trie.hexary import HexaryTrie

from penstock.chain.evm import EventLog, Outcome
from penstock.chain.header import EMPTY_ROOT, Header, decode_header
from penstock.chain.rlp_encode import Item, encode
from penstock.chain.state_store import StateStore
from penstock.chain.tx import Tx, decode
from penstock.errors import Corrupt, Refused

LOGS_MAX: Final = 20_000
_CACHED: Final = 2_048


@dataclass(frozen=True, slots=True)
class MinedTx:
    """A transaction and its receipt. ``price`` is effective [wei]; ``log_first`` its first log's index."""

    tx: Tx
    number: int
    position: int
    status: int
    gas_used: int
    gas_cumulative: int
    price: int
    contract: bytes | None
    bloom: bytes
    log_first: int


@dataclass(frozen=True, slots=True)
class MinedLog:
    """An event in its block; ``position`` counts within the block."""

    number: int
    position: int
    tx_position: int
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    tx_hash: bytes
    block_hash: bytes
    block_at_s: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A mined transaction with its events, as the archive takes it in."""

    mined: MinedTx
    logs: tuple[EventLog, ...]

    def receipt(self) -> bytes:
        """The receipt's consensus form (EIP-658, EIP-2718)."""
        m = self.mined
        logs: list[Item] = [[address, [_word(topic) for topic in topics], data] for address, topics, data in self.logs]
        body = encode([m.status, m.gas_cumulative, m.bloom, logs])
        return body if m.tx.type_id == 0 else bytes([m.tx.type_id]) + body


def entry(tx: Tx, outcome: Outcome, header: Header, position: int, log_first: int, gas_before: int) -> Entry:
    """The record of ``tx`` as the ``position``-th of the block."""
    mined = MinedTx(
        tx, header.number, position, int(not outcome.fault), outcome.gas_used, gas_before + outcome.gas_used,
        tx.price(header.base_fee), outcome.contract, bloom(outcome.logs), log_first,
    )  # fmt: skip
    return Entry(mined, outcome.logs)


class Archive:
    """What is mined, over a store. Reads are of committed rows; `save` writes into the store's open transaction."""

    def __init__(self, store: StateStore, chain_id: int) -> None:
        self._store = store
        self._chain_id = chain_id
        self._headers: LRU[bytes, Header] = LRU(_CACHED)
        self._mined: LRU[bytes, MinedTx] = LRU(_CACHED)

    def save(self, header: Header, entries: Sequence[Entry]) -> None:
        """Write a block's rows."""
        size = len(header.encoded) + sum(len(e.mined.tx.raw) + 3 for e in entries) + 6
        self._store.write("insert into block values (?, ?, ?, ?)", (header.number, header.hash, header.encoded, size))
        self._store.write(
            "insert into tx values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", *(_tx_row(e.mined) for e in entries)
        )
        logs = [row for e in entries for row in _log_rows(e)]
        if logs:
            self._store.write("insert into log values (?, ?, ?, ?, ?, ?, ?, ?, ?)", *logs)

    def note(self, header: Header, entries: Sequence[Entry]) -> None:
        """Keep a committed block at hand."""
        self._headers[header.hash] = header
        for e in entries:
            self._mined[e.mined.tx.hash] = e.mined

    def head(self) -> Header | None:
        """The highest block's header, or None in an empty store."""
        row = self._store.row("select hash, header from block order by number desc limit 1")
        return None if row is None else self._decoded(*row)

    def header(self, number: int) -> Header | None:
        """The header of block ``number``."""
        row = self._store.row("select hash, header from block where number = ?", number)
        return None if row is None else self._decoded(*row)

    def header_of(self, block_hash: bytes) -> Header | None:
        """The header of the block of that hash."""
        row = self._store.row("select hash, header from block where hash = ?", block_hash)
        return None if row is None else self._decoded(*row)

    def _decoded(self, block_hash: bytes, encoded: bytes) -> Header:
        header = self._headers.get(block_hash)
        if header is None:
            header = decode_header(encoded)
            if header.hash != block_hash:
                raise Corrupt("chain.header", "A stored block header does not have its hash.", hash=block_hash.hex())
            self._headers[block_hash] = header
        return header

    def size(self, number: int) -> int:
        """The block's size [bytes]."""
        row = self._store.row("select size from block where number = ?", number)
        return 0 if row is None else int(row[0])

    def ancestors(self, number: int) -> Iterator[bytes]:
        """Hashes of the up to 256 blocks below ``number``, newest first."""
        for at in range(number - 1, max(number - 257, -1), -1):
            row = self._store.row("select hash from block where number = ?", at)
            if row is not None:
                yield row[0]

    def tx(self, tx_hash: bytes) -> MinedTx | None:
        """The mined transaction of that hash."""
        found = self._mined.get(tx_hash)
        if found is None:
            row = self._store.row("select * from tx where hash = ?", tx_hash)
            found = None if row is None else self._mined_row(row)
        return found

    def txs(self, number: int) -> list[MinedTx]:
        """The transactions of a block, in order."""
        rows = self._store.rows("select * from tx where number = ? order by position", number)
        return [self._mined_row(row) for row in rows]

    def tx_hashes(self, number: int) -> list[bytes]:
        """The hashes of a block's transactions, in order."""
        return [row[0] for row in self._store.rows("select hash from tx where number = ? order by position", number)]

    def _mined_row(self, row: tuple[Any, ...]) -> MinedTx:
        tx_hash, number, position, raw, _sender, status, used, cumulative, price, contract, blooms, first = row
        found: MinedTx | None = self._mined.get(tx_hash)
        if found is None:
            tx = decode(raw, self._chain_id)
            price_wei = int.from_bytes(price, "big")
            found = MinedTx(
                tx, number, position, status, used, cumulative, price_wei, contract, blooms or bytes(256), first
            )
            self._mined[tx_hash] = found
        return found

    def logs(
        self,
        first: int,
        last: int,
        addresses: Sequence[bytes] = (),
        topics: Sequence[Sequence[bytes]] = (),
        tx_position: int | None = None,
    ) -> list[MinedLog]:
        """Events of blocks ``first`` to ``last`` (both included) that match; an empty choice matches all.

        Raises:
            Refused: ``chain.too_many_logs`` above `LOGS_MAX`.
        """
        where, values = ["l.number between ? and ?"], [first, last]
        choices: list[tuple[str, Sequence[Any]]] = [("l.address", addresses)]
        choices += [(f"l.topic{i}", chosen) for i, chosen in enumerate(topics)]
        choices += [] if tx_position is None else [("l.tx_position", (tx_position,))]
        for column, chosen in choices:
            if chosen:
                where.append(f"{column} in ({', '.join('?' * len(chosen))})")
                values += chosen
        rows = self._store.rows(_LOGS.format(" and ".join(where)), *values, LOGS_MAX + 1)
        if len(rows) > LOGS_MAX:
            raise Refused("chain.too_many_logs", f"query returned more than {LOGS_MAX} results")
        return [self._log(row) for row in rows]

    def _log(self, row: tuple[Any, ...]) -> MinedLog:
        number, position, tx_position, address, *topics, data, tx_hash, block_hash, header = row
        at_s = self._decoded(block_hash, header).at_s
        present = tuple(topic for topic in topics if topic is not None)
        return MinedLog(number, position, tx_position, address, present, data, tx_hash, block_hash, at_s)


# Only column names and question marks of our own are formatted in; every value is bound.
_LOGS: Final = (
    "select l.*, t.hash, b.hash, b.header from log l join tx t on t.number = l.number and t.position = l.tx_position "
    "join block b on b.number = l.number where {} order by l.number, l.position "
    "limit ?"
)


def ordered_root(items: Sequence[bytes]) -> bytes:
    """The root of the trie of ``items`` by RLP index: a block's transactions or receipts root."""
    if not items:
        return EMPTY_ROOT
    if len(items) == 1 and len(items[0]) > 32:  # one leaf, at the path of RLP(0)
        return keccak(encode([b"\x20\x80", items[0]]))
    tree = HexaryTrie({}, EMPTY_ROOT)
    with tree.squash_changes() as draft:
        for index, item in enumerate(items):
            draft[encode(index)] = item
    return tree.root_hash


def bloom(logs: Sequence[EventLog]) -> bytes:
    """The 2048-bit filter over addresses and topics (yellow paper 4.3.1)."""
    bits = 0
    for address, topics, _ in logs:
        for item in (address, *(_word(topic) for topic in topics)):
            bits |= _bloom_bits(item)
    return bits.to_bytes(256, "big")


@lru_cache(maxsize=4_096)
def _bloom_bits(item: bytes) -> int:
    digest = keccak(item)
    return sum({1 << (int.from_bytes(digest[at : at + 2], "big") & 2047) for at in (0, 2, 4)})


def join_blooms(entries: Sequence[Entry]) -> bytes:
    """A block's filter: its receipts' together."""
    bits = 0
    for e in entries:
        if e.logs:
            bits |= int.from_bytes(e.mined.bloom, "big")
    return bits.to_bytes(256, "big")


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _tx_row(m: MinedTx) -> tuple[object, ...]:
    price = m.price.to_bytes(32, "big").lstrip(b"\0")
    blooms = m.bloom if any(m.bloom) else b""
    return (
        m.tx.hash, m.number, m.position, m.tx.raw, m.tx.sender, m.status, m.gas_used, m.gas_cumulative, price,
        m.contract, blooms, m.log_first,
    )  # fmt: skip


def _log_rows(e: Entry) -> Iterator[tuple[object, ...]]:
    m = e.mined
    for offset, (address, topics, data) in enumerate(e.logs):
        words = [_word(topic) for topic in topics] + [None] * (4 - len(topics))
        yield (m.number, m.log_first + offset, m.position, address, *words, data)
