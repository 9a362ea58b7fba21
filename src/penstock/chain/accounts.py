"""The accounts, code and slots the engine works on, kept at hand from block to block.

The engine sees what it sees of its own database (`eth.db.account.AccountDB`): values, checkpoints to go back to, what a
transaction has touched. That one stacks ten maps, decodes and encodes at every step and forgets all after each block;
here are plain dictionaries, one list of what to undo, and tries that keep their nodes. The state roots are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any, Final, NamedTuple

import rlp
from eth.constants import BLANK_ROOT_HASH, EMPTY_SHA3
from eth.validation import validate_uint64
from eth_hash.auto import keccak

from penstock.chain.rlp_encode import encode_int, encode_list
from penstock.chain.trie import Trie

_READS_KEPT: Final = 50_000
_ABSENT: Final = object()


class _Account(NamedTuple):
    """An account as the trie holds it (yellow paper 4.1)."""

    nonce: int = 0
    balance: int = 0
    storage_root: bytes = BLANK_ROOT_HASH
    code_hash: bytes = EMPTY_SHA3


class _Storage:
    """A contract's slots: the values at hand, those set since the trie was written, the trie."""

    __slots__ = ("changed", "trie", "values")

    def __init__(self, trie: Trie) -> None:
        self.trie = trie
        self.values: dict[int, int] = {}
        self.changed: set[int] = set()


