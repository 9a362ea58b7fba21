"""A mortgage pool by the PSA standard, the classes on it, and a planned class: published figures.

Source: F. J. Fabozzi, Fixed Income Analysis, on collateralised mortgage obligations: 400 million dollars, loans at
8.125 %, passed through at 7.5 %, 357 months to go, 3 months old.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from penstock.capital.prepayment import SCALE, Pool, PoolMonth, months, planned, planned_balance, smm_e18
from penstock.errors import Invalid
from penstock.rates.present_value import average_life_years

DOLLAR = 10**6
POOL = Pool(400_000_000 * DOLLAR, Fraction("0.08125"), 357, 3)
CLASSES = (194_500_000, 36_000_000, 96_500_000, 73_000_000)


def rounded(month: PoolMonth) -> tuple[int, int, int, int]:
    found = (month.interest + month.scheduled, month.scheduled, month.prepaid, month.principal)
    return (round(found[0] / DOLLAR), round(found[1] / DOLLAR), round(found[2] / DOLLAR), round(found[3] / DOLLAR))


def test_months_1_and_27_at_100_psa() -> None:
    found = months(POOL, 100)
    assert rounded(found[0]) == (2_975_868, 267_535, 267_470, 535_005)
    assert rounded(found[26]) == (2_766_461, 296_406, 1_874_688, 2_171_094)
    passed_on = found[25].balance * Fraction("0.075") / 12
    assert round(400_000_000 * Fraction("0.075") / 12) == 2_500_000
    assert round(passed_on / DOLLAR) == 2_280_050


def test_the_share_repaid_early() -> None:
    assert round(Fraction(smm_e18(4, 100), SCALE), 5) == Fraction("0.00067")
    assert round(Fraction(smm_e18(30, 100), SCALE), 5) == Fraction("0.00514")
    assert smm_e18(30, 100) == smm_e18(200, 100)
    assert smm_e18(30, 0) == 0


@pytest.mark.parametrize("psa", [1, 90, 165, 300, 1_600])
def test_the_root_is_exact_to_its_last_digit(psa: int) -> None:
    stays = 1 - Fraction(6, 100) * psa / 100
    root = SCALE - smm_e18(30, psa)
    assert Fraction(root, SCALE) ** 12 <= stays < Fraction(root + 1, SCALE) ** 12


def test_average_lives_of_sequential_classes_at_165_psa() -> None:
    left, lives = [month.principal for month in months(POOL, 165)], []
    assert average_life_years(left) == pytest.approx(8.78, abs=0.03)
    for face in CLASSES:
        paid, due = [], face * DOLLAR
        for month, principal in enumerate(left):
            part = min(principal, due)
            paid.append(part)
            due, left[month] = due - part, principal - part
        lives.append(average_life_years(paid))
    assert lives == pytest.approx([3.49, 7.50, 11.21, 20.28], abs=0.005)
    assert sum(left) == 0


def test_every_dollar_of_the_pool_comes_back() -> None:
    for psa in (0, 165, 1_600):
        found = months(POOL, psa)
        assert sum(month.principal for month in found) == POOL.balance_usdc_micro
        assert found[-1].balance == 0


def test_the_planned_class_of_90_to_300_psa() -> None:
    """243.8 million dollars of 400."""
    assert sum(planned(POOL, 90, 300)) / DOLLAR == pytest.approx(243.8e6, rel=0.001)


@pytest.mark.parametrize("psa", [90, 165, 300])
def test_any_steady_speed_between_keeps_the_plan(psa: int) -> None:
    plan, left = planned(POOL, 90, 300), 0
    for month, wanted in zip(months(POOL, psa), plan, strict=True):
        left += month.principal - wanted
        assert left >= 0


def test_what_a_planned_class_has_left() -> None:
    assert planned_balance(10, [4, 4, 4]) == [6, 2, 0]
    with pytest.raises(Invalid) as caught:
        planned_balance(13, [4, 4, 4])
    assert caught.value.code == "schedule.too_large_plan"


def test_no_such_speed() -> None:
    with pytest.raises(Invalid) as caught:
        months(POOL, 1_601)
    assert caught.value.code == "schedule.psa"
