"""The demo's fleet: 120 rooftops, each with its own size, orientation and key, under the measured sunshine.

Measured: the shape of the power over the week. Modelled: how each roof's plane
would have carried it (``physics/orientation``), and its size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.cli.demo.sunshine import ARRAY, ARRAY_W, LATITUDE_DEG, LONGITUDE_DEG, Sunshine
from penstock.keys import SigningKey, derive_seed
from penstock.period import DAY_US, QUARTER_HOUR_US, parse_iso
from penstock.physics.orientation import Plane, carry_power

ROOFS: Final = 120
ZONE: Final = "US-PSCO"
_DIFFUSE: Final = 0.2
_SIZES_W: Final = (900, 2_900)
"""Of the whole fleet's roofs; a smaller fleet has larger ones, so that the rack finds about as much energy."""


@dataclass(frozen=True, slots=True)
class Roof:
    """A rooftop: its name, its meter's key, its size [W] and the plane it lies in."""

    name: str
    key: SigningKey
    size_w: int
    plane: Plane


@dataclass(frozen=True, slots=True)
class Cloud:
    """A day whose power is cut to ``percent`` of what was measured, to see what a cloud does."""

    day: str
    percent: int

    def factor(self, start_us: NDArray[np.int64]) -> NDArray[np.float64]:
        """The factor for each quarter-hour."""
        noon_us = parse_iso(f"{self.day}T00:00:00-07:00")
        clouded = (start_us >= noon_us) & (start_us < noon_us + DAY_US)
        return np.where(clouded, self.percent / 100, 1.0)


def roofs(seed: bytes, count: int = ROOFS) -> tuple[Roof, ...]:
    """The fleet of a seed."""
    dice = np.random.Generator(np.random.PCG64(int.from_bytes(derive_seed(seed, "fleet"), "big")))
    sizes = dice.integers(_SIZES_W[0] // 50, _SIZES_W[1] // 50, count) * 50 * ROOFS // count
    tilts, azimuths = dice.integers(10, 46, count), dice.integers(110, 251, count)
    return tuple(
        Roof(name, SigningKey(derive_seed(seed, "meter", name)), int(sizes[i]), Plane(int(tilts[i]), int(azimuths[i])))
        for i, name in enumerate(f"roof-{number:03d}" for number in range(1, count + 1))
    )


def positions_wh(roof: Roof, sunshine: Sunshine, cloud: Cloud | None) -> NDArray[np.int64]:
    """Where the roof's export register stands at the end of each quarter-hour [Wh], from 0."""
    unix_s = (sunshine.start_us + QUARTER_HOUR_US // 2) / 1e6
    share = sunshine.power_w / ARRAY_W * (cloud.factor(sunshine.start_us) if cloud else 1.0)
    carried = carry_power(share, unix_s, LATITUDE_DEG, LONGITUDE_DEG, ARRAY, roof.plane, _DIFFUSE)
    energy_wh = np.clip(carried, 0, 1) * roof.size_w / 4
    return np.floor(np.cumsum(energy_wh)).astype(np.int64)
