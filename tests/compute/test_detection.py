"""The published probability: closed cases, the draw itself as its Monte Carlo, and how many rows it takes."""

from __future__ import annotations

import hashlib
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom  # type: ignore[import-untyped]

from penstock.compute.challenge import draw
from penstock.compute.detection import caught, false_alarm, missed, missed_with_friends, rows_for
from penstock.errors import Invalid


def test_closed_cases() -> None:
    assert caught(10, 0, 10) == 0
    assert caught(10, 1, 10) == 1
    assert caught(10, 1, 1) == pytest.approx(0.1)
    assert caught(4, 2, 2) == pytest.approx(1 - 1 / 6)
    assert caught(10, 10, 1, power=0.3) == pytest.approx(0.3)
    assert caught(10, 10, 3, power=0.3) == pytest.approx(1 - 0.7**3)
    assert missed(10, 5, 99) == 0  # more than all is all


@given(st.integers(1, 200), st.data())
def test_the_formula_is_the_hypergeometric_mean(count: int, data: st.DataObject) -> None:
    false, drawn = data.draw(st.integers(0, count)), data.draw(st.integers(0, count))
    power = data.draw(st.floats(0, 1))
    hits = np.arange(drawn + 1)
    mean = float(np.sum(hypergeom(count, false, drawn).pmf(hits) * (1 - power) ** hits))
    assert missed(count, false, drawn, power) == pytest.approx(mean, abs=1e-9)


@pytest.mark.parametrize(
    ("count", "false", "drawn", "power"), [(200, 10, 20, 1.0), (1000, 100, 15, 0.9), (50, 25, 3, 0.6)]
)
def test_draws_by_the_thousand_agree_with_the_formula(count: int, false: int, drawn: int, power: float) -> None:
    runs, rng = 3000, np.random.default_rng(7)
    seen = 0
    for run in range(runs):
        rows = draw(hashlib.sha256(f"{count}:{run}".encode()).digest(), count, drawn)
        hits = sum(row < false for row in rows)
        seen += bool((rng.random(hits) < power).any())
    expected = caught(count, false, drawn, power)
    assert abs(seen / runs - expected) < 4 * sqrt(expected * (1 - expected) / runs)


@pytest.mark.parametrize(("count", "false", "wanted"), [(1000, 10, 0.99), (1000, 100, 0.99), (100, 1, 0.5)])
def test_the_rows_it_takes_are_the_fewest(count: int, false: int, wanted: float) -> None:
    rows = rows_for(count, false, wanted)
    assert caught(count, false, rows) >= wanted > caught(count, false, rows - 1)


def test_where_nothing_is_false_no_row_is_enough() -> None:
    assert rows_for(100, 0, 0.5) == 100


def test_friends_of_the_provider_choose_among_draws() -> None:
    assert missed_with_friends(0.01, 0) == 0.01
    assert missed_with_friends(0.01, 3) == pytest.approx(0.08)
    assert missed_with_friends(0.5, 5) == 1


def test_two_draws_to_choose_from_are_worth_no_more_than_the_bound() -> None:
    count, false, drawn, runs = 100, 10, 12, 3000
    both = 0
    for run in range(runs):
        one, two = (hashlib.sha256(f"{side}:{run}".encode()).digest() for side in "ab")
        both += any(not any(row < false for row in draw(seed, count, drawn)) for seed in (one, two))
    once = missed(count, false, drawn)
    bound = missed_with_friends(once, 1)
    assert once < both / runs < bound + 4 * sqrt(bound / runs)


def test_false_alarms_add_up_over_rows() -> None:
    assert false_alarm(0, 1000) == 0
    assert false_alarm(0.01, 2) == pytest.approx(0.0199)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: caught(10, 11, 1),
        lambda: caught(10, -1, 1),
        lambda: caught(10, 1, -1),
        lambda: caught(10, 1, 1, 1.1),
        lambda: rows_for(10, 1, 1.5),
        lambda: false_alarm(2, 1),
    ],
)
def test_figures_out_of_bounds_are_refused(bad: object) -> None:
    with pytest.raises(Invalid, match=r"detection\.figures"):
        bad()  # type: ignore[operator]
