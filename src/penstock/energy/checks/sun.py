"""The sky's bound: no solar energy at night, and over a day no more than a clear sky gives - scored by energy.

No single point decides. A reading at the edge of a cloud beats the clear sky for minutes, honestly; a day does not.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from penstock.energy.checks.bounds import NO_PLANE, Bounds
from penstock.energy.checks.findings import Findings, Ints, marked
from penstock.energy.checks.step import Steps, runs, spread
from penstock.energy.verdict import ReadingVerdict
from penstock.period import DAY_US, HOUR_US

EXCESS_PERCENT: Final = 6
"""How much energy over the bound a day may have, of the day's bound. Of a thousand honest days the worst has 4.6."""
NIGHT_PERMILLE: Final = 5
"""How much power at night may be noise, of capacity."""
QUANTUM_WH: Final = 2


def under_the_sky(steps: Steps, bounds: Bounds, day_at_us: Ints, day_wh: Ints) -> Findings:
    """AT_NIGHT and ABOVE_CLEAR_SKY for steps of planes whose bound is known (pvlib, Ineichen-Perez; ``bounds``).

    Night: more than a register's quantum and five parts in a thousand of capacity while the sun was down throughout.
    Clear sky: energy above the bound, step by step over the solar day as far as the batch shows it, or from where the
    day began (``day_at_us``, ``day_wh``, for each step) to now, passes six hundredths of the day's bound.
    """
    plane = bounds.planes(steps.device, steps.capacity_w)
    scored = (plane != NO_PLANE) & bounds.covers(steps.at0_us) & bounds.covers(steps.at_us)
    rows = np.flatnonzero(scored)
    findings = np.zeros(len(steps), dtype=np.uint32)
    if len(rows):
        plane, capacity = plane[rows], steps.capacity_w[rows]
        at0, at, energy = steps.at0_us[rows], steps.at_us[rows], steps.energy_wh[rows]
        most = bounds.most_wh(plane, at0, at, capacity)
        noise = QUANTUM_WH + capacity * np.minimum(at - at0, DAY_US) // HOUR_US * NIGHT_PERMILLE // 1_000
        night = (most == 0) & (energy > noise)
        day_most = bounds.day_most_wh(plane, at, capacity)
        score = np.maximum(
            _over_the_day(steps.register[rows], bounds.day(plane, at), energy - most),
            _since_day_began(bounds, plane, capacity, at, steps.wh[rows], day_at_us[rows], day_wh[rows]),
        )
        allowed = QUANTUM_WH + np.maximum(day_most, most) * EXCESS_PERCENT // 100
        findings[rows] = marked(night, ReadingVerdict.AT_NIGHT) | marked(
            score > allowed, ReadingVerdict.ABOVE_CLEAR_SKY
        )
    return findings


def _over_the_day(register: Ints, day: Ints, above: Ints) -> Ints:
    """Energy above the bound so far, over the steps of each register's day [Wh]."""
    starts = runs(register, day)
    total = np.cumsum(np.maximum(above, 0))
    before = np.r_[0, total][starts]
    so_far: Ints = total - spread(before, starts, len(total))
    return so_far


def _since_day_began(
    bounds: Bounds, plane: Ints, capacity: Ints, at: Ints, wh: Ints, day_at: Ints, day_wh: Ints
) -> Ints:
    """Energy above the bound from where each day began, as one step [Wh]; 0 where that is not known."""
    known = bounds.covers(day_at) & (bounds.day(plane, at) - bounds.day(plane, day_at) <= 1)
    above = np.zeros(len(at), dtype=np.int64)
    chosen = np.flatnonzero(known)
    most = bounds.most_wh(plane[chosen], day_at[chosen], at[chosen], capacity[chosen])
    above[chosen] = wh[chosen] - day_wh[chosen] - most
    return above
