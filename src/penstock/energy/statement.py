"""Statements: what a device's key or its owner's signs about the device's life, and whether they did.

The bytes are one line that says what they are, then canonical JSON: the fact without its signatures, its kind and
version, and the journal it is meant for, so that a statement is good in one journal alone.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from penstock.journal.canonical import dump, to_plain
from penstock.journal.fact import FactBody
from penstock.keys import KeyKind, Scheme, verify_by

SIGNATURES: Final = frozenset({"signature", "proof", "owner_signature"})
_HEAD: Final = b"penstock/statement/1\n"


def statement(fact: FactBody, origin: str) -> bytes:
    """What is signed: everything ``fact`` says but its signatures, in the journal named ``origin``."""
    names = [field.name for field in fields(fact) if field.name not in SIGNATURES]
    said = {name: to_plain(getattr(fact, name)) for name in names}
    return _HEAD + dump({"data": said, "journal": origin, "kind": fact.KIND, "v": str(fact.VERSION)})


def is_signed(kind: KeyKind, key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a key signed a statement: Ed25519, r || s over sha256, or r || s || v over keccak256 for an address."""
    return verify_by(kind, key, scheme_of(kind), message, signature)


def scheme_of(kind: KeyKind) -> Scheme:
    """How a key of this kind signs statements."""
    special = {KeyKind.ED25519: Scheme.EDDSA, KeyKind.ETH_ADDRESS: Scheme.ETH_KECCAK_RSV}
    return special.get(kind, Scheme.ECDSA_SHA256_RAW)
