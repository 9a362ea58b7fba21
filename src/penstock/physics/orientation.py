"""What another plane would have made: a measured plane's power carried to other tilts and azimuths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_DAY_S: Final = 86_400
_TILT_OF_EARTH_DEG: Final = 23.45
_LEAST_COSINE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Plane:
    """A tilted plane: ``tilt_deg`` from horizontal, ``azimuth_deg`` clockwise from north (south = 180)."""

    tilt_deg: float
    azimuth_deg: float


def incidence_cosine(unix_s: Floats, latitude_deg: float, longitude_deg: float, plane: Plane) -> Floats:
    """Cosine of the angle between the sun and the plane's normal, 0 where the sun is behind it or down.

    Declination by Cooper's formula, hour angle from mean solar time, incidence as in Duffie & Beckman,
    *Solar Engineering of Thermal Processes*, equations 1.6.1a and 1.6.2. Good to a few degrees.
    """
    day_of_year = (unix_s / _DAY_S) % 365.25 + 1
    declination = np.radians(_TILT_OF_EARTH_DEG) * np.sin(2 * np.pi * (284 + day_of_year) / 365)
    hour_angle = np.radians(((unix_s % _DAY_S) / 240 + longitude_deg - 180 + 180) % 360 - 180)
    latitude, tilt = np.radians(latitude_deg), np.radians(plane.tilt_deg)
    surface = np.radians(plane.azimuth_deg - 180)
    up = np.sin(declination) * np.sin(latitude) + np.cos(declination) * np.cos(latitude) * np.cos(hour_angle)
    south = np.cos(hour_angle) * np.cos(declination) * np.sin(latitude) - np.sin(declination) * np.cos(latitude)
    west = np.sin(hour_angle) * np.cos(declination)
    cosine = up * np.cos(tilt) + np.sin(tilt) * (south * np.cos(surface) + west * np.sin(surface))
    return np.where(up > 0, np.clip(cosine, 0, None), 0)


def carry_power(
    power: Floats,
    unix_s: Floats,
    latitude_deg: float,
    longitude_deg: float,
    measured: Plane,
    wanted: Plane,
    diffuse: float,
) -> Floats:
    """Power of the ``wanted`` plane, from the ``measured`` one's; same unit and shape.

    A stated model, not a measurement: the ``diffuse`` share is alike for both planes, the rest follows the
    ratio of incidence cosines (bounded below, so that dawn does not blow up).
    """
    have = incidence_cosine(unix_s, latitude_deg, longitude_deg, measured)
    want = incidence_cosine(unix_s, latitude_deg, longitude_deg, wanted)
    ratio = want / np.maximum(have, _LEAST_COSINE)
    return power * (diffuse + (1 - diffuse) * np.clip(ratio, 0, 1.5))
