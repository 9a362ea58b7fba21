"""Registry on both nodes: what one slot says, who may write which part of it."""

from __future__ import annotations

from typing import Any

import pytest
from nodes import Chain
from scene import FAR_S, admission
from web3.contract import Contract

ZERO = "0x" + "00" * 20


@pytest.fixture
def registry(chain: Chain) -> Contract:
    return chain.deploy("Registry", chain.account("registrar").address, chain.account("compliance").address)


def admit(chain: Chain, registry: Contract, role: str, **changed: Any) -> None:
    entry = admission(chain.account(role).address, **changed)
    chain.send(registry.functions.admit(entry), chain.account("registrar"))


def test_one_slot_says_everything(chain: Chain, registry: Contract) -> None:
    investor = chain.account("investor").address
    admit(chain, registry, "investor", investor_class=3)
    ask = registry.functions
    assert ask.identity(investor).call() == investor
    assert ask.investorCountry(investor).call() == 756
    assert ask.investor_class(investor).call() == 3
    assert ask.expires_at_s(investor).call() == FAR_S
    assert ask.contains(investor).call()
    assert ask.isVerified(investor).call()
    assert ask.slot_of(investor).call() == int(investor, 16) << 96 | 756 << 80 | 3 << 72 | FAR_S
    stranger = chain.account("stranger").address
    assert not ask.contains(stranger).call()
    assert not ask.isVerified(stranger).call()


def test_classes_choose(chain: Chain, registry: Contract) -> None:
    investor = chain.account("investor").address
    admit(chain, registry, "investor", investor_class=3)
    answers = [registry.functions.may_hold(investor, classes).call() for classes in (1 << 3, 1 << 2, 0, 2**256 - 1)]
    assert answers == [True, False, False, True]
    assert registry.functions.may_hold(investor).call()


def test_expiry_is_the_first_second_out(chain: Chain, registry: Contract) -> None:
    investor = chain.account("investor").address
    admit(chain, registry, "investor", expires_at_s=chain.now() + 1_000)
    assert registry.functions.may_hold(investor).call()
    chain.advance(1_001)
    assert not registry.functions.may_hold(investor).call()
    assert registry.functions.may_send(investor).call()  # it may still sell
    late = admission(investor, expires_at_s=chain.now() - 1)
    assert chain.refused(registry.functions.admit(late), chain.account("registrar")) == "registry.expired"


def test_a_freeze_outlives_the_registrar(chain: Chain, registry: Contract) -> None:
    investor, compliance = chain.account("investor").address, chain.account("compliance")
    admit(chain, registry, "investor")
    chain.send(registry.functions.set_frozen(investor, True), compliance)
    for act in (registry.functions.admit(admission(investor)), registry.functions.remove(investor)):
        chain.send(act, chain.account("registrar"))
        assert registry.functions.is_frozen(investor).call()
        assert not registry.functions.may_hold(investor).call()
        assert not registry.functions.may_send(investor).call()
    admit(chain, registry, "investor")
    chain.send(registry.functions.set_frozen(investor, False), compliance)
    assert registry.functions.may_hold(investor).call()


def test_removed_may_sell_and_not_receive(chain: Chain, registry: Contract) -> None:
    holder, buyer = chain.account("holder").address, chain.account("buyer").address
    admit(chain, registry, "holder")
    admit(chain, registry, "buyer")
    remove = registry.functions.remove(holder)
    chain.send(remove, chain.account("registrar"))
    assert registry.functions.may_transfer(holder, buyer, 2**256 - 1).call()
    assert not registry.functions.may_transfer(buyer, holder, 2**256 - 1).call()
    assert chain.refused(remove, chain.account("registrar")) == "registry.unknown"


def test_a_lost_key_goes_on_with_another_and_a_freeze_goes_along(chain: Chain, registry: Contract) -> None:
    lost, new, registrar = (
        chain.account("lost").address,
        chain.account("replacement").address,
        chain.account("registrar"),
    )
    admit(chain, registry, "lost", investor_class=3)
    slot, move = registry.functions.slot_of(lost).call(), registry.functions.move(lost, new)
    assert chain.refused(move, chain.account("compliance")) == "roles.not_holder"
    assert chain.refused(registry.functions.move(new, lost), registrar) == "registry.unknown"
    assert chain.refused(registry.functions.move(lost, lost), registrar) == "registry.known"
    assert chain.refused(registry.functions.move(lost, ZERO), registrar) == "registry.zero"
    chain.send(registry.functions.set_frozen(lost, True), chain.account("compliance"))
    chain.send(move, registrar)
    assert registry.functions.slot_of(new).call() == slot | 255 << 64
    assert not registry.functions.contains(lost).call()
    assert registry.functions.is_frozen(lost).call()
    assert not registry.functions.may_hold(new).call()
    chain.send(registry.functions.set_frozen(new, False), chain.account("compliance"))
    assert registry.functions.may_hold(new, 1 << 3).call()
    assert chain.refused(move, registrar) == "registry.unknown"


def test_bulk_is_all_or_none(chain: Chain, registry: Contract) -> None:
    registrar = chain.account("registrar")
    holders = [f"0x{n:040x}" for n in range(1, 202)]
    entries = [admission(chain.w3.to_checksum_address(one)) for one in holders]
    spoiled = [*entries[:3], (entries[3][0], bytes(20), *entries[3][2:])]
    assert chain.refused(registry.functions.admit_many(spoiled), registrar) == "registry.no_identity"
    assert not registry.functions.contains(entries[0][0]).call()
    assert chain.refused(registry.functions.admit_many(entries), registrar) == ""  # 201: beyond the bound
    chain.send(registry.functions.admit_many(entries[:200]), registrar)
    assert registry.functions.may_hold(entries[199][0]).call()
    assert not registry.functions.contains(entries[200][0]).call()


def test_powers_are_apart(chain: Chain, registry: Contract) -> None:
    investor = chain.account("investor").address
    act = registry.functions
    for role in ("compliance", "attacker"):
        by = chain.account(role)
        assert chain.refused(act.admit(admission(investor)), by) == "roles.not_holder"
        assert chain.refused(act.admit_many([]), by) == "roles.not_holder"
        assert chain.refused(act.remove(investor), by) == "roles.not_holder"
    for role in ("registrar", "attacker"):
        assert chain.refused(act.set_frozen(investor, True), chain.account(role)) == "roles.not_holder"
    zero = admission(ZERO)
    assert chain.refused(act.admit((ZERO, b"\x01" * 20, *zero[2:])), chain.account("registrar")) == "registry.zero"
