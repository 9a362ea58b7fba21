"""Flat lines and frozen registers: no variation where there should be some."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from penstock.energy.checks.findings import Bools, Findings, Ints, marked
from penstock.energy.checks.step import Steps, runs, spread
from penstock.energy.verdict import ReadingVerdict
from penstock.journal.words import TECHNOLOGIES, Technology
from penstock.period import HOUR_US

FLAT_STEPS: Final = 12
FLAT_US: Final = 3 * HOUR_US
FROZEN_TRANSACTIONS: Final = 2
"""How many charging transactions in a row a register may stand still."""
_NEAR_CAPACITY_PERCENT: Final = 90  # an inverter that clips is flat by right
_SAME_PERMILLE: Final = 2
_WEATHER: Final = tuple(TECHNOLOGIES.index(one) for one in (Technology.SOLAR_PV, Technology.WIND))
CHARGER: Final = TECHNOLOGIES.index(Technology.CHARGER)


def flat_line(steps: Steps) -> Findings:
    """Twelve steps and three hours of the same energy (to a Wh or two parts in a thousand), well below capacity.

    Asked of sun and wind alone: weather varies. Noted, since a regulated plant can be flat.
    """
    energy, elapsed = steps.energy_wh, steps.elapsed_us
    same = np.r_[False, _alike(steps, energy, elapsed)] if len(steps) else np.zeros(0, dtype=np.bool_)
    starts = np.flatnonzero(~same)
    if not len(starts):
        return np.zeros(0, dtype=np.uint32)
    long = np.diff(np.r_[starts, len(steps)]) >= FLAT_STEPS
    lasting = np.add.reduceat(elapsed, starts) >= FLAT_US
    return marked(spread(long & lasting, starts, len(steps)), ReadingVerdict.FLAT)


def _alike(steps: Steps, energy: Ints, elapsed: Ints) -> Bools:
    """Whether each step but the first is as the one before it."""
    most_wh = steps.capacity_w[1:].astype(np.float64) * elapsed[1:] / HOUR_US * _NEAR_CAPACITY_PERCENT / 100
    near = np.abs(energy[1:] - energy[:-1]) <= np.maximum(energy[1:] // (1_000 // _SAME_PERMILLE), 1)
    asked = np.isin(steps.technology[1:], _WEATHER) & (energy[1:] > FLAT_STEPS) & (energy[1:] < most_wh)
    alike: Bools = (steps.register[1:] == steps.register[:-1]) & (elapsed[1:] == elapsed[:-1]) & near & asked
    return alike


def standing_still(register: Ints, message: Ints, position_wh: Ints, still_before: Ints) -> Findings:
    """Chargers: a message whose readings stand at one value is noted; the third such in a row is refused.

    Rows are sorted by register, in order of arrival, whatever else was found of them: a frozen meter is frozen in 1970
    too. ``still_before`` is, for each row, how many messages of its register stood at one value before this batch,
    if the register still stands there, else 0.
    """
    stands = messages_still(register, message, position_wh, still_before)
    times = spread(stands.times, stands.starts, len(register))
    frozen, zero = times > FROZEN_TRANSACTIONS, times > 0
    return marked(frozen, ReadingVerdict.REGISTER_FROZEN) | marked(zero, ReadingVerdict.ZERO_ENERGY)


class Still(NamedTuple):
    """Messages: where the rows of each begin, how many in a row stood at one value by then, and where it ended [Wh]."""

    starts: Ints
    times: Ints
    most_wh: Ints


def messages_still(register: Ints, message: Ints, position_wh: Ints, still_before: Ints) -> Still:
    """How often registers stood still, message by message; arguments as of `standing_still`."""
    starts = runs(register, message)
    if not len(starts):
        return Still(starts, starts, starts)
    least, most = np.minimum.reduceat(position_wh, starts), np.maximum.reduceat(position_wh, starts)
    return Still(starts, _times_in_a_row(register[starts], least, most, still_before[starts]), most)


def _times_in_a_row(register: Ints, least: Ints, most: Ints, before: Ints) -> Ints:
    """How many messages in a row stood at one and the same value, this one included; 0 where it moved."""
    still = least == most
    begins = np.r_[True, register[1:] != register[:-1]]
    goes_on = still & np.r_[False, (most[1:] == most[:-1]) & still[:-1]] & ~begins
    place = np.arange(len(still))
    begin = np.maximum.accumulate(np.where(goes_on, 0, place))
    counts: Ints = np.where(still, place - begin + 1 + np.where(begins[begin], before[begin], 0), 0)
    return counts
