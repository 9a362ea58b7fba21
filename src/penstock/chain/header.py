"""Block headers of the Prague form: encode, hash, derive the child's.

One rule deviates from mainnet, on purpose: a child's time may equal its parent's (never precede it). With a block per
transaction, hundreds a second, strictly rising whole seconds would run the chain's clock minutes ahead of the wall
clock and break permits and deadlines. The engine's own header check would refuse such a block.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import rlp
from eth_utils.crypto import keccak

from penstock.chain.rlp_encode import encode
from penstock.errors import Corrupt

GAS_LIMIT: Final = 30_000_000
BASE_FEE_GENESIS: Final = 1_000_000_000
EMPTY_ROOT: Final = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")
EMPTY_UNCLES: Final = bytes.fromhex("1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347")
EMPTY_REQUESTS: Final = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
ZERO_HASH: Final = bytes(32)
_ELASTICITY: Final = 2
_CHANGE_DENOMINATOR: Final = 8


@dataclass(frozen=True)
class Header:
    """A block's header (yellow paper 4.3, EIP-1559, 4895, 4844, 4788, 7685). ``at_s`` in whole seconds since 1970."""

    parent_hash: bytes
    coinbase: bytes
    state_root: bytes
    tx_root: bytes
    receipt_root: bytes
    bloom: bytes
    number: int
    gas_limit: int
    gas_used: int
    at_s: int
    base_fee: int
    extra: bytes = b""

    @cached_property
    def encoded(self) -> bytes:
        """The RLP of the 21 fields of a Prague header."""
        fields: list[bytes | int] = [
            self.parent_hash, EMPTY_UNCLES, self.coinbase, self.state_root, self.tx_root, self.receipt_root, self.bloom,
            0, self.number, self.gas_limit, self.gas_used, self.at_s, self.extra, ZERO_HASH, bytes(8), self.base_fee,
            EMPTY_ROOT, 0, 0, ZERO_HASH, EMPTY_REQUESTS,
        ]  # fmt: skip
        return encode(fields)

    @cached_property
    def hash(self) -> bytes:
        """The block's hash."""
        return keccak(self.encoded)

    def child(self, at_s: int, coinbase: bytes) -> Header:
        """The header of an empty block on top, at the later of ``at_s`` and the parent's time."""
        return replace(
            self,
            parent_hash=self.hash,
            coinbase=coinbase,
            number=self.number + 1,
            at_s=max(self.at_s, at_s),
            base_fee=next_base_fee(self),
            gas_used=0,
            bloom=bytes(256),
            tx_root=EMPTY_ROOT,
            receipt_root=EMPTY_ROOT,
        )


def next_base_fee(parent: Header) -> int:
    """The base fee of the block after ``parent`` (EIP-1559) [wei]."""
    target = parent.gas_limit // _ELASTICITY
    delta = parent.base_fee * abs(parent.gas_used - target) // target // _CHANGE_DENOMINATOR
    if parent.gas_used > target:
        return parent.base_fee + max(delta, 1)
    return parent.base_fee - delta


def decode_header(encoded: bytes) -> Header:
    """The header in its RLP.

    Raises:
        Corrupt: ``chain.header`` where the bytes are no header of this chain's form.
    """
    try:
        return _from_fields(rlp.decode(encoded), encoded)
    except (rlp.RLPException, ValueError, TypeError, IndexError) as broken:
        raise Corrupt("chain.header", "A stored block header cannot be read.") from broken


def _from_fields(parts: list[Any], encoded: bytes) -> Header:
    number, gas_limit, gas_used, at_s, base_fee = (int.from_bytes(parts[i], "big") for i in (8, 9, 10, 11, 15))
    parent, _, coinbase, state_root, tx_root, receipt_root, bloom = parts[:7]
    roots = (coinbase, state_root, tx_root, receipt_root, bloom)
    header = Header(parent, *roots, number, gas_limit, gas_used, at_s, base_fee, parts[12])
    if header.encoded != encoded:
        raise ValueError("another form")
    return header


def check_child(header: Header, parent: Header) -> None:
    """Whether ``header`` may follow ``parent``.

    Raises:
        Corrupt: ``chain.block_rule`` with the rule that is broken.
    """
    rules = {
        "parent": header.parent_hash == parent.hash,
        "number": header.number == parent.number + 1,
        "time": header.at_s >= parent.at_s,
        "base fee": header.base_fee == next_base_fee(parent),
        "gas": header.gas_used <= header.gas_limit == parent.gas_limit,
    }
    for rule, holds in rules.items():
        if not holds:
            raise Corrupt("chain.block_rule", f"Block {header.number} breaks the rule on {rule}.", number=header.number)
