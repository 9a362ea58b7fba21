"""The sky's bounds for the devices of a batch: one profile a place, tilt and azimuth, reckoned once a day and kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from penstock.energy.checks.bounds import NO_BOUNDS, NO_PLANE, Bounds
from penstock.energy.checks.findings import Ints
from penstock.errors import Invalid
from penstock.journal.words import TECHNOLOGIES, Technology
from penstock.period import DAY_US, QUARTER_HOUR_US
from penstock.physics.cell import Cell, parse_cell
from penstock.physics.clear_sky import clear_sky_wh_per_kw
from penstock.physics.orientation import Plane

STEP_US: Final = QUARTER_HOUR_US
DAYS_BACK: Final = 35
"""How many days before a batch's last reading the bounds reach; older steps are bounded by capacity alone."""
STEPS_PER_DAY: Final = DAY_US // STEP_US
_SOLAR: Final = TECHNOLOGIES.index(Technology.SOLAR_PV)
_Orientation = tuple[int, int]
_Profile = NDArray[np.int64]


class Planes(Protocol):
    """What is asked of the books: columns by device number, and the cells (see `Devices`)."""

    @property
    def technology(self) -> Ints: ...
    @property
    def tilt_deg(self) -> Ints: ...
    @property
    def azimuth_deg(self) -> Ints: ...
    @property
    def cell(self) -> Ints: ...
    @property
    def cells(self) -> Sequence[str]: ...


class Sky:
    """Profiles of clear days, by cell, orientation and day: reckoned at first use, kept for the days last asked."""

    def __init__(self) -> None:
        self._days: dict[tuple[str, _Orientation], dict[int, _Profile]] = {}

    def profile(self, cell: str, orientations: list[_Orientation], first_day: int, days: int) -> _Profile:
        """Energy [Wh per kW, rounded up] of each orientation in each quarter-hour: (orientations, days * 96)."""
        wanted = range(first_day, first_day + days)
        kept = {one: self._days.setdefault((cell, one), {}) for one in orientations}
        missing = [one for one in orientations if any(day not in kept[one] for day in wanted)]
        if missing:
            self._reckon(cell, missing, first_day, days)
        return np.stack([np.concatenate([kept[one][day] for day in wanted]) for one in orientations])

    def _reckon(self, cell: str, orientations: list[_Orientation], first_day: int, days: int) -> None:
        planes = [Plane(*one) if min(one) >= 0 else None for one in orientations]
        found = clear_sky_wh_per_kw(parse_cell(cell), planes, first_day * DAY_US, days * STEPS_PER_DAY, STEP_US)
        for one, profile in zip(orientations, found, strict=True):
            per_day = profile.reshape(days, STEPS_PER_DAY)
            kept = self._days[cell, one]
            for day in [day for day in kept if day < first_day]:
                del kept[day]
            kept.update({first_day + day: per_day[day] for day in range(days)})


def sky_bounds(devices: Planes, numbers: Ints, at_us: Ints, sky: Sky, days_back: int = DAYS_BACK) -> Bounds:
    """Bounds that cover readings ``at_us`` of the devices ``numbers``, from a day before the first of them on.

    Solar devices in a cell that is a geohash have bounds; one without tilt and azimuth has those of a plane that
    follows the sun. ``NO_BOUNDS`` where no device has any.
    """
    cells, numbers = devices.cells, np.unique(numbers[numbers >= 0])
    solar = numbers[devices.technology[numbers] == _SOLAR]
    placed = solar[np.isin(devices.cell[solar], [n for n, cell in enumerate(cells) if _is_cell(cell)])]
    if not len(placed) or not len(at_us):
        return NO_BOUNDS
    last_day = int(at_us.max()) // DAY_US + 1
    first_day = max(int(at_us.min()) // DAY_US - 1, last_day - days_back)
    key = np.stack([devices.cell[placed], devices.tilt_deg[placed], devices.azimuth_deg[placed]]).astype(np.int64)
    kinds, plane = np.unique(key, axis=1, return_inverse=True)
    plane_of = np.full(len(devices.technology), NO_PLANE, dtype=np.int32)
    plane_of[placed] = plane.ravel()
    days, cell_numbers = last_day + 1 - first_day, np.unique(kinds[0])
    profiles = np.concatenate([_in_cell(sky, cells, kinds, int(cell), first_day, days) for cell in cell_numbers])
    cumulative = np.concatenate([np.zeros((len(profiles), 1), np.int64), np.cumsum(profiles, axis=1)], axis=1)
    noon = np.array([noon_us(parse_cell(cells[cell])) for cell in kinds[0].tolist()], dtype=np.int64)
    return Bounds(first_day * DAY_US, STEP_US, cumulative, plane_of, noon)


def noon_us(cell: Cell) -> int:
    """When the mean sun stands highest over a cell, from midnight UTC [us]."""
    return DAY_US // 2 - round(cell.longitude_deg * DAY_US / 360)


def _in_cell(sky: Sky, cells: Sequence[str], kinds: Ints, cell: int, first_day: int, days: int) -> _Profile:
    orientations = [(int(tilt), int(azimuth)) for tilt, azimuth in kinds[1:, kinds[0] == cell].T]
    return sky.profile(cells[cell], orientations, first_day, days)


def _is_cell(cell: str) -> bool:
    try:
        parse_cell(cell)
    except Invalid:
        return False
    return True
