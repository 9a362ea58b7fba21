"""What was received before: the same reading again, or another about a time already counted."""

from __future__ import annotations

from typing import Final

from penstock.energy.checks.findings import Findings, Ints, marked
from penstock.energy.verdict import ReadingVerdict

NOT_SEEN: Final = -1


def seen_before(position_wh: Ints, seen_wh: Ints) -> Findings:
    """``seen_wh`` is where a stored reading of that register and instant stands, `NOT_SEEN` where there is none.

    Equal is a duplicate (two ways, one count); unequal is revised history and waits for somebody to decide.
    """
    again = (seen_wh != NOT_SEEN) & (position_wh == seen_wh)
    otherwise = (seen_wh != NOT_SEEN) & (position_wh != seen_wh)
    return marked(again, ReadingVerdict.DUPLICATE) | marked(otherwise, ReadingVerdict.REVISED)
