"""The public keys of devices: the current one of each as columns, the former ones of the few that have any."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.energy.key_index import KeyIndex
from penstock.errors import Invalid
from penstock.journal.growing import Growing, Layout
from penstock.keys import KEY_BYTES, KEY_KINDS, KeyKind, is_public_key
from penstock.units import INT64_MAX

KEY_BYTES_MAX: Final = max(KEY_BYTES.values())
ALWAYS: Final = INT64_MAX
_WIDTHS: Final = np.array([KEY_BYTES[kind] for kind in KEY_KINDS])
_KEY: Final = {
    "kind": Layout("uint8"),
    "bytes": Layout("uint8", 0, KEY_BYTES_MAX),
    "since_us": Layout("int64"),
    "until_us": Layout("int64", ALWAYS),
    "revoked": Layout("uint8"),
}


@dataclass(frozen=True, slots=True)
class KeySpan:
    """A former key: valid for readings in ``[since_us, until_us)``, in messages up to number ``last_sequence``."""

    kind: KeyKind
    key: bytes
    since_us: int
    until_us: int
    last_sequence: int = INT64_MAX


class KeyBook:
    """Each device's current key, by device number, and its former keys."""

    def __init__(self) -> None:
        self._current = Growing(_KEY)
        self._former: dict[int, tuple[KeySpan, ...]] = {}
        self._index = KeyIndex()

    def view(self, name: str) -> NDArray[Any]:
        """A column of the current keys: kind, since_us, until_us, revoked."""
        return self._current.view(name)

    def add(self, keys: Sequence[bytes], kinds: NDArray[Any] | int) -> None:
        """The keys of new devices, in order; ``kinds`` are KEY_KINDS codes. Raises Invalid ``device.key``."""
        widths = np.fromiter(map(len, keys), dtype=np.int64, count=len(keys))
        if (widths != _WIDTHS[kinds]).any():
            raise Invalid("device.key", "A public key is as long as its kind says.")
        self._current.add(len(keys), kind=kinds, bytes=padded(keys))

    def keys(self, numbers: NDArray[Any]) -> list[bytes]:
        """The current keys of devices."""
        raw, width = self._current["bytes"][numbers].tobytes(), KEY_BYTES_MAX
        ends = np.arange(0, len(numbers) * width, width) + _WIDTHS[self._current["kind"][numbers]]
        return [raw[row * width : end] for row, end in enumerate(ends.tolist())]

    def span(self, number: int) -> KeySpan:
        """A device's current key."""
        (key,) = self.keys(np.array([number]))
        kind, since_us, until_us = (int(self._current[name][number]) for name in ("kind", "since_us", "until_us"))
        return KeySpan(KEY_KINDS[kind], key, since_us, until_us)

    def former(self, number: int) -> tuple[KeySpan, ...]:
        """A device's former keys, oldest first."""
        return self._former.get(number, ())

    def former_of(self, numbers: NDArray[Any]) -> dict[int, tuple[KeySpan, ...]]:
        """The former keys of devices, by place in ``numbers``; only of those that have any."""
        if not self._former:
            return {}
        return {place: self._former[one] for place, one in enumerate(numbers.tolist()) if one in self._former}

    def holders(self, keys: Sequence[bytes]) -> NDArray[np.bool_]:
        """Which of ``keys`` is some device's current one."""
        rows, found = self._index.rows_like(self._current["bytes"], padded(keys))
        if found.any():  # eight bytes alike, which whoever makes many keys can bring about
            mine = set(self.keys(rows))
            found[found] = [keys[row] in mine for row in np.flatnonzero(found).tolist()]
        return found

    def follow(self, number: int, kind: KeyKind, key: bytes, from_us: int, last_sequence: int = INT64_MAX) -> None:
        """Another key from an instant on; the one before stays good for earlier readings, up to a last message."""
        before = self.span(number)
        ended = KeySpan(before.kind, before.key, before.since_us, min(from_us, before.until_us), last_sequence)
        self._former[number] = (*self.former(number), ended)
        row = {"kind": KEY_KINDS.index(kind), "since_us": from_us, "until_us": ALWAYS, "revoked": 0}
        for name, value in row.items():
            self._current[name][number] = value
        self._current["bytes"][number] = padded([key])[0]
        self._index.change(number)

    def end(self, number: int, until_us: int, *, revoked: bool = False) -> None:
        """The current key is good for no reading from ``until_us`` on."""
        self._current["until_us"][number] = min(until_us, int(self._current["until_us"][number]))
        self._current["revoked"][number] |= revoked

    def digest(self) -> bytes:
        """sha256 over all keys."""
        return hashlib.sha256(self._current.digest() + repr(sorted(self._former.items())).encode()).digest()


def check_key(kind: KeyKind, key: bytes) -> None:
    """That this is a public key of its kind; raises Invalid ``device.key``."""
    if len(key) != KEY_BYTES[kind] or not is_public_key(kind, key):
        raise Invalid("device.key", f"This is no public key of kind {kind}, which has {KEY_BYTES[kind]} bytes.")


def padded(keys: Sequence[bytes]) -> NDArray[np.uint8]:
    """Keys as rows of one width, zeros behind."""
    raw = b"".join(key.ljust(KEY_BYTES_MAX, b"\0") for key in keys)
    return np.frombuffer(raw, dtype=np.uint8).reshape(len(keys), KEY_BYTES_MAX)
