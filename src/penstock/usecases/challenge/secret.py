"""A challenger's secret in a file of its own, readable by its owner alone, never shown."""

from __future__ import annotations

import os
from pathlib import Path

from penstock.compute.challenge import HASH_BYTES, SECRET_BYTES
from penstock.errors import Invalid, NotFound


def make_secret(path: Path) -> bytes:
    """The secret in ``path``; a new one is drawn and written, durably, where there is no file.

    Raises:
        Invalid: ``challenge.secret``.
    """
    if path.exists():
        return read_secret(path)
    secret = os.urandom(SECRET_BYTES)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return secret


def read_secret(path: Path) -> bytes:
    """The secret in ``path``: 64 hexadecimal digits.

    Raises:
        NotFound: ``challenge.no_secret``. Invalid: ``challenge.secret``.
    """
    try:
        return _hex(path.read_text(), SECRET_BYTES)
    except FileNotFoundError:
        raise NotFound("challenge.no_secret", "There is no secret in this file.", file=path.name) from None
    except ValueError:
        raise Invalid("challenge.secret", f"A secret has {SECRET_BYTES} bytes.", file=path.name) from None


def read_root(text: str) -> bytes:
    """A root from its hexadecimal digits. Raises Invalid ``challenge.root``."""
    try:
        return _hex(text, HASH_BYTES)
    except ValueError:
        raise Invalid("challenge.root", "A root has 32 bytes.") from None


def _hex(text: str, count: int) -> bytes:
    raw = bytes.fromhex(text.strip())
    if len(raw) != count:
        raise ValueError("length")
    return raw
