"""The table of powers against behaviour: acts of Deal, Anchor and Credit, by a stranger and by whom it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from nodes import CHAIN_ID, Chain
from rfc9162_reference import consistency_proof, tree_root
from test_artefacts import POWER, README
from whole_stack import DEFINITION, FIRST, GRACE_S, LEAVES, NOBODY, SKU, USDC, WORK_ROOT, Stack, build

from penstock.chain.typed_data import (
    SetChange,
    Signature,
    anchor_domain,
    checkpoint_message,
    set_change_message,
    sign_typed,
)

LIFE_S = 10**6
DELAY_S = 48 * 3600
GOOD, OTHER = (3_000_000, 2_100 * USDC), (3_000_001, 2_100 * USDC)


@dataclass
class Power:
    """What becomes of a stranger's call (the reason it is refused with, "" where it is done) and who may."""

    by_stranger: Any
    refused: str
    may: tuple[tuple[Any, str], ...] = ()


def publish(stack: Stack) -> Power:
    call = stack.anchor.functions.publish(2, tree_root(LEAVES[:2]), 1, consistency_proof(1, LEAVES[:2]))
    return Power(call, "anchor.operator", ((call, "operator"),))


def publish_signed(stack: Stack) -> Power:
    root, proof = tree_root(LEAVES[:3]), consistency_proof(2, LEAVES[:3])
    message = checkpoint_message(anchor_domain(CHAIN_ID, stack.anchor.address), 3, root)
    own, good = (sign_typed(bytes(stack.by(role).key), message) for role in ("stranger", "operator"))
    act = stack.anchor.functions.publish_signed
    return Power(act(3, root, 2, proof, own), "signed.wrong_signer", ((act(3, root, 2, proof, good), "stranger"),))


def register(stack: Stack) -> Power:
    act, sponsor = stack.anchor.functions.register, stack.at("sponsor")
    itself, another = act(stack.at("buyer"), sponsor), act(stack.at("other deal"), sponsor)
    return Power(another, "anchor.operator", ((itself, "buyer"), (another, "operator")))


def attest(stack: Stack) -> Power:
    stack.size = 3
    good = stack.statement(*GOOD)
    return Power(stack.vote("stranger", good), "anchor.attester", ((stack.vote("attester 0", good), "stranger"),))


def expose(stack: Stack) -> Power:
    one, two = stack.statement(*GOOD), stack.statement(*OTHER)

    def act(role: str) -> Any:
        signed = stack.signature(role, one), stack.signature(role, two)
        return stack.anchor.functions.expose(one.as_tuple(), signed[0], two.as_tuple(), signed[1])

    return Power(act("stranger"), "anchor.attester", ((act("attester 2"), "stranger"),))


def change(stack: Stack) -> SetChange:
    return SetChange(2, 0, added=stack.at("attester 3"))


def propose(stack: Stack) -> Power:
    message = set_change_message(anchor_domain(CHAIN_ID, stack.anchor.address), change(stack))

    def act(*roles: str) -> Any:
        signed: list[Signature] = [sign_typed(bytes(stack.by(role).key), message) for role in roles]
        return stack.anchor.functions.propose(change(stack).as_tuple(), signed)

    assert stack.refused(act("attester 0"), "operator") == "anchor.quorum"
    assert stack.refused(act("attester 0", "attester 0"), "operator") == "anchor.voted"
    return Power(act("attester 0", "stranger"), "anchor.attester", ((act("attester 0", "attester 1"), "stranger"),))


def execute(stack: Stack) -> Power:
    call = stack.anchor.functions.execute(change(stack).as_tuple())
    assert stack.refused(call, "operator") == "anchor.delay"
    stack.chain.advance(DELAY_S)
    return Power(call, "")


def close(stack: Stack) -> Power:
    return Power(stack.deal.functions.close(), "")


def withdraw(stack: Stack) -> Power:
    call = stack.deal.functions.withdraw(stack.program.payee_lanes["servicer"])
    return Power(call, "deal.not_a_payee", ((call, "servicer"),))


def amend(stack: Stack) -> Power:
    call = stack.deal.functions.amend(stack.program.code, NOBODY, bytes(32))
    return Power(call, "deal.governor", ((call, "governor"),))


def waive(stack: Stack) -> Power:
    call = stack.deal.functions.waive(1, 1)
    return Power(call, "deal.governor", ((call, "governor"),))


def replace(stack: Stack) -> Power:
    call = stack.deal.functions.replace(stack.program.payee_lanes["servicer"], stack.at("back-up servicer"))
    return Power(call, "deal.governor", ((call, "governor"),))


