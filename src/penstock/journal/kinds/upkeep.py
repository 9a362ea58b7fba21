"""Facts of the record's upkeep: readings erased, segments put together. No fact before them changes by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from penstock.journal.segment import SegmentRef


@dataclass(frozen=True, slots=True)
class ReadingsErased:
    """Readings, and the messages that brought them, are gone; segment ``standing/1`` says where their registers stood.

    ``reason`` is ``asked`` or ``retention``. Rows of days before ``before_us`` are gone, of all days where it is 0.
    ``guessable`` of the rows had no salt: who guesses one right can still confirm it by its leaf hash.
    """

    KIND: ClassVar[str] = "readings.erased"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    reason: str
    before_us: int
    messages: int
    readings: int
    guessable: int


@dataclass(frozen=True, slots=True)
class SegmentsCompacted:
    """The rows of so many segments lay in ``files_before`` files, now in ``files_after``; no root changed."""

    KIND: ClassVar[str] = "segments.compacted"
    VERSION: ClassVar[int] = 1
    segments: int
    files_before: int
    files_after: int
