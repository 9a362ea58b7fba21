"""What a plant will yield in a window, from what it yielded before: a forecast, the one place with floats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Refused
from penstock.period import DAY_US

METHOD: Final = "daily-normal/1"
Z_90: Final = 1.2815515655446004  # a normal variable is above mean - Z_90 deviations with a probability of 90 %
DAYS_MIN: Final = 2


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a window yields with a probability of 50 and 90 % [Wh], by which method, on which basis."""

    p50_wh: int
    p90_wh: int
    method: str
    basis: str


def estimate_days(days_wh: NDArray[Any], window_us: int, basis: str) -> Estimate:
    """P50 and P90 of a window from the totals of whole days, as if each day of it were drawn from these [Wh].

    ``p50 = n m``, ``p90 = n m - 1.2816 s sqrt(n + n^2 / d)`` with n days in the window, d days in the basis, their mean
    m and sample deviation s: the days' own chance and that of the mean. Rounded down, P90 not below 0. Seasons and days
    that resemble their neighbours are not in it: choose a basis of the same season.

    Raises:
        Refused: ``forward.basis`` for fewer than two days.
    """
    count = len(days_wh)
    if count < DAYS_MIN:
        raise Refused("forward.basis", "An estimate rests on two whole days or more of certified output.", days=count)
    days = window_us / DAY_US
    mean, deviation = float(np.mean(days_wh)), float(np.std(days_wh, ddof=1))
    p50 = days * mean
    p90 = max(0.0, p50 - Z_90 * deviation * math.sqrt(days + days * days / count))
    return Estimate(math.floor(p50), math.floor(p90), METHOD, basis)
