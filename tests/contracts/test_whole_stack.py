"""The six contracts together on both nodes: from a paid answer to a holder's dollars, each figure as in its twin."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from nodes import Chain
from whole_stack import FIRST, USDC, YARDSTICK, Stack, build

from penstock.capital.exact import unpaid


@dataclass(frozen=True)
class Period:
    """Credits sold and delivered, what the attesters report, and the state in which the period ends."""

    credits: int
    measures: tuple[int, ...]
    state: str


def day(revenue: int, kwh: int, state: str) -> Period:
    """A day of the first deal, a credit for a dollar: tariff of 8 cents, servicer of 40 dollars."""
    return Period(revenue, (kwh * 1000, revenue * USDC - kwh * 80_000 - 40 * USDC, 12_345_678), state)


def month(revenue: int, cfads: int, state: str) -> Period:
    """A month of the yardstick, a credit for a thousand dollars [thousand USDC]."""
    return Period(revenue, (cfads * 1000 * USDC, 100_000_000 * USDC), state)


PLAYS = {
    "first": (
        FIRST,
        USDC,
        (
            *(day(2400, 3000, "normal"), day(1200, 2040, "lockup"), day(700, 1200, "lockup")),
            *(day(2400, 3100, "lockup"), day(2413, 3300, "normal")),
        ),
    ),
    "yardstick": (
        YARDSTICK,
        1000 * USDC,
        (
            *(month(4000, 2000, "normal"), month(1501, 2000, "normal"), month(1200, 900, "lockup")),
            *(month(1500, 2000, "lockup"), month(1500, 2000, "normal"), month(1503, 500, "accel")),
        ),
    ),
}


def place(stack: Stack) -> None:
    """Holders are admitted and take shares of every tranche; a stranger may not."""
    stack.admit([stack.at("fund"), stack.at("family")])
    for name, tranche in stack.tranches.items():
        assert stack.refused(tranche.functions.transfer(stack.at("stranger"), 1), "sponsor") == "tranche.registry"
        stack.move(name, "sponsor", "fund", 20_000_000_000_007)
        stack.move(name, "sponsor", "family", 333)


def play(stack: Stack, number: int, period: Period) -> None:
    """Sell, deliver, attest, close, pull, withdraw."""
    stack.sell(period.credits, number)
    stack.publish()
    honest = stack.statement(*period.measures)
    stack.attest(honest, number % 3)
    assert stack.report().word != honest.word
    stack.attest(honest, (number + 1) % 3)
    assert stack.report().word == honest.word
    closing, _ = stack.close("stranger")
    assert closing.fresh
    assert closing.inflow == period.credits * stack.price_usdc_micro
    assert stack.program.state_name(closing.flags) == period.state
    share_out(stack, number)


def share_out(stack: Stack, number: int) -> None:
    """All tranches pull; holders settle by trading before, between and after."""
    first = next(iter(stack.tranches))
    for name in stack.tranches:
        stack.pull(name)
    stack.move(first, "fund", "family", 1_000_003)
    for name in stack.tranches:
        stack.take(name, "fund" if number % 2 else "family")
    for name in ("sponsor",) * (number == 2):
        stack.take(first, name)
    for fee in (name for name in stack.program.payee_lanes if name not in stack.tranches):
        stack.collect(fee)


def settle(stack: Stack) -> None:
    """In the end everyone has everything: what stays is reserves, collateral and dust."""
    for name in stack.tranches:
        for holder in ("sponsor", "fund", "family"):
            stack.take(name, holder)
        settlements = 40
        assert 0 <= stack.dollars(stack.tranches[name].address) < settlements
    lanes = stack.program.payee_lanes.values()
    assert [unpaid(stack.state, lane) for lane in lanes] == [0] * len(lanes)
    accounts = [lane for name, lane in stack.program.lanes.items() if name in ("collect", "dsra", "trap", "inverter")]
    assert stack.dollars(stack.deal.address) == sum(stack.state.lane(lane) for lane in accounts)
    assert stack.dollar.functions.totalSupply().call() == stack.minted
    capacity, outstanding, collateral = stack.credit.functions.stock_of(stack.class_id).call()
    assert (capacity, outstanding) == (20_000, 0)
    assert stack.dollars(stack.credit.address) == collateral


@pytest.mark.parametrize("name", sorted(PLAYS))
def test_from_a_paid_answer_to_a_holders_dollars(chain: Chain, name: str) -> None:
    text, price, periods = PLAYS[name]
    stack = build(chain, text)
    place(stack)
    stack.open_class(price, 20_000)
    stack.mint(stack.at("buyer"), price * sum(period.credits for period in periods))
    for number, period in enumerate(periods):
        play(stack, number, period)
    assert stack.dollars(stack.at("buyer")) == 0
    settle(stack)
