"""A site's balance: what the meters below one count, against what that one counts."""

from __future__ import annotations

from typing import Final

import numpy as np

from penstock.energy.checks.findings import Findings, Ints, marked
from penstock.energy.checks.step import Steps
from penstock.energy.verdict import ReadingVerdict

NO_PARENT: Final = -1
TOLERANCE_PERCENT: Final = 2
"""Two meters of accuracy class B (1 %, MID 2014/32/EU, annex V), one erring up, one down."""


def site_balance(steps: Steps, parent_of: Ints) -> Findings:
    """Noted on a checking register's steps where the registers below it do not come to the same.

    ``parent_of`` is, by register number, the register that checks it, or `NO_PARENT`. Compared are the steps of a
    checking register for which each register below has a step from the same instant to the same instant; the tolerance
    is two parts in a hundred and one Wh a register.
    """
    parent = _parents(steps.register, parent_of)
    below = np.flatnonzero(parent != NO_PARENT)
    found = np.zeros(len(steps), dtype=np.bool_)
    expected = np.bincount(parent_of[parent_of != NO_PARENT], minlength=len(parent_of)) if len(below) else None
    if expected is not None:
        above = np.flatnonzero(_children(steps.register, expected) > 0)
        keys = np.stack(
            [
                np.r_[steps.register[above], parent[below]],
                np.r_[steps.at0_us[above], steps.at0_us[below]],
                np.r_[steps.at_us[above], steps.at_us[below]],
            ]
        )
        _, place = np.unique(keys, axis=1, return_inverse=True)
        place = place.ravel()
        counted = np.bincount(place[len(above) :], minlength=place.max() + 1)
        total = np.zeros(place.max() + 1, dtype=np.int64)
        np.add.at(total, place[len(above) :], steps.energy_wh[below])
        children, energy = expected[steps.register[above]], steps.energy_wh[above]
        tolerance = energy * TOLERANCE_PERCENT // 100 + children + 1
        differs = np.abs(total[place[: len(above)]] - energy) > tolerance
        found[above] = differs & (counted[place[: len(above)]] == children)
    return marked(found, ReadingVerdict.SITE_BALANCE)


def _parents(register: Ints, parent_of: Ints) -> Ints:
    known = register < len(parent_of)
    return np.where(known, parent_of[np.where(known, register, 0)] if len(parent_of) else NO_PARENT, NO_PARENT)


def _children(register: Ints, expected: Ints) -> Ints:
    known = register < len(expected)
    return np.where(known, expected[np.where(known, register, 0)], 0)
