"""Messages one after another in a stream of bytes: CBOR items (RFC 8742) or lines, cut apart as the bytes come in.

Memory is bounded by one message: what is longer, or nested as no message of ours is, ends the stream.
"""

from __future__ import annotations

from typing import Final, Protocol

from penstock.connect.envelope import MESSAGE_BYTES_MAX, too_long
from penstock.errors import Invalid

HEADS_MAX: Final = 32
"""CBOR heads in one message: a COSE_Sign1 has eight, its payload being one byte string."""
_INCOMPLETE: Final = -1


class Splitter(Protocol):
    """Cuts a stream into messages."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The messages that are complete with ``chunk``."""

    def finish(self) -> list[bytes]:
        """What the end of the stream completes."""


class CborItems:
    """The items of a CBOR sequence, each as its own bytes.

    Raises:
        Invalid: ``connect.not_a_sequence`` with the byte where it ends to be one, ``connect.message_too_long``.
            What was cut off before stands.
    """

    def __init__(self) -> None:
        self._kept, self._at = b"", 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The items that are complete with ``chunk``; a fault behind them is raised by the next call."""
        buffer, start = self._kept + chunk, 0
        items: list[bytes] = []
        while start < len(buffer):
            stop = _stop(buffer, start)
            if stop == _INCOMPLETE:
                break
            if stop < 0:
                if items:
                    break
                raise _fault(stop, self._at + start)
            items.append(buffer[start:stop])
            start = stop
        self._kept, self._at = buffer[start:], self._at + start
        return items

    def finish(self) -> list[bytes]:
        """Nothing more; raises where an item was cut short."""
        items = self.feed(b"")
        if self._kept:
            raise _fault(_MALFORMED, self._at)
        return items


class Lines:
    """Lines of text, without their ends; empty ones are skipped. Raises Invalid ``connect.message_too_long``."""

    def __init__(self) -> None:
        self._kept = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that ``chunk`` ends."""
        *lines, self._kept = (self._kept + chunk).split(b"\n")
        if len(self._kept) > MESSAGE_BYTES_MAX:
            raise too_long()
        return [line.rstrip(b"\r") for line in lines if line.strip()]

    def finish(self) -> list[bytes]:
        """The last line, where no line end follows it."""
        last, self._kept = self._kept.strip(), b""
        return [last] if last else []


class Whole:
    """A stream that is one message. Raises Invalid ``connect.message_too_long``."""

    def __init__(self) -> None:
        self._kept = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Nothing yet."""
        self._kept += chunk
        if len(self._kept) > MESSAGE_BYTES_MAX:
            raise too_long()
        return []

    def finish(self) -> list[bytes]:
        """The message."""
        return [self._kept.strip()] if self._kept.strip() else []


_MALFORMED: Final = -2
_TOO_LONG: Final = -3


def _fault(kind: int, at_byte: int) -> Invalid:
    if kind == _TOO_LONG:
        return too_long()
    return Invalid("connect.not_a_sequence", "From here on this is no sequence of CBOR messages.", at_byte=at_byte)


def _stop(buffer: bytes, start: int) -> int:
    """Where the item at ``start`` ends; negative where it is incomplete, malformed or too long (RFC 8949, 3).

    Counts the items that are still to come instead of descending into them, so that no depth costs anything.
    """
    at, left, heads = start, 1, 0
    while left:
        if at >= len(buffer):
            return _INCOMPLETE
        major, info = buffer[at] >> 5, buffer[at] & 31
        width = 0 if info < 24 else 1 << (info - 24)
        heads += 1
        if info > 27 or heads > HEADS_MAX:
            return _MALFORMED
        if at + 1 + width > len(buffer):
            return _INCOMPLETE
        argument = int.from_bytes(buffer[at + 1 : at + 1 + width], "big") if width else info
        at += 1 + width
        left -= 1
        if major in (2, 3):
            at += argument
        elif major in (4, 5, 6):
            left += (argument, 2 * argument, 1)[major - 4]
        if at - start > MESSAGE_BYTES_MAX:
            return _TOO_LONG
        if left > HEADS_MAX:
            return _MALFORMED
    return at if at <= len(buffer) else _INCOMPLETE
