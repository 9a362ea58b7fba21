"""Merkle-Patricia proofs of an account and its slots against a block's state root (EIP-1186)."""

from __future__ import annotations

from typing import Any, cast

import rlp
from eth_utils.crypto import keccak
from trie.exceptions import BadTrieProof
from trie.hexary import HexaryTrie

from penstock.chain.header import EMPTY_ROOT
from penstock.chain.json_forms import text
from penstock.chain.state_store import StateStore
from penstock.errors import Unverified

EMPTY_CODE = keccak(b"")


def account_proof(nodes: StateStore, root: bytes, address: bytes, slots: list[int]) -> dict[str, Any]:
    """The JSON of ``eth_getProof``; of an account or slot that is not there, the proof that it is not."""
    nonce, balance, storage_root, code_hash = _account(HexaryTrie(nodes, root).get(keccak(address)))
    return {
        "address": text(address),
        "accountProof": _nodes(nodes, root, keccak(address)),
        "balance": hex(balance),
        "codeHash": text(code_hash),
        "nonce": hex(nonce),
        "storageHash": text(storage_root),
        "storageProof": [_slot_proof(nodes, storage_root, slot) for slot in slots],
    }


def _slot_proof(nodes: StateStore, root: bytes, slot: int) -> dict[str, Any]:
    key = keccak(slot.to_bytes(32, "big"))
    encoded = HexaryTrie(nodes, root).get(key)
    value = int.from_bytes(rlp.decode(encoded), "big") if encoded else 0
    return {"key": hex(slot), "value": hex(value), "proof": _nodes(nodes, root, key)}


def _nodes(nodes: StateStore, root: bytes, key: bytes) -> list[str]:
    if root == EMPTY_ROOT:
        return []
    return [text(rlp.encode(node)) for node in HexaryTrie(nodes, root).get_proof(key)]  # type: ignore[no-untyped-call]


def _account(encoded: bytes) -> tuple[int, int, bytes, bytes]:
    if not encoded:
        return 0, 0, EMPTY_ROOT, EMPTY_CODE
    nonce, balance, storage_root, code_hash = rlp.decode(encoded)
    return int.from_bytes(nonce, "big"), int.from_bytes(balance, "big"), storage_root, code_hash


def check_slot(state_root: bytes, proof: dict[str, Any]) -> int:
    """The value of the proof's one slot, if both the account and the slot verify against ``state_root``.

    Raises:
        Unverified: ``chain.bad_proof``.
    """
    (slot,) = proof["storageProof"]
    try:
        account = _account(_proved(state_root, keccak(_raw(proof["address"])), proof["accountProof"]))
        key = keccak(int(slot["key"], 16).to_bytes(32, "big"))
        encoded = _proved(account[2], key, slot["proof"])
        return int.from_bytes(rlp.decode(encoded), "big") if encoded else 0
    except (BadTrieProof, rlp.RLPException, ValueError, KeyError, TypeError) as broken:
        raise Unverified("chain.bad_proof", "The state proof does not lead to the root.") from broken


def _proved(root: bytes, key: bytes, nodes: list[str]) -> bytes:
    if root == EMPTY_ROOT:
        return b""
    decoded = [rlp.decode(_raw(node)) for node in nodes]
    return cast(bytes, HexaryTrie.get_from_proof(root, key, decoded))  # type: ignore[no-untyped-call]


def _raw(value: Any) -> bytes:
    return bytes.fromhex(value[2:]) if isinstance(value, str) else bytes(value)
