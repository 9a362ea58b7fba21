"""Private keys in files: hex and PEM say the same key, and what is no key is refused without being shown."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from penstock.errors import Invalid
from penstock.keys import WRITTEN_MAX, KeyKind, PointKey, SigningKey, derive_seed, read_key

SEED = derive_seed(b"written keys", "one")
HEX = SEED.hex()
CURVES: dict[KeyKind, ec.EllipticCurve] = {KeyKind.P256: ec.SECP256R1(), KeyKind.SECP256K1: ec.SECP256K1()}
PLAIN = NoEncryption()
Private = Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def pem(key: Private, form: PrivateFormat = PrivateFormat.PKCS8, locked: KeySerializationEncryption = PLAIN) -> bytes:
    return key.private_bytes(Encoding.PEM, form, locked)


def point(kind: KeyKind) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int(HEX, 16), CURVES[kind])


@pytest.mark.parametrize("written", [HEX, HEX.upper() + "\r\n", f" ed25519:{HEX}\n"])
def test_a_seed_is_an_ed25519_key(written: str) -> None:
    assert read_key(written.encode(), "file") == SigningKey(SEED)


@pytest.mark.parametrize("kind", CURVES)
def test_a_secret_names_its_kind(kind: KeyKind) -> None:
    assert read_key(f"{kind}:{HEX}".encode(), "file") == PointKey(kind, SEED)


@pytest.mark.parametrize("kind", CURVES)
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_pem_of_a_point_key_is_read(kind: KeyKind, form: PrivateFormat) -> None:
    found = read_key(pem(point(kind), form), "file")
    assert found == PointKey(kind, SEED)
    assert found.public == PointKey(kind, SEED).public


def test_pem_of_an_ed25519_key_is_read() -> None:
    assert read_key(pem(Ed25519PrivateKey.from_private_bytes(SEED)), "file") == SigningKey(SEED)


NO_KEYS: dict[str, bytes] = {
    "nothing": b"",
    "too short": HEX[:-1].encode(),
    "too long": (HEX + "0").encode(),
    "two of them": f"{HEX}\n{HEX}".encode(),
    "a kind that does not sign here": f"p-384:{HEX}".encode(),
    "no hex": b"z" * 64,
    "digits of another script": "٠".encode() * 64,
    "nothing times the base point": b"p-256:" + b"0" * 64,
    "beyond the order": b"secp256k1:" + b"f" * 64,
    "PEM under a passphrase": pem(point(KeyKind.P256), locked=BestAvailableEncryption(b"secret")),
    "PEM of another curve": pem(ec.derive_private_key(5, ec.SECP384R1())),
    "PEM of another algorithm": pem(rsa.generate_private_key(65537, 2048)),
    "PEM cut off": pem(point(KeyKind.P256))[:80],
    "PEM of nothing": b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
    "a large file": HEX.encode() + b" " * WRITTEN_MAX,
}


@pytest.mark.parametrize("written", NO_KEYS.values(), ids=NO_KEYS)
def test_what_is_no_key_is_refused_by_the_files_name(written: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        read_key(written, "that.key")
    assert caught.value.code == "key.file"
    assert "that.key" in caught.value.message
    assert HEX[:16] not in repr(caught.value)
