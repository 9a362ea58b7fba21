"""Bounds: how much a plane can have made by when, as whole numbers, for the checks that ask the sky."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.energy.checks.findings import Bools, Ints
from penstock.period import DAY_US

NO_PLANE: Final = -1
_PARTS: Final = 1_000
_PER_KW: Final = 1_000
_MOST_W: Final = 1_000_000_000  # above, products would pass 63 bits; such a plant has several meters


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """Cumulative energy of k planes under a clear sky over n steps of time.

    Attributes:
        start_us, step_us: the grid. cumulative_wh: int64[k, n + 1], Wh per kW of capacity since ``start_us``.
        plane_of: int32 by device number, `NO_PLANE` where the sky does not bound a device.
        noon_us: int64[k], when the sun stands highest there, from midnight UTC [us].
    """

    start_us: int
    step_us: int
    cumulative_wh: NDArray[np.int64]
    plane_of: NDArray[np.int32]
    noon_us: NDArray[np.int64]

    def planes(self, device: Ints, capacity_w: Ints) -> Ints:
        """The plane of each device; `NO_PLANE` also where the capacity is beyond what can be reckoned."""
        known = (device >= 0) & (device < len(self.plane_of)) & (capacity_w <= _MOST_W)
        found = np.full(len(device), NO_PLANE, dtype=np.int32)
        found[known] = self.plane_of[device[known]]
        return found

    def covers(self, at_us: Ints) -> Bools:
        """Whether each instant lies on the grid."""
        last_us = self.start_us + (self.cumulative_wh.shape[1] - 1) * self.step_us
        covered: Bools = (at_us >= self.start_us) & (at_us <= last_us)
        return covered

    def most_wh(self, plane: Ints, from_us: Ints, to_us: Ints, capacity_w: Ints) -> Ints:
        """The most energy between instants on the grid [Wh, rounded up]; 0 exactly where the sun was down."""
        per_mw = self._by_wh_per_mw(plane, to_us) - self._by_wh_per_mw(plane, from_us)
        most: Ints = -(-capacity_w * per_mw // (_PER_KW * _PARTS))
        return most

    def day(self, plane: Ints, at_us: Ints) -> Ints:
        """The solar day each instant ends: from midnight, exclusive, to midnight by the sun of its place."""
        day: Ints = (at_us - (1 + self._midnight_us()[plane])) // DAY_US
        return day

    def day_most_wh(self, plane: Ints, day: Ints, capacity_w: Ints) -> Ints:
        """The most energy of a whole solar day, as far as the grid reaches [Wh, rounded up]."""
        begin = day * DAY_US + self._midnight_us()[plane]
        last_us = self.start_us + (self.cumulative_wh.shape[1] - 1) * self.step_us
        from_us, to_us = np.clip(begin, self.start_us, last_us), np.clip(begin + DAY_US, self.start_us, last_us)
        return self.most_wh(plane, from_us, to_us, capacity_w)

    def _midnight_us(self) -> Ints:
        midnight: Ints = self.noon_us - DAY_US // 2
        return midnight

    def _by_wh_per_mw(self, plane: Ints, at_us: Ints) -> Ints:
        """Cumulative [Wh per MW of capacity], even within a step."""
        since = at_us - self.start_us
        step = since // self.step_us
        within = since - step * self.step_us
        width, flat = self.cumulative_wh.shape[1], self.cumulative_wh.ravel()
        place = plane * np.int64(width) + step
        low = flat[place]
        by: Ints = low * _PARTS
        if within.any():
            high = flat[place + (step + 1 < width)]
            by += (high - low) * _PARTS * (within // _PARTS) // (self.step_us // _PARTS)
        return by


NO_BOUNDS: Final = Bounds(0, 1, np.zeros((0, 1), np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64))
"""Of nothing: no device is bound by the sky."""
