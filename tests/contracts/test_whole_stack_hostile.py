"""Who strikes back gains nothing, and whom a dollar refuses stops nobody else; on both nodes."""

from __future__ import annotations

from typing import Any

import pytest
from hostile import CALLS_BACK, FALSE, REVERTS, call_data, hostile_dollar, striker
from nodes import ROOT, Chain, artefact
from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.compiler.phases import CompilerData
from vyper.compiler.settings import OptimizationLevel, Settings
from web3.contract import Contract
from whole_stack import FIRST, USDC, Stack, build

from penstock.capital.exact import unpaid, withdraw

REPORT = (3_000_000, 2_100 * USDC)
NAMES = ("Anchor", "Credit", "Deal", "Dollar", "Registry", "Tranche")
ECHO = bytes.fromhex("600b380380600b5f395ff3")


def close(stack: Stack, dollars: int = 2_413) -> None:
    """Income arrives by itself, the attesters report, anyone closes."""
    stack.mint(stack.deal.address, dollars * USDC)
    stack.publish()
    stack.attest(stack.statement(*REPORT))
    stack.close()


def lane(stack: Stack, name: str) -> int:
    return stack.program.payee_lanes[name]


def owed(stack: Stack, name: str) -> int:
    return unpaid(stack.state, lane(stack, name))


def plan(stack: Stack, hostile: Contract, *calls: Any) -> None:
    for call in calls:
        stack.do(hostile.functions.plan(*call_data(call)), "attacker")


def attack(stack: Stack, hostile: Contract, call: Any) -> None:
    stack.do(hostile.functions.act(*call_data(call)), "attacker")


# ---------------------------------------------------------------- dollars that refuse


@pytest.mark.parametrize("mode, why", [(REVERTS, "listed"), (FALSE, "deal.dollar_refused")])
def test_a_payee_whom_the_dollar_refuses_stops_nobody(chain: Chain, mode: int, why: str) -> None:
    dollar = hostile_dollar(chain)
    stack = build(chain, FIRST, dollar=dollar)
    for listed in (stack.at("roofs"), stack.tranches["A"].address):
        stack.do(dollar.functions.set_mode(listed, mode), "issuer")
    for _ in range(2):
        close(stack)
        assert stack.refused(stack.deal.functions.withdraw(lane(stack, "roofs")), "roofs") == why
        assert stack.refused(stack.tranches["A"].functions.pull(), "anyone") == why
        stack.collect("servicer")
        stack.pull("B")
        stack.pull("E")
        stack.take("B", "sponsor")
    waiting = owed(stack, "roofs"), owed(stack, "A")
    assert min(waiting) > 0
    for back in (stack.at("roofs"), stack.tranches["A"].address):
        stack.do(dollar.functions.set_mode(back, 0), "issuer")
    stack.collect("roofs")
    stack.pull("A")
    assert (stack.dollars(stack.at("roofs")), stack.dollars(stack.tranches["A"].address)) == waiting


def test_a_deal_whom_the_dollar_refuses_still_closes(chain: Chain) -> None:
    dollar = hostile_dollar(chain)
    stack = build(chain, FIRST, dollar=dollar)
    stack.do(dollar.functions.set_mode(stack.deal.address, REVERTS), "issuer")
    for _ in range(2):
        close(stack)
        assert stack.refused(stack.deal.functions.withdraw(lane(stack, "servicer")), "servicer") == "listed"
    stack.do(dollar.functions.set_mode(stack.deal.address, 0), "issuer")
    stack.collect("servicer")
    assert stack.dollars(stack.at("servicer")) == 80 * USDC


def test_a_holder_whom_the_dollar_refuses_stops_nobody_and_loses_nothing(chain: Chain) -> None:
    dollar = hostile_dollar(chain)
    stack = build(chain, FIRST, dollar=dollar)
    tranche = stack.tranches["A"].functions
    stack.admit([stack.at("fund"), stack.at("family")])
    for holder in ("fund", "family"):
        stack.move("A", "sponsor", holder, 10_000_000_000_001)
    stack.do(dollar.functions.set_mode(stack.at("fund"), REVERTS), "issuer")
    close(stack)
    stack.pull("A")
    assert stack.refused(tranche.withdraw(), "fund") == "listed"
    assert stack.refused(tranche.pay_many([stack.at("fund"), stack.at("family")]), "anyone") == "listed"
    stack.take("A", "family")
    stack.take("A", "sponsor")
    amount = stack.holders["A"].take(stack.at("fund"))
    stack.do(tranche.withdraw(stack.at("heir")), "fund")  # elsewhere it may still be paid
    assert stack.dollars(stack.at("heir")) == amount > 0


