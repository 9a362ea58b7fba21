"""Checking signatures: every kind of key, against independent signers; encodings, malleability, keys of small order."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from eth_keys.datatypes import PrivateKey as EthKey
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import Invalid
from penstock.keys import (
    KEY_BYTES,
    KEY_KINDS,
    KeyKind,
    PointKey,
    Scheme,
    SigningKey,
    compressed_point,
    is_public_key,
    recover,
    secp192k1,
    verify_by,
    verify_many,
)
from penstock.keys.kinds import CURVES

MESSAGE = b'{"RD":"a record to sign"}'
DER = Scheme.ECDSA_SHA256_DER
RAW = Scheme.ECDSA_SHA256_RAW
# Made with the OpenSSL 3.0 command line, which shares no code with our check of secp192k1.
OPENSSL = {
    KeyKind.SECP192K1: (
        "04869f8aa2eb97682d031ae29bec8ac216a1b744f0a9634d2eb44fab9f0ad35a2910579df214369e28640a9d02ca15405a",
        "3035021900990ae3d2035252955e8e53b019544f8c33ba1a78e13bdb5402181ea302c9fdac6082f498454a26e157d9706b94280ffa2ad8",
    ),
    KeyKind.SECP192R1: (
        "04ced7b4567e1b308902f180ce15e11e4858fccdc05d0900f9a5af1734c28af2e22b7edb0ae0aec04d7818abc3026720ef",
        "303302176eb0177037db9cb1c55064f7efdb72a1084c9551c8caaf02186ffa960ed3b0caeaf6ca148eaf5d4db983d9a3d6518c1298",
    ),
    KeyKind.BRAINPOOL_P256R1: (
        "04132d03a58bdd042292ac9878170a2a4d060a812389bae6afe471588bdd3f75179e50e796006835a5fbc144e7e10c541c92d644535203"
        "929d54b5f746bc475745",
        "304402206f5b4d13a07aba3d7be56a94b3f78ed47fdc7e2c20307205989468b5476f6f8302200e14e1f9424050cdf78ba3222be05b21f1"
        "da5d3c730928abc981082dc35ee3b9",
    ),
    KeyKind.P384: (
        "045e9160ba74a3528010bdb8566807e25fa86ce88c742f31a386d78518b20676f9046d8bafe9c77d5627608ebf9992f621835ef1aa09d8"
        "a787fdc9ea9052e57414518574c1a91982051b33f37e296278e98f2085a1a72d789bf3b9d89e91f3f716",
        "3066023100d5cf8edd353d71c4d36385972a17ee24ae94e5f1dd60f559ae1beb5457dbbf00eceed56ec8e3bbad85b14883c3eb61b80231"
        "00b6efb47d14ef3ea12f131e68b59f9ae947282cd6251c8c94932978acd7c8906dd2bfacfbdf3749966db2a9a8fc501839",
    ),
}


@pytest.mark.parametrize("kind", OPENSSL, ids=str)
def test_signatures_of_another_signer(kind: KeyKind) -> None:
    point, signature = (bytes.fromhex(text) for text in OPENSSL[kind])
    public = compressed_point(kind, point)
    assert len(public) == KEY_BYTES[kind]
    assert is_public_key(kind, public)
    assert not is_public_key(kind, point)
    assert verify_by(kind, public, DER, MESSAGE, signature)
    assert not verify_by(kind, public, DER, MESSAGE + b" ", signature)
    assert not verify_by(kind, public, RAW, MESSAGE, signature)
    flipped = [signature[:i] + bytes([signature[i] ^ 1]) + signature[i + 1 :] for i in range(len(signature))]
    assert not any(verify_by(kind, public, DER, MESSAGE, other) for other in flipped)


def test_the_check_of_secp192k1_by_the_textbook() -> None:
    """Signatures made by SEC 1, 4.1.3 with affine arithmetic of this test's own."""
    prime, order = secp192k1.PRIME, secp192k1.ORDER

    def add(one: tuple[int, int] | None, other: tuple[int, int] | None) -> tuple[int, int] | None:
        if one is None or other is None:
            return one or other
        if one[0] == other[0] and (one[1] + other[1]) % prime == 0:
            return None
        if one == other:
            slope = 3 * one[0] ** 2 * pow(2 * one[1], -1, prime)
        else:
            slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, prime)
        x = (slope**2 - one[0] - other[0]) % prime
        return x, (slope * (one[0] - x) - one[1]) % prime

    def times(number: int, point: tuple[int, int] | None) -> tuple[int, int] | None:
        total = None
        while number:
            total = add(total, point) if number & 1 else total
            point, number = add(point, point), number >> 1
        return total

    assert times(order, secp192k1.BASE) is None
    for seed in range(1, 9):
        secret, nonce = (int.from_bytes(hashlib.sha512(bytes([seed, part])).digest(), "big") % order for part in (1, 2))
        digest = int.from_bytes(hashlib.sha256(MESSAGE).digest()[:24], "big")
        point, r = times(secret, secp192k1.BASE), times(nonce, secp192k1.BASE)
        assert point is not None
        assert r is not None
        s = pow(nonce, -1, order) * (digest + r[0] * secret) % order
        public = secp192k1.compressed(b"\x04" + point[0].to_bytes(24, "big") + point[1].to_bytes(24, "big"))
        for other in (s, order - s):
            signature = encode_dss_signature(r[0] % order, other)
            assert verify_by(KeyKind.SECP192K1, public, DER, MESSAGE, signature)
        assert not verify_by(KeyKind.SECP192K1, public, DER, MESSAGE, encode_dss_signature(r[0] % order, s ^ 1))
    # sums that pass through infinity, and through equal points
    assert not secp192k1.holds(secp192k1.BASE, 1, 1, MESSAGE)
    assert not secp192k1.holds((secp192k1.BASE[0], prime - secp192k1.BASE[1]), 1, 1, MESSAGE)


