"""Registers: each reading against the last one of its register that stands - time, direction, capacity.

The rules, a step from (at0, wh0) to (at, wh):
time comes after; the register does not go back; it does not gain more than capacity times time, plus the one Wh that
was begun. A register that went back may have passed its declared width (it then gained, modulo that width, no more
than capacity allows) or started again near zero (its count is at most a tenth of what it was, and no more than
capacity allows since): both wait for a new epoch. A refused reading does not move the standing.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from penstock.energy.checks.findings import Bools, Ints
from penstock.energy.verdict import ReadingVerdict
from penstock.period import SECOND_US
from penstock.units import INT64_MAX

FELL_TO: Final = 10
"""A register that went back to less than one part in ten of its count has been reset."""
STANDING: Final = -1
_SECONDS_PER_HOUR: Final = 3_600
_Step = tuple[int, int]


def step_is_fine(at_us: Ints, position_wh: Ints, at0_us: Ints, position0_wh: Ints, capacity_w: Ints) -> Bools:
    """Whether each step from (at0, position0) to (at, position) keeps time, direction and capacity."""
    elapsed_s = (at_us - at0_us) // SECOND_US
    wraps = capacity_w > INT64_MAX // np.maximum(elapsed_s, 1)  # products stay within 63 bits, whatever was signed
    allowed_wh = np.where(wraps, INT64_MAX, capacity_w * elapsed_s) // _SECONDS_PER_HOUR
    fine: Bools = (at_us > at0_us) & (position_wh >= position0_wh) & (position_wh - position0_wh - 1 <= allowed_wh)
    return fine


def follow(
    at_us: Ints,
    position_wh: Ints,
    starts: Ints,
    last_at_us: Ints,
    last_wh: Ints,
    capacity_w: Ints,
    epoch_start_wh: Ints,
    rolls_over_wh: Ints,
    held: Bools,
) -> tuple[Ints, Ints]:
    """For rows sorted by register, in order of arrival: a `ReadingVerdict` each, and the row each is held against.

    ``starts`` is where each register's rows begin; the columns after it are aligned with ``starts``. The row held
    against is `STANDING` where it is the standing (last_at_us, last_wh). One pass finds the registers where every step
    is fine; only the others are walked. Of a register that is ``held`` already, what does not fit waits like the rest.
    """
    rows, lengths = len(at_us), np.diff(np.r_[starts, len(at_us)])
    verdicts, before = np.zeros(rows, dtype=np.uint8), np.arange(-1, rows - 1)
    at0, wh0 = np.r_[0, at_us[:-1]], np.r_[0, position_wh[:-1]]
    at0[starts], wh0[starts], before[starts] = last_at_us, last_wh, STANDING
    fine = step_is_fine(at_us, position_wh, at0, wh0, np.repeat(capacity_w, lengths))
    for group in np.flatnonzero(~np.logical_and.reduceat(fine, starts)) if rows else ():
        part = slice(int(starts[group]), int(starts[group] + lengths[group]))
        register = Walk(
            (int(last_at_us[group]), int(last_wh[group])),
            int(capacity_w[group]),
            int(epoch_start_wh[group]),
            int(rolls_over_wh[group]),
            waits=bool(held[group]),
        )
        verdicts[part], held_against = register.walk(at_us[part].tolist(), position_wh[part].tolist())
        before[part] = np.where(held_against == STANDING, STANDING, held_against + part.start)
    return verdicts, before


class Walk:
    """One register's readings, one by one, in whole numbers without bounds."""

    def __init__(
        self, standing: _Step, capacity_w: int, epoch_start_wh: int, rolls_over_wh: int, *, waits: bool = False
    ) -> None:
        self._standing, self._capacity_w, self._waits = standing, capacity_w, waits
        self._epoch_start_wh, self._rolls_over_wh = epoch_start_wh, rolls_over_wh

    def walk(self, at_us: list[int], position_wh: list[int]) -> tuple[Ints, Ints]:
        """Verdicts, and the row each is held against. After a quarantined one the rest is held back, if it is new."""
        verdicts, before = np.zeros(len(at_us), np.uint8), np.zeros(len(at_us), np.int64)
        last = STANDING
        seen = {self._standing} if self._standing[1] else set()  # nobody sent the standing at commissioning
        for row, step in enumerate(zip(at_us, position_wh, strict=True)):
            before[row] = last
            verdict = self._verdict(step, seen)
            if self._waits and verdict not in (ReadingVerdict.DUPLICATE, ReadingVerdict.TIME_BACKWARD):
                verdict = ReadingVerdict.HELD_BACK
            verdicts[row] = verdict
            if not verdict:
                last, self._standing = row, step
                seen.add(step)
            self._waits |= verdict in (ReadingVerdict.ROLLED_OVER, ReadingVerdict.RESET)
        return verdicts, before

    def _verdict(self, step: _Step, seen: set[_Step]) -> ReadingVerdict:
        (at_us, position_wh), (at0_us, position0_wh) = step, self._standing
        if step in seen:
            return ReadingVerdict.DUPLICATE
        if at_us <= at0_us:
            return ReadingVerdict.TIME_BACKWARD
        allowed_ws = min(self._capacity_w * ((at_us - at0_us) // SECOND_US), INT64_MAX)
        allowed_wh = allowed_ws // _SECONDS_PER_HOUR + 1
        if position_wh < position0_wh:
            return self._went_back(position_wh, position0_wh, allowed_wh)
        return ReadingVerdict.OVER_CAPACITY if position_wh - position0_wh > allowed_wh else ReadingVerdict.ACCEPTED

    def _went_back(self, position_wh: int, position0_wh: int, allowed_wh: int) -> ReadingVerdict:
        count, count0 = position_wh + self._epoch_start_wh, position0_wh + self._epoch_start_wh
        if count < 0:
            return ReadingVerdict.REGISTER_BACKWARD
        if self._rolls_over_wh and count + self._rolls_over_wh - count0 <= allowed_wh:
            return ReadingVerdict.ROLLED_OVER
        fell = count * FELL_TO <= count0 and count <= allowed_wh
        return ReadingVerdict.RESET if fell else ReadingVerdict.REGISTER_BACKWARD
