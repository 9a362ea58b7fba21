"""The first deal and a week's reports for it, as the tests use them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from penstock.capital.compile import compile_deal
from penstock.capital.deal import Deal
from penstock.capital.exact import Closing, close_period, opening_state, period_bounds
from penstock.capital.language import load_deal
from penstock.capital.program import Program
from penstock.capital.report import Report

FIRST = Path(__file__).parents[2] / "examples" / "deals" / "first.yaml"
NOW_S = 1_790_000_000
NEVER_S = 2**32 - 1
USDC = 10**6
# revenue [USDC] and energy bought [kWh] from Monday 22 August 2016 on; clouds on Tuesday and Wednesday
WEEK = ((2400, 3000), (1200, 2040), (700, 1200), (2400, 3100), (2400, 3300), (2300, 3200), (2450, 3350))


def text() -> str:
    return FIRST.read_text()


@cache
def deal() -> Deal:
    return load_deal(text())


@cache
def program() -> Program:
    return compile_deal(deal())


def report_of(day: int) -> Report:
    """The day's report: energy, cash flow after tariff and servicer, answers."""
    revenue, kwh = WEEK[day]
    cfads = revenue * USDC - kwh * 80_000 - 40 * USDC
    return Report((kwh * 1000, cfads, 0), period_bounds(program().code, day)[1], NEVER_S)


def closings(days: int = 7) -> list[Closing]:
    """The first days of the week, closed by the exact engine; nobody withdraws."""
    state, out, balance = opening_state(program().code), [], 0
    for day in range(days):
        balance += WEEK[day][0] * USDC
        out.append(close_period(program().code, state, report_of(day), balance, NOW_S))
        state = out[-1].state
    return out
