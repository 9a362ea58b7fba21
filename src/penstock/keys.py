"""Keys as values: those we sign with (Ed25519, secp256k1), and every kind of key whose signatures we check.

Pure: a key comes from a seed that the caller supplies; nothing here draws random numbers.

What a valid signature is, on every path (`verify_by`, `verify_many`, `verify`):

* Ed25519: the equation of RFC 8032, 5.1.7 without cofactor, ``S`` below the group's order, the key written in its one
  way and not of small order. Under a key of small order anybody can sign anything.
* ECDSA as ``r || s``, our own form: ``s`` in the lower half of the order. From ``(r, s)`` anyone makes ``(r, n - s)``;
  taking one of the two keeps whoever carries a message from changing its hash.
* ECDSA in DER, and recovered to an address: other people's forms, whose signers write either ``s``; strict DER.
* A public point is written compressed (SEC 1, 2.3.3).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Final

import numpy as np
from coincurve import PrivateKey, PublicKey
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_utils.crypto import keccak
from numpy.typing import NDArray

from penstock.errors import Invalid

SEED_BYTES: Final = 32
_PART: Final = 256
_ECDSA_SHA256: Final = ec.ECDSA(hashes.SHA256())
_ECDSA_SHA256_AGAIN: Final = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_ED25519_PRIME: Final = 2**255 - 19
_SMALL_ORDER_Y: Final = frozenset(
    {
        0,
        1,
        _ED25519_PRIME - 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)
"""Second coordinates of the eight points whose order divides 8 (a test computes them anew)."""


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


_CURVES: Final[dict[KeyKind, ec.EllipticCurve]] = {
    KeyKind.P256: ec.SECP256R1(),
    KeyKind.SECP256K1: ec.SECP256K1(),
    KeyKind.P384: ec.SECP384R1(),
    KeyKind.BRAINPOOL_P256R1: ec.BrainpoolP256R1(),
    KeyKind.BRAINPOOL_P384R1: ec.BrainpoolP384R1(),
    KeyKind.SECP192R1: ec.SECP192R1(),
}
_SIGNING_CURVES: Final = {kind: _CURVES[kind] for kind in (KeyKind.P256, KeyKind.SECP256K1)}


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
        r, s = decode_dss_signature(self._private.sign(message, _ECDSA_SHA256_AGAIN))
        low = min(s, self._private.curve.group_order - s)
        return r.to_bytes(32, "big") + low.to_bytes(32, "big")


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is the Ed25519 key's over ``message``; False for malformed keys or signatures."""
    return verify_by(KeyKind.ED25519, public, Scheme.EDDSA, message, signature)


def verify_by(kind: KeyKind, public: bytes, scheme: Scheme, message: bytes, signature: bytes) -> bool:
    """Whether ``signature``, written as ``scheme`` says, is ``public``'s over ``message``, by the rule above.

    False also for malformed keys and signatures, and for a scheme that this kind of key does not sign in.
    """
    try:
        return _READERS[kind](public)(scheme, message, signature)
    except (InvalidSignature, ValueError):
        return False


def is_public_key(kind: KeyKind, public: bytes) -> bool:
    """Whether ``public`` is a key of this kind in its one accepted encoding."""
    try:
        _READERS[kind](public)
    except ValueError:
        return False
    return True


def compressed_point(kind: KeyKind, point: bytes) -> bytes:
    """A curve's point, written compressed or not (SEC 1, 2.3.3), in its one accepted encoding; ValueError for none."""
    if kind is KeyKind.SECP192K1:
        return _compressed_k192(point)
    key = ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[kind], point)
    return key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def verify_many(
    kinds: Sequence[int] | NDArray[Any],
    publics: Sequence[bytes],
    schemes: Sequence[int] | NDArray[Any],
    messages: Sequence[bytes],
    signatures: Sequence[bytes],
) -> NDArray[np.bool_]:
    """`verify_by` for each row, on all cores: the libraries leave the interpreter while they compute.

    ``kinds`` are codes (`KEY_KINDS`), ``schemes`` are `Scheme` codes; all five are equally long.
    """
    holds = np.zeros(len(publics), dtype=np.bool_)
    rows = list(zip(kinds, publics, schemes, messages, signatures, strict=True))

    def verify_part(start: int) -> None:
        holds[start : start + _PART] = [
            verify_by(KEY_KINDS[kind], public, Scheme(scheme), message, signature)
            for kind, public, scheme, message, signature in rows[start : start + _PART]
        ]

    if len(rows) <= _PART:
        verify_part(0)
    else:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(verify_part, range(0, len(rows), _PART)))
    return holds


