"""Borders of hours, claims on them, and exact sums: kernels against their twins and against plain arithmetic."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.energy.carbon.borders import Borders, compiled_fill, fill_plain
from penstock.energy.carbon.factors import Factors
from penstock.energy.carbon.inventory import Inventory, Volume, dot, reckon, rows_ug, ug_up
from penstock.energy.carbon.matched import compiled_lay, lay, lay_plain
from penstock.period import HOUR_US, Period

PERIOD = Period(10 * HOUR_US, 16 * HOUR_US)


def filled(at_us: list[int], position: list[int]) -> list[int]:
    borders = Borders.of(PERIOD, 1)
    borders.read(np.zeros(len(at_us), dtype=np.int32), np.array(at_us), np.array(position))
    found: list[int] = borders.position[0].tolist()
    return found


def test_readings_on_borders_stand_as_they_are() -> None:
    assert filled([h * HOUR_US for h in range(10, 17)], [0, 5, 9, 9, 12, 20, 21]) == [0, 5, 9, 9, 12, 20, 21]


def test_between_readings_power_is_even_and_rounded_down() -> None:
    assert filled([9 * HOUR_US + HOUR_US // 2, 12 * HOUR_US], [0, 7])[:3] == [1, 4, 7]


def test_what_no_reading_reaches_is_unknown() -> None:
    assert filled([12 * HOUR_US + 1, 14 * HOUR_US], [3, 8]) == [-1, -1, -1, 5, 8, -1, -1]


def test_a_position_too_large_for_a_plain_product_is_exact() -> None:
    before, after = 7, 7 + 10**15 + 1
    made = filled([10 * HOUR_US, 16 * HOUR_US], [before, after])
    assert made == [before + (10**15 + 1) * k // 6 for k in range(7)]


def test_borders_between_readings_far_apart_are_counted() -> None:
    borders = Borders.of(PERIOD, 1)
    borders.read(np.zeros(3, np.int32), np.array([10, 11, 16]) * HOUR_US, np.array([0, 1, 6]))
    assert borders.filled.tolist() == [4]


STEPS = st.lists(st.tuples(st.integers(1, 3 * HOUR_US), st.integers(0, 10**13)), max_size=12)


@settings(deadline=None)  # the first call compiles
@given(st.lists(STEPS, min_size=1, max_size=4), st.integers(7 * HOUR_US, 12 * HOUR_US), st.integers(0, 12))
def test_kernel_twin_and_fractions_agree(registers: list[list[tuple[int, int]]], start: int, cut: int) -> None:
    rows = []
    for number, steps in enumerate(registers):
        at, wh = start, 0
        for later, more in steps:
            at, wh = at + later, wh + more
            rows.append((at, number, wh))
    rows.sort()
    made = [Borders.of(PERIOD, len(registers)) for _ in range(2)]
    for fill, borders in ((compiled_fill(), made[0]), (fill_plain, made[1])):
        for part in (rows[:cut], rows[cut:]):
            at_us, row, position = (np.array([one[k] for one in part], dtype=np.int64) for k in range(3))
            fill(
                row.astype(np.int32), at_us, position, 10, HOUR_US,
                borders.position, borders.last_at_us, borders.last_wh, borders.filled,
            )  # fmt: skip
    for name in ("position", "last_at_us", "last_wh", "filled"):
        assert np.array_equal(getattr(made[0], name), getattr(made[1], name)), name
    for number in range(len(registers)):
        mine = [(at, wh) for at, row, wh in rows if row == number]
        for k in range(7):
            assert made[0].position[number, k] == by_fractions(mine, (10 + k) * HOUR_US)


def by_fractions(readings: list[tuple[int, int]], at_us: int) -> int:
    for at, wh in readings:
        if at == at_us:
            return wh
    around = [(a, b) for a, b in pairwise(readings) if a[0] < at_us < b[0]]
    if not around:
        return -1
    (at, wh), (later, more) = around[0]
    return wh + floor(Fraction((more - wh) * (at_us - at), later - at))


def test_a_claim_counts_where_both_hours_agree() -> None:
    position = np.array([[0, 10, 30, 30]])
    matched = np.zeros((1, 3), dtype=np.int64)
    row, start, stop = np.zeros(4, np.int64), np.array([0, 8, 12, 0]), np.array([6, 12, 30, 5])
    counted = lay(row, start, stop, np.array([0, 0, 1, -1]), position, matched)
    assert counted.tolist() == [6, 2, 18, 0]
    assert matched.tolist() == [[8, 18, 0]]


CLAIM = st.tuples(st.integers(0, 2), st.integers(0, 60), st.integers(0, 30), st.integers(-2, 6))


@settings(deadline=None)
@given(
    st.lists(CLAIM, max_size=30),
    st.lists(st.lists(st.integers(-1, 20), min_size=5, max_size=5), min_size=3, max_size=3),
)
def test_laying_claims_equals_its_twin(claims: list[tuple[int, int, int, int]], steps: list[list[int]]) -> None:
    position = np.cumsum(np.maximum(steps, 0), axis=1)
    position[np.array(steps) < 0] = -1
    row, start, units, hour = (np.array([one[k] for one in claims], dtype=np.int64) for k in range(4))
    made = []
    for laid in (compiled_lay(), lay_plain):
        matched, counted = np.zeros((3, 4), dtype=np.int64), np.zeros(len(claims), dtype=np.int64)
        laid(row, start, start + units, hour, position, matched, counted)
        made.append((matched.tolist(), counted.tolist()))
    assert made[0] == made[1]


def factors(residual: list[int], average: list[int] | None = None, free: list[int] | None = None) -> Factors:
    hours = len(residual)
    none = np.full(hours, -1)
    return Factors(np.array(average or residual), np.array(residual), none, np.array(free or [-1] * hours), none, none)


def test_the_figures_of_one_zone_by_hand() -> None:
    grid = factors([100_000, 300_000], [80_000, 200_000], [5_000, 1_000])
    made = reckon(np.array([1_000, 1_000]), np.array([500, 250]), grid, grid, Volume(0, 1_900, 0))
    assert made.location_ug == 1_000 * 80_000 + 1_000 * 200_000
    assert made.market_hourly_ug == 500 * 100_000 + 750 * 300_000
    assert made.market_annual_ug == (2_000 - 1_900) * 200_000
    assert made.matched_bp_down == 3_750
    assert made.carbon_free_bp_down == (500 * 10_000 + 250 * 10_000 + 500 * 5_000 + 750 * 1_000) // 2_000


def test_more_certificates_than_consumption_make_no_negative_emissions() -> None:
    grid = factors([100_000])
    assert reckon(np.array([10]), np.array([10]), grid, grid, Volume(0, 99, 0)).market_annual_ug == 0


def test_energy_without_a_factor_is_said_not_guessed() -> None:
    grid = factors([-1, 300_000])
    made = reckon(np.array([7, 5]), np.array([3, 0]), grid, grid, Volume(0, 3, 0))
    assert (made.without_average_wh, made.without_residual_wh) == (7, 4)
    assert made.location_ug == 5 * 300_000


def test_sums_beyond_64_bits_are_exact() -> None:
    amount, factor = np.full(3, 2**52), np.full(3, 10**6)
    assert dot(amount, factor) == 3 * 2**52 * 10**6
    assert rows_ug(np.stack([amount, amount]), factor).tolist() == [3 * 2**52 * 10**6] * 2


@pytest.mark.parametrize(("exact", "up"), [(Fraction(7, 2), 4), (Fraction(4), 4), (Fraction(0), 0)])
def test_what_was_emitted_is_rounded_up(exact: Fraction, up: int) -> None:
    assert ug_up(exact) == up


def test_zones_add_up() -> None:
    assert Inventory(drawn_wh=1, location_ug=2) + Inventory(drawn_wh=3) == Inventory(drawn_wh=4, location_ug=2)
