"""What a program does is what the deal says: random deals of everything, run by steps and read in plain words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from penstock.capital.compile import compile_deal
from penstock.capital.deal import Deal
from penstock.capital.exact import DealState, close_period, opening_state, period_bounds
from penstock.capital.program import Program
from penstock.capital.report import Report
from penstock.errors import Refused

sys.path.append(str(Path(__file__).parents[1] / "contracts"))
from deal_values import deals
from plain_deal import Books, PlainClose, opened

U32 = 2**32 - 1
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
cash_in = st.one_of(st.just(0), st.integers(0, 10**10), st.integers(0, 10**16))
dollars = st.one_of(st.just(0), st.integers(-(10**9), 10**10), st.integers(0, 10**16))


def checked(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=SLOW)


def read(program: Program, state: DealState) -> dict[str, int]:
    return {name: state.lane(lane) for name, lane in program.lanes.items()}


def said(deal: Deal, books: Books, names: list[str]) -> dict[str, int]:
    """The books under the names of the program's lanes."""
    out = {}
    for name in names:
        one, _, part = name.partition(".")
        out[name] = books.cash[name] if not part else getattr(books, part)[one]
    return out


def run_deal(data: st.DataObject) -> None:
    deal = data.draw(deals())
    try:
        program = compile_deal(deal)
    except Refused as refused:
        assert refused.code in ("program.may_saturate", "program.read_before_written", "program.too_large")
        assume(False)
        raise
    state, books, came = opening_state(program.code), opened(deal), 0
    for _ in range(data.draw(st.integers(1, 5))):
        start, end = period_bounds(program.code, state.period, program.rows)
        stale, inflow = data.draw(st.sampled_from((False, False, False, True))), data.draw(cash_in)
        values = [data.draw(dollars) for _ in deal.measures]
        values[0], values[3] = data.draw(st.integers(0, 10**15)), data.draw(st.integers(-(10**6), 2 * 10**8))
        report = Report.missing() if stale else Report(tuple(values), end, U32)
        came += inflow
        closing = close_period(program.code, state, report, came, end + 3600 * stale, program.rows)
        state = closing.state
        attested = None if stale else {one.name: value for one, value in zip(deal.measures, values, strict=True)}
        PlainClose(deal, books, attested, inflow, end - start).run()
        lanes = read(program, state)
        assert program.state_name(closing.flags) == deal.states[books.state]
        assert lanes == said(deal, books, list(lanes))


@given(st.data())
@checked(200)
def test_a_program_does_what_the_deal_says(data: st.DataObject) -> None:
    run_deal(data)


@pytest.mark.nightly
@given(st.data())
@checked(10_000)
def test_many_programs_do_what_their_deals_say(data: st.DataObject) -> None:
    run_deal(data)
