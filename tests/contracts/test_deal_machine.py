"""The contract against its exact twin: random programs, spoilt bytes, whole random weeks; every storage word equal."""

from __future__ import annotations

import boa
import pytest
from deal_programs import Written, amounts, cash_amounts, lone_steps, measures, spoilt, written
from deal_rig import Pair, refused_alike
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.capital.report import Report

U32 = 2**32 - 1
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


def checked(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=SLOW)


def run_periods(data: st.DataObject, pair: Pair, most: int = 3) -> None:
    """A few periods with any cash, any report, early calls, lost cash and withdrawals in between."""
    for _ in range(data.draw(st.integers(1, most))):
        _, end = pair.bounds
        wait = data.draw(st.sampled_from((-1, 0, 0, 3599, 3600, 10**6)))
        expiry = data.draw(st.sampled_from((U32, U32, end + max(wait, 0), end + max(wait, 0) + 1)))
        as_of = end + data.draw(st.sampled_from((0, 0, 0, -1, 1)))
        values = data.draw(st.tuples(*[measures] * (3 * pair.pages)))
        report = Report(values, min(max(as_of, 0), U32), min(expiry, U32))
        other = Report(values[:3], min(max(as_of, 1), U32) - 1, min(expiry, U32)).word
        second = data.draw(st.sampled_from((None, None, None, 0, other))) if pair.pages == 2 else None
        closing = pair.close(report, max(end + wait, 1), data.draw(cash_amounts), second)
        assert closing is not None or wait < 3600  # once the grace is over nothing keeps a period from closing
        if data.draw(st.integers(0, 3)) == 0:
            pair.withdraw(pair.state.paid + data.draw(st.integers(0, len(pair.state.withdrawn) - 1)))
        if data.draw(st.integers(0, 5)) == 0:
            pair.hold(pair.balance // 2)  # an issuer may take dollars back
    cash = sum(pair.state.lane(lane) for lane in range(4, 4 + 4 * pair.code[2]))
    assert cash == pair.state.taken_in


def machine(data: st.DataObject) -> None:
    one = data.draw(written())
    with boa.env.anchor():
        run_periods(data, Pair.open(one.code, one.shape.payees, one.rows))


def governed(data: st.DataObject) -> None:
    """Periods with amendments, waivers and replacements between them, sound and unsound."""
    one = data.draw(written(most=12))
    with boa.env.anchor():
        pair = Pair.open(one.code, one.shape.payees, one.rows)
        for _ in range(data.draw(st.integers(1, 4))):
            change(data, pair, one)
            run_periods(data, pair, most=1)


def change(data: st.DataObject, pair: Pair, one: Written) -> None:
    match data.draw(st.sampled_from(("amend", "amend", "spoil", "waive", "waive", "replace"))):
        case "amend":  # the same lanes; where the schedule differs, often other dates
            other = data.draw(written(most=12, shape=one.shape, calendar=one.calendar))
            pair.amend(other.code, other.rows)
        case "spoil":
            pair.amend(*data.draw(spoilt()))
        case "waive":
            pair.waive(data.draw(st.integers(0, 7)), data.draw(st.one_of(st.integers(0, 5), amounts)))
        case "replace":
            pair.replace(pair.state.paid + data.draw(st.integers(-1, 3)))


def bytes_spoilt(data: st.DataObject) -> None:
    code, rows = data.draw(st.one_of(spoilt(), lone_steps().map(lambda one: (one, b""))))
    payees = code[6] if len(code) > 6 else 1
    with boa.env.anchor():
        if not refused_alike(code, min(payees, 64), rows):
            run_periods(data, Pair.open(code, payees, rows), most=1)


@given(st.data())
@checked(150)
def test_random_programs_leave_equal_words(data: st.DataObject) -> None:
    machine(data)


@given(st.data())
@checked(250)
def test_spoilt_programs_are_refused_alike(data: st.DataObject) -> None:
    bytes_spoilt(data)


@given(st.data())
@checked(100)
def test_amended_and_waived_deals_leave_equal_words(data: st.DataObject) -> None:
    governed(data)


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


@pytest.mark.nightly
@given(st.data())
@checked(3000)
def test_many_amended_and_waived_deals_leave_equal_words(data: st.DataObject) -> None:
    governed(data)
