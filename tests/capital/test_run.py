"""A deal run over given series: a month worked out by hand, maturity, measures that look back, runs in two parts."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_exact_kernel import checked, compare, drawn

from penstock.capital.compile import compile_deal
from penstock.capital.edition import waive
from penstock.capital.exact import opening_state
from penstock.capital.language import load_deal
from penstock.capital.run import NEVER, Run, Series, look_back, run_deal
from penstock.errors import Invalid, NotFound

sys.path.append(str(Path(__file__).resolve().parents[1] / "contracts"))

from deal_texts import deal_texts

USDC = 10**6
TEXT = """
deal: Two years
calendar: {pays: monthly, starts: 2026-01-15T00:00:00Z, periods: 24}
report:
  cfads: USDC
  ltm: {unit: USDC, of: cfads, over: 3}
accounts: {collect: {}, trap: {}}
fees: {servicer: {amount: 10 USDC}}
tranches:
  A: {face: 12_000 USDC, rate: 6 %, count: 30/360, principal: 1_000 USDC}
  E: {residual: true}
tests:
  dscr: {value: ltm, against: due(A), lockup: below 1.50, stale: lockup, cure: after 1 clean period}
states: [normal, lockup]
waterfall:
  normal: [pay servicer, pay A.interest, pay A.principal, release trap, pay E rest]
  lockup: [pay servicer, pay A.interest, pay A.principal, hold rest in trap]
"""
DEAL = load_deal(TEXT)
PROGRAM = compile_deal(DEAL)


def series(months: int, dollars: int = 1_200) -> Series:
    cash = np.full(months, dollars * USDC, np.int64)
    return Series(cash, {"cfads": cash})


def run(given_series: Series, *, records: bool = False) -> Run:
    return run_deal(DEAL, PROGRAM, given_series, records=records)


def test_first_months_are_as_by_hand() -> None:
    """Interest 12,000 x 6 % / 12 = 60, then 55; equity the rest of 1,200; month 1 looks back on itself alone."""
    found = run(series(24))
    assert found.states[:4] == ("lockup", "lockup", "normal", "normal")
    assert found.balance("A")[:2].tolist() == [11_000 * USDC, 10_000 * USDC]
    assert found.paid("A")[:2].tolist() == [1_060 * USDC, 1_055 * USDC]
    assert found.paid("servicer").tolist() == [10 * USDC] * 24
    assert found.held("trap")[:3].tolist() == [130 * USDC, 265 * USDC, 0]
    assert found.paid("E")[2] == (130 + 135 + 140) * USDC
    assert found.paid("E")[23] == 1_190 * USDC


def test_maturity_is_the_first_month_without_debt() -> None:
    assert run(series(24)).matured == 11
    assert run(series(11)).matured == NEVER
    assert run(series(0)).matured == NEVER


def test_all_cash_is_somewhere() -> None:
    found = run(series(30, 1_037))
    paid = sum(found.paid(payee).sum() for payee in DEAL.payees)
    held = found.held("collect")[-1] + found.held("trap")[-1]
    assert paid + held == 30 * 1_037 * USDC


def test_a_run_in_two_parts_is_the_run() -> None:
    """The second part's own measures are given as attested; a look-back sums only the rows it is given."""
    whole = series(20)
    ltm = look_back(whole.cash_usdc_micro, 3)
    first = run_deal(DEAL, PROGRAM, Series(whole.cash_usdc_micro[:7], {"cfads": ltm[:7], "ltm": ltm[:7]}))
    rest = Series(whole.cash_usdc_micro[7:], {"cfads": ltm[7:], "ltm": ltm[7:]})
    second = run_deal(DEAL, PROGRAM, rest, first.closings.state(-1))
    assert np.array_equal(second.closings.lanes, run(whole).closings.lanes[7:])
    assert np.array_equal(second.paid("A"), run(whole).paid("A")[7:])


def test_a_missing_report_locks_and_a_waiver_does_not() -> None:
    fresh = np.ones(6, np.bool_)
    fresh[4] = False
    missing = replace(series(6), fresh=fresh)
    assert run(missing).states[3:] == ("normal", "lockup", "lockup")
    waived = waive(opening_state(PROGRAM.code), 1, 6)
    assert run_deal(DEAL, PROGRAM, missing, waived).states == ("normal",) * 6


def test_records_say_what_limited_each_step() -> None:
    found = run(series(2, 500), records=True)
    principal = [one for one in found.records(0) if PROGRAM.describe_step(one.step) == "pay A.principal"]
    assert [(one.paid, one.binding) for one in principal] == [(430 * USDC, "cash")]
    assert run(series(2)).records(0) == ()


def test_look_back_sums_so_many_rows() -> None:
    assert look_back(np.array([1, 2, 3, 4], np.int64), 2).tolist() == [1, 3, 5, 7]
    assert look_back(np.array([1, 2], np.int64), 12).tolist() == [1, 3]


def test_cash_beyond_the_machine_stays_outside() -> None:
    found = run(series(3, 4 * 10**12))
    assert found.closings.inflow_usdc_micro.tolist() == [4 * 10**18, 2**62 - 1 - 4 * 10**18, 0]


def test_what_is_missing_is_told() -> None:
    cash = np.full(3, USDC, np.int64)
    for broken, code in (
        (Series(cash, {}), "run.measure_missing"),
        (Series(cash, {"cfads": cash[:2]}), "run.rows_differ"),
        (Series(-cash, {"cfads": cash}), "run.cash_negative"),
        (Series(cash, {"cfads": cash}, np.ones(2, np.bool_)), "run.rows_differ"),
    ):
        with pytest.raises(Invalid) as caught:
            run(broken)
        assert caught.value.code == code
    with pytest.raises(NotFound) as unknown:
        run(series(1)).balance("Z")
    assert unknown.value.code == "run.no_lane"


@given(deal_texts(), st.data())
@checked(40)
def test_whole_deals_at_random_run_alike(text: str, data: st.DataObject) -> None:
    program = compile_deal(load_deal(text))
    state = opening_state(program.code)
    for _ in range(2):
        state = compare(program.code, state, drawn(data, program.code, state.period, program.rows), program.rows)
