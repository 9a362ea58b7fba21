"""The demo's demand: a seeded, modelled log of requests for long answers. Nothing here is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.compute.service import RackModel
from penstock.keys import derive_seed
from penstock.period import HOUR_US, Period

RACK: Final = RackModel(idle_w=14_000, active_mj_per_token=3_600, accelerators=72, time_us_per_token=2_180)
RACK_W: Final = 132_000
REQUESTS_PER_DAY: Final = 18_000
_TOKENS_MEDIAN, _TOKENS_SIGMA = 80_000, 0.6
_BY_HOUR: Final = (2, 2, 2, 2, 2, 3, 4, 6, 8, 9, 9, 9, 9, 9, 9, 9, 8, 7, 6, 5, 4, 3, 3, 2)
"""Weight of each local hour of the day."""


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """Requests in order of arrival: instant [us] and tokens each would take."""

    arrived_us: NDArray[np.int64]
    tokens: NDArray[np.int64]


def requests(seed: bytes, day: int, period: Period) -> Demand:
    """The requests of one local day of the week."""
    dice = np.random.Generator(np.random.PCG64(int.from_bytes(derive_seed(seed, "demand", str(day)), "big")))
    weights = np.array(_BY_HOUR) / sum(_BY_HOUR)
    hours = dice.choice(len(_BY_HOUR), size=REQUESTS_PER_DAY, p=weights)
    arrived_us = period.start_us + hours * HOUR_US + dice.integers(0, HOUR_US, REQUESTS_PER_DAY)
    tokens = np.clip(dice.lognormal(np.log(_TOKENS_MEDIAN), _TOKENS_SIGMA, REQUESTS_PER_DAY), 4_000, 600_000)
    order = np.argsort(arrived_us, kind="stable")
    return Demand(arrived_us[order].astype(np.int64), tokens[order].astype(np.int64))
