"""A thousand holders are paid in one transaction, and each withdraws to the micro-dollar what it is owed."""

from __future__ import annotations

from gas_table import checksummed
from nodes import Chain
from whole_stack import FIRST, USDC, Stack, build

HOLDERS = 1000
BATCH = 200
PEOPLE = [f"holder {n}" for n in range(8)]


def stakes_of(count: int) -> list[int]:
    """Uneven stakes, from a single share up."""
    return [1 + 97 * n * n * 1013 for n in range(count)]


def distribute(stack: Stack, crowd: list[str], stakes: list[int]) -> None:
    """The sponsor places all it has of B: the last one takes what is left."""
    act = stack.tranches["B"].functions
    for start in range(0, HOLDERS, BATCH):
        some, parts = crowd[start : start + BATCH], stakes[start : start + BATCH]
        stack.admit(some)
        stack.do(act.transfer_many(some, parts), "sponsor")
        for one, part in zip(some, parts, strict=True):
            stack.holders["B"].move(stack.at("sponsor"), one, part)


def pay_all(stack: Stack, crowd: list[str]) -> int:
    """The rest are paid in batches by anyone; returns what the twin says they got."""
    paid = 0
    for start in range(0, len(crowd), BATCH):
        some = crowd[start : start + BATCH]
        owed = sum(stack.holders["B"].take(one) for one in some)
        stack.do(stack.tranches["B"].functions.pay_many(some), "anyone")
        paid += owed
        assert stack.dollars(stack.tranches["B"].address) == stack.holders["B"].held
    return paid


def test_a_thousand_holders_are_paid_in_one_transaction(chain: Chain) -> None:
    stack = build(chain, FIRST)
    crowd = [*(stack.at(role) for role in PEOPLE), *checksummed(chain, HOLDERS - len(PEOPLE))]
    stakes = stakes_of(HOLDERS - 1)
    stakes.append(stack.holders["B"].stakes[stack.at("sponsor")].shares - sum(stakes))
    distribute(stack, crowd, stakes)
    stack.open_class(USDC, 10_000)
    stack.mint(stack.at("buyer"), 7_213 * USDC)
    accrued = 0
    for number, count in enumerate((2_400, 2_400, 2_413)):
        stack.sell(count, number)
        stack.publish()
        stack.attest(stack.statement(3_000_000, 2_000 * USDC))
        stack.close()
        receipt = stack.pull("B")  # one transaction, for all of them
        accrued += stack.tranches["B"].events.Accrued().process_log(receipt["logs"][-1])["args"]["amount"]
    assert accrued == stack.holders["B"].held > 0
    census = stack.tranches["B"].functions
    assert [census.withdrawable(one).call() for one in crowd[:20]] == [
        stack.holders["B"].stake(one).credit for one in crowd[:20]
    ]
    before = [stack.dollars(one) for one in crowd[:8]]
    for role in PEOPLE:
        stack.take("B", role)
    stack.others = crowd
    by_hand = sum(stack.dollars(one) for one in crowd[:8]) - sum(before)
    paid = by_hand + pay_all(stack, crowd[8:])
    dust = stack.dollars(stack.tranches["B"].address)
    assert paid + dust == accrued
    assert 0 <= dust <= HOLDERS  # each settled once: less than a micro-dollar each, and one carried
    stack.chain.send(census.pay_many(crowd[:BATCH]), stack.by("anyone"))
    assert stack.dollars(stack.tranches["B"].address) == dust  # nothing twice
