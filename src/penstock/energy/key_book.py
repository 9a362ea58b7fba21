"""The public keys of devices: the current one of each as columns, the former ones of the few that have any."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Invalid
from penstock.journal.growing import Growing, Layout
from penstock.keys import KEY_BYTES, KEY_KINDS, KeyKind
from penstock.units import INT64_MAX

KEY_BYTES_MAX: Final = max(KEY_BYTES.values())
ALWAYS: Final = INT64_MAX
_WIDTHS: Final = np.array([KEY_BYTES[kind] for kind in KEY_KINDS])
_KEY: Final = {
    "kind": Layout("uint8"),
    "bytes": Layout("uint8", 0, KEY_BYTES_MAX),
    "since_us": Layout("int64"),
    "until_us": Layout("int64", ALWAYS),
}


@dataclass(frozen=True, slots=True)
class KeySpan:
    """A key and when it is valid for readings: ``[since_us, until_us)``."""

    kind: KeyKind
    key: bytes
    since_us: int
    until_us: int


class KeyBook:
    """Each device's current key, by device number, and its former keys."""

    def __init__(self) -> None:
        self._current = Growing(_KEY)
        self._former: dict[int, tuple[KeySpan, ...]] = {}

    def view(self, name: str) -> NDArray[Any]:
        """A column of the current keys: kind, since_us, until_us."""
        return self._current.view(name)

    def add(self, keys: Sequence[bytes], kind: KeyKind) -> None:
        """The keys of new devices, in order, all of one kind; raises Invalid ``device.key``."""
        for key in keys:
            check_key(kind, key)
        rows = padded(keys)
        self._current.add(len(rows), kind=KEY_KINDS.index(kind), bytes=rows)

    def keys(self, numbers: NDArray[Any]) -> list[bytes]:
        """The current keys of devices."""
        raw, width = self._current["bytes"][numbers].tobytes(), KEY_BYTES_MAX
        ends = np.arange(0, len(numbers) * width, width) + _WIDTHS[self._current["kind"][numbers]]
        return [raw[row * width : end] for row, end in enumerate(ends.tolist())]

    def former(self, number: int) -> tuple[KeySpan, ...]:
        """A device's former keys, oldest first."""
        return self._former.get(number, ())

    def digest(self) -> bytes:
        """sha256 over all keys."""
        return hashlib.sha256(self._current.digest() + repr(sorted(self._former.items())).encode()).digest()


def check_key(kind: KeyKind, key: bytes) -> None:
    """That a key has its kind's length; raises Invalid ``device.key``."""
    if len(key) != KEY_BYTES[kind]:
        raise Invalid("device.key", f"A public key of kind {kind} has {KEY_BYTES[kind]} bytes.")


def padded(keys: Sequence[bytes]) -> NDArray[np.uint8]:
    """Keys as rows of one width, zeros behind."""
    raw = b"".join(key.ljust(KEY_BYTES_MAX, b"\0") for key in keys)
    return np.frombuffer(raw, dtype=np.uint8).reshape(len(keys), KEY_BYTES_MAX)
