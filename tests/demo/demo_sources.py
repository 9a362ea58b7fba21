"""The measured sunshine, where it was installed; else a sine in its place, marked so."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from penstock.cli.demo import sunshine
from penstock.period import QUARTER_HOUR_US

DATA = Path(__file__).parents[2] / ".data"
FILE = DATA / sunshine.FILE
MONDAY = "2016-08-22"
measured = pytest.mark.skipif(not FILE.is_file(), reason=f"the measured sunshine is not here; run: {sunshine.BRING_IT}")


@cache
def clear_week() -> sunshine.Sunshine:
    """A week of clear days, made up: up at 6, down at 18, 5,000 W at noon."""
    week = sunshine.week_of(MONDAY)
    start_us = np.arange(week.start_us, week.stop_us, QUARTER_HOUR_US)
    power_w = 5_000 * np.clip(np.sin((np.arange(len(start_us)) % 96 - 24) / 48 * np.pi), 0, None)
    return sunshine.Sunshine(week, start_us, power_w)
