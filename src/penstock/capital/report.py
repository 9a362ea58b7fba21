"""The report a deal reads each period: up to six attested measures, three in each packed word of the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from penstock.errors import Invalid

MEASURES: Final = 3
"""Measures of one page."""
PAGES_MAX: Final = 2
_LANE: Final = 2**64
_HALF: Final = 2**63
_U32: Final = 2**32


@dataclass(frozen=True, slots=True)
class Report:
    """Three or six signed measures [units the deal names], the instant they are as of and when they expire [s since
    1970]: a page of three, or two pages.

    A page is packed as the anchor holds it: measures in bits 0-63, 64-127, 128-191 (two's complement), as-of in
    192-223, expiry in 224-255. The second page is the report of the subject `page_subject` names.

    Raises:
        Invalid: ``report.out_of_range`` for a measure outside 64 signed bits or a time outside 32 bits.
    """

    measures: tuple[int, ...]
    as_of_s: int
    expiry_s: int

    def __post_init__(self) -> None:
        whole = len(self.measures) in (MEASURES, PAGES_MAX * MEASURES)
        fits = whole and all(-_HALF <= value < _HALF for value in self.measures)
        if not fits or not 0 <= self.as_of_s < _U32 or not 0 <= self.expiry_s < _U32:
            raise Invalid(
                "report.out_of_range", "A page has three signed 64-bit measures and two 32-bit times.", report=self
            )

    @classmethod
    def missing(cls) -> Self:
        """The report of a period nobody attested: the word 0, which is never fresh."""
        return cls((0, 0, 0), 0, 0)

    @classmethod
    def of(cls, values: Sequence[int], as_of_s: int, expiry_s: int) -> Self:
        """The report of so many values, filled up with zeros to whole pages. Raises as the class."""
        pages = max(1, -(-len(values) // MEASURES))
        return cls((*values, *[0] * (pages * MEASURES - len(values))), as_of_s, expiry_s)

    @property
    def pages(self) -> int:
        """How many words the anchor holds for it."""
        return len(self.measures) // MEASURES

    @property
    def words(self) -> tuple[int, ...]:
        """The packed 256-bit words, one a page."""
        return tuple(self._word(page) for page in range(self.pages))

    @property
    def word(self) -> int:
        """The word of the first page."""
        return self._word(0)

    def _word(self, page: int) -> int:
        values = self.measures[page * MEASURES :][:MEASURES]
        low = sum((value % _LANE) << (64 * i) for i, value in enumerate(values))
        return low | self.as_of_s << 192 | self.expiry_s << 224

    @classmethod
    def from_word(cls, word: int) -> Self:
        """The report of one page in a packed word.

        Raises:
            Invalid: ``report.out_of_range`` for a word outside 256 bits.
        """
        return cls.from_words((word,))

    @classmethod
    def from_words(cls, words: Sequence[int]) -> Self:
        """The report in the words of its pages: it expires with the first of them.

        Pages as of different instants are never a fresh report together: it then is as of 0, no period's end.

        Raises:
            Invalid: ``report.out_of_range`` for a word outside 256 bits, or more than two.
        """
        if not 1 <= len(words) <= PAGES_MAX or not all(0 <= word < 2**256 for word in words):
            raise Invalid("report.out_of_range", "A packed report is one 256-bit word a page, at most two.")
        measures = tuple(_signed(word >> (64 * i) & (_LANE - 1)) for word in words for i in range(MEASURES))
        as_of_s = {word >> 192 & (_U32 - 1) for word in words}
        return cls(measures, as_of_s.pop() if len(as_of_s) == 1 else 0, min(word >> 224 for word in words))

    def is_fresh(self, period_end_s: int, now_s: int) -> bool:
        """Whether it speaks of this period's end and has not expired; one second past expiry is stale."""
        return self.as_of_s == period_end_s and self.expiry_s > now_s


def _signed(lane: int) -> int:
    return lane - _LANE if lane >= _HALF else lane


def page_subject(deal: bytes, page: int) -> bytes:
    """The address under which the anchor holds a page (0 or 1) of a deal's report: the deal's own, last bit flipped."""
    return deal[:-1] + bytes((deal[-1] ^ page,))
