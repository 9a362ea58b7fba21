"""A strict reader of core deterministic CBOR (RFC 8949, 4.2.1): of each value one encoding, and bounded nesting.

General decoders take many encodings of a value, run as deep as the bytes say and know tags that compute. What is
signed, hashed and kept here must be none of that, so it is read by this: integers, byte and text strings, arrays,
maps. Writing is the library's (``cbor2.dumps(..., canonical=True)``).
"""

from __future__ import annotations

from typing import Any, Final

DEPTH_MAX: Final = 4
_WIDTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}
_FEWEST: Final = {1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}
"""The least number that needs so many bytes behind its head: a smaller one must not use them."""


def read(data: bytes) -> Any:
    """The one value that ``data`` encodes; ValueError for anything else."""
    value, end = read_item(data, 0, DEPTH_MAX)
    if end != len(data):
        raise ValueError("bytes behind the end")
    return value


def read_item(data: bytes, at: int, depth: int = DEPTH_MAX) -> tuple[Any, int]:
    """The value that begins at ``at`` and where it ends."""
    major, number, at = read_head(data, at)
    if major == 0:
        return number, at
    if major == 1:
        return -1 - number, at
    if major in (2, 3):
        return _string(data, at, at + number, major)
    if depth == 0 or number > len(data) - at:
        raise ValueError("too deep, or cut short")
    if major == 4:
        return _array(data, at, number, depth - 1)
    if major == 5:
        return _map(data, at, number, depth - 1)
    raise ValueError("a tag or simple value")


def read_head(data: bytes, at: int) -> tuple[int, int, int]:
    """Major type and number of the head at ``at``, in its shortest form, and where it ends."""
    if at >= len(data):
        raise ValueError("cut short")
    major, number = data[at] >> 5, data[at] & 31
    if number < 24:
        return major, number, at + 1
    width = _WIDTHS.get(number, 0)
    end = at + 1 + width
    number = int.from_bytes(data[at + 1 : end], "big")
    if not width or end > len(data) or number < _FEWEST[width]:
        raise ValueError("no shortest form of definite length")
    return major, number, end


def _string(data: bytes, start: int, end: int, major: int) -> tuple[bytes | str, int]:
    if end > len(data):
        raise ValueError("cut short")
    part = data[start:end]
    return (part if major == 2 else part.decode()), end


def _array(data: bytes, at: int, count: int, depth: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    for _ in range(count):
        major, item, end = read_head(data, at)
        if major != 0:  # counts are most of what comes: they go without another call
            item, end = read_item(data, at, depth)
        items.append(item)
        at = end
    return items, at


def _map(data: bytes, at: int, count: int, depth: int) -> tuple[dict[Any, Any], int]:
    """Keys are integers or strings, in ascending order of their encoding, each once."""
    items: dict[Any, Any] = {}
    before = b""
    for _ in range(count):
        start = at
        key, at = read_item(data, at, 0)
        if data[start:at] <= before:
            raise ValueError("keys out of order")
        before = data[start:at]
        items[key], at = read_item(data, at, depth)
    return items, at
