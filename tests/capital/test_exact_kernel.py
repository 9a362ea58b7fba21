"""The compiled loop against the readable engine: every word, every record, for random and for spoilt programs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import first_week as week
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.capital.closings import Feed, close_many
from penstock.capital.decode import LIMIT
from penstock.capital.edition import amend, waive
from penstock.capital.exact import Closing, DealState, close_period, opening_state, period_bounds, withdraw
from penstock.capital.report import Report
from penstock.errors import Corrupt, Invalid, Refused

sys.path.append(str(Path(__file__).resolve().parents[1] / "contracts"))

from deal_programs import lone_steps, measures, spoilt, written

NEVER_S = 2**32 - 1
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
balances = st.one_of(st.just(0), st.integers(0, 10**13), st.integers(LIMIT - 3, 2**63 - 1))
waivers = st.one_of(st.just(()), st.tuples(*[st.integers(0, 6)] * 6))


def checked(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=SLOW)


def drawn(data: st.DataObject, code: bytes, first: int, rows: bytes = b"") -> Feed:
    """One to four periods of any cash, measures and freshness; nothing is fresh beyond the 32 bits of an as-of."""
    count = data.draw(st.integers(1, 4))
    each = st.lists(st.tuples(balances, st.tuples(*[measures] * 6), st.booleans()), min_size=count, max_size=count)
    held, values, fresh = zip(*data.draw(each), strict=True)
    can = [period_bounds(code, first + place, rows)[1] < NEVER_S for place in range(count)]
    return Feed(np.array(held, np.int64), np.array(values, np.int64), np.array(fresh, np.bool_) & can)


def one_by_one(code: bytes, state: DealState, feed: Feed, rows: bytes = b"") -> Iterator[Closing]:
    """Period after period by the readable engine."""
    for held, values, fresh in zip(feed.balance_usdc_micro.tolist(), feed.measures.tolist(), feed.fresh, strict=True):
        end_s = period_bounds(code, state.period, rows)[1]
        report = Report(tuple(values), end_s, NEVER_S) if fresh else Report.missing()
        closing = close_period(code, state, report, held, end_s if fresh else end_s + NEVER_S, rows)
        yield closing
        state = closing.state


def compare(code: bytes, state: DealState, feed: Feed, rows: bytes = b"") -> DealState:
    """Both engines over the same periods: the state they agree on at the end."""
    many = close_many(code, state, feed, rows, records=True)
    assert many.records is not None
    for place, one in enumerate(one_by_one(code, state, feed, rows)):
        assert one.state == many.state(place)
        assert one.steps == many.records.of_period(place)
        assert (one.start_s, one.end_s) == (many.starts_s[place], many.ends_s[place])
        assert (one.inflow, one.flags & 255, one.fresh) == (
            many.inflow_usdc_micro[place],
            many.states[place],
            many.fresh[place],
        )
    bare = close_many(code, state, feed, rows)
    assert bare.records is None
    assert np.array_equal(bare.lanes, many.lanes)
    return many.state(-1)


def run_equal(data: st.DataObject, code: bytes, rows: bytes = b"") -> DealState:
    """A few periods, a withdrawal, tests waived, a few periods more; the state they end in."""
    state = compare(code, opening_state(code), drawn(data, code, 0, rows), rows)
    lane = state.paid + data.draw(st.integers(0, len(state.withdrawn) - 1))
    state = withdraw(state, lane)[0]
    for test, through in enumerate(data.draw(waivers), 1):
        state = waive(state, test, through)
    return compare(code, state, drawn(data, code, state.period, rows), rows)


def sound(data: st.DataObject) -> None:
    """A program and its schedule, then others in its place with the same lanes."""
    one = data.draw(written())
    state = run_equal(data, one.code, one.rows)
    other = data.draw(written(most=8, shape=one.shape, calendar=one.calendar))
    with suppress(Refused):  # other dates for the open period
        state = amend(state, (one.code, one.rows), (other.code, other.rows))
        compare(other.code, state, drawn(data, other.code, state.period, other.rows), other.rows)


def random_bytes(data: st.DataObject) -> None:
    code, rows = data.draw(st.one_of(spoilt(), lone_steps().map(lambda one: (one, b""))))
    try:
        state = opening_state(code)
        period_bounds(code, 0, rows)
    except Invalid as refused:
        with pytest.raises(Invalid) as caught:
            close_many(code, DealState((), 0, ()), EMPTY, rows)
        assert caught.value.code == refused.code
        return
    compare(code, state, drawn(data, code, 0, rows), rows)


@given(st.data())
@checked(100)
def test_random_programs_leave_equal_words_and_records(data: st.DataObject) -> None:
    sound(data)


@given(st.data())
@checked(200)
def test_spoilt_programs_are_refused_or_run_alike(data: st.DataObject) -> None:
    random_bytes(data)


@pytest.mark.nightly
@given(st.data())
@checked(6000)
def test_many_random_programs_leave_equal_words_and_records(data: st.DataObject) -> None:
    sound(data)


@pytest.mark.nightly
@given(st.data())
@checked(6000)
def test_many_spoilt_programs_are_refused_or_run_alike(data: st.DataObject) -> None:
    random_bytes(data)


def feed(held: list[int], values: list[list[int]], fresh: list[bool]) -> Feed:
    columns = len(values[0]) if values else 0
    table = np.array(values, np.int64).reshape(len(values), columns)
    return Feed(np.array(held, np.int64), table, np.array(fresh, np.bool_))


EMPTY = feed([], [], [])


def test_no_periods_leave_the_state_alone() -> None:
    code = week.program().code
    many = close_many(code, opening_state(code), EMPTY, records=True)
    assert len(many.lanes) == len(many.inflow_usdc_micro) == 0


def test_columns_must_agree() -> None:
    for held, values, fresh in (([1, 2], [[0]], [True]), ([1], [[0] * 7], [True]), ([1], [[0]], [True, False])):
        with pytest.raises(Invalid, match="differ in length") as caught:
            feed(held, values, fresh)
        assert caught.value.code == "run.rows_differ"
    with pytest.raises(Invalid) as caught:
        feed([-1], [[0]], [True])
    assert caught.value.code == "run.cash_negative"


def test_lost_cash_stops_the_run_as_it_stops_a_close() -> None:
    code = week.program().code
    state = opening_state(code)
    robbed = replace(state, words=(state.words[0] | 5 << 192, *state.words[1:]))  # 5 taken in, none held
    with pytest.raises(Corrupt) as caught:
        close_many(code, robbed, feed([0], [[0]], [True]))
    assert caught.value.code == "deal.cash_lost"
