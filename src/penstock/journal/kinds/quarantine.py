"""Facts of the quarantine: somebody looked into why messages or readings wait, and let them be judged again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class QuarantineLifted:
    """Readings of ``registers`` up to ``until_us`` are judged again, and ``overruled`` findings no longer hold them.

    The facts ``readings.verified`` that follow at once say what they came to. ``by`` decided so, for ``reason``.
    """

    KIND: ClassVar[str] = "quarantine.lifted"
    VERSION: ClassVar[int] = 1
    registers: tuple[str, ...]
    until_us: int
    overruled: tuple[str, ...]
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class GapAccepted:
    """The messages of ``device`` before number ``sequence`` are given up: its chain goes on with that one.

    ``previous`` is the hash that message names as the one before it. Energy counted meanwhile is not lost: the
    register counts on.
    """

    KIND: ClassVar[str] = "quarantine.gap_accepted"
    VERSION: ClassVar[int] = 1
    device: str
    sequence: int
    previous: bytes
    by: str
    reason: str
