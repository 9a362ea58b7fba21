"""Mortgage classes, sequential and planned, from file to last payment, exact.

Source: F. J. Fabozzi, Fixed Income Analysis: 400 million dollars at 8.125 %, passed through at 7.5 %, 357 months.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate, pairwise

import numpy as np
import pytest
from example_life import USDC, changes, everything_reached, example, in_order, live, on_chain, path

from penstock.capital.prepayment import Pool, months, planned
from penstock.capital.run import Run, Series
from penstock.rates.present_value import average_life_years

POOL = Pool(400_000_000 * USDC, Fraction("0.08125"), 357, 3)
SEQUENTIAL, PLANNED = example("cmo_sequential"), example("cmo_pac")
FACES = {"A": 194_500_000, "B": 36_000_000, "C": 96_500_000, "D": 73_000_000}
PLAN = [max(243_800_000 * USDC - paid, 0) for paid in accumulate(planned(POOL, 90, 300))]


def speed(psa: int, missing: tuple[int, ...] = ()) -> Series:
    """All that the pool pays at a steady speed."""
    pool = months(POOL, psa)
    cash = [month.interest + month.principal for month in pool]
    principal, left = [month.principal for month in pool], [month.balance for month in pool]
    return path(cash, missing, principal=principal, pool=left)


def principal(psa: int) -> list[int]:
    return [month.principal for month in months(POOL, psa)]


def repaid(run: Run, tranche: str, face: int) -> list[int]:
    return [before - after for before, after in pairwise([face * USDC, *run.balance(tranche).tolist()])]


def test_classes_are_paid_one_after_the_other_to_the_micro_dollar() -> None:
    run, paid_so_far, above = live(SEQUENTIAL, speed(165)), list(accumulate(principal(165))), 0
    lives = []
    for name, face in FACES.items():
        expected = [face * USDC - min(max(paid - above, 0), face * USDC) for paid in paid_so_far]
        assert run.balance(name).tolist() == expected
        above += face * USDC
        lives.append(average_life_years(repaid(run, name, face)))
    assert lives == pytest.approx([3.49, 7.50, 11.21, 20.28], abs=0.005)
    assert average_life_years(principal(165)) == pytest.approx(8.78, abs=0.005)
    assert run.matured == 356
    for senior, junior in pairwise("ABCDE"):
        in_order(run, senior, junior)


def test_the_residual_takes_the_spread() -> None:
    """8.125 % comes in on the pool and 7.5 % goes out on the classes; a floor a class, and one of the pool."""
    run, left = live(SEQUENTIAL, speed(165)), POOL.balance_usdc_micro
    for place, part in enumerate(principal(165)):
        assert abs(int(run.paid("E")[place]) - left * Fraction("0.00625") / 12) <= 4
        left -= part


@pytest.mark.parametrize("psa", [50, 400])
def test_slow_and_fast_pools_repay_everybody(psa: int) -> None:
    assert live(SEQUENTIAL, speed(psa)).balance("D")[-1] == 0


@pytest.mark.parametrize("psa", [90, 165, 300])
def test_a_planned_class_keeps_its_plan_at_any_speed_between(psa: int) -> None:
    run = live(PLANNED, speed(psa))
    left = [POOL.balance_usdc_micro - paid for paid in accumulate(principal(psa))]
    assert run.balance("P").tolist() == PLAN
    assert (run.balance("P") + run.balance("S") + run.balance("Z")).tolist() == left
    assert changes(run) == []


def test_a_slow_pool_falls_behind_the_plan_and_a_fast_one_loses_its_supports_first() -> None:
    slow, fast, plan = live(PLANNED, speed(50)), live(PLANNED, speed(600)), np.array(PLAN)
    assert (slow.balance("P") >= plan).all()
    early = fast.balance("P") < plan
    assert early.any()
    assert not (fast.balance("S") + fast.balance("Z"))[early].any()
    lives = [average_life_years(repaid(run, "P", 243_800_000)) for run in (fast, live(PLANNED, speed(165)), slow)]
    assert lives == sorted(set(lives))


def test_the_accrual_class_waits_for_the_support() -> None:
    run = live(PLANNED, speed(165))
    waits = run.balance("S") > 0
    assert not run.paid("Z")[waits].any()
    assert int(run.balance("Z")[waits].max()) > 30_000_000 * USDC
    assert run.balance("Z")[0] == 30_000_000 * USDC + 187_500 * USDC
    assert run.paid("I")[0] == 243_800_000 * USDC // 2400


def test_a_month_without_a_report_holds_all_but_interest() -> None:
    runs = [live(PLANNED, speed(165)), live(PLANNED, speed(165, (14, 15)))]
    everything_reached(PLANNED, runs)
    held = runs[1]
    assert changes(held) == [(14, "held"), (16, "normal")]
    assert not held.paid("E")[13:15].any()
    assert held.balance("P")[15] == runs[0].balance("P")[15]
    assert held.balance("Z")[-1] == 0


@pytest.mark.parametrize("of", [SEQUENTIAL, PLANNED], ids=["sequential", "planned"])
def test_the_first_year_closes_on_chain(of: object) -> None:
    assert on_chain(SEQUENTIAL if of is SEQUENTIAL else PLANNED, speed(165, (7,)), 12)
