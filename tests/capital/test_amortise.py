"""Principal that comes back: published tables, and what must hold for every amount."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.capital.amortise import grow, level, level_payment_up, sculpt, sculpted_debt_down, straight
from penstock.errors import Invalid

SSC = Path(__file__).parents[2].parent / "shared" / "data" / "ssc"
SINGLE_OWNER = SSC / "2022.08.08_develop_branch_PVWatts_Single_Owner_cmod_singleowner_outputs.json"
needs_ssc = pytest.mark.skipif(not SINGLE_OWNER.is_file(), reason="../shared/data/ssc is not present")
amounts = st.integers(0, 10**16)
rates = st.fractions(0, Fraction(1, 10), max_denominator=12_000)
counts = st.integers(1, 120)


def test_the_textbook_mortgage() -> None:
    """100,000 at 8.125 % over 360 months: 742.50 a month, of which 677.08 and 65.41 first. Source: Fabozzi, Handbook
    of Mortgage-Backed Securities, level-payment table."""
    rate = Fraction("0.08125") / 12
    principal = 100_000_000_000
    parts = level(principal, rate, 360)
    cents = [round(one / 10_000) for one in (level_payment_up(principal, rate, 360), principal * rate, parts[0])]
    assert cents == [74_250, 67_708, 6_541]
    assert (sum(parts), len(parts)) == (principal, 360)


@given(amounts, rates, counts)
def test_level_payments_repay_all_and_the_last_is_the_smallest(principal: int, rate: Fraction, count: int) -> None:
    payment, parts, balance = level_payment_up(principal, rate, count), level(principal, rate, count), principal
    for part in parts:
        assert 0 <= part <= balance
        assert part + balance * rate // 1 <= payment
        balance -= part
    assert balance == 0


@given(amounts, counts)
def test_straight_parts_differ_by_one_unit_at_most(principal: int, count: int) -> None:
    parts = straight(principal, count)
    assert sum(parts) == principal
    assert max(parts) - min(parts) <= 1


@given(st.lists(st.integers(10**6, 10**12), min_size=1, max_size=60), st.fractions(1, 3, max_denominator=100), rates)
def test_the_most_debt_is_repaid_and_one_unit_more_is_not(cash: list[int], target: Fraction, rate: Fraction) -> None:
    debt = sculpted_debt_down(cash, target, rate)
    try:
        parts = sculpt(cash, target, debt, rate)
    except Invalid as error:  # cash that rises so steeply that debt would have to grow first
        assert error.code == "schedule.interest_uncovered"
        return
    assert sum(parts) == debt
    with pytest.raises(Invalid) as caught:
        sculpt(cash, target, debt + 1, rate)
    assert caught.value.code == "schedule.too_much_debt"


@given(st.lists(st.integers(10**6, 10**12), min_size=1, max_size=60), st.fractions(1, 3, max_denominator=100), rates)
def test_sculpted_service_is_cash_over_target(cash: list[int], target: Fraction, rate: Fraction) -> None:
    """Within the units that rounding leaves to the last payment."""
    steady = sorted(cash, reverse=True)  # debt never has to grow
    balance = debt = sculpted_debt_down(steady, target, rate)
    parts = sculpt(steady, target, debt, rate)
    for one, part in list(zip(steady, parts, strict=True))[:-1]:
        assert balance * rate // 1 + part == one / target // 1
        balance -= part
    slack = sum((1 + rate) ** k for k in range(len(steady))) * 2 + 2
    assert abs(balance * rate // 1 + parts[-1] - steady[-1] / target) <= slack


@needs_ssc
def test_ssc_debt_is_the_value_of_its_cash() -> None:
    """CFADS / 1.3 discounted at 7 % over 18 years is the debt SSC finds: 52,499,952.30 dollars."""
    found = json.loads(SINGLE_OWNER.read_text("utf-8"))
    cash = [round(one * 10**6) for one in found["cf_cash_for_ds"][1:19]]
    debt = sculpted_debt_down(cash, Fraction("1.3"), Fraction(7, 100))
    assert debt == pytest.approx(52_499_952.30030139 * 10**6, rel=1e-12)
    parts = sculpt(cash, Fraction("1.3"), debt, Fraction(7, 100))
    theirs = [one * 10**6 for one in found["cf_debt_payment_principal"][1:19]]
    assert parts == pytest.approx(theirs, abs=100)
    assert debt - sum(parts[:2]) == pytest.approx(49_480_592.876 * 10**6, rel=1e-9)


def test_a_period_whose_interest_is_not_covered_is_named() -> None:
    with pytest.raises(Invalid) as caught:
        sculpt([1_000, 10_000_000], Fraction(1), 9_000_000, Fraction(1, 100))
    assert caught.value.code == "schedule.interest_uncovered"
    assert "period 1" in caught.value.message


def test_growth_rounds_once() -> None:
    assert grow(100, Fraction(1, 100), Fraction(0), 1, 4) == (100, 101, 102, 103)
    assert grow(10**9, Fraction(1, 100), Fraction(5, 1000), 12, 25)[11:13] == (10**9, 1_004_950_000)
    assert grow(10**9, Fraction(1, 100), Fraction(5, 1000), 12, 25)[24] == 10**9 * Fraction("1.00495") ** 2 // 1
    assert grow(7, Fraction(0), Fraction(1), 1, 3) == (7, 0, 0)