@pytest.mark.parametrize("kind", CURVES, ids=str)
def test_the_upper_s_holds_in_der_and_not_in_our_own_form(kind: KeyKind) -> None:
    private = ec.derive_private_key(20_261_122, CURVES[kind])
    public = compressed_point(kind, _uncompressed(private))
    order, half = CURVES[kind].group_order, (CURVES[kind].group_order.bit_length() + 7) // 8
    r, s = decode_dss_signature(private.sign(MESSAGE, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
    low, high = sorted((s, order - s))
    for each in (low, high):
        assert verify_by(kind, public, DER, MESSAGE, encode_dss_signature(r, each))
    raw = r.to_bytes(half, "big") + low.to_bytes(half, "big")
    assert verify_by(kind, public, RAW, MESSAGE, raw)
    assert not verify_by(kind, public, RAW, MESSAGE, r.to_bytes(half, "big") + high.to_bytes(half, "big"))
    assert not verify_by(kind, public, RAW, MESSAGE, raw + b"\0")
    assert not verify_by(kind, public, RAW, MESSAGE, b"\0" + raw)


def _uncompressed(private: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = private.public_key().public_numbers()
    width = (private.curve.key_size + 7) // 8
    return b"\x04" + numbers.x.to_bytes(width, "big") + numbers.y.to_bytes(width, "big")


def test_der_has_one_form() -> None:
    key = PointKey(KeyKind.P256, bytes(range(1, 33)))
    r, s = (int.from_bytes(part, "big") for part in (key.sign(MESSAGE)[:32], key.sign(MESSAGE)[32:]))
    good = encode_dss_signature(r, s)
    others = [
        good + b"\0",
        good[:-1],
        b"\x30\x81" + good[1:],
        b"\x30\x80" + good[2:] + b"\0\0",
        b"\x30" + bytes([good[1] + 1]) + b"\x02" + bytes([good[3] + 1]) + b"\0" + good[4:],
        b"",
        encode_dss_signature(0, s),
        encode_dss_signature(r, 0),
        encode_dss_signature(r, CURVES[KeyKind.P256].group_order),
        encode_dss_signature(r + CURVES[KeyKind.P256].group_order, s),
    ]
    assert verify_by(KeyKind.P256, key.public, DER, MESSAGE, good)
    assert not any(verify_by(KeyKind.P256, key.public, DER, MESSAGE, other) for other in others)


def test_ed25519_keys_of_small_order_are_none() -> None:
    """Under such a key, R = identity and S = 0 would fit any message (RFC 8032, 5.1.7 with 8 A = 0)."""
    prime = 2**255 - 19
    d = -121_665 * pow(121_666, -1, prime) % prime
    order_of_base = 2**252 + 27_742_317_777_372_353_535_851_937_790_883_648_493

    def x_of(y: int) -> int | None:
        square = (y * y - 1) * pow(d * y * y + 1, -1, prime) % prime
        x = pow(square, (prime + 3) // 8, prime)
        x = x if x * x % prime == square else x * pow(2, (prime - 1) // 4, prime) % prime
        return x if x * x % prime == square else None

    def add(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
        k = d * one[0] * other[0] * one[1] * other[1] % prime
        x = (one[0] * other[1] + other[0] * one[1]) * pow(1 + k, -1, prime) % prime
        return x, (one[1] * other[1] + one[0] * other[0]) * pow(1 - k, -1, prime) % prime

    def times(number: int, point: tuple[int, int]) -> tuple[int, int]:
        total = (0, 1)
        for bit in f"{number:b}":
            total = add(total, total)
            total = add(total, point) if bit == "1" else total
        return total

    y, found = 2, set[tuple[int, int]]()
    while len(found) < 8:
        x = x_of(y)
        if x is not None:
            torsion = times(order_of_base, (x, y))
            found |= {times(number, torsion) for number in range(8)}
        y += 1
    encodings = [(y | (x & 1) << 255).to_bytes(32, "little") for x, y in found]
    encodings += [(prime + y).to_bytes(32, "little") for y in (0, 1)] + [
        (y | 1 << 255).to_bytes(32, "little") for y in (1,)
    ]
    identity_and_0 = (1).to_bytes(32, "little") + bytes(32)
    assert len(found) == 8
    assert not any(is_public_key(KeyKind.ED25519, key) for key in encodings)
    assert not any(verify_by(KeyKind.ED25519, key, Scheme.EDDSA, b"anything", identity_and_0) for key in encodings)


def test_ed25519_s_lies_below_the_order() -> None:
    key = SigningKey(bytes(range(32)))
    signature = key.sign(MESSAGE)
    order = 2**252 + 27_742_317_777_372_353_535_851_937_790_883_648_493
    more = int.from_bytes(signature[32:], "little") + order
    assert verify_by(KeyKind.ED25519, key.public, Scheme.EDDSA, MESSAGE, signature)
    assert not verify_by(
        KeyKind.ED25519, key.public, Scheme.EDDSA, MESSAGE, signature[:32] + more.to_bytes(32, "little")
    )


def test_an_address_is_recovered_as_another_library_signs() -> None:
    private = EthKey(bytes(range(1, 33)))
    signature = private.sign_msg_hash(keccak(MESSAGE)).to_bytes()
    address = private.public_key.to_canonical_address()
    scheme, kind = Scheme.ETH_KECCAK_RSV, KeyKind.ETH_ADDRESS
    assert recover(MESSAGE, signature) == address
    assert verify_by(kind, address, scheme, MESSAGE, signature)
    others = [
        signature[:64] + bytes([1 - signature[64]]),
        signature[:64] + bytes([signature[64] + 27]),
        signature[:64] + bytes([signature[64] + 2]),
        signature[:64],
        bytes(65),
        b"\xff" * 64 + b"\0",
    ]
    assert not any(verify_by(kind, address, scheme, MESSAGE, other) for other in others)
    assert not verify_by(kind, address, scheme, MESSAGE + b" ", signature)
    assert not verify_by(kind, address[:19], scheme, MESSAGE, signature)


@pytest.mark.parametrize("kind", KEY_KINDS, ids=str)
def test_malformed_keys_are_none(kind: KeyKind) -> None:
    width = KEY_BYTES[kind]
    for key in (b"", b"\x02", bytes(width - 1), bytes(width + 1), b"\xff" * width, b"\x02" + b"\xff" * (width - 1)):
        assert not (is_public_key(kind, key) and len(key) != width)
        for scheme in Scheme:
            assert verify_by(kind, key, scheme, MESSAGE, bytes(64)) is False


@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.SECP256K1], ids=str)
def test_point_keys_sign_the_same_again_and_do_not_show(kind: KeyKind) -> None:
    secret = bytes(range(1, 33))
    key = PointKey(kind, secret)
    assert key.sign(MESSAGE) == PointKey(kind, secret).sign(MESSAGE)
    assert verify_by(kind, key.public, RAW, MESSAGE, key.sign(MESSAGE))
    assert secret.hex() not in repr(key)
    assert repr(secret) not in repr(key)


@pytest.mark.parametrize(
    ("kind", "secret"),
    [
        (KeyKind.P256, bytes(32)),
        (KeyKind.P256, b"\xff" * 32),
        (KeyKind.P256, bytes(31)),
        (KeyKind.ED25519, bytes(range(32))),
    ],
)
def test_point_keys_have_a_secret_below_the_order(kind: KeyKind, secret: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        PointKey(kind, secret)
    assert caught.value.code == "key.seed_length"


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=40))
def test_many_are_judged_as_each_alone(rows: list[tuple[int, bool]]) -> None:
    keys = (SigningKey(bytes(32)), PointKey(KeyKind.P256, b"\1" * 32), PointKey(KeyKind.SECP256K1, b"\1" * 32))
    signers = [keys[which] for which, _ in rows]
    kinds = [KEY_KINDS.index(key.kind) for key in signers]
    schemes = [Scheme.EDDSA if key.kind is KeyKind.ED25519 else RAW for key in signers]
    messages = [str(number).encode() for number in range(len(rows))]
    signatures = [
        key.sign(message if good else b"another")
        for key, message, (_, good) in zip(signers, messages, rows, strict=True)
    ]
    found = verify_many(kinds, [key.public for key in signers], schemes, messages, signatures)
    assert found.tolist() == [good for _, good in rows]


def test_many_on_all_cores() -> None:
    """More than one thread's part; those that fail are exactly those that were altered."""
    key, count = SigningKey(bytes(32)), 700
    messages = [number.to_bytes(2, "big") for number in range(count)]
    signatures = [key.sign(message) for message in messages]
    altered = [3, 255, 256, 511, 512, 699]
    for row in altered:
        signatures[row] = bytes(64)
    kinds, schemes = np.zeros(count, np.uint8), np.full(count, Scheme.EDDSA, np.uint8)
    found = verify_many(kinds, [key.public] * count, schemes, messages, signatures)
    assert np.flatnonzero(~found).tolist() == altered


def test_many_are_equally_long() -> None:
    with pytest.raises(ValueError, match="shorter"):
        verify_many([0], [b""], [1], [b""], [])
