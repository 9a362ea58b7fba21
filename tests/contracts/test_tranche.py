"""Tranche on both nodes: the acts a random walk rarely reaches, and what an attacker would try."""

from __future__ import annotations

from typing import Any

import pytest
from nodes import Chain
from scene import COUNTRY, DELAY_S, FAR_S, LANE, SUPPLY, Scene, admission, build, tranche_terms
from signing import permit, sign

WHOLE = 2**256 - 1
REASON = b"\x01" * 32
ZERO = "0x" + "00" * 20
WEEK_S = 7 * 86_400
ONE = 10**6


@pytest.fixture
def scene(chain: Chain) -> Scene:
    """`holder` and `buyer` hold a million shares each, `newcomer` is admitted, `stranger` is not."""
    made = build(chain)
    made.admit("holder", "buyer", "newcomer")
    for role in ("holder", "buyer"):
        made.move("sponsor", role, ONE)
    return made


def refused(scene: Scene, by: str, name: str, *args: Any) -> str:
    return scene.chain.refused(scene.tranche.functions[name](*args), scene.by(by))


def act(scene: Scene, by: str, name: str, *args: Any) -> Any:
    return scene.chain.send(scene.tranche.functions[name](*args), scene.by(by))


# ------------------------------------------------------------------- income


def test_income_follows_the_shares(scene: Scene) -> None:
    scene.income(SUPPLY)  # a micro-dollar a share
    scene.move("holder", "newcomer", ONE // 2)
    scene.income(SUPPLY * 2)
    assert [scene.owed(role) for role in ("holder", "newcomer", "buyer")] == [2 * ONE, ONE, 3 * ONE]
    act(scene, "holder", "withdraw", scene.at("newcomer"))
    assert (scene.dollars("newcomer"), scene.owed("holder")) == (2 * ONE, 0)
    act(scene, "anyone", "pay_many", [scene.at("newcomer"), scene.at("buyer"), scene.at("stranger")])
    assert (scene.dollars("newcomer"), scene.dollars("buyer")) == (3 * ONE, 3 * ONE)


def test_what_does_not_divide_is_carried(scene: Scene) -> None:
    for _ in range(5):
        scene.income(1)
    assert scene.tranche.functions.accumulator().call() == 5 * 2**64 // SUPPLY
    held = scene.dollar.functions.balanceOf(scene.tranche.address).call()
    assert held == 5
    assert scene.owed("sponsor") == 4  # its part of five, rounded down


def test_an_empty_pull_changes_nothing(scene: Scene) -> None:
    before = scene.tranche.functions.accumulator().call()
    receipt = act(scene, "attacker", "pull")
    assert scene.tranche.functions.accumulator().call() == before
    assert receipt["logs"] == []


def test_income_cannot_be_faked(scene: Scene) -> None:
    """A deal that lies about what it paid, or counts one payment twice by calling back, gains nothing."""
    chain, lie = scene.chain, scene.deal.functions.set_lie
    scene.fill(SUPPLY)
    chain.send(lie(1), scene.by("attacker"))
    act(scene, "attacker", "pull")
    assert scene.owed("holder") == 0
    for kind in (2, 3):
        chain.send(lie(kind), scene.by("attacker"))
        assert refused(scene, "attacker", "pull") == ""  # the lock
        assert scene.owed("holder") == 0
    chain.send(lie(0), scene.by("attacker"))
    act(scene, "attacker", "pull")
    assert scene.owed("holder") == ONE


def test_dollars_from_elsewhere_are_nobodys(scene: Scene) -> None:
    scene.chain.send(scene.dollar.functions.mint(scene.tranche.address, SUPPLY), scene.by("minter"))
    scene.income(SUPPLY)
    assert scene.owed("holder") == ONE


def test_deal_is_named_once(scene: Scene) -> None:
    other = scene.at("attacker")
    assert scene.tranche.functions.deal().call() == scene.deal.address
    assert scene.tranche.functions.lane().call() == LANE
    assert refused(scene, "sponsor", "set_deal", other, 1) == "tranche.deal_set"
    assert refused(scene, "attacker", "set_deal", other, 1) == "roles.not_holder"
    bare = scene.chain.deploy("Tranche", *tranche_terms(scene.chain, scene.dollar.address, scene.registry.address))
    assert scene.chain.refused(bare.functions.pull(), scene.by("anyone")) == "tranche.no_deal"
    assert scene.chain.refused(bare.functions.set_deal(ZERO, 1), scene.by("sponsor")) == "tranche.deal"
    assert scene.chain.refused(bare.functions.set_deal(other, 2**96), scene.by("sponsor")) == "tranche.deal"


# ------------------------------------------------------- rules of a transfer


def test_only_the_admitted_receive(scene: Scene) -> None:
    assert refused(scene, "holder", "transfer", scene.at("stranger"), 1) == "tranche.registry"
    assert refused(scene, "holder", "transfer", scene.at("buyer"), ONE + 1) == "tranche.balance"
    entry = admission(scene.at("stranger"))
    scene.chain.send(scene.registry.functions.admit(entry), scene.by("registrar"))
    scene.move("holder", "stranger", 1)
    assert scene.registry.functions.investorCountry(scene.at("stranger")).call() == COUNTRY


def test_a_registry_freeze_stops_both_ways(scene: Scene) -> None:
    freeze = scene.registry.functions.set_frozen
    scene.income(SUPPLY)
    scene.chain.send(freeze(scene.at("holder"), True), scene.by("compliance"))
    assert refused(scene, "holder", "transfer", scene.at("buyer"), 1) == "tranche.registry"
    assert refused(scene, "buyer", "transfer", scene.at("holder"), 1) == "tranche.registry"
    can = [scene.tranche.functions[name](scene.at("holder")).call() for name in ("canSend", "canReceive")]
    assert can == [False, False]
    act(scene, "holder", "withdraw")  # income is its own
    assert scene.dollars("holder") == ONE


def test_transfer_to_oneself(scene: Scene) -> None:
    scene.income(SUPPLY)
    scene.move("holder", "holder", ONE)
    assert (scene.balance("holder"), scene.owed("holder")) == (ONE, ONE)
    batch = ([scene.at("holder"), scene.at("buyer"), scene.at("holder")], [1, 2, 3])
    act(scene, "holder", "transfer_many", *batch)
    assert (scene.balance("holder"), scene.balance("buyer")) == (ONE - 2, ONE + 2)


def test_batches_are_all_or_none(scene: Scene) -> None:
    both = [scene.at("buyer"), scene.at("stranger")]
    assert refused(scene, "holder", "transfer_many", both, [1, 1]) == "tranche.registry"
    assert refused(scene, "holder", "transfer_many", both, [1]) == "tranche.lengths"
    assert refused(scene, "holder", "transfer_many", both, [ONE, 1]) == "tranche.balance"
    assert refused(scene, "holder", "transfer_many", both, [WHOLE, 2]) == ""  # checked addition
    assert scene.balance("buyer") == ONE


def test_frozen_shares_stay(scene: Scene) -> None:
    act(scene, "agent", "setFrozenTokens", scene.at("holder"), 600_000)
    ask = scene.tranche.functions
    assert ask.getFrozenTokens(scene.at("holder")).call() == 600_000
    assert ask.canTransfer(scene.at("holder"), scene.at("buyer"), 400_000).call()
    assert not ask.canTransfer(scene.at("holder"), scene.at("buyer"), 400_001).call()
    assert refused(scene, "holder", "transfer", scene.at("buyer"), 400_001) == "tranche.frozen"
    scene.move("holder", "buyer", 400_000)
    scene.move("buyer", "holder", 5)  # a frozen holder may receive
    act(scene, "agent", "setFrozenTokens", scene.at("holder"), 0)
    scene.move("holder", "buyer", 600_005)


def test_a_barred_account_does_nothing(scene: Scene) -> None:
    scene.income(SUPPLY)
    act(scene, "agent", "set_barred", scene.at("holder"), True)
    assert refused(scene, "holder", "transfer", scene.at("buyer"), 1) == "tranche.barred"
    assert refused(scene, "buyer", "transfer", scene.at("holder"), 1) == "tranche.barred"
    assert refused(scene, "holder", "withdraw") == "tranche.barred"
    act(scene, "anyone", "pay_many", [scene.at("holder"), scene.at("buyer")])
    assert (scene.dollars("holder"), scene.dollars("buyer"), scene.owed("holder")) == (0, ONE, ONE)
    act(scene, "agent", "set_barred", scene.at("holder"), False)
    act(scene, "holder", "withdraw")
    assert scene.dollars("holder") == ONE


def test_a_pause_ends_by_itself_and_stops_no_money(scene: Scene) -> None:
    scene.income(SUPPLY)
    assert refused(scene, "agent", "pause") == "roles.not_holder"
    act(scene, "guardian", "pause")
    assert refused(scene, "holder", "transfer", scene.at("buyer"), 1) == "tranche.paused"
    assert refused(scene, "attacker", "unpause") == "roles.not_holder"
    scene.income(SUPPLY)
    act(scene, "holder", "withdraw")
    assert scene.dollars("holder") == 2 * ONE
    scene.chain.advance(WEEK_S + 1)
    scene.move("holder", "buyer", 1)
    assert not scene.tranche.functions.paused().call()
    assert refused(scene, "guardian", "pause") == "tranche.paused_lately"
    act(scene, "attacker", "unpause")  # clears the flag, changes nothing else
    assert refused(scene, "attacker", "unpause") == "tranche.not_paused"
    scene.chain.advance(WEEK_S)
    act(scene, "guardian", "pause")


# ------------------------------------------------ forced transfer, recovery


def test_forced_transfer_needs_two_and_time(scene: Scene) -> None:
    order = (scene.at("holder"), scene.at("newcomer"), 700_000)
    scene.income(SUPPLY)
    assert refused(scene, "trustee", "propose_force", *order, REASON) == "roles.not_holder"
    assert refused(scene, "agent", "propose_force", *order, bytes(32)) == "tranche.no_reason"
    assert refused(scene, "trustee", "forcedTransfer", *order) == "tranche.not_proposed"
    act(scene, "agent", "propose_force", *order, REASON)
    assert refused(scene, "agent", "propose_force", *order, REASON) == "tranche.proposed"
    assert refused(scene, "trustee", "forcedTransfer", *order) == "tranche.too_early"
    scene.chain.advance(DELAY_S + 1)
    assert refused(scene, "agent", "forcedTransfer", *order) == "roles.not_holder"
    act(scene, "agent", "setFrozenTokens", scene.at("holder"), ONE)
    act(scene, "agent", "set_barred", scene.at("holder"), True)
    receipt = act(scene, "trustee", "forcedTransfer", *order)
    names = [
        scene.tranche.events[name]().process_log(log)["event"]
        for name, log in zip(("Frozen", "Transfer", "ForcedTransfer"), receipt["logs"], strict=True)
    ]
    assert names == ["Frozen", "Transfer", "ForcedTransfer"]
    assert (scene.balance("holder"), scene.balance("newcomer")) == (300_000, 700_000)
    assert scene.tranche.functions.getFrozenTokens(scene.at("holder")).call() == 300_000
    assert (scene.owed("holder"), scene.owed("newcomer")) == (ONE, 0)  # what it earned stays
    assert refused(scene, "trustee", "forcedTransfer", *order) == "tranche.not_proposed"  # once


def test_a_proposal_goes_stale_and_is_cancelled(scene: Scene) -> None:
    order = (scene.at("holder"), scene.at("newcomer"), 5)
    act(scene, "agent", "propose_force", *order, REASON)
    assert (
        refused(scene, "holder", "cancel_force", *order) == "roles.not_holder"
    )  # an order is not the holder's to stop
    act(scene, "trustee", "cancel_force", *order)
    scene.chain.advance(DELAY_S + 1)
    assert refused(scene, "trustee", "forcedTransfer", *order) == "tranche.not_proposed"
    act(scene, "agent", "propose_force", *order, REASON)
    scene.chain.advance(DELAY_S + 30 * 86_400)
    assert refused(scene, "trustee", "forcedTransfer", *order) == "tranche.too_late"


def test_forced_shares_reach_only_the_admitted(scene: Scene) -> None:
    order = (scene.at("holder"), scene.at("stranger"), 5)
    act(scene, "agent", "propose_force", *order, REASON)
    scene.chain.advance(DELAY_S + 1)
    assert refused(scene, "trustee", "forcedTransfer", *order) == "tranche.registry"
    scene.admit("stranger")
    act(scene, "agent", "set_barred", scene.at("stranger"), True)
    assert refused(scene, "trustee", "forcedTransfer", *order) == "tranche.barred"


def test_recovery_takes_everything_along(scene: Scene) -> None:
    lost, new = scene.at("holder"), scene.at("newcomer")
    scene.income(SUPPLY)
    scene.move("holder", "buyer", 1)  # puts income on the credit slot
    act(scene, "agent", "setFrozenTokens", lost, 400_000)
    act(scene, "agent", "propose_force", lost, new, WHOLE, REASON)
    scene.chain.advance(DELAY_S + 1)
    scene.income(SUPPLY)
    assert refused(scene, "agent", "recover", lost, new) == "roles.not_holder"
    act(scene, "trustee", "recover", lost, new)
    assert (scene.balance("holder"), scene.balance("newcomer")) == (0, ONE - 1)
    assert (scene.owed("holder"), scene.owed("newcomer")) == (0, 2 * ONE - 1)
    frozen = [scene.tranche.functions.getFrozenTokens(one).call() for one in (lost, new)]
    assert frozen == [0, 400_000]
    act(scene, "newcomer", "withdraw")
    assert scene.dollars("newcomer") == 2 * ONE - 1


def test_a_holder_that_is_there_stops_its_recovery_and_a_thief_does_not(scene: Scene) -> None:
    order = (scene.at("holder"), scene.at("newcomer"), WHOLE)
    act(scene, "agent", "propose_force", *order, REASON)
    assert refused(scene, "attacker", "cancel_force", *order) == "roles.not_holder"
    act(scene, "holder", "cancel_force", *order)
    assert refused(scene, "holder", "cancel_force", *order) == "tranche.not_proposed"
    act(scene, "agent", "propose_force", *order, REASON)
    act(scene, "agent", "set_barred", scene.at("holder"), True)
    assert refused(scene, "holder", "cancel_force", *order) == "roles.not_holder"


def test_agent_and_trustee_stay_two(scene: Scene) -> None:
    role = scene.chain.w3.keccak(text="trustee")
    act(scene, "trustee", "offer_role", role, scene.at("agent"))
    assert refused(scene, "agent", "accept_role", role) == "tranche.one_signer"
    act(scene, "trustee", "offer_role", role, scene.at("heir"))
    assert refused(scene, "attacker", "accept_role", role) == "roles.not_offered"
    act(scene, "heir", "accept_role", role)
    assert scene.tranche.functions.role_holder(role).call() == scene.at("heir")


# ----------------------------------------------------- allowance, birth


def test_permit_and_its_forgeries(scene: Scene) -> None:
    owner, spender = scene.by("holder"), scene.at("buyer")
    asked = (owner.address, spender, 5, FAR_S)
    good = permit(scene.chain, scene.tranche, owner, *asked[:3], 0, FAR_S)
    elsewhere = sign(scene.tranche, "Another Share", "1", owner, "Permit", *asked[:3], 0, FAR_S)
    assert refused(scene, "relayer", "permit", *asked, *elsewhere) == "signed.wrong_signer"
    assert refused(scene, "relayer", "permit", *asked[:3], 1, *good) == "tranche.expired"
    act(scene, "relayer", "permit", *asked, *good)
    assert refused(scene, "relayer", "permit", *asked, *good) == "signed.wrong_signer"
    act(scene, "buyer", "transferFrom", owner.address, spender, 3)
    assert scene.tranche.functions.allowance(owner.address, spender).call() == 2
    assert refused(scene, "buyer", "transferFrom", owner.address, spender, 3) == "tranche.allowance"
    assert refused(scene, "buyer", "approve", ZERO, 3) == "tranche.zero"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"supply": 0}, "tranche.supply"),
        ({"supply": 2**96}, "tranche.supply"),
        ({"dollar": ZERO}, "tranche.zero"),
        ({"trustee": "agent"}, "tranche.one_signer"),
        ({"force_delay_s": 3_599}, "tranche.delay"),
        ({"sponsor": "stranger"}, "tranche.receiver"),
        ({"classes": 1 << 7}, "tranche.receiver"),
        ({"guardian": ZERO}, "roles.zero"),
    ],
    ids=str,
)
def test_unsound_terms_are_refused(scene: Scene, changed: dict[str, Any], reason: str) -> None:
    known = {name: scene.at(role) if role in ("agent", "stranger") else role for name, role in changed.items()}
    terms = tranche_terms(scene.chain, scene.dollar.address, scene.registry.address, **known)
    assert scene.chain.refused_deploy("Tranche", *terms) == reason


def test_the_standards_it_claims(scene: Scene) -> None:
    ask = scene.tranche.functions
    answers = [ask.supportsInterface(one).call() for one in (b"\x01\xff\xc9\xa7", b"\x3e\xdb\xb4\xc4", b"\xff" * 4)]
    assert answers == [True, True, False]
    assert (ask.decimals().call(), ask.totalSupply().call(), ask.symbol().call()) == (6, SUPPLY, "S26A")
