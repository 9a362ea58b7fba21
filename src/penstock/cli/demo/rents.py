"""Modelled rents of accelerators by day: what is left of the value of a new one, and what a day of standing by earns.

Nothing here is measured. Both courses are what such a market does; which of them a week has is asked for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

E8: Final = 10**8
STANDBY_USDC_MICRO: Final = 4_000_000
"""What an accelerator that stands by earns a day when rents are what they were at signing."""
SOURCE: Final = "modelled: an index of accelerator rents, demo-1"
MARK: Final = "value/accelerator"
SPEAKS_S: Final = 2 * 86_400
_BP: Final = {
    "cheap": (7_200, 6_200, 5_800, 6_100, 6_600, 6_800, 6_900),
    "median": (9_500, 9_450, 9_500, 9_550, 9_500, 9_450, 9_500),
}
"""By local day from Monday, of what rents were at signing."""


class Rents(StrEnum):
    """Which course a week's rents take."""

    CHEAP = "cheap"
    MEDIAN = "median"


def mark_e8(rents: Rents, day: int) -> int:
    """The index at the end of a day of the week, from 0 [hundred-millionths of what it was at signing]."""
    return _BP[rents][day] * (E8 // 10_000)


def standby_usdc_micro(rents: Rents, day: int, accelerators: int) -> int:
    """What a day of standing by costs who reserved the accelerators, whether or not they answered [micro-dollars]."""
    return accelerators * STANDBY_USDC_MICRO * mark_e8(rents, day) // E8
