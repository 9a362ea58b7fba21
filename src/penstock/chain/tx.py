"""Transactions as bytes and as values: decode the four types, recover the sender once, price them.

Types 0 (EIP-155 protected only), 1 (EIP-2930), 2 (EIP-1559) and 4 (EIP-7702). Blob transactions (type 3) are refused:
an embedded chain keeps no blobs. The attribute names of `Tx` are those the engine's executor reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import rlp
from coincurve import PublicKey
from eth.vm.forks.prague.transactions import Authorization
from eth_utils.crypto import keccak

from penstock.chain.rlp_encode import encode
from penstock.errors import Invalid, Refused

LEGACY, ACCESS_LIST, DYNAMIC_FEE, BLOB, SET_CODE = range(5)
GAS_TX: Final = 21_000
GAS_CREATE: Final = 32_000
GAS_AUTHORIZATION: Final = 25_000
GAS_INITCODE_WORD: Final = 2
INITCODE_BYTES_MAX: Final = 49_152
RAW_BYTES_MAX: Final = 131_072
_HALF_N: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_UINT64: Final = 2**64
_UINT256: Final = 2**256

AccessList = tuple[tuple[bytes, tuple[int, ...]], ...]


@dataclass(frozen=True)
class Tx:
    """A transaction, signed or (for ``eth_call``) only meant. Amounts in wei, ``to`` empty for a creation."""

    sender: bytes
    nonce: int
    gas: int
    to: bytes
    value: int
    data: bytes
    type_id: int = DYNAMIC_FEE
    max_fee_per_gas: int = 0
    max_priority_fee_per_gas: int = 0
    access_list: AccessList = ()
    authorization_list: tuple[Authorization, ...] = ()
    chain_id: int = 0
    hash: bytes = b""
    raw: bytes = field(default=b"", repr=False)
    v: int = 0
    r: int = 1
    s: int = 1

    def validate(self) -> None:
        """The engine's hook for signature and gas; both are settled before a `Tx` exists or enters a block."""

    @cached_property
    def intrinsic_gas(self) -> int:
        """Gas charged before execution (yellow paper 6.2, EIP-2028, 2930, 7702); the engine charges EIP-3860 itself."""
        zeros = self.data.count(0)
        create = 0 if self.to else GAS_CREATE
        slots = sum(len(keys) for _, keys in self.access_list)
        lists = 2_400 * len(self.access_list) + 1_900 * slots + GAS_AUTHORIZATION * len(self.authorization_list)
        return GAS_TX + 4 * zeros + 16 * (len(self.data) - zeros) + create + lists

    @cached_property
    def floor_gas(self) -> int:
        """The least gas a transaction with this calldata pays (EIP-7623)."""
        zeros = self.data.count(0)
        return GAS_TX + 10 * (zeros + 4 * (len(self.data) - zeros))

    @property
    def least_gas(self) -> int:
        """The least gas limit the transaction is valid with."""
        initcode_words = 0 if self.to else (len(self.data) + 31) // 32
        return max(self.intrinsic_gas + GAS_INITCODE_WORD * initcode_words, self.floor_gas)

    def price(self, base_fee: int) -> int:
        """The effective gas price under ``base_fee`` (EIP-1559) [wei]."""
        return min(self.max_fee_per_gas, base_fee + self.max_priority_fee_per_gas)


def decode(raw: bytes, chain_id: int) -> Tx:
    """The transaction in ``raw`` (EIP-2718), its sender recovered.

    Raises:
        Invalid: ``chain.malformed_tx``, ``chain.bad_signature``, ``chain.other_chain_id``.
        Refused: ``chain.tx_type`` for a type this chain does not take, ``chain.unprotected`` for a legacy one without
            EIP-155, ``chain.oversized`` above `RAW_BYTES_MAX`.
    """
    if len(raw) > RAW_BYTES_MAX:
        raise Refused("chain.oversized", f"oversized data: transaction size {len(raw)}, limit {RAW_BYTES_MAX}")
    try:
        kind = raw[0] if raw and raw[0] < 0x80 else LEGACY
        parts = rlp.decode(raw[1:] if kind else raw)
        return _legacy(parts, raw, chain_id) if kind == LEGACY else _typed(kind, parts, raw, chain_id)
    except (rlp.RLPException, ValueError, TypeError, IndexError) as broken:
        raise Invalid("chain.malformed_tx", f"rlp: not a transaction ({type(broken).__name__}).") from None