# ---------------------------------------------------------------- payees and holders that strike back


def test_a_payee_that_strikes_back_is_paid_once(chain: Chain) -> None:
    dollar, hostile = hostile_dollar(chain), striker(chain)
    stack = build(chain, FIRST, dollar=dollar, servicer=hostile)
    stack.do(dollar.functions.set_mode(hostile.address, CALLS_BACK), "issuer")
    deal = stack.deal.functions
    lanes = [*stack.program.payee_lanes.values(), 0, 4]
    plan(stack, hostile, *(deal.withdraw(one) for one in lanes), deal.close())
    plan(stack, hostile, *(tranche.functions.pull() for tranche in stack.tranches.values()))
    close(stack)
    before = dict(zip(lanes, [deal.unpaid(one).call() for one in lanes], strict=True))
    attack(stack, hostile, deal.withdraw(lane(stack, "servicer")))
    assert hostile.functions.done().call() == [False] * 11
    assert stack.dollars(hostile.address) == before[lane(stack, "servicer")] == 40 * USDC
    stack.state, _ = withdraw(stack.state, lane(stack, "servicer"))
    stack.compare_words()
    attack(stack, hostile, deal.withdraw(lane(stack, "servicer")))  # a second time, in the open
    assert stack.dollars(hostile.address) == 40 * USDC
    close(stack)
    for name in stack.tranches:
        stack.pull(name)
    stack.collect("roofs")


def test_a_holder_that_strikes_back_is_paid_once(chain: Chain) -> None:
    dollar, hostile = hostile_dollar(chain), striker(chain)
    stack = build(chain, FIRST, dollar=dollar)
    stack.others.append(hostile.address)
    stack.admit([hostile.address])
    tranche = stack.tranches["A"]
    stack.do(tranche.functions.transfer(hostile.address, 10**12), "sponsor")
    stack.holders["A"].move(stack.at("sponsor"), hostile.address, 10**12)
    stack.do(dollar.functions.set_mode(hostile.address, CALLS_BACK), "issuer")
    again = [tranche.functions.withdraw(), tranche.functions.pull(), tranche.functions.pay_many([hostile.address])]
    plan(stack, hostile, *again, tranche.functions.transfer(stack.at("sponsor"), 10**12))
    close(stack)
    stack.pull("A")
    amount = stack.holders["A"].take(hostile.address)
    attack(stack, hostile, tranche.functions.withdraw())
    assert hostile.functions.done().call() == [False, False, False, True]  # its shares it may give away, settled
    stack.holders["A"].move(hostile.address, stack.at("sponsor"), 10**12)
    assert stack.dollars(hostile.address) == amount > 0
    stack.take("A", "sponsor")
    close(stack)
    stack.pull("A")
    stack.take("A", "sponsor")
    assert tranche.functions.withdrawable(hostile.address).call() == 0


def test_a_receiver_of_credits_that_strikes_back_gains_nothing(chain: Chain) -> None:
    stack, hostile = build(chain, FIRST), striker(chain)
    stack.others.append(hostile.address)
    stack.open_class(USDC, 100)
    stack.mint(stack.at("buyer"), 100 * USDC)
    stack.do(stack.purchase("buyer", 30, bytes(32)), "relayer")
    credit, own = stack.credit.functions, stack.class_id
    strikes = [credit.redeem(own, 1, bytes(32)), credit.refund(hostile.address, own)]
    strikes += [stack.purchase("buyer", 5, b"\x01" * 32), stack.delivery("buyer", 5, b"\x02" * 32)]
    strikes += [credit.safeTransferFrom(hostile.address, stack.at("attacker"), own, 1, b"")]
    strikes += [credit.safeBatchTransferFrom(hostile.address, stack.at("attacker"), [own], [1], b"")]
    strikes += [credit.open((hostile.address, stack.deal.address, bytes(32), 0, 1, 1, 1, 2**39, 1), 1, 0)]
    strikes += [credit.post(own, 0)]
    strikes += [credit.reclaim(own, 0), credit.lower_capacity(own, 1)]
    plan(stack, hostile, *strikes, stack.deal.functions.withdraw(lane(stack, "A")))
    plan(stack, hostile, credit.setApprovalForAll(stack.at("attacker"), True))
    move = credit.safeTransferFrom(stack.at("buyer"), hostile.address, own, 10, b"")
    stack.do(move, "buyer")
    assert hostile.functions.done().call() == [False] * 11 + [True]  # whom it approves is its own affair
    assert credit.balanceOf(hostile.address, own).call() == 10
    assert credit.balanceOf(stack.at("buyer"), own).call() == 20
    assert credit.stock_of(own).call() == [100, 30, 25 * USDC]
    assert stack.dollars(stack.credit.address) == (30 + 25) * USDC
    assert stack.dollars(stack.deal.address) == 0
    attack(stack, hostile, credit.redeem(own, 10, bytes(32)))  # in the open it is as good a holder as any
    assert stack.dollars(stack.deal.address) == 10 * USDC


