"""Keys at rest: one file a key, sealed under a passphrase with scrypt and AES-256-GCM.

One form for both kinds of key (Ed25519 seeds and secp256k1 secrets). Kind, public part and cost are bound to the
ciphertext, so none can be swapped. A file is written whole or not at all, readable by its owner alone, and never
overwritten. Sources: RFC 7914 (scrypt), NIST SP 800-38D (GCM).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from penstock.errors import Conflict, Invalid, NotFound, Refused, Unverified
from penstock.keys import SEED_BYTES, ChainKey, SigningKey

Kind = Literal["ed25519", "secp256k1"]
COST_LOG2: Final = 17
"""scrypt N = 2^17 with r = 8: 128 MiB and about half a second a guess."""
_COST_LOG2_MIN: Final = 4
_COST_LOG2_MAX: Final = 20
_VERSION: Final = 1
_BYTES_MAX: Final = 4_096
"""A key file has some 400; so many nest no deeper than a parser can go."""


def save_key(
    path: Path,
    key: SigningKey | ChainKey,
    passphrase: str,
    *,
    cost_log2: int = COST_LOG2,
    random: Callable[[int], bytes] = os.urandom,
) -> None:
    """Seal ``key`` into a new file at ``path``. A low ``cost_log2`` is for tests and demos.

    Raises:
        Conflict: ``key.exists`` where something is at ``path``; keys are never overwritten.
        Invalid: ``key.cost`` outside 4 to 20.
    """
    if not _COST_LOG2_MIN <= cost_log2 <= _COST_LOG2_MAX:
        raise Invalid("key.cost", f"The cost runs from 2^{_COST_LOG2_MIN} to 2^{_COST_LOG2_MAX}.")
    kind: Kind = "ed25519" if isinstance(key, SigningKey) else "secp256k1"
    secret, public = (key.seed, key.public) if isinstance(key, SigningKey) else (key.secret, key.address)
    salt, nonce = random(16), random(12)
    header = {"version": _VERSION, "kind": kind, "public": public.hex(), "cost_log2": cost_log2, "salt": salt.hex()}
    sealed = AESGCM(_stretched(passphrase, salt, cost_log2)).encrypt(nonce, secret, _bound(header))
    _write_new(path, json.dumps(header | {"nonce": nonce.hex(), "sealed": sealed.hex()}, indent=1).encode() + b"\n")


def load_key(path: Path, passphrase: str) -> SigningKey | ChainKey:
    """The key in the file at ``path``.

    Raises:
        NotFound: ``key.missing``.
        Refused: ``key.file_open`` where others than the owner may read the file.
        Invalid: ``key.malformed``.
        Unverified: ``key.passphrase`` for a wrong passphrase or a changed file.
    """
    header, nonce, sealed = _read(path)
    stretched = _stretched(passphrase, bytes.fromhex(header["salt"]), header["cost_log2"])
    try:
        secret = AESGCM(stretched).decrypt(nonce, sealed, _bound(header))
    except InvalidTag:
        raise Unverified("key.passphrase", "The passphrase does not open this key.", path=path) from None
    return SigningKey(secret) if header["kind"] == "ed25519" else ChainKey(secret)


def public_part(path: Path) -> tuple[str, bytes]:
    """Kind and public part (key or address) of the file's key, without opening it. Raises as `load_key`."""
    header, _, _ = _read(path)
    return header["kind"], bytes.fromhex(header["public"])


def _read(path: Path) -> tuple[dict[str, Any], bytes, bytes]:
    try:
        if path.stat().st_mode & 0o077:
            raise Refused("key.file_open", "Others may read this key file.", hint=f"chmod 600 {path}", path=path)
        body = json.loads(_small(path))
        nonce, sealed = bytes.fromhex(body.pop("nonce")), bytes.fromhex(body.pop("sealed"))
        _check(body, nonce, sealed)
    except FileNotFoundError:
        raise NotFound("key.missing", "There is no key file here.", path=path) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Invalid("key.malformed", "This is no key file.", path=path) from None
    return body, nonce, sealed


def _small(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(_BYTES_MAX + 1)
    if len(raw) > _BYTES_MAX:
        raise ValueError("too long")
    return raw


def _check(header: dict[str, Any], nonce: bytes, sealed: bytes) -> None:
    cost = header["cost_log2"]
    good = (
        header.keys() == {"version", "kind", "public", "cost_log2", "salt"}
        and header["version"] == _VERSION
        and header["kind"] in ("ed25519", "secp256k1")
        and type(cost) is int
        and _COST_LOG2_MIN <= cost <= _COST_LOG2_MAX  # a file cannot ask for all the memory there is
        and (len(bytes.fromhex(header["salt"])), len(nonce), len(sealed)) == (16, 12, SEED_BYTES + 16)
        and bytes.fromhex(header["public"])
    )
    if not good:
        raise ValueError("not of this form")


def _bound(header: dict[str, Any]) -> bytes:
    return b"penstock/key/1" + json.dumps(header, sort_keys=True, separators=(",", ":")).encode()


def _stretched(passphrase: str, salt: bytes, cost_log2: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**cost_log2, r=8, p=1).derive(passphrase.encode())


def _write_new(path: Path, body: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike a rename, fails where something is there already
    except FileExistsError:
        raise Conflict("key.exists", "A key is there already.", hint="Choose another name.", path=path) from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
