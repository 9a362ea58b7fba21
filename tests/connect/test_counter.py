"""Counters wrap and restart; registers do not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.connect.counter import Standing, count_on

WIDTH = 1_000_000


def test_a_counter_is_followed_from_where_it_was_first_seen() -> None:
    first = count_on(None, 700)
    assert first.position_mj == 700
    assert count_on(first, 900).position_mj == 900


def test_a_wrap_goes_on_and_a_reset_is_shown() -> None:
    high = Standing(0, WIDTH - 10)
    assert count_on(high, 5, WIDTH).position_mj == WIDTH + 5
    assert count_on(Standing(0, WIDTH // 2), 5, WIDTH).position_mj == 5  # a new inverter, or a fault
    assert count_on(Standing(0, 900), 5).position_mj == 5


def test_two_wraps_add_up() -> None:
    once = count_on(Standing(0, WIDTH - 10), 5, WIDTH)
    again = count_on(Standing(once.base_mj, WIDTH - 1), 3, WIDTH)
    assert again.position_mj == 2 * WIDTH + 3


def test_a_restart_counts_from_zero_what_it_counted_since() -> None:
    assert count_on(Standing(0, 900), 40, restarts=True).position_mj == 940


@given(st.lists(st.integers(0, WIDTH // 20), min_size=1, max_size=50), st.integers(0, WIDTH - 1))
def test_steps_over_any_number_of_wraps_are_kept_to_the_unit(steps: list[int], start: int) -> None:
    standing, truth = count_on(None, start, WIDTH), start
    for step in steps:
        truth += step
        standing = count_on(standing, truth % WIDTH, WIDTH)
    assert standing.position_mj == truth


@given(st.lists(st.integers(0, WIDTH), min_size=1, max_size=50))
def test_with_restarts_no_register_goes_back(told: list[int]) -> None:
    standing = None
    before = 0
    for now in told:
        standing = count_on(standing, now, restarts=True)
        assert standing.position_mj >= before
        before = standing.position_mj
