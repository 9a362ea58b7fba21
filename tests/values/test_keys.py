"""Keys: published signatures, seeds that do not collide, secrets that do not show."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from penstock.errors import Invalid
from penstock.keys import ChainKey, SigningKey, derive_seed, verify

# RFC 8032, 7.1, tests 1 and 3: seed, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_signatures_of_rfc_8032(seed: str, public: str, message: str, signature: str) -> None:
    key = SigningKey(bytes.fromhex(seed))
    assert key.public.hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert verify(key.public, bytes.fromhex(message), bytes.fromhex(signature))


def test_a_changed_bit_anywhere_does_not_verify() -> None:
    key = SigningKey(bytes(range(32)))
    message, signature = b"a reading", key.sign(b"a reading")
    flipped = [signature[:i] + bytes([signature[i] ^ 1]) + signature[i + 1 :] for i in range(64)]
    assert verify(key.public, message, signature)
    assert not any(verify(key.public, message, other) for other in flipped)
    assert not verify(key.public, b"a readinG", signature)
    assert not verify(SigningKey(bytes(32)).public, message, signature)


@pytest.mark.parametrize(("public", "signature"), [(b"", b""), (bytes(31), bytes(64)), (bytes(32), bytes(63))])
def test_malformed_keys_and_signatures_are_no_error_and_no_yes(public: bytes, signature: bytes) -> None:
    assert verify(public, b"m", signature) is False


@pytest.mark.parametrize("length", [0, 31, 33])
@pytest.mark.parametrize("kind", [SigningKey, ChainKey])
def test_a_seed_has_32_bytes(kind: type[SigningKey] | type[ChainKey], length: int) -> None:
    with pytest.raises(Invalid) as caught:
        kind(bytes(length))
    assert caught.value.code == "key.seed_length"


def test_seeds_depend_on_every_part_of_their_path_and_where_it_ends() -> None:
    paths = [(), ("",), ("a",), ("a", ""), ("ab",), ("a", "b"), ("b", "a"), ("a", "b", "c"), ("ab", "c"), ("a", "bc")]
    seeds = {derive_seed(b"root", *path) for path in paths} | {derive_seed(b"toor", *path) for path in paths}
    assert len(seeds) == 2 * len(paths)
    assert all(len(seed) == 32 for seed in seeds)
    assert derive_seed(b"root", "a") == derive_seed(b"root", "a")


def test_secrets_do_not_show() -> None:
    secret = bytes(range(1, 33))
    for key in (SigningKey(secret), ChainKey(secret)):
        shown = repr(key) + str(key)
        assert secret.hex() not in shown
        assert repr(secret) not in shown


def test_the_address_of_a_known_secret() -> None:
    # the first account of the well-known test mnemonic "test test ... junk"
    secret = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
    assert ChainKey(secret).address.hex() == "f39fd6e51aad88f6f4ce6ab8827279cfffb92266"


def test_keys_agree_with_the_library_they_rest_on() -> None:
    seed = bytes(range(32))
    assert SigningKey(seed).sign(b"m") == Ed25519PrivateKey.from_private_bytes(seed).sign(b"m")
