"""Demand: a function of seed and day; in order; inside its day."""

from __future__ import annotations

import numpy as np
import pytest
from demo_sources import MONDAY

from penstock.cli.demo.demand import RACK, RACK_W, REQUESTS_PER_DAY, requests
from penstock.cli.demo.sunshine import week_of
from penstock.period import DAY_US, HOUR_US, Period

START_US = week_of(MONDAY).start_us
DAY = Period(START_US, START_US + DAY_US)
SEED = bytes(32)


@pytest.mark.parametrize("day", range(7))
def test_requests_come_in_order_within_their_day(day: int) -> None:
    period = Period(START_US + day * DAY_US, START_US + (day + 1) * DAY_US)
    found = requests(SEED, day, period)
    assert len(found.arrived_us) == len(found.tokens) == REQUESTS_PER_DAY
    assert (np.diff(found.arrived_us) >= 0).all()
    assert period.start_us <= found.arrived_us[0]
    assert found.arrived_us[-1] < period.stop_us
    assert found.tokens.min() >= 4_000
    assert found.tokens.max() <= 600_000


def test_seed_and_day_decide() -> None:
    one, again = requests(SEED, 0, DAY), requests(SEED, 0, DAY)
    assert np.array_equal(one.arrived_us, again.arrived_us)
    assert np.array_equal(one.tokens, again.tokens)
    assert not np.array_equal(one.tokens, requests(SEED, 1, DAY).tokens)
    assert not np.array_equal(one.tokens, requests(b"\x01" * 32, 0, DAY).tokens)


def test_more_is_asked_by_day_than_by_night() -> None:
    by_hour = np.bincount((requests(SEED, 0, DAY).arrived_us - DAY.start_us) // HOUR_US, minlength=24)
    assert by_hour[9:16].min() > 3 * by_hour[:5].max()


def test_the_racks_figures_are_one_another() -> None:
    """Full power is idle plus every accelerator's tokens an hour at their energy."""
    tokens_an_hour = RACK.accelerators * 3_600 * 10**6 // RACK.time_us_per_token
    assert RACK.idle_w + tokens_an_hour * RACK.active_mj_per_token // 3_600_000 == pytest.approx(RACK_W, rel=0.02)
