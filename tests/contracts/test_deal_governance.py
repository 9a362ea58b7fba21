"""What a governor may change of a running deal, by hand: a waiver, an amendment, a payee. And what it may not."""

from __future__ import annotations

from collections.abc import Iterator

import boa
import pytest
from deal_programs import Shape, pack
from deal_rig import (
    AMEND,
    ANCHOR_AT,
    CONSTRUCTOR,
    DEAL_HASH,
    DOLLAR_AT,
    GOVERNOR,
    NOBODY,
    REPLACE,
    WAIVE,
    Pair,
    Refusal,
    call,
    create,
    execute,
    new_payee_address,
    payee_address,
)
from eth_abi.abi import encode
from nodes import artefact

from penstock.capital.report import Report
from penstock.capital.schedule_rows import pack_rows

DAY_S = 86_400
NEVER_S = 2**32 - 1
MEASURE, COLUMN = 238, 245
DAILY = bytes.fromhex("07b20101000000000151800000000000")  # from 1970-01-01 on
# lanes: 4 the account, 5 a fee's payee, 6 a tranche's, 8-15 ledgers; constants 16-19; temporaries from 20
SHAPE = Shape(4, 1, (3, 5, 7, 1), 5, 2, replaceable=1)
FEE, TRANCHE = 5, 6


def step(op: int, a: int = 0, b: int = 0, c: int = 0, e: int = 0, g: int = 0, low: int = 0) -> bytes:
    return bytes((op, 255, a, b, c, e, g, low))


TEST_2 = (step(7, a=2, b=20, c=MEASURE, e=1, g=3), step(8, a=20))  # sticky from level 3 on
TO_FEE, TO_TRANCHE = step(1, a=4, c=FEE), step(1, a=4, c=TRANCHE)


def program(
    *steps: bytes, rows: bytes = b"", row_words: int = 0, shape: Shape = SHAPE, calendar: bytes = DAILY
) -> bytes:
    return pack(shape, calendar, list(steps), [0] * 8, rows, row_words)


@pytest.fixture(autouse=True)
def undone() -> Iterator[None]:
    with boa.env.anchor():
        yield


def close(pair: Pair, level: int, cash: int = 0) -> int:
    """Close the open period with a first measure of ``level``; the state after."""
    end = pair.bounds[1]
    closing = pair.close(Report((level, 0, 0), end, NEVER_S), end, cash)
    assert closing is not None
    return closing.flags & 255


def test_a_waived_test_finds_nothing_even_where_it_was_sticky_and_after_the_waiver_it_finds_again() -> None:
    pair = Pair.open(program(*TEST_2), 2)
    assert [close(pair, level) for level in (0, 3, 0)] == [0, 3, 3]
    assert pair.waive(2, 5)  # periods 4 and 5
    assert [close(pair, level) for level in (3, 4, 4)] == [0, 0, 4]
    assert pair.waive(2, 2**16 - 1)
    assert close(pair, 4) == 0
    assert pair.waive(2, 0)
    assert close(pair, 1) == 1


def test_a_waiver_is_of_one_test() -> None:
    pair = Pair.open(program(*TEST_2), 2)
    assert pair.waive(1, 10)
    assert close(pair, 3) == 3


def test_an_amended_program_runs_from_the_next_close_on_and_ends_waivers() -> None:
    pair = Pair.open(program(*TEST_2, TO_FEE), 2)
    assert pair.waive(2, 100)
    assert close(pair, 3, 50) == 0
    assert pair.amend(program(*TEST_2, TO_TRANCHE))
    assert close(pair, 3, 70) == 3
    assert (pair.state.lane(FEE), pair.state.lane(TRANCHE)) == (50, 70)
    assert pair.amend(program(TO_FEE))
    close(pair, 3, 1)
    assert pair.state.lane(FEE) == 51


OTHER_SHAPES = {
    "more payees": Shape(4, 1, (3, 5, 7, 1), 5, 3, replaceable=1),
    "another first payee": Shape(4, 1, (3, 5, 7, 1), 6, 2, replaceable=1),
    "more words": Shape(5, 1, (3, 5, 7, 1), 5, 2, replaceable=1),
    "more cash words": Shape(4, 2, (3, 5, 7, 1), 5, 2, replaceable=1),
    "a tranche that may be replaced": Shape(4, 1, (3, 5, 7, 1), 5, 2, replaceable=2),
}


