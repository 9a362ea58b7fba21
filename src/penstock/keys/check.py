"""Checking signatures: one rule of what is valid (see the package's first page) on every path.

A key is read first, which refuses every encoding but one; what reading returns checks signatures.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from coincurve import PublicKey
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_utils.crypto import keccak
from numpy.typing import NDArray

from penstock.keys import secp192k1
from penstock.keys.kinds import CURVES, KEY_BYTES, KEY_KINDS, KeyKind, Scheme, address_of

_PART: Final = 256
"""Signatures a thread takes at a time."""
_SCHEMES: Final = tuple(Scheme)
_ECDSA_SHA256: Final = ec.ECDSA(hashes.SHA256())
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
        return secp192k1.compressed(point)
    key = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[kind], point)
    return key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def verify_many(
    kinds: Sequence[int] | NDArray[Any],
    publics: Sequence[bytes],
    schemes: Sequence[int] | NDArray[Any],
    messages: Sequence[bytes],
    signatures: Sequence[bytes],
    threads: int | None = None,
) -> NDArray[np.bool_]:
    """`verify_by` for each row, on all cores: the libraries leave the interpreter while they compute.

    ``kinds`` are codes (`KEY_KINDS`), ``schemes`` are `Scheme` codes; all five are equally long. Handing the
    interpreter over costs each signature some microseconds; who already runs one process a core asks for one thread.
    """
    holds = np.zeros(len(publics), dtype=np.bool_)
    codes, ways = np.asarray(kinds, dtype=np.int64).tolist(), np.asarray(schemes, dtype=np.int64).tolist()
    rows = list(zip(codes, publics, ways, messages, signatures, strict=True))

    def verify_part(start: int) -> None:
        holds[start : start + _PART] = [
            verify_by(KEY_KINDS[kind], public, _SCHEMES[scheme], message, signature)
            for kind, public, scheme, message, signature in rows[start : start + _PART]
        ]

    parts = range(0, len(rows), _PART)
    if len(parts) <= 1 or threads == 1:
        list(map(verify_part, parts))
    else:
        with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
            list(pool.map(verify_part, parts))
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
    return address_of(PublicKey.from_signature_and_message(signature, message, hasher=keccak))


def _r_and_s(scheme: Scheme, signature: bytes, order: int) -> tuple[int, int]:
    """The two halves of an ECDSA signature; ValueError where it is not written in its one way."""
    if scheme is Scheme.ECDSA_SHA256_DER:
        r, s = decode_dss_signature(signature)
    elif scheme is Scheme.ECDSA_SHA256_RAW:
        half = len(signature) // 2
        r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        if len(signature) != (order.bit_length() + 7) // 8 * 2 or s > order // 2:
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


def _read_secp192k1(public: bytes) -> _Check:
    point = secp192k1.decompressed(_compressed(public))

    def check(scheme: Scheme, message: bytes, signature: bytes) -> bool:
        r, s = _r_and_s(scheme, signature, secp192k1.ORDER)
        return secp192k1.holds(point, r, s, message)

    return check


_SECP256K1_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_READERS: Final[dict[KeyKind, Callable[[bytes], _Check]]] = {
    **{kind: _read_point(curve, curve.group_order) for kind, curve in CURVES.items()},
    KeyKind.ED25519: _read_ed25519,
    KeyKind.SECP256K1: _read_secp256k1,
    KeyKind.ETH_ADDRESS: _read_eth_address,
    KeyKind.SECP192K1: _read_secp192k1,
}
