"""Twin devices: the same readings under two names."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.energy.checks.findings import Findings, Ints, marked
from penstock.energy.checks.step import Steps, runs
from penstock.energy.verdict import ReadingVerdict

TWIN_STEPS: Final = 16
TWIN_VALUES: Final = 8
"""So many different energies it takes: regulated devices may well count the same."""
_ODD: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def twin_devices(steps: Steps) -> Findings:
    """Sixteen moving steps or more, all at the same times with the same energies as another device's of this batch.

    Who came first keeps counting; who came later waits. Positions need not agree: a twin copies what was counted.
    """
    moving = np.flatnonzero(steps.energy_wh > 0)
    register, at, energy = steps.register[moving], steps.at_us[moving], steps.energy_wh[moving]
    starts = runs(register)
    lengths = np.diff(np.r_[starts, len(moving)])
    if not np.any(lengths >= TWIN_STEPS):
        return np.zeros(len(steps), dtype=np.uint32)
    sums = np.add.reduceat(_mixed(at, energy), starts)
    order = np.lexsort((steps.row[moving][starts], lengths, sums))
    order = order[lengths[order] >= TWIN_STEPS]
    found: set[int] = set()
    for first, second in pairwise(order.tolist()):
        if sums[first] == sums[second] and lengths[first] == lengths[second]:
            one, other = (slice(starts[each], starts[each] + lengths[each]) for each in (first, second))
            if _same(at[one], at[other]) and _same(energy[one], energy[other]) and _varied(energy[one]):
                found.add(int(register[starts[second]]))
    return marked(np.isin(steps.register, list(found)), ReadingVerdict.TWIN)


def _same(one: Ints, other: Ints) -> bool:
    return bool(np.array_equal(one, other))


def _varied(energy: Ints) -> bool:
    return len(np.unique(energy)) >= TWIN_VALUES


def _mixed(at_us: Ints, energy_wh: Ints) -> NDArray[np.uint64]:
    """A well-mixed word for each (instant, energy): finder of candidates, which are then compared in full."""
    word = at_us.astype(np.uint64) * _ODD[0] + energy_wh.astype(np.uint64) * _ODD[1]
    word = (word ^ (word >> np.uint64(30))) * _ODD[1]
    word = (word ^ (word >> np.uint64(27))) * _ODD[2]
    mixed: NDArray[np.uint64] = word ^ (word >> np.uint64(31))
    return mixed