def _legacy(parts: list[bytes], raw: bytes, chain_id: int) -> Tx:
    nonce, price, gas, value, v, r, s = (_uint(parts[i]) for i in (0, 1, 2, 4, 6, 7, 8))
    if v < 35:
        raise Refused("chain.unprotected", "only replay-protected (EIP-155) transactions allowed over RPC")
    _same_chain((v - 35) // 2, chain_id)
    signed = encode([*parts[:6], chain_id, b"", b""])
    sender = _recover(signed, (v - 35) % 2, r, s)
    to, data = _address(parts[3]), _data(parts, 5, 9)
    return _checked(
        Tx(sender, nonce, gas, to, value, data, LEGACY, price, price, (), (), chain_id, keccak(raw), raw, v, r, s)
    )


def _typed(kind: int, parts: list[Any], raw: bytes, chain_id: int) -> Tx:
    if kind not in (ACCESS_LIST, DYNAMIC_FEE, SET_CODE):
        raise Refused("chain.tx_type", "transaction type not supported", type=kind)
    _same_chain(_uint(parts[0]), chain_id)
    fees = 1 if kind == ACCESS_LIST else 2
    nonce = _uint(parts[1])
    tip, cap = _uint(parts[2]), _uint(parts[1 + fees])
    gas, to, value, data, access = parts[2 + fees : 7 + fees]
    extra = 1 if kind == SET_CODE else 0
    signature = [_uint(part) for part in parts[7 + fees + extra :]]
    parity, r, s = signature
    sender = _recover(bytes([kind]) + encode(parts[:-3]), parity, r, s)
    tx = Tx(
        sender, nonce, _uint(gas), _address(to), _uint(value), _only_bytes(data), kind, cap, tip,
        _accesses(access), _authorizations(parts[9]) if extra else (), chain_id, keccak(raw), raw, parity, r, s,
    )  # fmt: skip
    if extra and (not to or not tx.authorization_list):
        raise ValueError("a set-code transaction names an account and an authorization")
    return _checked(tx)


def _checked(tx: Tx) -> Tx:
    if max(tx.nonce + 1, tx.gas) >= _UINT64 or max(tx.value, tx.max_fee_per_gas) >= _UINT256:
        raise ValueError("out of range")
    return tx


def _recover(signed: bytes, parity: int, r: int, s: int) -> bytes:
    """The signer's address (EIP-2: low ``s`` only)."""
    if parity not in (0, 1) or not 0 < s <= _HALF_N or not 0 < r < _UINT256:
        raise Invalid("chain.bad_signature", "invalid transaction v, r, s values")
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
    try:
        key = PublicKey.from_signature_and_message(signature, keccak(signed), hasher=None)
    except Exception as bad:  # the library raises bare exceptions of several kinds
        raise Invalid("chain.bad_signature", "invalid sender") from bad
    return keccak(key.format(compressed=False)[1:])[12:]


def _same_chain(theirs: int, ours: int) -> None:
    if theirs != ours:
        raise Invalid("chain.other_chain_id", f"invalid chain id for signer: have {theirs} want {ours}")


def _uint(part: bytes) -> int:
    if not isinstance(part, bytes) or part[:1] == b"\0":
        raise ValueError("an integer is minimal big-endian")
    return int.from_bytes(part, "big")


def _address(part: bytes) -> bytes:
    if not isinstance(part, bytes) or len(part) not in (0, 20):
        raise ValueError("an address has 20 bytes")
    return part


def _only_bytes(part: bytes) -> bytes:
    if not isinstance(part, bytes):
        raise TypeError("data is bytes")
    return part


def _data(parts: Sequence[bytes], at: int, length: int) -> bytes:
    if len(parts) != length:
        raise ValueError("wrong number of fields")
    return _only_bytes(parts[at])


def _accesses(part: list[Any]) -> AccessList:
    return tuple((_account(address), tuple(_slot(key) for key in keys)) for address, keys in part)


def _account(part: bytes) -> bytes:
    if len(_address(part)) != 20:
        raise ValueError("an address has 20 bytes")
    return part


def _slot(part: bytes) -> int:
    if len(part) != 32:
        raise ValueError("a storage key has 32 bytes")
    return int.from_bytes(part, "big")


def _authorizations(part: list[Any]) -> tuple[Authorization, ...]:
    return tuple(
        Authorization(_uint(chain), _account(address), _uint(nonce), _uint(parity), _uint(r), _uint(s))
        for chain, address, nonce, parity, r, s in part
    )
