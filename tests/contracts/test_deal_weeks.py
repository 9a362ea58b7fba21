"""Whole deals over several periods, from their text: the contract's words equal the twin's, and money is conserved."""

from __future__ import annotations

from pathlib import Path

import boa
import pytest
from deal_rig import Pair
from deal_texts import deal_texts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.capital.compile import compile_deal
from penstock.capital.exact import period_bounds
from penstock.capital.language import load_deal
from penstock.capital.program import Program
from penstock.capital.report import Report

U32 = 2**32 - 1
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)
FIRST = Path(__file__).parents[2] / "examples" / "deals" / "first.yaml"
WEEK = ((2400, 3000), (1200, 2040), (700, 1200), (2400, 3100), (2400, 3300), (2300, 3200), (2450, 3350))

cash_in = st.one_of(st.just(0), st.integers(0, 10**10), st.integers(0, 10**15))
cfads_or_value = st.one_of(st.just(0), st.integers(-(10**9), 10**10), st.integers(0, 10**15))


def checked(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=SLOW)


def run_deal(data: st.DataObject, *, for_size: bool = False) -> None:
    text = data.draw(deal_texts())
    program = compile_deal(load_deal(text))
    with boa.env.anchor():
        pair = Pair.open(program.code, len(program.payee_lanes), for_size=for_size)
        came = 0
        for _ in range(data.draw(st.integers(2, 5))):
            _, end = period_bounds(program.code, pair.state.period)
            stale = data.draw(st.sampled_from((0, 0, 0, 1)))
            report = Report(
                (data.draw(st.integers(0, 10**9)), data.draw(cfads_or_value), data.draw(cfads_or_value)), end, U32
            )
            cash = data.draw(cash_in)
            closing = pair.close(Report.missing() if stale else report, end + 3600 * stale, cash)
            assert closing is not None
            came += cash
            assert conserved(program, pair, came)
            if data.draw(st.booleans()):
                pair.withdraw(data.draw(st.sampled_from(list(program.payee_lanes.values()))))


def conserved(program: Program, pair: Pair, came: int) -> bool:
    """What came in is what accounts and payees hold, and what was withdrawn has left."""
    cash = [
        lane for name, lane in program.lanes.items() if name in ("collect", "dsra", "trap") or name.endswith(".paid")
    ]
    held = sum(pair.state.lane(lane) for lane in cash)
    return held == came == pair.state.taken_in and pair.balance == came - pair.state.paid_out


@given(st.data())
@checked(60)
def test_random_deals_agree_and_conserve(data: st.DataObject) -> None:
    run_deal(data)


@pytest.mark.nightly
@given(st.data())
@checked(1500)
def test_many_random_deals_agree_and_conserve(data: st.DataObject) -> None:
    run_deal(data)


@pytest.mark.nightly
@given(st.data())
@checked(300)
def test_random_deals_agree_compiled_for_size_too(data: st.DataObject) -> None:
    run_deal(data, for_size=True)


def test_the_first_week_closes_on_chain_as_in_the_exact_engine() -> None:
    program = compile_deal(load_deal(FIRST.read_text()))
    with boa.env.anchor():
        pair = Pair.open(program.code, len(program.payee_lanes))
        states = []
        for day, (revenue, kwh) in enumerate(WEEK):
            cfads = revenue * 10**6 - kwh * 80_000 - 40 * 10**6
            report = Report((kwh * 1000, cfads, 0), period_bounds(program.code, day)[1], U32)
            closing = pair.close(report, 1_790_000_000, revenue * 10**6)
            assert closing is not None
            states.append(program.state_name(closing.flags))
        assert states == ["normal", "lockup", "lockup", "lockup", "normal", "normal", "normal"]
        for lane in program.payee_lanes.values():
            assert pair.withdraw(lane) > 0
        held = sum(pair.state.lane(program.lanes[name]) for name in ("collect", "dsra", "trap"))
        assert pair.balance == held