def withdraw_former(stack: Stack) -> Power:
    """Whoever calls is paid what a lane owed it before it was replaced: a stranger nothing."""
    return Power(stack.deal.functions.withdraw_former(), "")


def open_(stack: Stack) -> Power:
    who = (stack.at("stranger"), stack.deal.address, SKU)
    terms = (*who, 0, 1, 1, 1, stack.chain.now() + LIFE_S, 60)
    call = stack.credit.functions.open(terms, 1, 0)
    assert stack.refused(call, "provider") == "credit.not_provider"  # nobody opens a class in another's name
    return Power(call, "")


def by_provider(act: str, *args: int) -> Callable[[Stack], Power]:
    """An act of the class's provider on the class."""

    def power(stack: Stack) -> Power:
        call = getattr(stack.credit.functions, act)(stack.class_id, *args)
        assert stack.refused(call, "operator") == "credit.not_provider"
        return Power(call, "credit.not_provider", ((call, "provider"),))

    return power


def buy(stack: Stack) -> Power:
    good = stack.purchase("buyer", 20, bytes(32))
    forged = stack.credit.functions.buy(*good.args[:-1], stack.purchase("stranger", 20, bytes(32)).args[-1])
    return Power(forged, "signed.wrong_signer", ((good, "stranger"),))


def redeem(stack: Stack) -> Power:
    call = stack.credit.functions.redeem(stack.class_id, 1, WORK_ROOT)
    return Power(call, "credit.balance", ((call, "buyer"),))


def redeem_signed(stack: Stack) -> Power:
    call = stack.delivery("buyer", 1, bytes(32))
    forged = stack.delivery("buyer", 1, bytes(32), signer="provider")
    assert stack.refused(forged, "provider") == "signed.wrong_signer"
    return Power(call, "credit.not_provider", ((call, "provider"),))


def set_approval(stack: Stack) -> Power:
    """For oneself alone: it lets nobody at what another has."""
    return Power(stack.credit.functions.setApprovalForAll(stack.at("attacker"), True), "")


def transfer(stack: Stack) -> Power:
    act = stack.credit.functions.safeTransferFrom
    call = act(stack.at("buyer"), stack.at("friend"), stack.class_id, 1, b"")
    stack.do(stack.credit.functions.setApprovalForAll(stack.at("keeper"), True), "buyer")
    return Power(call, "credit.not_approved", ((call, "buyer"), (call, "keeper")))


def transfer_batch(stack: Stack) -> Power:
    act = stack.credit.functions.safeBatchTransferFrom
    call = act(stack.at("buyer"), stack.at("friend"), [stack.class_id], [1], b"")
    return Power(call, "credit.not_approved", ((call, "buyer"), (call, "keeper")))


def refund(stack: Stack) -> Power:
    call = stack.credit.functions.refund(stack.at("buyer"), stack.class_id)
    assert stack.refused(call, "buyer") == "credit.not_due"
    stack.chain.advance(LIFE_S)
    return Power(call, "")


def request(stack: Stack) -> Power:
    call = stack.credit.functions.request(stack.class_id, 5)
    return Power(call, "credit.balance", ((call, "buyer"),))


def deliver(stack: Stack) -> Power:
    call = stack.credit.functions.deliver(stack.class_id, stack.at("buyer"), WORK_ROOT)
    return Power(call, "credit.not_provider", ((call, "provider"),))


def settle(stack: Stack) -> Power:
    call = stack.credit.functions.settle(stack.class_id, stack.at("buyer"))
    assert stack.refused(call, "provider") == "credit.not_due"
    stack.chain.advance(GRACE_S)
    return Power(call, "")


def slash(stack: Stack) -> Power:
    """Nobody's word but the attesters'."""
    call = stack.credit.functions.slash(stack.class_id)
    assert {stack.refused(call, one) for one in ("operator", "buyer", "provider")} == {"credit.no_verdict"}
    return Power(call, "credit.no_verdict")


# In the order in which one deal can live through them.
ANCHOR: dict[str, Callable[[Stack], Power]] = {
    "publish": publish,
    "publish_signed": publish_signed,
    "register": register,
    "attest": attest,
    "expose": expose,
    "propose": propose,
    "execute": execute,
}
CREDIT: dict[str, Callable[[Stack], Power]] = {
    "open": open_,
    "post": by_provider("post", 4),
    "buy": buy,
    "redeem": redeem,
    "redeem_signed": redeem_signed,
    "request": request,
    "deliver": deliver,
    "settle": settle,
    "slash": slash,
    "reclaim": by_provider("reclaim", 4),
    "lower_capacity": by_provider("lower_capacity", 50),
    "setApprovalForAll": set_approval,
    "safeTransferFrom": transfer,
    "safeBatchTransferFrom": transfer_batch,
    "refund": refund,
}
DEAL: dict[str, Callable[[Stack], Power]] = {
    "close": close,
    "withdraw": withdraw,
    "amend": amend,
    "waive": waive,
    "replace": replace,
    "withdraw_former": withdraw_former,
}
POWERS = {"Anchor": ANCHOR, "Credit": CREDIT, "Deal": DEAL}


