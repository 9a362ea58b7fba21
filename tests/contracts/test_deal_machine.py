"""The contract against its exact twin: random programs, spoilt bytes, whole random weeks; every storage word equal."""

from __future__ import annotations

import boa
import pytest
from deal_programs import cash_amounts, lone_steps, measures, programs, spoilt
from deal_rig import Pair, refused_alike
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.capital.exact import period_bounds
from penstock.capital.report import Report

U32 = 2**32 - 1
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


def checked(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=SLOW)


def run_periods(data: st.DataObject, pair: Pair, most: int = 3) -> None:
    """A few periods with any cash, any report, early calls, lost cash and withdrawals in between."""
    for _ in range(data.draw(st.integers(1, most))):
        _, end = period_bounds(pair.code, pair.state.period)
        wait = data.draw(st.sampled_from((-1, 0, 0, 3599, 3600, 10**6)))
        expiry = data.draw(st.sampled_from((U32, U32, end + max(wait, 0), end + max(wait, 0) + 1)))
        as_of = end + data.draw(st.sampled_from((0, 0, 0, -1, 1)))
        report = Report(data.draw(st.tuples(measures, measures, measures)), min(max(as_of, 0), U32), min(expiry, U32))
        closing = pair.close(report, max(end + wait, 1), data.draw(cash_amounts))
        assert closing is not None or wait < 3600  # once the grace is over nothing keeps a period from closing
        if data.draw(st.integers(0, 3)) == 0:
            pair.withdraw(pair.state.paid + data.draw(st.integers(0, len(pair.state.withdrawn) - 1)))
        if data.draw(st.integers(0, 5)) == 0:
            pair.hold(pair.balance // 2)  # an issuer may take dollars back
    cash = sum(pair.state.lane(lane) for lane in range(4, 4 + 4 * pair.code[2]))
    assert cash == pair.state.taken_in


def machine(data: st.DataObject) -> None:
    code = data.draw(programs())
    with boa.env.anchor():
        run_periods(data, Pair.open(code, code[6]))


def bytes_spoilt(data: st.DataObject) -> None:
    code = data.draw(st.one_of(spoilt(), lone_steps(), lone_steps()))
    payees = code[6] if len(code) > 6 else 1
    with boa.env.anchor():
        if not refused_alike(code, min(payees, 64)):
            run_periods(data, Pair.open(code, payees), most=1)


@given(st.data())
@checked(150)
def test_random_programs_leave_equal_words(data: st.DataObject) -> None:
    machine(data)


@given(st.data())
@checked(250)
def test_spoilt_programs_are_refused_alike(data: st.DataObject) -> None:
    bytes_spoilt(data)


@pytest.mark.nightly
@given(st.data())
@checked(4000)
def test_many_random_programs_leave_equal_words(data: st.DataObject) -> None:
    machine(data)


@pytest.mark.nightly
@given(st.data())
@checked(6000)
def test_many_spoilt_programs_are_refused_alike(data: st.DataObject) -> None:
    bytes_spoilt(data)
