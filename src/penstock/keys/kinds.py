"""Kinds of keys and ways to write a signature."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

from coincurve import PublicKey
from cryptography.hazmat.primitives.asymmetric import ec
from eth_utils.crypto import keccak


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
KEY_BYTES: Final = {
    KeyKind.ED25519: 32,
    KeyKind.P256: 33,
    KeyKind.SECP256K1: 33,
    KeyKind.ETH_ADDRESS: 20,
    KeyKind.P384: 49,
    KeyKind.BRAINPOOL_P256R1: 33,
    KeyKind.BRAINPOOL_P384R1: 49,
    KeyKind.SECP192R1: 25,
    KeyKind.SECP192K1: 25,
}
"""How long a public key of each kind is."""


class Scheme(IntEnum):
    """How a signature is written and over what; the key's kind gives the curve."""

    NONE = 0  # unsigned
    EDDSA = 1  # Ed25519 over the message
    ECDSA_SHA256_RAW = 2  # r || s, each as wide as the curve (RFC 9053, 2.1)
    ECDSA_SHA256_DER = 3  # SEC 1, C.5
    ETH_KECCAK_RSV = 4  # r || s || v over keccak256, recovered to an address


CURVES: Final[dict[KeyKind, ec.EllipticCurve]] = {
    KeyKind.P256: ec.SECP256R1(),
    KeyKind.SECP256K1: ec.SECP256K1(),
    KeyKind.P384: ec.SECP384R1(),
    KeyKind.BRAINPOOL_P256R1: ec.BrainpoolP256R1(),
    KeyKind.BRAINPOOL_P384R1: ec.BrainpoolP384R1(),
    KeyKind.SECP192R1: ec.SECP192R1(),
}
"""The curves that our libraries compute on; Ed25519 and secp192k1 have code of their own."""


def address_of(key: PublicKey) -> bytes:
    """The 20-byte address of a secp256k1 key: the tail of keccak256 over its two coordinates."""
    return keccak(key.format(compressed=False)[1:])[12:]