class WarmAccounts:
    """Accounts over ``nodes`` from ``state_root``; fit for a chain of blocks, each ended by `persist`."""

    def __init__(self, nodes: MutableMapping[bytes, bytes], state_root: bytes = BLANK_ROOT_HASH) -> None:
        self._nodes = nodes
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []
        self.lock_changes()
        self._start(state_root)

    def _start(self, state_root: bytes) -> None:
        """Hold nothing but the root."""
        self.state_root = state_root
        self._trie = Trie(self._nodes, state_root)
        self._accounts: dict[bytes, _Account | None] = {}
        self._storages: dict[bytes, _Storage] = {}
        self._paths: dict[bytes, bytes] = {}
        self._changed: set[bytes] = set()
        self._codes: dict[bytes, bytes] = {}
        self._reads = 0

    # checkpoints

    def record(self) -> int:
        """A point to which `discard` goes back."""
        return len(self._undo)

    def discard(self, checkpoint: int) -> None:
        """Undo everything since ``checkpoint``."""
        while len(self._undo) > checkpoint:
            place, key, old = self._undo.pop()
            if old is _ABSENT:
                del place[key]
            else:
                place[key] = old

    def lock_changes(self) -> None:
        """Begin a transaction: what went before is never undone, nothing is warm, every slot's value is original."""
        self._undo.clear()
        self._warm: dict[Any, bool] = {}
        self._originals: dict[tuple[bytes, int], int] = {}
        self._transient: dict[tuple[bytes, int], bytes] = {}

    def _set(self, place: dict[Any, Any], key: Any, value: Any) -> None:
        self._undo.append((place, key, place.get(key, _ABSENT)))
        place[key] = value

    # accounts

    def _account(self, address: bytes) -> _Account:
        return self._found(address) or _Account()

    def _found(self, address: bytes) -> _Account | None:
        found = self._accounts.get(address, _ABSENT)
        if found is _ABSENT:
            self._reads += 1
            found = self._accounts[address] = _decoded(self._trie.get(self._path(address)))
        return found  # type: ignore[return-value]

    def _change(self, address: bytes, account: _Account | None) -> None:
        self._set(self._accounts, address, account)
        self._changed.add(address)

    def _path(self, key: bytes) -> bytes:
        path = self._paths.get(key)
        if path is None:
            path = self._paths[key] = keccak(key)
        return path

    def get_balance(self, address: bytes) -> int:
        return self._account(address).balance

    def set_balance(self, address: bytes, balance: int) -> None:
        self._change(address, self._account(address)._replace(balance=balance))

    def get_nonce(self, address: bytes) -> int:
        return self._account(address).nonce

    def set_nonce(self, address: bytes, nonce: int) -> None:
        validate_uint64(nonce, title="Nonce")  # EIP-2681; the engine counts on its refusal
        self._change(address, self._account(address)._replace(nonce=nonce))

    def increment_nonce(self, address: bytes) -> None:
        self.set_nonce(address, self.get_nonce(address) + 1)

    def account_exists(self, address: bytes) -> bool:
        return self._found(address) is not None

    def account_has_code_or_nonce(self, address: bytes) -> bool:
        account = self._account(address)
        return account.nonce != 0 or account.code_hash != EMPTY_SHA3

    def account_is_empty(self, address: bytes) -> bool:
        return self._account(address)[:2] == (0, 0) and self._account(address).code_hash == EMPTY_SHA3

    def touch_account(self, address: bytes) -> None:
        """Make it exist, empty where it did not."""
        if self._found(address) is None:
            self._change(address, _Account())

    def delete_account(self, address: bytes) -> None:
        self._found(address)
        self._wipe(address)
        self._change(address, None)

    # code

    def get_code_hash(self, address: bytes) -> bytes:
        return self._account(address).code_hash

    def get_code(self, address: bytes) -> bytes:
        code_hash = self._account(address).code_hash
        if code_hash == EMPTY_SHA3:
            return b""
        return self._codes.get(code_hash) or self._nodes[code_hash]

    def set_code(self, address: bytes, code: bytes) -> None:
        code_hash = keccak(code)
        self._codes[code_hash] = code
        self._change(address, self._account(address)._replace(code_hash=code_hash))

    def delete_code(self, address: bytes) -> None:
        self._change(address, self._account(address)._replace(code_hash=EMPTY_SHA3))

    # slots

    def _storage(self, address: bytes) -> _Storage:
        storage = self._storages.get(address)
        if storage is None:
            storage = _Storage(Trie(self._nodes, self._account(address).storage_root))
            self._storages[address] = storage
        return storage

    def get_storage(self, address: bytes, slot: int, from_journal: bool = True) -> int:
        """A slot's value, or with ``from_journal`` false the one it had when the transaction began."""
        if not from_journal and (address, slot) in self._originals:
            return self._originals[address, slot]
        storage = self._storage(address)
        value = storage.values.get(slot)
        if value is None:
            self._reads += 1
            encoded = storage.trie.get(self._path(slot.to_bytes(32, "big")))
            value = storage.values[slot] = int.from_bytes(rlp.decode(encoded), "big") if encoded else 0
        return value

    def set_storage(self, address: bytes, slot: int, value: int) -> None:
        self._originals.setdefault((address, slot), self.get_storage(address, slot))
        storage = self._storage(address)
        self._set(storage.values, slot, value)
        storage.changed.add(slot)
        self._changed.add(address)

    def delete_storage(self, address: bytes) -> None:
        self._wipe(address)
        self._change(address, self._account(address)._replace(storage_root=BLANK_ROOT_HASH))

    def _wipe(self, address: bytes) -> None:
        self._set(self._storages, address, _Storage(Trie(self._nodes)))

    def get_transient(self, address: bytes, slot: int) -> bytes:
        """A slot that lasts one transaction (EIP-1153)."""
        return self._transient.get((address, slot), b"")

    def set_transient(self, address: bytes, slot: int, value: bytes) -> None:
        self._set(self._transient, (address, slot), value)

    # what the transaction has touched (EIP-2929)

    def is_address_warm(self, address: bytes) -> bool:
        return address in self._warm

    def mark_address_warm(self, address: bytes) -> None:
        self._set(self._warm, address, True)

    def is_storage_warm(self, address: bytes, slot: int) -> bool:
        return (address, slot) in self._warm

    def mark_storage_warm(self, address: bytes, slot: int) -> None:
        self._set(self._warm, (address, slot), True)

    # the end of a block

    def persist(self) -> None:
        """Write what changed, and go on from there with what is at hand."""
        for address in self._changed:
            account = self._settled(address)
            if account is not None and account.code_hash in self._codes:
                self._nodes[account.code_hash] = self._codes[account.code_hash]
            self._trie.put(self._path(address), b"" if account is None else encode_account(*account))
        self._changed.clear()
        self._codes.clear()
        self.state_root = self._trie.commit()
        self.lock_changes()
        if self._reads > _READS_KEPT:
            self._start(self.state_root)

    def _settled(self, address: bytes) -> _Account | None:
        """The account, with the root of its slots as they now are."""
        account, storage = self._found(address), self._storages.get(address)
        if storage is None:
            return account
        for slot, encoded in _encoded_slots(storage):
            storage.trie.put(self._path(slot), encoded)
        storage.changed.clear()
        if account is not None:
            account = self._accounts[address] = account._replace(storage_root=storage.trie.commit())
        return account


def encode_account(nonce: int, balance: int, storage_root: bytes, code_hash: bytes) -> bytes:
    """The RLP of an account."""
    return encode_list(encode_int(nonce) + encode_int(balance) + b"\xa0" + storage_root + b"\xa0" + code_hash)


def _encoded_slots(storage: _Storage) -> Iterator[tuple[bytes, bytes]]:
    for slot in storage.changed:
        value = storage.values[slot]
        yield slot.to_bytes(32, "big"), encode_int(value) if value else b""


def _decoded(encoded: bytes) -> _Account | None:
    if not encoded:
        return None
    nonce, balance, storage_root, code_hash = rlp.decode(encoded)
    return _Account(int.from_bytes(nonce, "big"), int.from_bytes(balance, "big"), storage_root, code_hash)
