"""Random deals of everything the language knows: contract and exact engine end in the same words, and money is kept."""

from __future__ import annotations

import boa
import pytest
from deal_rig import Pair
from deal_values import deals
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from penstock.capital.compile import compile_deal
from penstock.capital.deal import Deal
from penstock.capital.program import Program
from penstock.capital.report import Report
from penstock.errors import Refused

U32 = 2**32 - 1
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
cash_in = st.one_of(st.just(0), st.integers(0, 10**10), st.integers(0, 10**15))
dollars = st.one_of(st.just(0), st.integers(-(10**9), 10**10), st.integers(0, 10**15))


def checked(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=SLOW)


def compiled(deal: Deal) -> Program:
    """The program, unless an amount of the deal could outgrow the machine."""
    try:
        return compile_deal(deal)
    except Refused as refused:
        assert refused.code in ("program.may_saturate", "program.too_large", "program.read_before_written"), refused
        assume(False)
        raise


@st.composite
def measures(draw: st.DrawFn) -> tuple[int, ...]:
    """A report of everything: energy, cash flow, pool, a rate, losses, recoveries."""
    rate = draw(st.integers(-(10**6), 2 * 10**8))
    return (draw(st.integers(0, 10**9)), draw(dollars), draw(dollars), rate, draw(dollars), draw(dollars))


def run_deal(data: st.DataObject, *, for_size: bool = False) -> None:
    deal = data.draw(deals())
    program = compiled(deal)
    with boa.env.anchor():
        pair, came = Pair.open(program.code, len(program.payee_lanes), program.rows, for_size=for_size), 0
        for _ in range(data.draw(st.integers(2, 5))):
            end = pair.bounds[1]
            stale = data.draw(st.sampled_from((0, 0, 0, 1)))
            report = Report.missing() if stale else Report(data.draw(measures()), end, U32)
            cash = data.draw(cash_in)
            assert pair.close(report, end + 3600 * stale, cash) is not None
            assert pair.gas <= program.gas_ceiling
            came += cash
            held = sum(pair.state.lane(lane) for name, lane in program.lanes.items() if is_cash(name))
            assert held == came == pair.state.taken_in
            if data.draw(st.booleans()):
                pair.withdraw(data.draw(st.sampled_from(list(program.payee_lanes.values()))))


def is_cash(name: str) -> bool:
    return name in ("collect", "dsra", "trap", "funding") or name.endswith(".paid")


@given(st.data())
@checked(240)
def test_deals_of_everything_agree_and_conserve(data: st.DataObject) -> None:
    run_deal(data)


@pytest.mark.nightly
@given(st.data())
@checked(8_500)
def test_many_deals_of_everything_agree_and_conserve(data: st.DataObject) -> None:
    run_deal(data)


@pytest.mark.nightly
@given(st.data())
@checked(500)
def test_deals_of_everything_agree_compiled_for_size_too(data: st.DataObject) -> None:
    run_deal(data, for_size=True)
