"""Keys we sign with. Secrets never show in ``repr``; nothing here draws random numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from coincurve import PrivateKey
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from penstock.errors import Invalid
from penstock.keys.kinds import CURVES, KeyKind, address_of

SEED_BYTES: Final = 32
_SIGNING_CURVES: Final = {kind: CURVES[kind] for kind in (KeyKind.P256, KeyKind.SECP256K1)}
_ECDSA_SHA256: Final = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


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
    def kind(self) -> KeyKind:
        """Ed25519."""
        return KeyKind.ED25519

    @property
    def public(self) -> bytes:
        """The 32-byte public key."""
        return self._private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature; deterministic."""
        return self._private.sign(message)


@dataclass(frozen=True, slots=True)
class PointKey:
    """A private key of P-256 or secp256k1, as devices with such a chip hold it. The secret never shows in ``repr``."""

    kind: KeyKind
    secret: bytes = field(repr=False)
    _private: ec.EllipticCurvePrivateKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        curve = _SIGNING_CURVES.get(self.kind)
        number = int.from_bytes(self.secret, "big")
        if curve is None or len(self.secret) != SEED_BYTES or not 0 < number < curve.group_order:
            raise Invalid("key.seed_length", "A secret of this kind has 32 bytes and lies below the curve's order.")
        object.__setattr__(self, "_private", ec.derive_private_key(number, curve))

    @property
    def public(self) -> bytes:
        """The 33-byte compressed point."""
        return self._private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)

    def sign(self, message: bytes) -> bytes:
        """r || s over sha256, deterministic (RFC 6979), with the lower s."""
        r, s = decode_dss_signature(self._private.sign(message, _ECDSA_SHA256))
        low = min(s, self._private.curve.group_order - s)
        return r.to_bytes(32, "big") + low.to_bytes(32, "big")


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
        return address_of(PrivateKey(self.secret).public_key)
