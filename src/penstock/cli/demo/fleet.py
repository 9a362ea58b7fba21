"""The demo's fleet: 120 rooftops, each with its own size, orientation and key, under the measured sunshine.

Measured: the shape of the power over the week. Modelled: how each roof's plane
would have carried it (``physics/orientation``), its own shadows and clouds, and its size.
Two of the meters lie for the whole week, each with a good signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.cli.demo.sunshine import ARRAY, ARRAY_W, LATITUDE_DEG, LONGITUDE_DEG, Sunshine
from penstock.keys import KeyKind, PointKey, SigningKey, derive_seed
from penstock.period import DAY_US, QUARTER_HOUR_US, parse_iso
from penstock.physics.orientation import Plane, carry_power

MeterKey = SigningKey | PointKey
ROOFS: Final = 120
ZONE: Final = "US-PSCO"
CELLS: Final = (
    *("9xj4n", "9xj4y", "9xj4q", "9xj4u", "9xj3c", "9xj37"),
    *("9xj67", "9xj6c", "9xj5q", "9xj73", "9xj1y", "9xj6y"),
)
"""Geohash cells of five digits, about 5 km wide, in which the modelled roofs lie."""
COPYIST, BOASTER = -1, -2
"""Places in the fleet of the meters that lie."""
LIARS_FROM: Final = 20
"""So many roofs a fleet has at least before two of them are given away."""
_DIFFUSE: Final = 0.2
_OWN_WEATHER: Final = 0.04
"""How much of a quarter-hour a roof's own shadows and clouds take, as the scale of a half-normal share."""
_OTHER_KEYS: Final = {8: KeyKind.P256, 9: KeyKind.SECP256K1}
_SIZES_W: Final = (900, 2_900)
"""Of the whole fleet's roofs; a smaller fleet has larger ones, so that the rack finds about as much energy."""


@dataclass(frozen=True, slots=True)
class Roof:
    """A rooftop: its name, its meter's key, its size [W] and the plane it lies in."""

    name: str
    key: MeterKey
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
        Roof(name, _key(seed, name, i), int(sizes[i]), Plane(int(tilts[i]), int(azimuths[i])))
        for i, name in enumerate(f"roof-{number:03d}" for number in range(1, count + 1))
    )


def _key(seed: bytes, name: str, number: int) -> MeterKey:
    """Eight meters of ten sign with Ed25519; secure elements bring P-256, miners secp256k1."""
    own = derive_seed(seed, "meter", name)
    kind = _OTHER_KEYS.get(number % 10)
    return SigningKey(own) if kind is None else PointKey(kind, own)


def counted_wh(fleet: Sequence[Roof], seed: bytes, sunshine: Sunshine, cloud: Cloud | None) -> list[NDArray[np.int64]]:
    """What each roof's register says at the end of each quarter-hour [Wh]; of a large fleet's last two it is a lie.

    One sends what the first roof sends, at its own size; the other twice what it made.
    """
    honest = [positions_wh(roof, seed, sunshine, cloud) for roof in fleet]
    if len(fleet) < LIARS_FROM:
        return honest
    copy, more = fleet[COPYIST], fleet[BOASTER]
    honest[COPYIST] = honest[0] * copy.size_w // fleet[0].size_w
    made_wh = np.diff(honest[BOASTER], prepend=0)
    honest[BOASTER] = np.cumsum(np.minimum(made_wh * 2, more.size_w // 4))
    return honest


def positions_wh(roof: Roof, seed: bytes, sunshine: Sunshine, cloud: Cloud | None) -> NDArray[np.int64]:
    """Where the roof's export register stands at the end of each quarter-hour [Wh], from 0."""
    dice = np.random.Generator(np.random.PCG64(int.from_bytes(derive_seed(seed, "weather", roof.name), "big")))
    own: NDArray[np.float64] = 1 - np.minimum(np.abs(dice.normal(0, _OWN_WEATHER, len(sunshine.power_w))), 0.5)
    unix_s = (sunshine.start_us + QUARTER_HOUR_US // 2) / 1e6
    share = sunshine.power_w / ARRAY_W * (cloud.factor(sunshine.start_us) if cloud else 1.0)
    carried = carry_power(share, unix_s, LATITUDE_DEG, LONGITUDE_DEG, ARRAY, roof.plane, _DIFFUSE)
    energy_wh = np.clip(carried, 0, 1) * own * roof.size_w / 4
    position_wh: NDArray[np.int64] = np.floor(np.cumsum(energy_wh)).astype(np.int64)
    return position_wh
