"""Steps: the readings that stand, each with the one before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penstock.energy.checks.findings import Ints


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """m steps, sorted by register, in order of time: from (at0_us, wh0) to (at_us, wh).

    Attributes:
        row: of the later reading in the batch, in order of arrival. register, device: numbers. message: the row of
            the message the later reading came in.
        at_us, wh, at0_us, wh0: instants [us] and positions [Wh] of both ends. power_mw, power0_mw: `NO_POWER` unless
            said at that end. joined: whether both ends came in the same message.
        capacity_w: of the device. technology: index into TECHNOLOGIES.
    """

    row: Ints
    register: Ints
    device: Ints
    message: Ints
    at_us: Ints
    wh: Ints
    at0_us: Ints
    wh0: Ints
    power_mw: Ints
    power0_mw: Ints
    joined: Ints
    capacity_w: Ints
    technology: Ints

    def __len__(self) -> int:
        return len(self.register)

    @property
    def energy_wh(self) -> Ints:
        """What each step counted [Wh]."""
        energy: Ints = self.wh - self.wh0
        return energy

    @property
    def elapsed_us(self) -> Ints:
        """How long each step took [us]."""
        elapsed: Ints = self.at_us - self.at0_us
        return elapsed


def runs(*keys: Ints) -> Ints:
    """Where runs of equal rows begin."""
    if not len(keys[0]):
        return np.zeros(0, dtype=np.int64)
    changes = np.zeros(len(keys[0]), dtype=np.bool_)
    changes[0] = True
    for key in keys:
        changes[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(changes)


def spread(per_run: Ints, starts: Ints, rows: int) -> Ints:
    """A value a run, as a value a row."""
    return np.repeat(per_run, np.diff(np.r_[starts, rows]))
