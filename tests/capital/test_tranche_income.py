"""Income of holders: nobody gets too much, dust is carried, a column equals its rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.capital.tranche import Income, earned_column_down, earned_down
from penstock.errors import Invalid, Refused

money = st.integers(0, 10**15)


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=8), st.lists(money, min_size=1, max_size=6))
def test_holders_never_get_more_than_came_and_lose_less_than_a_unit_each(shares: list[int], incomes: list[int]) -> None:
    income = Income(sum(shares))
    for amount in incomes:
        income = income.accrue(amount)
    paid = sum(earned_down(held, income.accumulator, 0) for held in shares)
    assert 0 <= sum(incomes) - paid <= len(shares)


def test_three_shares_of_ten_micro_dollars_by_hand() -> None:
    first = Income(3).accrue(10)
    assert (first.accumulator, first.dust) == ((10 << 64) // 3, (10 << 64) % 3)
    assert earned_down(1, first.accumulator, 0) == 3  # 10 / 3
    second = first.accrue(2)
    assert earned_down(1, second.accumulator, 0) == 4  # 12 / 3: the dust of the first accrual came back


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=20), st.integers(0, 2**64), st.integers(0, 2**64))
def test_a_column_equals_its_rows(shares: list[int], before: int, grown: int) -> None:
    now = before + grown
    column = earned_column_down(np.array(shares, dtype=np.int64), now, before)
    assert column.tolist() == [earned_down(held, now, before) for held in shares]


@given(st.integers(0, 2**31), st.integers(0, 2**95))
def test_a_small_holder_of_a_dear_share(held: int, grown: int) -> None:
    assert earned_column_down(np.array([held]), grown, 0).tolist() == [earned_down(held, grown, 0)]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(Refused, match=r"tranche\.column_overflow"):
        earned_column_down(np.array([2]), 2**96, 0)
    with pytest.raises(Refused, match=r"tranche\.column_overflow"):
        earned_column_down(np.array([2**62]), 2**65, 0)
    with pytest.raises(Refused, match=r"tranche\.overflow"):
        Income(1).accrue(2**100)
    with pytest.raises(Invalid, match=r"tranche\.supply"):
        Income(0)
    with pytest.raises(Invalid, match=r"money\.negative"):
        Income(1).accrue(-1)