def written(contract: str) -> dict[str, str]:
    """Function -> role, as the table of contracts/README.md has it."""
    return {row[1].split("(")[0]: row[3] for row in POWER.findall(README.read_text()) if row[0] == contract}


@pytest.fixture
def stack(chain: Chain) -> Stack:
    made = build(chain, FIRST)
    made.open_class(8, 100, chain.now() + LIFE_S)
    made.mint(made.at("buyer"), 1000)
    made.mint(made.at("provider"), 1000)
    made.do(made.dollar.functions.approve(made.credit.address, 1000), "provider")
    made.mint(made.deal.address, 1000 * USDC)
    made.publish()
    return made


@pytest.mark.parametrize("contract", sorted(POWERS))
def test_the_table_of_powers_is_what_happens(stack: Stack, contract: str) -> None:
    roles = written(contract)
    assert set(POWERS[contract]) == set(roles)
    for act, case in POWERS[contract].items():
        power = case(stack)
        free = (roles[act].startswith("anyone") and "brings" not in roles[act]) or act == "setApprovalForAll"
        assert (power.refused == "") == free, f"{contract}.{act}: the table says {roles[act]}"
        if free:
            stack.do(power.by_stranger, "stranger")
        else:
            assert stack.refused(power.by_stranger, "stranger") == power.refused, f"{contract}.{act}"
        for call, role in power.may:
            stack.do(call, role)


def test_a_refund_reaches_the_holder_whoever_asks(stack: Stack) -> None:
    stack.do(stack.purchase("buyer", 20, bytes(32)), "stranger")
    before = stack.dollars(stack.at("buyer"))
    stack.chain.advance(LIFE_S)
    stack.do(stack.credit.functions.refund(stack.at("buyer"), stack.class_id), "stranger")
    assert stack.dollars(stack.at("buyer")) - before == 20 * 8
    assert stack.dollars(stack.at("stranger")) == 0


def test_approving_an_attacker_for_oneself_opens_no_other_purse(stack: Stack) -> None:
    stack.do(stack.purchase("buyer", 20, bytes(32)), "stranger")
    stack.do(stack.credit.functions.setApprovalForAll(stack.at("attacker"), True), "stranger")
    steal = stack.credit.functions.safeTransferFrom(stack.at("buyer"), stack.at("attacker"), stack.class_id, 1, b"")
    assert stack.refused(steal, "attacker") == "credit.not_approved"


def test_no_key_moves_a_deals_dollars(stack: Stack) -> None:
    """Operator, attesters, sponsor, minter: none of them is a payee, and there is no other way out."""
    stack.attest(stack.statement(*GOOD, definition=DEFINITION))
    stack.close()
    held = stack.dollars(stack.deal.address)
    for role in ("operator", "attester 0", "sponsor", "minter", "agent", "trustee", "provider"):
        for lane in stack.program.payee_lanes.values():
            assert stack.refused(stack.deal.functions.withdraw(lane), role) == "deal.not_a_payee"
        take = stack.dollar.functions.transferFrom(stack.deal.address, stack.at(role), 1)
        assert stack.refused(take, role) == "dollar.allowance"
    assert stack.dollars(stack.deal.address) == held > 0


def test_a_provider_that_lost_its_key_keeps_nobody_from_their_dollars(stack: Stack) -> None:
    """No one stands in for it: holders redeem by themselves, or are refunded, with its collateral where they asked."""
    stack.do(stack.purchase("buyer", 20, bytes(32)), "stranger")
    stack.do(stack.credit.functions.redeem(stack.class_id, 5, WORK_ROOT), "buyer")
    stack.do(stack.credit.functions.request(stack.class_id, 10), "buyer")
    stack.chain.advance(LIFE_S)
    stack.do(stack.credit.functions.refund(stack.at("buyer"), stack.class_id), "stranger")
    assert stack.dollars(stack.at("buyer")) == 1000 - 20 * 8 + 15 * 8 + 10 * 2
    assert stack.dollars(stack.credit.address) == 100 * 2 - 10 * 2
    for role in ("operator", "minter", "sponsor", "buyer"):
        assert stack.refused(stack.credit.functions.reclaim(stack.class_id, 1), role) == "credit.not_provider"
