"""A transaction signed (EIP-1559, EIP-2718): what `tx.decode` reads, written in one pass.

The signature is deterministic (RFC 6979) and has the lower ``s``: the same terms give the same bytes, whoever signs.
"""

from __future__ import annotations

from dataclasses import dataclass

from coincurve import PrivateKey
from eth_utils.crypto import keccak

from penstock.chain.rlp_encode import Item, encode
from penstock.chain.tx import DYNAMIC_FEE
from penstock.keys import ChainKey

_KIND = bytes([DYNAMIC_FEE])


@dataclass(frozen=True, slots=True)
class Terms:
    """What is signed: fees in wei per gas, ``to`` empty for a creation."""

    chain_id: int
    nonce: int
    tip: int
    cap: int
    gas: int
    to: bytes
    value: int
    data: bytes


def sign(terms: Terms, key: ChainKey) -> tuple[bytes, bytes]:
    """The transaction's bytes and its hash."""
    fields: list[Item] = [
        terms.chain_id, terms.nonce, terms.tip, terms.cap, terms.gas, terms.to, terms.value, terms.data, [],
    ]  # fmt: skip
    signature = PrivateKey(key.secret).sign_recoverable(keccak(_KIND + encode(fields)), hasher=None)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    raw = _KIND + encode([*fields, signature[64], r, s])
    return raw, keccak(raw)
