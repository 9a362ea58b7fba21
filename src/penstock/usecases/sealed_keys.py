"""Keys of the operator in files sealed under a passphrase: the one that is there, or a new one."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TypeVar

from penstock.chain.keystore import COST_LOG2, load_key, save_key
from penstock.errors import Invalid
from penstock.keys import SEED_BYTES, ChainKey, SigningKey

Key = TypeVar("Key", SigningKey, ChainKey)


def sealed_key(path: Path, kind: type[Key], passphrase: str, *, cost_log2: int = COST_LOG2) -> Key:
    """The key in a file, made at random and sealed there where there is none yet.

    Raises:
        Invalid: ``key.kind`` for a key of the other kind. As `load_key` and `save_key`.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        save_key(path, kind(secrets.token_bytes(SEED_BYTES)), passphrase, cost_log2=cost_log2)
    found = load_key(path, passphrase)
    if not isinstance(found, kind):
        raise Invalid("key.kind", "This is a key of another kind.", file=path.name)
    return found
