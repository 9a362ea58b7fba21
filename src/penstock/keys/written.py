"""Private keys as people keep them in files: a seed in hex, or PEM. What a file says never shows in an error."""

from __future__ import annotations

import re
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from penstock.errors import Invalid
from penstock.keys.kinds import KeyKind
from penstock.keys.private import SEED_BYTES, PointKey, SigningKey

WRITTEN_MAX: Final = 16_384
"""No file of one key is larger [bytes]."""
_SEED: Final = re.compile(r"(?:(?P<kind>ed25519|p-256|secp256k1):)?(?P<hex>[0-9a-fA-F]{64})")
_CURVES: Final = {"secp256r1": KeyKind.P256, "secp256k1": KeyKind.SECP256K1}


def read_key(written: bytes, name: str) -> SigningKey | PointKey:
    """The private key that a file holds: Ed25519, P-256 or secp256k1.

    Either 64 hex digits, with ``p-256:`` or ``secp256k1:`` before them for a key of that kind, or PEM without a
    passphrase (PKCS #8, RFC 5958; SEC 1, RFC 5915).

    Raises:
        Invalid: ``key.file`` for anything else; ``name`` says which file.
    """
    key = _of_pem(written) if b"-----BEGIN" in written[:WRITTEN_MAX] else _of_hex(written)
    if key is None or len(written) > WRITTEN_MAX:
        raise Invalid(
            "key.file",
            f"{name} does not hold a private key.",
            hint="64 hex digits (p-256: or secp256k1: before them for these kinds), or PEM without a passphrase.",
        )
    return key


def _of_hex(written: bytes) -> SigningKey | PointKey | None:
    said = _SEED.fullmatch(written.decode("ascii", "replace").strip())
    return said and _made(KeyKind(said["kind"] or KeyKind.ED25519), bytes.fromhex(said["hex"]))


def _of_pem(written: bytes) -> SigningKey | PointKey | None:
    try:
        private = load_pem_private_key(written, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if isinstance(private, Ed25519PrivateKey):
        return SigningKey(private.private_bytes_raw())
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in _CURVES:
        secret = private.private_numbers().private_value.to_bytes(SEED_BYTES, "big")
        return _made(_CURVES[private.curve.name], secret)
    return None


def _made(kind: KeyKind, secret: bytes) -> SigningKey | PointKey | None:
    try:
        return SigningKey(secret) if kind is KeyKind.ED25519 else PointKey(kind, secret)
    except Invalid:  # beyond the curve's order
        return None
