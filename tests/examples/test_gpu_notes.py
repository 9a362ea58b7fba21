"""Notes on rented accelerators: sweep and default by a mark, held when it is stale, called with a make-whole."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import exp, log, sqrt
from statistics import NormalDist

import numpy as np
import pytest
from example_life import USDC, assets_of, changes, everything_reached, example, in_order, live, on_chain, path

from penstock.capital.asset_review import review
from penstock.capital.run import Run, Series, run_deal

NOTES = example("gpu_notes")
HARDWARE = 100_000_000 * USDC
RENT = 3_600_000
FEES = 260_000 + RENT // 100


def months(
    count: int,
    rents: Mapping[int, int] | None = None,
    marks: Mapping[int, int] | None = None,
    missing: tuple[int, ...] = (),
) -> Series:
    """``rents`` [USDC] and ``marks`` [%] that differ from the base path, by period; hardware of six years."""
    rent = [(rents or {}).get(month, RENT) for month in range(1, count + 1)]
    mark = [(marks or {}).get(month, 100) for month in range(1, count + 1)]
    value = [HARDWARE * max(72 - month, 0) // 72 * one // 100 for month, one in enumerate(mark, 1)]
    cash = [one * USDC for one in rent]
    cfads = [one * 99 // 100 - 260_000 * USDC for one in cash]
    return path(cash, missing, cfads=cfads, value=value, accelerator=[one * 10**6 for one in mark])


POOR = months(48, rents=dict.fromkeys(range(6, 9), 2_700_000))
"""Three thin months: distributions are held, nobody is short."""
GLUT = months(48, marks=dict.fromkeys(range(10, 14), 72))
"""Four months in which machines are worth little: what is left repays."""
CRASH = months(60, marks=dict.fromkeys(range(8, 61), 60))
DEFAULT = months(60, rents=dict.fromkeys(range(5, 12), 900_000))
CALLED = months(20, rents={14: 55_000_000})


def test_base_repays_on_schedule() -> None:
    run = live(NOTES, months(40))
    assert changes(run) == []
    assert run.matured == 35
    assert int(run.paid("A").sum()) == 60_000_000 * USDC + straight_interest(60_000_000, 8)
    assert run.held("dsra")[37] == 0


def straight_interest(face: int, percent: int) -> int:
    """Interest on principal repaid in 36 equal parts, as the deal rounds it."""
    parts = [face * USDC * (month + 1) // 36 - face * USDC * month // 36 for month in range(36)]
    left = [face * USDC - sum(parts[:month]) for month in range(36)]
    return sum(one * percent // 1200 for one in left)


def test_the_contracts_carry_the_notes() -> None:
    found = review(NOTES.deal, assets_of("gpu_notes"))
    assert set(found.base_case.cash.tolist()) == {RENT * USDC}
    assert 0 <= HARDWARE - found.averages.value_usdc_micro < 24
    assert found.eligible.all()
    assert not any(found.over_caps.values())
    tenant = found.concentrations["offtaker"][0]
    assert tenant.name == "frontier laboratory"
    assert float(tenant.share) == pytest.approx(0.38, abs=0.02)  # its cap is two fifths


def test_every_state_and_test_is_reached() -> None:
    runs = [live(NOTES, one) for one in (POOR, GLUT, CRASH, DEFAULT, CALLED)]
    everything_reached(NOTES, runs)
    for run in runs:
        in_order(run, "host", "A")
        in_order(run, "A", "E")
        in_order(run, "B", "E", ["normal", "lockup"])


def test_thin_months_hold_distributions() -> None:
    run = live(NOTES, POOR)
    assert changes(run) == [(6, "lockup"), (10, "normal")]
    assert not run.paid("E")[5:9].any()


def test_a_glut_sweeps_and_cures() -> None:
    run = live(NOTES, GLUT)
    assert changes(run)[0] == (10, "sweep")
    assert changes(run)[-1][1] == "normal"
    assert int(np.flatnonzero(run.balance("A") == 0)[0]) < 35
    assert not run.paid("E")[run.closings.states == 2].any()


def test_a_crash_is_a_default_for_good_and_repays_a_first() -> None:
    run = live(NOTES, CRASH)
    assert changes(run) == [(8, "accel")]
    repaid = int(np.flatnonzero(run.balance("A") == 0)[0])
    assert (run.balance("B")[7:repaid] == run.balance("B")[7]).all()
    assert run.matured > repaid


def test_a_missed_payment_is_a_default() -> None:
    run = live(NOTES, DEFAULT)
    assert changes(run) == [(5, "lockup"), (9, "accel")]
    reserve = run.held("dsra")[3:9]
    assert (np.diff(reserve)[:4] < 0).all()  # four months paid out of the reserve
    assert reserve[4] == reserve[5] == 0
    assert not run.lane("A.principal")[:7].any()


def test_a_stale_mark_holds_distributions_and_declares_nothing() -> None:
    run = live(NOTES, months(24, marks=dict.fromkeys(range(8, 13), 60), missing=tuple(range(8, 13))))
    assert changes(run) == [(8, "lockup"), (15, "normal")]
    assert not run.paid("E")[7:14].any()


def test_a_call_pays_what_the_notes_would_have_earned() -> None:
    run = live(NOTES, CALLED)
    assert changes(run) == [(14, "called")]
    assert run.balance("A")[13] == run.balance("B")[13] == 0
    assert run.paid("holders")[13] == 1_359_897 * USDC
    short = live(NOTES, months(20, rents={14: 44_000_000}))
    assert "called" not in short.states


@pytest.mark.parametrize("month", [1, 14, 30])
def test_the_premium_is_the_notes_worth_beyond_par(month: int) -> None:
    worth = par = Fraction(0)
    for face, rate in ((60_000_000, Fraction(8, 1200)), (10_000_000, Fraction(11, 1200))):
        left = Fraction(face * (37 - month), 36)
        par += left * (1 + rate)
        for later in range(37 - month):
            worth += (Fraction(face, 36) + left * rate) / (1 + Fraction(5, 1200)) ** later
            left -= Fraction(face, 36)
    column = next(one for one in NOTES.deal.schedule if one.name == "premium")
    assert column.values[month - 1] == int(worth - par) * USDC


def test_defaults_by_a_falling_rent_follow_the_closed_form() -> None:
    """Rents are log-normal about a falling mean: after a year ln(rent) has mean .83027085 and variance .04641127, and
    10.0799659 % of all paths have debt of more than 90 % of value (k 1.2, theta ln 2.50, delta -ln .75, s .35).
    """
    start, mean, sd = log(2.80), 0.83027085, sqrt(0.04641127)
    paths = 400
    found = sum(defaulted(exp(mean + sd * NormalDist().inv_cdf((i + 0.5) / paths) - start)) for i in range(paths))
    assert found / paths == pytest.approx(0.100799659, abs=1 / paths)


def defaulted(mark: float) -> bool:
    """Whether the deal is in default once the thirteenth month's test reads this mark: twelve payments are made."""
    series = months(13)
    value = np.array(series.measures["value"])
    value[12] = int(HARDWARE * 5 // 6 * mark)
    return accelerated(
        run_deal(NOTES.deal, NOTES.program, Series(series.cash_usdc_micro, {**series.measures, "value": value}))
    )


def accelerated(run: Run) -> bool:
    return run.states[-1] == "accel"


def test_two_years_close_on_chain() -> None:
    crash = months(24, rents={3: 2_700_000, 20: 45_000_000}, marks={9: 75, 15: 60}, missing=(6,))
    assert len(on_chain(NOTES, crash, 24)) == 24
