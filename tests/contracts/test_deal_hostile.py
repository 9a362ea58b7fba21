"""What surrounds a deal may be hostile: anchors that fail, dollars that lie or call back, callers short of gas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boa
import pytest
from deal_programs import LIMIT, Shape, pack
from deal_rig import (
    ANCHOR_AT,
    CALLER,
    CONSTRUCTOR,
    DEAL_HASH,
    DOLLAR,
    DOLLAR_AT,
    GOVERNOR,
    NOBODY,
    Pair,
    Refusal,
    call,
    compiled,
    create,
    execute,
    payee_address,
)
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from nodes import artefact

from penstock.capital.compile import compile_deal
from penstock.capital.exact import period_bounds
from penstock.capital.language import load_deal
from penstock.capital.report import Report

FIRST = Path(__file__).parents[2] / "examples" / "deals" / "first.yaml"
USDC = 10**6
NOW_S = 1_790_000_000
NEVER_S = 2**32 - 1

SILENT = """
@external
def __default__():
    pass
"""
FAILING = """
@external
def __default__():
    raise "no"
"""
BURNING = """
@external
def __default__():
    for i: uint256 in range(2**40):
        pass
"""
CHATTY = """
@external
def __default__() -> Bytes[4096]:
    return empty(Bytes[4096])
"""
REENTRANT = """
balanceOf: public(HashMap[address, uint256])
asked: public(uint256)

@external
def hold(holder: address, amount: uint256):
    self.balanceOf[holder] = amount

@external
def transfer(receiver: address, amount: uint256) -> bool:
    self.asked += 1
    done: bool = raw_call(msg.sender, method_id("close()"), revert_on_failure=False)
    assert not done
    lane: uint256 = 9
    again: Bytes[36] = abi_encode(lane, method_id=method_id("withdraw(uint256)"))
    done = raw_call(msg.sender, again, revert_on_failure=False)
    assert not done
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
    return True
"""
REFUSING = DOLLAR.replace("return True", "return False")


def code() -> bytes:
    return compile_deal(load_deal(FIRST.read_text())).code


def launch(dollar: str, anchor: str, *, payees: int = 5, first_payee: str | None = None) -> str:
    people = [first_payee or payee_address(0), *(payee_address(place) for place in range(1, payees))]
    args = [dollar, anchor, code(), NOBODY, DEAL_HASH, people, GOVERNOR]
    return create(bytes.fromhex(artefact("Deal")["bytecode"][2:]) + encode(CONSTRUCTOR, args))


def pay_in(dollar: str, deal: str, usdc: int) -> None:
    execute(dollar, "hold(address,uint256)", deal, usdc * USDC)


@pytest.fixture(autouse=True)
def undone() -> Any:
    with boa.env.anchor():
        boa.env.timestamp = NOW_S
        yield


@pytest.mark.parametrize("source", [SILENT, FAILING, BURNING, CHATTY], ids=["silent", "failing", "burning", "chatty"])
def test_an_anchor_that_fails_is_stale_and_stops_nothing(source: str) -> None:
    deal = launch(DOLLAR_AT, create(compiled(source)))
    pay_in(DOLLAR_AT, deal, 2400)
    assert call(deal, "close()") & 255 == 1  # lock-up
    assert call(deal, "period()") == 1


def test_a_dollar_that_calls_back_gets_nowhere() -> None:
    dollar = create(compiled(REENTRANT))
    deal = launch(dollar, ANCHOR_AT)
    pay_in(dollar, deal, 2400)
    call(deal, "close()")
    assert call(deal, "withdraw(uint256)", 9, sender=payee_address(2)) == 1_038_356_164
    assert call(dollar, "asked()") == 1
    assert call(deal, "period()") == 1
    assert call(deal, "unpaid(uint256)", 9) == 0


def test_a_dollar_that_refuses_leaves_the_claim_as_it_was() -> None:
    dollar = create(compiled(REFUSING))
    deal = launch(dollar, ANCHOR_AT)
    pay_in(dollar, deal, 2400)
    call(deal, "close()")
    with pytest.raises(Refusal, match=r"deal\.dollar_refused"):
        call(deal, "withdraw(uint256)", 9, sender=payee_address(2))
    assert call(deal, "unpaid(uint256)", 9) == 1_038_356_164
    assert call(deal, "lane(uint256)", 0) == 0


def test_nobody_can_starve_the_anchor_of_gas_to_lock_a_deal_up() -> None:
    pair = Pair.open(code(), 5)
    end = period_bounds(pair.code, 0)[1]
    pair.hold(2400 * USDC)
    execute(ANCHOR_AT, "attest(address,uint256)", pair.address, Report((10**6, 10**10, 0), end, NEVER_S).word)
    closed = 0
    for gas in range(20_000, 400_000, 2_500):
        with boa.env.anchor():
            done = boa.env.execute_code(pair.address, CALLER, gas=gas, data=keccak(text="close()")[:4])
            if not done.is_error:
                closed += 1
                assert int.from_bytes(done.output, "big") & 255 == 0  # never the state of a stale report
    assert closed > 50


def test_the_heaviest_program_still_closes() -> None:
    constants = (LIMIT, LIMIT, LIMIT, 3)
    shape = Shape(3, 1, constants, 5, 3)
    # as many steps as fit, of 16 items each: x = LIMIT ** 3 // 3 onto itself, every item read, written and capped
    heaviest = bytes((2, 255, 100, 120, 100, 227, shape.lasting_end + 3, 15 | 16 | 32 | 64 | 128))
    code = pack(shape, bytes.fromhex("07b2010100000000015180000000000000"), [heaviest] * 220, [LIMIT] * 4)
    assert len(code) <= 2048
    pair = Pair.open(code, 3)
    closing = pair.close(Report((2**63 - 1, -(2**63), LIMIT), 86_400, NEVER_S), 86_400, 2**255)
    assert closing is not None
    assert closing.inflow == LIMIT
    boa.env.timestamp = 172_800
    assert execute(pair.address, "close()").get_gas_used() < 2_500_000


def test_dollars_beyond_every_lane_wait_outside_and_stop_nothing() -> None:
    pair = Pair.open(code(), 5)
    for cash in (2**255, 0, 10**6):
        assert pair.close(Report.missing(), NOW_S, cash) is not None
    assert pair.state.taken_in == LIMIT


@pytest.mark.parametrize("dollar, anchor", [("0x" + "00" * 20, ANCHOR_AT), (DOLLAR_AT, "0x" + "11" * 20)])
def test_a_dollar_or_anchor_without_code_is_refused(dollar: str, anchor: str) -> None:
    with pytest.raises(Refusal, match=r"deal\.no_contract"):
        launch(dollar, anchor)


def test_payees_must_be_named_and_counted() -> None:
    with pytest.raises(Refusal, match=r"program\.payees"):
        launch(DOLLAR_AT, ANCHOR_AT, payees=4)
    with pytest.raises(Refusal, match=r"program\.payees"):
        launch(DOLLAR_AT, ANCHOR_AT, first_payee="0x" + "00" * 20)
