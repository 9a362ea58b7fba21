"""Power against register: what a meter says it delivered, and what it counted."""

from __future__ import annotations

from typing import Final

import numpy as np

from penstock.energy.checks.findings import Findings, marked
from penstock.energy.checks.step import Steps, runs, spread
from penstock.energy.message import NO_POWER
from penstock.energy.verdict import ReadingVerdict
from penstock.period import DAY_US, SECOND_US

_MWH: Final = 1_000
_MOST_MW: Final = 1 << 40
_HALF_HOURS_S: Final = 7_200


def power_differs(steps: Steps) -> Findings:
    """Within a message, power integrated over time (trapezoids) against what the register counted.

    Tolerance: the register's quantum, seen as the greatest common divisor of its steps, and half a step at each end,
    since a power is a moment's and the register's last digit turned at another.
    """
    said = (steps.joined != 0) & (steps.power_mw != NO_POWER) & (steps.power0_mw != NO_POWER)
    rows = np.flatnonzero(said & (steps.elapsed_us <= DAY_US))
    found = np.zeros(len(steps), dtype=np.bool_)
    starts = runs(steps.register[rows], steps.message[rows])
    if len(rows):
        power, power0 = (np.minimum(each[rows], _MOST_MW) for each in (steps.power_mw, steps.power0_mw))
        elapsed_s = steps.elapsed_us[rows] // SECOND_US
        counted_wh = steps.energy_wh[rows]
        integral_mwh = np.add.reduceat((power + power0) * elapsed_s // _HALF_HOURS_S, starts)
        ends = np.r_[starts[1:], len(rows)] - 1
        half_steps_mwh = (power0[starts] * elapsed_s[starts] + power[ends] * elapsed_s[ends]) // _HALF_HOURS_S
        quantum_wh = np.maximum(np.gcd.reduceat(counted_wh, starts), 1)
        differs_mwh = np.abs(integral_mwh - np.add.reduceat(counted_wh, starts) * _MWH)
        found[rows] = spread(differs_mwh > quantum_wh * _MWH + half_steps_mwh, starts, len(rows))
    return marked(found, ReadingVerdict.POWER_DIFFERS)
