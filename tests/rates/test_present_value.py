"""Prices and average lives that are published or obvious."""

from __future__ import annotations

from datetime import date

import pytest

from penstock.rates.calendar import add_months, adjusted
from penstock.rates.present_value import average_life_years, discounted


def test_the_price_of_a_two_year_note() -> None:
    """2.5 % semi-annual to 31 Oct 2006, settled on 23 Nov 2004 at 2.925 %: clean 99.204505.

    Source: lballabio/QuantLib, test-suite/bonds.cpp (US Treasury note, Act/Act ISMA, null calendar).
    """
    dates = [adjusted(add_months(date(2004, 10, 31), 6 * k), "none", "unadjusted") for k in range(5)]
    into_first = (date(2004, 11, 23) - dates[0]).days / (dates[1] - dates[0]).days
    coupon = 100 * 0.025 / 2
    flows = [coupon, coupon, coupon, 100 + coupon]
    dirty = discounted(flows, [k + 1 - into_first for k in range(4)], 0.02925, 2)
    assert dirty - coupon * into_first == pytest.approx(99.204505, abs=5e-7)


def test_a_bond_at_its_coupon_is_worth_par() -> None:
    assert discounted([4.0, 4.0, 104.0], [1, 2, 3], 0.08, 2) == pytest.approx(100)


def test_average_lives() -> None:
    assert average_life_years([0, 100], 1) == 2
    assert average_life_years([50, 50], 12) == pytest.approx(1.5 / 12)
    assert average_life_years([0, 0]) == 0
