"""RLP of what this chain makes itself (yellow paper, appendix B): bytes, integers and lists, with no types to infer.

The general codec reads what comes from outside; writing with it cost a tenth of a block's time.
"""

from __future__ import annotations

from collections.abc import Sequence

Item = bytes | int | Sequence["Item"]


def encode(item: Item) -> bytes:
    """The RLP of bytes, of a non-negative integer, or of a list of such."""
    if isinstance(item, bytes):
        return encode_bytes(item)
    if isinstance(item, int):
        return encode_int(item)
    return encode_list(b"".join(map(encode, item)))


def encode_bytes(raw: bytes) -> bytes:
    """The RLP of a byte string (yellow paper, appendix B)."""
    return raw if len(raw) == 1 and raw[0] < 0x80 else _headed(0x80, raw)


def encode_list(payload: bytes) -> bytes:
    """The RLP of a list of which ``payload`` are the encoded items."""
    return _headed(0xC0, payload)


def encode_int(number: int) -> bytes:
    """The RLP of a non-negative integer."""
    return encode_bytes(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _headed(kind: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 56:
        return bytes((kind + size,)) + payload
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((kind + 55 + len(length),)) + length + payload
