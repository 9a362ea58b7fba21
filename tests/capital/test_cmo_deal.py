"""A plain sequential mortgage deal and one with a planned class, from text to the last payment, exact.

Source: F. J. Fabozzi, Fixed Income Analysis: 400 million dollars at 8.125 %, passed through at 7.5 %, 357 months.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate, pairwise

import numpy as np
import pytest

from penstock.capital.compile import compile_deal
from penstock.capital.language import load_deal
from penstock.capital.prepayment import Pool, months, planned
from penstock.capital.run import Run, Series, run_deal
from penstock.rates.present_value import average_life_years

DOLLAR = 10**6
POOL = Pool(400_000_000 * DOLLAR, Fraction("0.08125"), 357, 3)
HEAD = """
deal: Homes
calendar: {pays: monthly, starts: 2026-01-01T00:00:00Z, periods: 357}
report: {principal: USDC}
accounts: {collect: {}}
states: [normal]
"""
SEQUENTIAL = (
    HEAD
    + """
tranches:
  A: {face: 194_500_000 USDC, rate: 7.5 %, count: 30/360}
  B: {face: 36_000_000 USDC, rate: 7.5 %, count: 30/360}
  C: {face: 96_500_000 USDC, rate: 7.5 %, count: 30/360}
  D: {face: 73_000_000 USDC, rate: 7.5 %, count: 30/360}
  E: {residual: true}
waterfall:
  normal:
    - pay A.interest, B.interest, C.interest, D.interest
    - sweep A, B, C, D up to principal
    - pay E rest
"""
)
PLANNED = (
    HEAD.replace("principal", "pool")
    + """
schedule:
  pac_p: {pac: 243_800_000 USDC, pool: 400_000_000 USDC, rate: 8.125 %, term: 357, age: 3, between: [90 PSA, 300 PSA]}
tranches:
  P: {face: 243_800_000 USDC, rate: 7.5 %, count: 30/360, principal: balance(P) - pac_p}
  S: {face: 156_200_000 USDC, rate: 7.5 %, count: 30/360}
  E: {residual: true}
waterfall:
  normal:
    - pay P.interest, S.interest
    - pay P.principal
    - sweep S, P up to balance(P, S) - pool
    - pay E rest
"""
)


def run(text: str, psa: int) -> tuple[Run, list[int]]:
    """The deal with all that the pool pays at a steady speed, and the pool's principal."""
    deal = load_deal(text)
    pool = months(POOL, psa)
    principal = [month.principal for month in pool]
    cash = [month.interest + month.principal for month in pool]
    columns = {"principal": np.array(principal, np.int64), "pool": np.array([one.balance for one in pool], np.int64)}
    return run_deal(deal, compile_deal(deal), Series(np.array(cash, np.int64), columns)), principal


def repaid(found: Run, tranche: str, face: int) -> list[int]:
    return [before - after for before, after in pairwise([face * DOLLAR, *found.balance(tranche).tolist()])]


def test_classes_are_paid_one_after_the_other_to_the_micro_dollar() -> None:
    found, principal = run(SEQUENTIAL, 165)
    paid_so_far, above = list(accumulate(principal)), 0
    faces = {"A": 194_500_000, "B": 36_000_000, "C": 96_500_000, "D": 73_000_000}
    lives = []
    for name, face in faces.items():
        expected = [face * DOLLAR - min(max(paid - above, 0), face * DOLLAR) for paid in paid_so_far]
        assert found.balance(name).tolist() == expected
        above += face * DOLLAR
        lives.append(average_life_years(repaid(found, name, face)))
    assert lives == pytest.approx([3.49, 7.50, 11.21, 20.28], abs=0.005)


def test_the_residual_takes_the_spread() -> None:
    """8.125 % comes in on the pool and 7.5 % goes out on the classes; together they are the pool."""
    found, principal = run(SEQUENTIAL, 165)
    left, spread = POOL.balance_usdc_micro, []
    for part in principal:
        spread.append(left * Fraction("0.00625") / 12)
        left -= part
    assert (
        np.abs(found.paid("E") - np.array([float(one) for one in spread])).max() <= 4
    )  # a floor a class, one the pool
    assert found.balance("D")[-1] == 0


@pytest.mark.parametrize("psa", [90, 165, 300])
def test_a_planned_class_keeps_its_plan_at_any_speed_between(psa: int) -> None:
    found, principal = run(PLANNED, psa)
    expected = [max(243_800_000 * DOLLAR - paid, 0) for paid in accumulate(planned(POOL, 90, 300))]
    left = [POOL.balance_usdc_micro - paid for paid in accumulate(principal)]
    assert found.balance("P").tolist() == expected
    assert (found.balance("P") + found.balance("S")).tolist() == left
