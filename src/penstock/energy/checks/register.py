"""Time, register and capacity: each reading against the last accepted one of its register."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.energy.device import Devices
from penstock.energy.verdict import ReadingVerdict
from penstock.journal.segment import Column
from penstock.period import SECOND_US
from penstock.units import INT64_MAX

_SECONDS_PER_HOUR: Final = 3_600


def judge_readings(register: Column, at_us: Column, position_wh: Column, devices: Devices) -> NDArray[np.uint8]:
    """A `ReadingVerdict` for each reading; each is held against the last *accepted* one of its register.

    One pass over columns finds registers where every step is fine; only the
    readings of the others are walked one by one.
    """
    verdicts = np.zeros(len(register), dtype=np.uint8)
    if not len(register):
        return verdicts
    order = np.argsort(register, kind="stable")
    registers, at, position = register[order], at_us[order], position_wh[order]
    starts = np.flatnonzero(np.r_[True, registers[1:] != registers[:-1]])
    last_at, last_position = devices.last_at_us[registers[starts]], devices.last_wh[registers[starts]]
    before_at, before_position = np.r_[0, at[:-1]], np.r_[0, position[:-1]]
    before_at[starts], before_position[starts] = last_at, last_position
    capacity_w = devices.capacities_w(registers)
    sorted_verdicts = _judge_step(at, position, before_at, before_position, capacity_w)
    group = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(registers)]))
    for flagged in np.unique(group[sorted_verdicts != 0]):
        rows = np.flatnonzero(group == flagged)
        before = int(last_at[flagged]), int(last_position[flagged])
        sorted_verdicts[rows] = _walk(at[rows], position[rows], *before, capacity_w[rows])
    verdicts[order] = sorted_verdicts
    return verdicts


def _judge_step(at: Column, position: Column, at0: Column, position0: Column, capacity_w: Column) -> NDArray[np.uint8]:
    """Verdicts of steps from (at0, position0) to (at, position); one Wh of register quantum is allowed."""
    elapsed_s = (at - at0) // SECOND_US
    wraps = capacity_w > INT64_MAX // np.maximum(elapsed_s, 1)  # products stay within 63 bits, whatever was signed
    allowed_wh = np.where(wraps, INT64_MAX, capacity_w * elapsed_s) // _SECONDS_PER_HOUR
    over = position - position0 - 1 > allowed_wh
    return np.select(
        [at <= at0, position < position0, over],
        [ReadingVerdict.TIME_BACKWARD, ReadingVerdict.REGISTER_BACKWARD, ReadingVerdict.OVER_CAPACITY],
        ReadingVerdict.ACCEPTED,
    ).astype(np.uint8)


def _walk(at: Column, position: Column, at0: int, position0: int, capacity_w: Column) -> NDArray[np.uint8]:
    verdicts = np.zeros(len(at), dtype=np.uint8)
    for row in range(len(at)):
        one = slice(row, row + 1)
        verdict = _judge_step(at[one], position[one], np.array([at0]), np.array([position0]), capacity_w[one])[0]
        verdicts[row] = verdict
        if verdict == 0:
            at0, position0 = int(at[row]), int(position[row])
    return verdicts