_Check = Callable[[Scheme, bytes, bytes], bool]
"""Whether a signature holds, of a key that has been read: False or InvalidSignature or ValueError where not."""


def _read_ed25519(public: bytes) -> _Check:
    y = int.from_bytes(public, "little") & ((1 << 255) - 1)
    if y >= _ED25519_PRIME or y in _SMALL_ORDER_Y:
        raise ValueError("not canonical, or of small order")
    key = Ed25519PublicKey.from_public_bytes(public)

    def check(scheme: Scheme, message: bytes, signature: bytes) -> bool:
        if scheme is Scheme.EDDSA:
            key.verify(signature, message)
        return scheme is Scheme.EDDSA

    return check


def _read_point(curve: ec.EllipticCurve, order: int) -> Callable[[bytes], _Check]:
    def read(public: bytes) -> _Check:
        key = ec.EllipticCurvePublicKey.from_encoded_point(curve, _compressed(public))

        def check(scheme: Scheme, message: bytes, signature: bytes) -> bool:
            key.verify(encode_dss_signature(*_r_and_s(scheme, signature, order)), message, _ECDSA_SHA256)
            return True

        return check

    return read


def _read_secp256k1(public: bytes) -> _Check:
    key = PublicKey(_compressed(public))

    def check(scheme: Scheme, message: bytes, signature: bytes) -> bool:
        r, s = _r_and_s(scheme, signature, _SECP256K1_ORDER)
        low = min(s, _SECP256K1_ORDER - s)  # the library takes no other
        return key.verify(encode_dss_signature(r, low), message)

    return check


def _read_eth_address(public: bytes) -> _Check:
    if len(public) != KEY_BYTES[KeyKind.ETH_ADDRESS]:
        raise ValueError("not an address")

    def check(scheme: Scheme, message: bytes, signature: bytes) -> bool:
        if scheme is not Scheme.ETH_KECCAK_RSV or len(signature) != 65 or signature[64] > 1:
            return False
        return recover(message, signature) == public

    return check


def recover(message: bytes, signature: bytes) -> bytes:
    """The 20-byte address whose key signed keccak256 of ``message`` as r || s || v; ValueError where there is none."""
    return _address(PublicKey.from_signature_and_message(signature, message, hasher=keccak))


def _r_and_s(scheme: Scheme, signature: bytes, order: int) -> tuple[int, int]:
    """The two halves of an ECDSA signature; ValueError where it is not written in its one way."""
    if scheme is Scheme.ECDSA_SHA256_DER:
        r, s = decode_dss_signature(signature)
    elif scheme is Scheme.ECDSA_SHA256_RAW:
        half = (order.bit_length() + 7) // 8
        r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        if len(signature) != 2 * half or s > order // 2:
            raise ValueError("not r || s with s in the lower half")
    else:
        raise ValueError("not a way to write ECDSA")
    if not (0 < r < order and 0 < s < order):
        raise ValueError("out of range")
    return r, s


def _compressed(public: bytes) -> bytes:
    if public[:1] not in (b"\x02", b"\x03"):
        raise ValueError("not a compressed point")
    return public


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
        return _address(PrivateKey(self.secret).public_key)


def _address(key: PublicKey) -> bytes:
    return keccak(key.format(compressed=False)[1:])[12:]


# --- secp192k1, which our libraries lack. Checking signatures holds no secret, so plain arithmetic will do. -----------

_K192_PRIME: Final = 2**192 - 2**32 - 2**12 - 2**8 - 2**7 - 2**6 - 2**3 - 1
_K192_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFE26F2FC170F69466A74DEFD8D
_K192_G: Final = (
    0xDB4FF10EC057E9AE26B07D0280B7F4341DA5D1B1EAE06C7D,
    0x9B2F2F6D9C5628A7844163D015BE86344082AA88D95E2F9D,
)
"""y^2 = x^3 + 3 over the prime field; base point and its order (SEC 2, version 2.0, 2.2.1)."""

