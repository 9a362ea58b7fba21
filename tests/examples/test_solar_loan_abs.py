"""Notes on homeowners' solar loans: usual years, a bad vintage, a collapse and its recoveries, a clean-up call."""

from __future__ import annotations

import numpy as np
from example_life import (
    USDC,
    Ints,
    assets_of,
    changes,
    everything_reached,
    example,
    in_order,
    live,
    on_chain,
    path,
)

from penstock.capital.asset_review import review
from penstock.capital.run import Run, Series

LOANS = example("solar_loan_abs")
FOUND = review(LOANS.deal, assets_of("solar_loan_abs"))
BASE = FOUND.base_case
ORIGINAL = 300_000_000 * USDC
NOTES = ("A", "B", "C")
PERIODS = 240
USUAL = 0.0006
"""Defaults a month."""


def loans(defaults: Ints | float, recovered: float = 0.3, prepaid: float = 0.005) -> dict[str, Ints]:
    """The base case, thinned each month by defaults and prepayments; a share of a default comes back a year later."""
    hazard = np.broadcast_to(np.asarray(defaults, np.float64), PERIODS)
    alive = np.concatenate([[1.0], np.cumprod((1 - hazard) * (1 - prepaid))])
    opening = np.concatenate([[ORIGINAL], BASE.balance[:-1]]) * alive[:-1]
    lost = opening * hazard
    staying = (1 - hazard) * alive[:-1]
    back = np.concatenate([np.zeros(12), lost[:-12] * recovered])
    pool = BASE.balance * alive[1:]
    cash = BASE.cash * staying + BASE.balance * staying * prepaid + back
    return {
        name: one.astype(np.int64)
        for name, one in (("cash", cash), ("pool", pool), ("losses", lost), ("recoveries", back))
    }


def along(columns: dict[str, Ints], missing: tuple[int, ...] = ()) -> Series:
    return path(columns["cash"], missing, **{name: values for name, values in columns.items() if name != "cash"})


def storm() -> dict[str, Ints]:
    """A collapse: 4 % a month default for 14 months, and most of it comes back."""
    hazard = np.full(PERIODS, 0.001)
    hazard[12:26] = 0.04
    return loans(hazard, 0.75)


def notes(run: Run) -> Ints:
    return np.asarray(sum(run.balance(name) for name in NOTES))


def test_the_pool_is_what_the_deal_says() -> None:
    assert FOUND.averages.balance_usdc_micro == ORIGINAL
    assert not any(FOUND.over_caps.values())
    assert FOUND.eligible.all()


def test_usual_years_turbo_to_the_target_and_then_pay_the_equity() -> None:
    usual = loans(USUAL)
    run = live(LOANS, along(usual))
    first = int(np.flatnonzero(run.paid("E"))[0])
    target = np.maximum(np.maximum(usual["pool"] * 2 // 10, ORIGINAL // 50), 4_000_000 * USDC)
    standing = usual["pool"] - notes(run)
    assert 6 < first < 60
    assert (standing[:first] < target[:first]).all()
    after = slice(first, first + 60)
    assert np.abs(standing[after] - target[after]).max() <= 2
    shares = run.balance("B")[:first] / run.balance("A")[:first]
    assert np.allclose(shares, 40 / 195)
    assert notes(run)[-1] == 0
    assert [state for _, state in changes(run)] == ["turbo", "called"]
    assert notes(live(LOANS, along(loans(USUAL, prepaid=0))))[-1] == 0
    for senior, junior in (("A", "B"), ("A", "C"), ("B", "C"), ("A", "E"), ("B", "E"), ("C", "E")):
        in_order(run, senior, junior)


def test_losses_above_their_limit_put_a_first() -> None:
    run = live(LOANS, along(loans(0.0035)))
    started = changes(run)[0]
    assert started[1] == "sequential"
    at = np.flatnonzero(np.array(run.states) == "sequential")
    shrinks = np.diff(run.balance("B"), prepend=run.balance("B")[0]) < 0
    assert not (shrinks[at] & (run.balance("A")[at] > 0)).any()
    in_order(run, "A", "B")
    in_order(run, "B", "C")


def test_a_collapse_locks_b_and_c_and_is_written_off_from_below() -> None:
    """Deepest: C is gone and part of B; what comes back repairs A first, then B, then C."""
    columns = storm()
    run = live(LOANS, along(columns))
    assert "locked" in run.states
    locked = np.flatnonzero(np.array(run.states) == "locked")
    with_a = locked[run.balance("A")[locked] > 0]
    assert not (run.paid("B") + run.paid("C") + run.paid("E"))[with_a].any()
    assert (notes(run)[locked] <= columns["pool"][locked]).all()
    assert run.balance("C")[locked[-1]] < 20_000_000 * USDC
    assert "normal" in run.states[locked[-1] :] or "sequential" in run.states[locked[-1] :]


def test_missing_reports_hold_the_equity_and_the_next_one_releases_it() -> None:
    run = live(LOANS, along(loans(USUAL), (70, 71)))
    assert [change for change in changes(run) if change[0] < 90] == [(70, "locked"), (73, "sequential"), (75, "normal")]
    assert not run.paid("E")[69:72].any()


def test_unpaid_senior_interest_accelerates_for_good() -> None:
    columns = loans(USUAL)
    columns["cash"][20:26] = 0
    run = live(LOANS, along(columns))
    start = changes(run)[0]
    assert start[1] == "accel"
    owing = (run.balance("A") > 0) & (np.arange(PERIODS) >= start[0] - 1)
    assert not (run.paid("B") + run.paid("C") + run.paid("E"))[owing].any()
    assert set(run.states[start[0] - 1 :]) <= {"accel", "called"}  # the call outlives it


def test_the_last_tenth_is_called_and_everything_is_reached() -> None:
    usual = loans(USUAL)
    before = live(LOANS, along(usual))
    at = int(np.flatnonzero((usual["pool"] < ORIGINAL // 10) & (notes(before) > 0))[0])
    usual["cash"][at] += int(notes(before)[at - 1]) * 102 // 100
    run = live(LOANS, along(usual))
    assert run.states[at] == "called"
    assert notes(run)[at] == 0
    assert run.held("reserve")[at + 1] <= 500_000 * USDC
    starved = loans(USUAL)
    starved["cash"][20:26] = 0
    others = [along(loans(0.0035)), along(storm()), along(starved)]
    everything_reached(LOANS, [before, run, *(live(LOANS, one) for one in others)])


def test_three_years_with_a_collapse_close_on_chain() -> None:
    assert on_chain(LOANS, along(storm(), (3,)), 36)
