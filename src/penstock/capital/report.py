"""The report a deal reads each period: three attested measures in one packed word of the chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from penstock.errors import Invalid

MEASURES: Final = 3
_LANE: Final = 2**64
_HALF: Final = 2**63
_U32: Final = 2**32


@dataclass(frozen=True, slots=True)
class Report:
    """Three signed measures [units the deal names], the instant they are as of and when they expire [s since 1970].

    Packed as the anchor holds it: measures in bits 0-63, 64-127, 128-191 (two's complement), as-of in 192-223,
    expiry in 224-255.

    Raises:
        Invalid: ``report.out_of_range`` for a measure outside 64 signed bits or a time outside 32 bits.
    """

    measures: tuple[int, int, int]
    as_of_s: int
    expiry_s: int

    def __post_init__(self) -> None:
        fits = len(self.measures) == MEASURES and all(-_HALF <= value < _HALF for value in self.measures)
        if not fits or not 0 <= self.as_of_s < _U32 or not 0 <= self.expiry_s < _U32:
            raise Invalid(
                "report.out_of_range", "A report has three signed 64-bit measures and two 32-bit times.", report=self
            )

    @classmethod
    def missing(cls) -> Self:
        """The report of a period nobody attested: the word 0, which is never fresh."""
        return cls((0, 0, 0), 0, 0)

    @property
    def word(self) -> int:
        """The packed 256-bit word."""
        low = sum((value % _LANE) << (64 * i) for i, value in enumerate(self.measures))
        return low | self.as_of_s << 192 | self.expiry_s << 224

    @classmethod
    def from_word(cls, word: int) -> Self:
        """The report in a packed word.

        Raises:
            Invalid: ``report.out_of_range`` for a word outside 256 bits.
        """
        if not 0 <= word < 2**256:
            raise Invalid("report.out_of_range", "A packed report is one 256-bit word.")
        first, second, third = (_signed(word >> (64 * i) & (_LANE - 1)) for i in range(MEASURES))
        return cls((first, second, third), word >> 192 & (_U32 - 1), word >> 224)

    def is_fresh(self, period_end_s: int, now_s: int) -> bool:
        """Whether it speaks of this period's end and has not expired; one second past expiry is stale."""
        return self.as_of_s == period_end_s and self.expiry_s > now_s


def _signed(lane: int) -> int:
    return lane - _LANE if lane >= _HALF else lane