@pytest.mark.parametrize("name", OTHER_SHAPES)
def test_lanes_keep_their_meaning(name: str) -> None:
    pair, shape = Pair.open(program(TO_FEE), 2), OTHER_SHAPES[name]
    opening = [0] * (4 * (shape.state_words - 1 - shape.cash_words))
    nothing = bytes((11, 255, 224, 224, 40, 0, 0, 0))
    assert not pair.amend(pack(shape, DAILY, [nothing], opening))
    assert close(pair, 0, 9) == 0
    assert pair.state.lane(FEE) == 9


def test_the_open_period_keeps_its_dates_and_later_ones_may_move() -> None:
    pair = Pair.open(program(TO_FEE), 2)
    close(pair, 0)
    earlier, later = pack_rows([DAY_S, DAY_S + 60], [], []), pack_rows([DAY_S, 2 * DAY_S, 2 * DAY_S + 60], [], [])
    assert not pair.amend(program(TO_FEE, rows=earlier, row_words=1), earlier)
    assert not pair.amend(program(TO_FEE, calendar=DAILY[:7] + b"\0\0\x0e\x10" + DAILY[11:]))
    assert pair.amend(program(TO_FEE, rows=later, row_words=1), later)
    close(pair, 0)
    assert pair.bounds == (2 * DAY_S, 2 * DAY_S + 60)
    close(pair, 0)
    assert pair.bounds == (2 * DAY_S + 60, 4 * DAY_S)  # after the last row the header says it


def test_a_replaced_payee_keeps_what_it_was_owed_and_its_successor_gets_the_rest() -> None:
    pair = Pair.open(program(TO_FEE), 2)
    close(pair, 0, 100)
    pair.withdraw(FEE)
    close(pair, 0, 30)
    assert pair.replace(FEE)  # and the former payee takes its 30
    assert call(DOLLAR_AT, "balanceOf(address)", payee_address(0)) == 130
    close(pair, 0, 7)
    assert pair.withdraw(FEE) == 7
    assert call(DOLLAR_AT, "balanceOf(address)", new_payee_address(FEE)) == 7
    assert execute(pair.address, "withdraw_former()").output[-1] == 0
    with pytest.raises(Refusal, match=r"deal\.not_a_payee"):
        call(pair.address, "withdraw(uint256)", FEE, sender=payee_address(0))


@pytest.mark.parametrize("lane", [0, 3, 4, TRANCHE, 7, 8, 2**255])
def test_no_vote_gives_a_tranches_lane_to_another(lane: int) -> None:
    pair = Pair.open(program(TO_FEE), 2)
    assert not pair.replace(lane)


def test_only_the_governor_governs() -> None:
    pair = Pair.open(program(TO_FEE), 2)
    acts = ((AMEND, (program(TO_TRANCHE), NOBODY, DEAL_HASH)), (WAIVE, (1, 1)), (REPLACE, (FEE, payee_address(9))))
    for signature, args in acts:
        for stranger in (payee_address(0), ANCHOR_AT, "0x" + "01" * 20):
            pair.refuse(signature, "deal.governor", *args, sender=stranger)


def test_a_deal_without_a_governor_never_changes() -> None:
    creation = bytes.fromhex(artefact("Deal")["bytecode"][2:])
    people = [payee_address(0), payee_address(1)]
    args = [DOLLAR_AT, ANCHOR_AT, program(TO_FEE), NOBODY, DEAL_HASH, people, NOBODY]
    deal = create(creation + encode(CONSTRUCTOR, args))
    for sender in (GOVERNOR, payee_address(0)):
        with pytest.raises(Refusal, match=r"deal\.governor"):
            execute(deal, WAIVE, 1, 1, sender=sender)


def test_a_payee_must_be_named() -> None:
    pair = Pair.open(program(TO_FEE), 2)
    pair.refuse(REPLACE, "deal.not_replaceable", FEE, NOBODY, sender=GOVERNOR)
