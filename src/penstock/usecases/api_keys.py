"""Keys of the HTTP door: made, listed and revoked by whoever has the workspace's folder, never over HTTP.

A key is ``penstock_ID_SECRET``, its secret 256 random bits shown once; kept is the sha256 of it, which for a secret
of that length is as good as a slow hash. A key expires, may be revoked at any instant, and may do only what its scopes
say.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from pathlib import Path
from typing import Any, Final

from penstock.errors import Invalid, NotFound, Refused, Unverified
from penstock.period import iso
from penstock.store.api_key_file import FILE, ApiKeyFile, ApiKeyRow
from penstock.store.opening import is_workspace

READ, WRITE, OPERATE = "registry:read", "registry:write", "registry:operate"
SCOPES: Final = {
    "push": "push readings",
    "command": "ask devices to act, and see what became of it",
    READ: "read what accounts hold and did",
    WRITE: "act for the accounts of the organisations it is a member of",
    OPERATE: "act as the registry's operator: issue, withdraw, keep accounts",
}
LABEL_CHARS_MAX: Final = 64
_PREFIX: Final = "penstock"
_NOBODY: Final = bytes(32)


def create_key(workspace: Path, label: str, scopes: frozenset[str], now_us: int, expires_us: int) -> tuple[str, str]:
    """Make a key; returns its id, and the key itself, which is kept nowhere.

    Raises:
        Invalid: ``key.scope``, ``key.label``, ``key.expiry``.
        NotFound: ``store.no_workspace``.
    """
    if not scopes or scopes - SCOPES.keys():
        raise Invalid("key.scope", "A key has one scope or more.", hint=f"Known are: {', '.join(SCOPES)}.")
    if not (0 < len(label) <= LABEL_CHARS_MAX and label.isprintable()):
        raise Invalid("key.label", f"A label has 1 to {LABEL_CHARS_MAX} printable characters.")
    if expires_us <= now_us:
        raise Invalid("key.expiry", "A key expires in the future.")
    name, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    with _file(workspace) as file:
        file.add(ApiKeyRow(name, label, scopes, _digest(name, secret), now_us, expires_us))
    return name, f"{_PREFIX}_{name}_{secret}"


def list_keys(workspace: Path, now_us: int) -> list[dict[str, Any]]:
    """Every key as rows for the doors, without anything secret. Raises NotFound ``store.no_workspace``."""
    with _file(workspace) as file:
        return [_shown(row, now_us) for row in file.rows()]


def revoke_key(workspace: Path, id: str, now_us: int) -> None:
    """From now on the key opens nothing. Raises NotFound ``key.unknown``, ``store.no_workspace``."""
    with _file(workspace) as file:
        if not file.revoke(id, now_us):
            raise NotFound("key.unknown", "There is no such key, or it is revoked already.", id=id)


class KeyRing:
    """What the door asks about the keys it is shown; a revocation holds from the next request on."""

    def __init__(self, workspace: Path) -> None:
        self._workspace, self._lock = workspace, threading.Lock()
        self._file: ApiKeyFile | None = None

    def check(self, shown: str, scope: str, now_us: int) -> str:
        """The id of the key that was shown. Raises as `find`; Refused ``api.key_scope``."""
        row = self.find(shown, now_us)
        if scope not in row.scopes:
            raise Refused(
                "api.key_scope", "This API key may not do that.", hint=f"It needs the scope {scope}.", id=row.id
            )
        return row.id

    def find(self, shown: str, now_us: int) -> ApiKeyRow:
        """The key that was shown. Which of its parts is wrong, nobody is told.

        Raises:
            Unverified: ``api.key_missing``, ``api.key_unknown`` for one unknown, wrong, expired or revoked.
        """
        if not shown:
            hint = "Make one: penstock key create. Send it as: Authorization: Bearer KEY."
            raise Unverified("api.key_missing", "This needs an API key.", hint=hint)
        name, secret = _parts(shown)
        row = self._find(name)
        same = hmac.compare_digest(_digest(name, secret), row.digest if row else _NOBODY)
        if row is None or not same or row.revoked_us or row.expires_us <= now_us:
            raise Unverified("api.key_unknown", "This API key opens nothing (any more).")
        return row

    def close(self) -> None:
        """Close the file; harmless when repeated."""
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None

    def _find(self, id: str) -> ApiKeyRow | None:
        with self._lock:
            if self._file is None:
                if not (self._workspace / FILE).is_file():
                    return None  # no key was ever made
                self._file = ApiKeyFile(self._workspace)
            return self._file.find(id)


def _file(workspace: Path) -> ApiKeyFile:
    if not is_workspace(workspace):
        hint = "Name the folder with --workspace."
        raise NotFound("store.no_workspace", "There is no workspace here.", hint=hint, path=workspace)
    return ApiKeyFile(workspace)


def _parts(shown: str) -> tuple[str, str]:
    prefix, _, rest = shown.partition("_")
    name, _, secret = rest.partition("_")
    return (name, secret) if prefix == _PREFIX and len(shown) <= 128 else ("", "")


def _digest(id: str, secret: str) -> bytes:
    return hashlib.sha256(f"penstock/api-key/1\n{id}\n{secret}".encode()).digest()


def _shown(row: ApiKeyRow, now_us: int) -> dict[str, Any]:
    state = "revoked" if row.revoked_us else "expired" if row.expires_us <= now_us else "valid"
    about = {"id": row.id, "label": row.label, "scopes": sorted(row.scopes), "state": state}
    revoked = iso(row.revoked_us) if row.revoked_us else None
    return about | {"made": iso(row.made_us), "expires": iso(row.expires_us), "revoked": revoked}
