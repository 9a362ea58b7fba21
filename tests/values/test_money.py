"""Rounding: its direction is in the name, it happens once, and it is exact where 64 bits are not enough."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import Invalid
from penstock.money import interest_down, share_down, share_up, split_last

amounts = st.integers(0, 2**63 - 1) | st.integers(2**62 - 50, 2**62 + 50)
numerators = st.integers(0, 2**62)
divisors = st.integers(1, 2**62)


@given(amounts, numerators, divisors)
def test_shares_are_the_floor_and_the_ceiling_of_the_exact_share(amount: int, num: int, den: int) -> None:
    exact = Fraction(amount * num, den)
    assert share_down(amount, num, den) == floor(exact)
    assert share_up(amount, num, den) == ceil(exact)


def test_no_digit_is_lost_near_2_to_62() -> None:
    # (2**62 + 1)(2**62 - 1) / 2**62 = 2**62 - 2**-62
    assert share_down(2**62 + 1, 2**62 - 1, 2**62) == 2**62 - 1
    assert share_up(2**62 + 1, 2**62 - 1, 2**62) == 2**62
    assert share_down(2**62 + 1, 3, 3) == share_up(2**62 + 1, 3, 3) == 2**62 + 1


@given(st.integers(0, 10**15), st.integers(0, 10_000), st.integers(0, 400))
def test_interest_has_one_floor(balance: int, rate_bp: int, days: int) -> None:
    assert interest_down(balance, rate_bp, 10_000, days, 365) == floor(Fraction(balance * rate_bp * days, 3_650_000))


def test_interest_of_the_first_deals_senior_tranche() -> None:
    assert interest_down(2_000_000 * 10**6, 8, 100, 1, 365) == 438_356_164  # 438.356164383... USDC a day


@given(amounts, st.lists(st.integers(0, 10**9), min_size=1, max_size=8))
def test_parts_sum_and_only_the_last_takes_the_rest(amount: int, weights: list[int]) -> None:
    total = sum(weights)
    if not total:
        with pytest.raises(Invalid) as caught:
            split_last(amount, weights)
        assert caught.value.code == "money.zero_divisor"
        return
    parts = split_last(amount, weights)
    assert sum(parts) == amount
    assert parts[:-1] == [amount * weight // total for weight in weights[:-1]]
    assert parts[-1] >= amount * weights[-1] // total


@pytest.mark.parametrize("share", [share_down, share_up])
def test_no_share_of_nothing_and_none_below_zero(share: object) -> None:
    assert callable(share)
    with pytest.raises(Invalid) as by_zero:
        share(1, 1, 0)
    assert by_zero.value.code == "money.zero_divisor"
    for amount, num, den in ((-1, 1, 1), (1, -1, 1), (1, 1, -1)):
        with pytest.raises(Invalid) as negative:
            share(amount, num, den)
        assert negative.value.code == "money.negative"
