"""Signing keys as values: Ed25519 for meters, checkpoints and statements; secp256k1 for the chain.

Pure: a key comes from a seed that the caller supplies; nothing here draws random numbers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final

from coincurve import PrivateKey
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from eth_utils.crypto import keccak

from penstock.errors import Invalid

SEED_BYTES: Final = 32


class KeyKind(StrEnum):
    """What a device's public key is, and how its bytes are written."""

    ED25519 = "ed25519"  # 32 bytes (RFC 8032)
    P256 = "p-256"  # SEC 1 compressed point, as the other curves' are
    SECP256K1 = "secp256k1"
    ETH_ADDRESS = "eth-address"  # 20 bytes: the tail of keccak256 over a secp256k1 key
    P384 = "p-384"
    BRAINPOOL_P256R1 = "brainpool-p256r1"
    BRAINPOOL_P384R1 = "brainpool-p384r1"
    SECP192R1 = "secp192r1"
    SECP192K1 = "secp192k1"


KEY_KINDS: Final = tuple(KeyKind)
"""Order of the uint8 codes in columns."""


class Scheme(IntEnum):
    """How a signature is written and over what; the key's kind gives the curve."""

    NONE = 0  # unsigned
    EDDSA = 1  # Ed25519 over the message
    ECDSA_SHA256_RAW = 2  # r || s, each as wide as the curve (RFC 9053, 2.1)
    ECDSA_SHA256_DER = 3  # SEC 1, C.5
    ETH_KECCAK_RSV = 4  # r || s || v over keccak256, recovered to an address


def derive_seed(seed: bytes, *path: str) -> bytes:
    """A 32-byte seed for one purpose: sha256 over ``seed`` and the length-prefixed parts of ``path``."""
    digest = hashlib.sha256(b"penstock/seed/1" + seed)
    for part in path:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.digest()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 private key (RFC 8032). The seed never shows in ``repr``."""

    seed: bytes = field(repr=False)
    _private: Ed25519PrivateKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.seed) != SEED_BYTES:
            raise Invalid("key.seed_length", "An Ed25519 seed has 32 bytes.")
        object.__setattr__(self, "_private", Ed25519PrivateKey.from_private_bytes(self.seed))

    @property
    def public(self) -> bytes:
        """The 32-byte public key."""
        return self._private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature; deterministic."""
        return self._private.sign(message)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is ``public``'s over ``message`` (RFC 8032); False for malformed keys or signatures."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class ChainKey:
    """A secp256k1 private key of an EVM account. The secret never shows in ``repr``."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != SEED_BYTES:
            raise Invalid("key.seed_length", "A secp256k1 secret has 32 bytes.")

    @property
    def address(self) -> bytes:
        """The 20-byte account address: the tail of keccak256 over the public key."""
        public = PrivateKey(self.secret).public_key.format(compressed=False)[1:]
        return keccak(public)[12:]
