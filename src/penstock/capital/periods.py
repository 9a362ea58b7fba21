"""Which period of a deal's calendar an instant falls in."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.capital.deal import Deal
from penstock.capital.decode import decode
from penstock.errors import Invalid
from penstock.period import SECOND_US, Period

PERIODS_MAX: Final = 50_000
"""No calendar is looked through further than this: 136 years of days."""


class Periods:
    """The periods of a deal, numbered from 0: as its business days say, then as its program's formula goes on."""

    def __init__(self, deal: Deal, program: bytes) -> None:
        self._layout = decode(program).layout
        self.start_us = deal.calendar.start_s * SECOND_US
        self._ends_us = [end_s * SECOND_US for end_s in deal.calendar.ends_s]

    def of(self, number: int) -> Period:
        """A period. Raises Invalid ``period.beyond`` for a number no calendar of ours reaches."""
        if not 0 <= number < PERIODS_MAX:
            raise Invalid("period.beyond", "There is no such period.", period=number)
        self._reach(number)
        return Period(self._ends_us[number - 1] if number else self.start_us, self._ends_us[number])

    def at(self, at_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """In which period a dollar counts that came at each instant: one of a period's last instant is its own.

        What came before the first period counts in it. Raises as `of`.
        """
        latest = int(at_us.max(initial=0))
        while not self._ends_us or self._ends_us[-1] < latest:
            self.of(2 * len(self._ends_us) + 1)
        ends_us = np.array(self._ends_us, dtype=np.int64)
        found: NDArray[np.int64] = np.searchsorted(ends_us, at_us, side="left").astype(np.int64)
        return found

    def number(self, at_us: int) -> int:
        """As `at`, of one instant."""
        return int(self.at(np.array([at_us], dtype=np.int64))[0])

    def _reach(self, number: int) -> None:
        for place in range(len(self._ends_us), number + 1):
            self._ends_us.append(self._layout.starts_s(place + 1) * SECOND_US)
