"""py-evm's account database, kept warm: accounts stay decoded from block to block.

The engine's own forgets all accounts after every block, and puts each through the general RLP codec at every one of the
four or five changes a transfer makes. What goes into the trie is the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import rlp
from eth.abc import AtomicDatabaseAPI
from eth.constants import BLANK_ROOT_HASH, EMPTY_SHA3
from eth.db.account import AccountDB
from eth_typing import Address, Hash32


class _Account(NamedTuple):
    """An account as the engine reads it; `copy` as of py-evm's record."""

    nonce: int = 0
    balance: int = 0
    storage_root: bytes = BLANK_ROOT_HASH
    code_hash: bytes = EMPTY_SHA3

    def copy(self, **changes: Any) -> _Account:
        return self._replace(**changes)


class WarmAccounts(AccountDB):
    """Accounts over ``db`` from ``state_root``; fit for a chain of blocks, each ended by `persist`."""

    def __init__(self, db: AtomicDatabaseAPI, state_root: Hash32 = BLANK_ROOT_HASH) -> None:
        super().__init__(db, state_root)
        self._nodes = db

    def persist(self) -> None:  # type: ignore[override]
        """Write the new nodes; go on from there with the accounts still at hand and the access records emptied."""
        super().persist()
        kept = self._kept
        AccountDB.__init__(self, self._nodes, self.state_root)
        self._account_cache.update(kept)

    def _get_meta_witness(self) -> None:  # type: ignore[override]
        """Called by the engine just before it forgets the accounts: keep them. No witness is needed."""
        self._kept = dict(self._account_cache.items())

    def _get_account(self, address: Address, from_journal: bool = True) -> Any:
        if from_journal:
            cached = self._account_cache.get(address)
            if cached is not None:
                return cached
        account = _decoded(self._get_encoded_account(address, from_journal))
        if from_journal:
            self._account_cache[address] = account  # type: ignore[assignment]
        return account

    def _set_account(self, address: Address, account: Any) -> None:
        self._account_cache[address] = account
        self._journaltrie[address] = encode_account(*account)


def encode_account(nonce: int, balance: int, storage_root: bytes, code_hash: bytes) -> bytes:
    """The RLP of an account: two integers and two hashes, always 56 to 255 bytes of payload."""
    payload = _integer(nonce) + _integer(balance) + b"\xa0" + storage_root + b"\xa0" + code_hash
    return b"\xf8" + bytes([len(payload)]) + payload


def _integer(number: int) -> bytes:
    if number < 0x80:
        return bytes([number or 0x80])
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes([0x80 + len(raw)]) + raw


def _decoded(encoded: bytes) -> _Account:
    if not encoded:
        return _Account()
    nonce, balance, storage_root, code_hash = rlp.decode(encoded)
    return _Account(int.from_bytes(nonce, "big"), int.from_bytes(balance, "big"), storage_root, code_hash)