# ---------------------------------------------------------------- dollars nobody asked for


def test_dollars_sent_by_force_are_counted_as_the_pages_say(chain: Chain) -> None:
    stack = build(chain, FIRST)
    stack.open_class(USDC, 10_000)
    stack.mint(stack.at("buyer"), 5_000 * USDC)
    for place in (stack.deal, stack.tranches["A"], stack.credit):
        stack.mint(place.address, 17 * USDC + 3)
    stack.sell(2_400, 0)
    stack.publish()
    stack.attest(stack.statement(*REPORT))
    closing, _ = stack.close()
    assert closing.inflow == 2_417 * USDC + 3  # the deal takes in all that it holds
    stack.holders["A"].held += 17 * USDC + 3  # the tranche holds it, and owes it to nobody
    stack.pull("A")
    stack.take("A", "sponsor")
    assert stack.dollars(stack.tranches["A"].address) - (17 * USDC + 3) in (0, 1)
    stack.do(stack.purchase("buyer", 100, b"\x09" * 32), "relayer")  # sales go on
    assert (
        stack.refused(stack.credit.functions.reclaim(stack.class_id, 2_500 * USDC), "provider") == "credit.collateral"
    )
    stack.do(stack.credit.functions.reclaim(stack.class_id, 2_475 * USDC), "provider")
    assert stack.dollars(stack.credit.address) == 125 * USDC + 17 * USDC + 3


# ---------------------------------------------------------------- nobody's hand on the program


def test_only_payees_withdraw(chain: Chain) -> None:
    stack = build(chain, FIRST)
    close(stack)
    act, lanes = stack.deal.functions.withdraw, stack.program.payee_lanes
    for role in ("stranger", "sponsor", "operator", "provider", "attester 0", "minter", "servicer"):
        for number in {*lanes.values(), 0, 4, 2**256 - 1} - ({lanes[role]} if role in lanes else set()):
            assert stack.refused(act(number), role) == "deal.not_a_payee"
    stack.compare_words()


def test_the_program_is_data_behind_an_echo(chain: Chain) -> None:
    stack = build(chain, FIRST)
    at = stack.deal.functions.program_at().call()
    assert bytes(chain.w3.eth.get_code(at)) == ECHO + stack.program.code
    chain._send(stack.by("attacker"), at, "0x" + "ff" * 64)
    assert bytes(chain.w3.eth.get_code(at)) == ECHO + stack.program.code
    assert stack.deal.functions.program().call() == stack.program.code
    stack.compare_words()


@pytest.mark.parametrize("name", NAMES)
def test_no_contract_is_written_to_destroy_or_become_another(name: str) -> None:
    """Quick, on the source; `test_no_contract_can_destroy_or_become_another` looks at the machine code."""
    written = (ROOT / "contracts" / f"{name}.vy").read_text()
    assert [word for word in ("selfdestruct", "delegate", "create_") if word in written] == []
    assert written.count("raw_create(") == (name == "Deal")  # stores the program


@pytest.mark.nightly
@pytest.mark.parametrize("name", NAMES)
def test_no_contract_can_destroy_or_become_another(name: str) -> None:
    bundle = FilesystemInputBundle([ROOT / "contracts"])
    with bundle.search_path(ROOT / "contracts"):
        source = bundle.load_file(f"{name}.vy")
    options = Settings(evm_version="prague", optimize=OptimizationLevel.GAS, experimental_codegen=False)
    made = CompilerData(source, bundle, options)
    used = {str(token) for token in made.assembly_runtime}
    assert "CALLER" in used
    assert used.isdisjoint({"SELFDESTRUCT", "DELEGATECALL", "CALLCODE", "CREATE2"})
    assert ("CREATE" in used) == (name == "Deal")  # an amended program is stored like the first: as data
    assert made.bytecode_runtime == bytes.fromhex(artefact(name)["runtime"][2:])
