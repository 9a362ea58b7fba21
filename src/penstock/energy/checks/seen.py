"""What was received before: the same reading again, or another about a time already counted."""

from __future__ import annotations

from typing import Final

import numpy as np

from penstock.energy.checks.findings import Bools, Findings, Ints, bit, marked
from penstock.energy.verdict import ReadingVerdict

NOT_SEEN: Final = -1
_UNFIT: Final = sum(
    1 << verdict
    for verdict in (
        ReadingVerdict.REGISTER_BACKWARD,
        ReadingVerdict.OVER_CAPACITY,
        ReadingVerdict.ROLLED_OVER,
        ReadingVerdict.RESET,
    )
)


def seen_before(position_wh: Ints, seen_wh: Ints) -> Findings:
    """``seen_wh`` is where a stored reading of that register and instant stands, `NOT_SEEN` where there is none.

    Equal is a duplicate (two ways, one count); unequal is revised history and waits for somebody to decide.
    """
    again = (seen_wh != NOT_SEEN) & (position_wh == seen_wh)
    otherwise = (seen_wh != NOT_SEEN) & (position_wh != seen_wh)
    return marked(again, ReadingVerdict.DUPLICATE) | marked(otherwise, ReadingVerdict.REVISED)


def revised_waits(findings: Findings, starts: Ints, revised: Bools) -> Findings:
    """Findings of rows sorted by register where some are ``revised``: those wait, though their time is past.

    What came after one of its register, and does not fit the count that the source takes back, is not refused for
    that: it waits with it.
    """
    so_far = np.cumsum(revised)
    before: Ints = np.repeat(so_far[starts] - revised[starts], np.diff(np.r_[starts, len(findings)]))
    fitting = np.where(so_far > before, findings & ~np.uint32(_UNFIT), findings)
    return np.where(revised, bit(ReadingVerdict.REVISED), fitting)