_Point = tuple[int, int, int]
"""A point of the curve as (X, Y, Z), x = X / Z^2 and y = Y / Z^3; Z is 0 at infinity."""


def _read_secp192k1(public: bytes) -> _Check:
    point = _decompressed(_compressed(public))

    def check(scheme: Scheme, message: bytes, signature: bytes) -> bool:
        r, s = _r_and_s(scheme, signature, _K192_ORDER)
        digest = int.from_bytes(hashlib.sha256(message).digest()[:24], "big")  # its leftmost bits (SEC 1, 4.1.4)
        w = pow(s, -1, _K192_ORDER)
        x, _, z = _combined(digest * w % _K192_ORDER, r * w % _K192_ORDER, point)
        return z != 0 and x * pow(z, -2, _K192_PRIME) % _K192_PRIME % _K192_ORDER == r

    return check


def _decompressed(public: bytes) -> tuple[int, int]:
    """The point a compressed encoding names (SEC 1, 2.3.4); ValueError where it names none."""
    x = int.from_bytes(public[1:], "big")
    square = (x**3 + 3) % _K192_PRIME
    y = pow(square, (_K192_PRIME + 1) // 4, _K192_PRIME)
    if len(public) != KEY_BYTES[KeyKind.SECP192K1] or x >= _K192_PRIME or y * y % _K192_PRIME != square:
        raise ValueError("not a point of the curve")
    return x, y if y % 2 == public[0] % 2 else _K192_PRIME - y


def _compressed_k192(point: bytes) -> bytes:
    short = point if len(point) == KEY_BYTES[KeyKind.SECP192K1] else bytes([2 + point[-1] % 2]) + point[1:25]
    x, y = _decompressed(_compressed(short))
    if point not in (short, b"\x04" + x.to_bytes(24, "big") + y.to_bytes(24, "big")):
        raise ValueError("not a point of the curve")
    return short


def _combined(times_base: int, times_point: int, point: tuple[int, int]) -> _Point:
    """``times_base`` G + ``times_point`` P, both multiples built up together, bit by bit."""
    total: _Point = (1, 1, 0)
    for bit in reversed(range(_K192_ORDER.bit_length())):
        total = _doubled(total)
        if times_base >> bit & 1:
            total = _added(total, _K192_G)
        if times_point >> bit & 1:
            total = _added(total, point)
    return total


def _doubled(point: _Point) -> _Point:
    """Twice the point: the tangent's third crossing, mirrored, in coordinates without division."""
    x, y, z = point
    square, slope = y * y % _K192_PRIME, 3 * x * x % _K192_PRIME
    chord = 4 * x * square % _K192_PRIME
    x3 = (slope * slope - 2 * chord) % _K192_PRIME
    return x3, (slope * (chord - x3) - 8 * square * square) % _K192_PRIME, 2 * y * z % _K192_PRIME


def _added(one: _Point, other: tuple[int, int]) -> _Point:
    """The sum with a point whose Z is 1."""
    x1, y1, z1 = one
    if z1 == 0:
        return (*other, 1)
    z_square = z1 * z1 % _K192_PRIME
    run = (other[0] * z_square - x1) % _K192_PRIME
    rise = (other[1] * z_square * z1 - y1) % _K192_PRIME
    if run == 0:
        return _doubled(one) if rise == 0 else (1, 1, 0)
    square = run * run % _K192_PRIME
    cube, chord = run * square % _K192_PRIME, x1 * square % _K192_PRIME
    x3 = (rise * rise - cube - 2 * chord) % _K192_PRIME
    return x3, (rise * (chord - x3) - y1 * cube) % _K192_PRIME, z1 * run % _K192_PRIME


_SECP256K1_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_READERS: Final[dict[KeyKind, Callable[[bytes], _Check]]] = {
    **{kind: _read_point(curve, curve.group_order) for kind, curve in _CURVES.items()},
    KeyKind.ED25519: _read_ed25519,
    KeyKind.SECP256K1: _read_secp256k1,
    KeyKind.ETH_ADDRESS: _read_eth_address,
    KeyKind.SECP192K1: _read_secp192k1,
}
