"""Facts of the quarantine: somebody looked into why messages or readings wait, and let them be judged again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from penstock.journal.kinds.energy import Tally
from penstock.journal.segment import SegmentRef


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
class ReadingsReviewed:
    """A day that is over was looked at as a whole: its readings that count by the first ``facts`` facts, by ``rules``.

    ``day_us`` is its date, at 00:00 UTC; of each place the day by the sun of that date. The segment (``review/1``)
    names registers of which something was found, from which reading on; ``registers`` and ``readings`` were looked at.
    What quarantines holds its register from that reading on: nothing of it is certified until somebody decides.
    """

    KIND: ClassVar[str] = "readings.reviewed"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    day_us: int
    facts: int
    rules: str
    registers: int
    readings: int
    findings: tuple[Tally, ...]


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
