"""Gas of the whole stack with the real Anchor: whole transactions, pinned to the unit, equal on both nodes.

To pin anew after a change that is meant: ``python tests/contracts/test_whole_stack_gas.py``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from gas_table import checksummed
from nodes import Chain, Node, Receipt, embedded
from whole_stack import USDC, YARDSTICK, Stack, build

PINNED = Path(__file__).parent / "gas_whole.json"
SALT = "gas of the whole"  # names the accounts, whose bytes are call data
VALUE = 100_000_000 * USDC
GOOD, POOR, BAD = ((cfads * USDC, VALUE) for cfads in (2_000_000, 900_000, 500_000))
STAKE = 10_000_000_007
PEOPLE = [f"holder {n}" for n in range(10)]
BATCH = 200
# What the contracts promise, for a deal in its steady state.
LIMITS = {
    "close, normal": 115_000,
    "close, lock-up trips": 125_000,
    "close, lock-up trips, shortfall caught up": 125_000,
    "close, locked up": 125_000,
    "close, cured": 125_000,
    "close, no report": 125_000,
    "close, accelerated": 125_000,
    "pull, 1 holder": 90_000,
    "pull, 100 holders": 90_000,
    "pull, 1000 holders": 90_000,
    "holder withdraws": 55_000,
    "holder withdraws, also credited": 55_000,
    "transfer, existing holder": 45_000,
    "transfer that settles both": 60_000,
}


class Table(dict[str, int]):
    """Act -> gas of its whole transaction."""

    def note(self, act: str, receipt: Receipt) -> None:
        self[act] = int(receipt["gasUsed"])


def period(stack: Stack, credits: int, measures: tuple[int, int] | None) -> dict[str, Receipt]:
    """Sell, deliver, attest, close: the receipts by act."""
    number = stack.state.period
    found = {"buy": stack.do(stack.purchase("buyer", credits, number.to_bytes(32, "big")), "relayer")}
    found["deliver"] = stack.do(stack.delivery("buyer", credits, number.to_bytes(32, "big")), "provider")
    if measures:
        found["publish"] = stack.publish()
        statement = stack.statement(*measures)
        found["vote"] = stack.do(stack.vote("attester 0", statement), "relayer")
        found["vote that reports"] = stack.do(stack.vote("attester 1", statement), "relayer")
    found["close"] = stack.close()[1]
    return found


def stack_of(chain: Chain) -> Stack:
    """The yardstick with a class of credits at a thousand dollars."""
    stack = build(chain, YARDSTICK)
    stack.open_class(1000 * USDC, 60_000)
    stack.mint(stack.at("buyer"), 60_000_000 * USDC)
    return stack


def crowd_of(stack: Stack, count: int) -> list[str]:
    """Addresses of so many holders; the first ten have keys."""
    people = [stack.at(role) for role in PEOPLE]
    return [*people, *checksummed(stack.chain, count - len(people))]


def distribute(stack: Stack, receivers: list[str]) -> None:
    """The sponsor gives each a stake of A, two hundred a transaction."""
    act = stack.tranches["A"].functions
    for start in range(0, len(receivers), BATCH):
        some = receivers[start : start + BATCH]
        stack.admit(some)
        stack.do(act.transfer_many(some, [STAKE] * len(some)), "sponsor")
        for one in some:
            stack.holders["A"].move(stack.at("sponsor"), one, STAKE)


def measure(chain: Chain) -> Table:
    """The deal's life in the order it would have."""
    table, stack = Table(), stack_of(chain)
    table["deploy Deal, yardstick"] = chain.deployed_gas[stack.deal.address]
    table.note("close, first ever", period(stack, 4000, GOOD)["close"])
    table.note("pull, first ever", stack.pull("A"))
    for act, receipt in period(stack, 1501, GOOD).items():
        table.note({"close": "close, normal"}.get(act, act), receipt)
    table.note("pull, 1 holder", stack.pull("A"))
    grow(stack, table)
    trade(stack, table)
    decline(stack, table)
    return table


def grow(stack: Stack, table: Table) -> None:
    """From one holder to a hundred to a thousand."""
    crowd = crowd_of(stack, 999)
    for start, stop in ((0, 99), (99, 999)):
        distribute(stack, crowd[start:stop])
        period(stack, 1502, GOOD)
        table.note(f"pull, {stop + 1} holders", stack.pull("A"))


def trade(stack: Stack, table: Table) -> None:
    """Two holders who have traded and withdrawn before."""
    one, two = PEOPLE[:2]
    table.note("holder withdraws, first ever", stack.take("A", one))
    stack.take("A", two)
    for turn in ("transfer that settles both, first ever", "transfer that settles both"):
        period(stack, 1503, GOOD)
        stack.pull("A")
        table.note(turn, stack.move("A", one, two, 1_000_003))
    table.note("transfer, existing holder", stack.move("A", one, two, 1_000_003))
    table.note("holder withdraws, only credited", stack.take("A", one))
    period(stack, 1504, GOOD)
    stack.pull("A")
    table.note("holder withdraws", stack.take("A", one))
    table.note("holder withdraws, also credited", stack.take("A", two))
    stack.admit([stack.at("newcomer")])
    table.note("transfer, new holder", stack.move("A", one, "newcomer", 1_000_003))


def decline(stack: Stack, table: Table) -> None:
    """Shortfall, lock-up, cure, silence, acceleration."""
    table.note("close, a slot leaves zero: first shortfall", period(stack, 950, GOOD)["close"])
    table.note("close, lock-up trips, shortfall caught up", period(stack, 1200, POOR)["close"])
    table.note("close, locked up", period(stack, 1500, GOOD)["close"])
    table.note("close, cured", period(stack, 1500, GOOD)["close"])
    table.note("close, lock-up trips", period(stack, 1200, POOR)["close"])
    table.note("close, no report", period(stack, 1500, None)["close"])
    table.note("close, a slot leaves zero: acceleration trips", period(stack, 1500, BAD)["close"])
    table.note("close, accelerated", period(stack, 1500, BAD)["close"])
    table.note("fee withdrawn, first ever", stack.collect("opex"))
    period(stack, 1500, BAD)
    table.note("fee withdrawn", stack.collect("opex"))


@pytest.fixture
def pinned() -> dict[str, int]:
    return dict(json.loads(PINNED.read_text()))


def test_gas_of_the_whole_is_pinned(node: Node, pinned: dict[str, int]) -> None:
    """The same figures on each node, so the nodes agree with one another too."""
    assert measure(Chain(node, SALT)) == pinned


def test_gas_of_the_whole_is_within_its_limits(pinned: dict[str, int]) -> None:
    assert {act: pinned[act] for act, most in LIMITS.items() if pinned[act] > most} == {}


def test_accrual_costs_the_same_for_any_number_of_holders(pinned: dict[str, int]) -> None:
    assert len({pinned[f"pull, {count}"] for count in ("1 holder", "100 holders", "1000 holders")}) == 1


if __name__ == "__main__":
    with embedded() as running:
        PINNED.write_text(json.dumps(measure(Chain(running, SALT)), indent=1) + "\n")
    sys.stdout.write(PINNED.read_text())
