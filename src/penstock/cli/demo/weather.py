"""Which of the measured weeks is played: the cloudiest of them, or the one of median sunshine."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Weather(StrEnum):
    """A measured week by its sunshine, of the fourteen whole weeks from July to October 2016."""

    CLOUDY = "cloudy"
    MEDIAN = "median"


MONDAYS: Final = {Weather.CLOUDY: "2016-08-22", Weather.MEDIAN: "2016-07-04"}
