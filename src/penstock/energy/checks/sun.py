"""The sky's bound: no solar energy at night, and over a day no more than a clear sky gives - scored by energy.

No single point decides. A reading at the edge of a cloud beats the clear sky for minutes, honestly; a day does not.
"""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, eq=False)
class SkySteps:
    """Steps whose bound is known: their ``rows`` among all, ``plane``, solar ``day``, and ``most_wh``, the bound."""

    rows: Ints
    plane: Ints
    day: Ints
    most_wh: Ints

    @classmethod
    def of(cls, steps: Steps, bounds: Bounds) -> SkySteps:
        """Of planes that have bounds, from and to instants on their grid."""
        plane = bounds.planes(steps.device, steps.capacity_w)
        rows = np.flatnonzero((plane != NO_PLANE) & bounds.covers(steps.at0_us) & bounds.covers(steps.at_us))
        plane, at = plane[rows], steps.at_us[rows]
        most = bounds.most_wh(plane, steps.at0_us[rows], at, steps.capacity_w[rows])
        return cls(rows, plane, bounds.day(plane, at), most)

    def so_far(self, steps: Steps, bounds: Bounds, last_at_us: Ints, above_wh: Ints | None) -> Ints:
        """Energy above the bound so far, over the steps of each register's solar day [Wh]; one for each of ``rows``.

        ``last_at_us`` and ``above_wh``, by register number, are where each stood before these steps and what it had
        above the bound by then: it goes on where the day is the same. So a day comes to the same in one batch or many.
        """
        above = np.maximum(steps.energy_wh[self.rows] - self.most_wh, 0)
        register = steps.register[self.rows]
        starts = runs(register, self.day)
        total = np.cumsum(above)
        begin = np.r_[0, total][starts]
        if above_wh is not None:
            first = register[starts]
            same_day = bounds.day(self.plane[starts], last_at_us[first]) == self.day[starts]
            begin = begin - np.where(same_day, above_wh[first], 0)
        so_far: Ints = total - spread(begin, starts, len(total))
        return so_far


def under_the_sky(steps: Steps, sky: SkySteps, bounds: Bounds, so_far: Ints) -> Findings:
    """AT_NIGHT and ABOVE_CLEAR_SKY for steps of planes whose bound is known (pvlib, Ineichen-Perez; ``bounds``).

    Night: more than a register's quantum and five parts in a thousand of capacity while the sun was down throughout.
    Clear sky: energy above the bound (``so_far``, step by step over the solar day) passes six hundredths of the day's
    bound.
    """
    findings, rows = np.zeros(len(steps), dtype=np.uint32), sky.rows
    if len(rows):
        energy, capacity = steps.energy_wh[rows], steps.capacity_w[rows]
        elapsed = np.minimum(steps.elapsed_us[rows], DAY_US)
        noise = QUANTUM_WH + capacity * elapsed // (HOUR_US * 1_000 // NIGHT_PERMILLE)
        starts = runs(steps.register[rows], sky.day)
        whole = bounds.day_most_wh(sky.plane[starts], sky.day[starts], steps.capacity_w[rows[starts]])
        allowed = QUANTUM_WH + np.maximum(spread(whole, starts, len(rows)), sky.most_wh) * EXCESS_PERCENT // 100
        night = marked((sky.most_wh == 0) & (energy > noise), ReadingVerdict.AT_NIGHT)
        findings[rows] = night | marked(so_far > allowed, ReadingVerdict.ABOVE_CLEAR_SKY)
    return findings
