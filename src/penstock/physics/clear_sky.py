"""The most a plane can make: energy under the clearest sky, step by step, for a place, a tilt and an azimuth.

An upper bound, not a forecast: the air is as clean as it gets, modules convert at their rated power, and a coarse cell
takes the brightest of its corners. pvlib is loaded at the first use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.period import HOUR_US, SECOND_US
from penstock.physics.cell import Cell
from penstock.physics.orientation import Plane

LINKE_TURBIDITY: Final = 2.0
"""Of very clean air; the cleanest month of the world's inhabited places lies near it (Ineichen & Perez 2002)."""
SAMPLE_US: Final = 300 * SECOND_US
_RATED_W_PER_M2: Final = 1_000.0
_ALBEDO: Final = 0.25
_DOWN_DEG: Final = -1.0  # the sun's upper edge, bent by the air, is gone
_COARSE_DEG: Final = 0.5
Floats = NDArray[np.float64]


def clear_sky_wh_per_kw(
    cell: Cell,
    planes: Sequence[Plane | None],
    start_us: int,
    steps: int,
    step_us: int,
    turbidity: float = LINKE_TURBIDITY,
) -> NDArray[np.int64]:
    """Energy [Wh per kW of capacity, rounded up] that each plane can make in each step; 0 while the sun is down.

    Ineichen-Perez clear sky (Solar Energy 73, 2002) at the place's height and a Linke turbidity, on the plane by
    Hay and Davies (1980), never above rated power. ``None`` is a plane that follows the sun.

    Args:
        cell: the place. start_us, steps, step_us: intervals from ``start_us`` [us]; ``step_us`` a multiple of 300 s.
    Returns:
        (planes, steps) int64.
    """
    per_step = step_us // SAMPLE_US
    middles = start_us + SAMPLE_US // 2 + np.arange(steps * per_step, dtype=np.int64) * SAMPLE_US
    found = np.zeros((len(planes), steps), dtype=np.int64)
    for latitude, longitude in _places(cell):
        sky = _Sky(middles, latitude, longitude, turbidity)
        for row, plane in enumerate(planes):
            share = np.minimum(sky.on(plane) / _RATED_W_PER_M2, 1.0).reshape(steps, per_step)
            wh = share.mean(axis=1) * (1_000.0 * step_us / HOUR_US)
            found[row] = np.maximum(found[row], np.ceil(np.round(wh, 6)).astype(np.int64))
    return found


class _Sky:
    """Sun and clear sky over one place at given instants."""

    def __init__(self, at_us: NDArray[np.int64], latitude_deg: float, longitude_deg: float, turbidity: float) -> None:
        import pandas as pd
        from pvlib import atmosphere, clearsky, irradiance, location, solarposition

        times = pd.DatetimeIndex(at_us.astype("datetime64[us]"), tz="UTC")
        altitude = max(float(location.lookup_altitude(latitude_deg, longitude_deg)), 0.0)
        pressure = atmosphere.alt2pres(altitude)
        sun = solarposition.get_solarposition(times, latitude_deg, longitude_deg, altitude, pressure)
        self._zenith, self._azimuth = sun["apparent_zenith"].to_numpy(), sun["azimuth"].to_numpy()
        self._extra = irradiance.get_extra_radiation(times.day_of_year.to_numpy())
        with np.errstate(all="ignore"):  # below the horizon the formulas divide by 0; nothing of that is used
            air = atmosphere.get_absolute_airmass(atmosphere.get_relative_airmass(self._zenith), pressure)
            sky = clearsky.ineichen(self._zenith, air, turbidity, altitude, self._extra)
        self._ghi, self._dni, self._dhi = (np.nan_to_num(sky[name]) for name in ("ghi", "dni", "dhi"))
        self._up = self._zenith < 90.0 - _DOWN_DEG

    def on(self, plane: Plane | None) -> Floats:
        """Irradiance on a plane [W/m2]; at least 1 whenever any of the sun may be up."""
        from pvlib import irradiance

        tilt: Any = self._zenith if plane is None else plane.tilt_deg
        azimuth: Any = self._azimuth if plane is None else plane.azimuth_deg
        parts = irradiance.get_total_irradiance(
            tilt,
            azimuth,
            self._zenith,
            self._azimuth,
            self._dni,
            self._ghi,
            self._dhi,
            dni_extra=self._extra,
            albedo=_ALBEDO,
            model="haydavies",
        )
        on_plane: Floats = np.nan_to_num(np.asarray(parts["poa_global"], dtype=np.float64))
        return np.where(self._up, np.maximum(on_plane, 1.0), 0.0)


def _places(cell: Cell) -> list[tuple[float, float]]:
    centre = (cell.latitude_deg, cell.longitude_deg)
    if cell.east - cell.west <= _COARSE_DEG:
        return [centre]
    return [centre, *((lat, lon) for lat in (cell.south, cell.north) for lon in (cell.west, cell.east))]
