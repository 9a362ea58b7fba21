"""Anchor on both nodes: checkpoints, votes, expulsion, changes of the set, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from nodes import CHAIN_ID, GENESIS_AT_S, Chain
from rfc9162_reference import consistency_proof, inclusion_proof, leaf_hash, tree_root
from web3.contract import Contract

from penstock.chain.typed_data import (
    ZERO_ADDRESS,
    Attestation,
    SetChange,
    Signature,
    anchor_domain,
    attestation_message,
    checkpoint_message,
    report_word,
    set_change_message,
    sign_typed,
)

PINNED = json.loads((Path(__file__).parent / "gas_anchor_credit.json").read_text())
DELAY_S = 48 * 3600
END_S = 2**32 - 1
DEFINITION = b"\x0d" * 32
LEAVES = [f"fact {n}".encode() for n in range(1000)]
PUBLISHED = 5
WORD = report_word((1_250, -40, 7), GENESIS_AT_S, END_S)
OTHER_WORD = report_word((1_251, -40, 7), GENESIS_AT_S, END_S)


@dataclass
class Scene:
    """An Anchor with three attesters of which two suffice, one checkpoint, and one deal whose sponsor sits apart."""

    chain: Chain
    anchor: Contract
    subject: str

    @property
    def act(self) -> Any:
        return self.anchor.functions

    @property
    def relayer(self) -> LocalAccount:
        return self.chain.account("relayer")

    @property
    def operator(self) -> LocalAccount:
        return self.chain.account("operator")

    def attester(self, number: int) -> LocalAccount:
        return self.chain.account(f"attester {number}")

    def statement(self, word: int = WORD, **other: Any) -> Attestation:
        epoch = self.act.epoch().call()
        made = Attestation(self.subject, word, DEFINITION, PUBLISHED, tree_root(LEAVES[:PUBLISHED]), epoch)
        return replace(made, **other)

    def sign(self, signer: LocalAccount, statement: Attestation) -> Signature:
        domain = anchor_domain(CHAIN_ID, self.anchor.address)
        return sign_typed(bytes(signer.key), attestation_message(domain, statement))

    def vote(self, number: int, statement: Attestation) -> Any:
        signature = self.sign(self.attester(number), statement)
        return self.act.attest(statement.as_tuple(), signature)

    def votes(self, statement: Attestation, *numbers: int) -> None:
        for number in numbers:
            self.chain.send(self.vote(number, statement), self.relayer)

    def refused(self, number: int, statement: Attestation) -> str:
        return self.chain.refused(self.vote(number, statement), self.relayer)

    def report(self) -> int:
        return int(self.act.report(self.subject).call())

    def proposal(self, change: SetChange, *numbers: int) -> Any:
        message = set_change_message(anchor_domain(CHAIN_ID, self.anchor.address), change)
        signatures = [sign_typed(bytes(self.attester(number).key), message) for number in numbers]
        return self.act.propose(change.as_tuple(), signatures)

    def change_set(self, change: SetChange, *numbers: int) -> None:
        self.chain.send(self.proposal(change, *numbers), self.relayer)
        self.chain.advance(DELAY_S)
        self.chain.send(self.act.execute(change.as_tuple()), self.relayer)


@pytest.fixture
def scene(chain: Chain) -> Scene:
    chain.advance(60)  # past the as-of of every word below
    names = [chain.account(f"attester {number}").address for number in range(3)]
    anchor = chain.deploy("Anchor", chain.account("operator").address, names, 2)
    made = Scene(chain, anchor, chain.account("deal").address)
    chain.send(made.act.publish(PUBLISHED, tree_root(LEAVES[:PUBLISHED]), 0, []), made.operator)
    chain.send(made.act.register(made.subject, chain.account("sponsor").address), made.operator)
    return made


def test_checkpoint_by_operator_or_its_signature(scene: Scene) -> None:
    chain, act, domain = scene.chain, scene.act, anchor_domain(CHAIN_ID, scene.anchor.address)
    root, proof = tree_root(LEAVES[:9]), consistency_proof(PUBLISHED, LEAVES[:9])
    signature = sign_typed(bytes(scene.operator.key), checkpoint_message(domain, 9, root))
    forged = sign_typed(bytes(scene.relayer.key), checkpoint_message(domain, 9, root))
    for wrong in (
        act.publish_signed(9, root, PUBLISHED, proof, forged),
        act.publish_signed(9, tree_root(LEAVES[1:10]), PUBLISHED, proof, signature),
        act.publish_signed(8, root, PUBLISHED, proof, signature),
    ):
        assert chain.refused(wrong, scene.relayer) == "signed.wrong_signer"
    receipt = chain.send(act.publish_signed(9, root, PUBLISHED, proof, signature), scene.relayer)
    logged = scene.anchor.events.Published().process_receipt(receipt)[0]["args"]
    assert dict(logged) == {"size": 9, "root": root, "old_size": PUBLISHED}
    assert chain.refused(act.publish_signed(9, root, 9, [], signature), scene.relayer) == "anchor.not_growing"
    assert act.latest().call() == [9, root]
    assert act.root_at(PUBLISHED).call() == tree_root(LEAVES[:PUBLISHED])


def test_quorum_accepts_and_outvotes(scene: Scene) -> None:
    scene.votes(scene.statement(OTHER_WORD), 2)
    scene.votes(scene.statement(), 0)
    assert scene.report() == 0
    scene.votes(scene.statement(), 1)
    assert scene.report() == WORD
    assert scene.act.seats_taken().call() == 3  # the minority keeps its seat
    later = scene.statement(report_word((1, 2, 3), GENESIS_AT_S + 1, END_S))
    scene.votes(later, 2, 0)
    assert scene.report() == later.word
    assert scene.refused(1, scene.statement()) == "anchor.late"


def test_vote_refusals(scene: Scene) -> None:
    now = scene.chain.now()
    good = scene.statement()
    assert scene.refused(0, scene.statement(report_word((0, 0, 0), 5, now))) == "anchor.expired"
    assert scene.refused(0, scene.statement(report_word((0, 0, 0), now + 9_999, END_S))) == "anchor.future"
    assert scene.refused(0, replace(good, root=b"\x01" * 32)) == "anchor.root"
    assert scene.refused(0, replace(good, size=PUBLISHED + 1, root=bytes(32))) == "anchor.root"
    assert scene.refused(0, replace(good, epoch=1)) == "anchor.epoch"
    assert scene.refused(0, replace(good, subject=scene.relayer.address)) == "anchor.subject"
    assert scene.refused(3, good) == "anchor.attester"
    scene.votes(good, 0)
    assert scene.refused(0, good) == "anchor.voted"
    swapped = scene.act.attest(scene.statement(OTHER_WORD).as_tuple(), scene.sign(scene.attester(1), good))
    assert scene.chain.refused(swapped, scene.relayer) == "anchor.attester"
    assert scene.report() == 0


def test_signature_of_another_chain_or_contract_is_nobody(scene: Scene) -> None:
    good = scene.statement()
    for domain in (anchor_domain(1, scene.anchor.address), anchor_domain(CHAIN_ID, scene.subject)):
        signature = sign_typed(bytes(scene.attester(0).key), attestation_message(domain, good))
        call = scene.act.attest(good.as_tuple(), signature)
        assert scene.chain.refused(call, scene.relayer) == "anchor.attester"


def test_sponsor_never_attests_its_deal(scene: Scene) -> None:
    chain, own = scene.chain, scene.chain.account("own deal").address
    chain.send(scene.act.register(own, scene.attester(0).address), scene.operator)
    assert scene.refused(0, scene.statement(subject=own)) == "anchor.sponsor"
    scene.votes(scene.statement(subject=own), 1, 2)
    assert scene.act.report(own).call() == WORD


def test_registration_is_final_and_not_for_everyone(scene: Scene) -> None:
    chain, register = scene.chain, scene.act.register
    deal = chain.account("self-registered deal")
    assert chain.refused(register(deal.address, scene.relayer.address), scene.relayer) == "anchor.operator"
    assert chain.refused(register(deal.address, ZERO_ADDRESS), deal) == "anchor.zero"
    chain.send(register(deal.address, scene.relayer.address), deal)
    assert chain.refused(register(deal.address, deal.address), deal) == "anchor.registered"


def test_two_words_expel_and_freeze_until_the_quorum_speaks(scene: Scene) -> None:
    scene.votes(scene.statement(), 0, 1)
    old_epoch = scene.statement()
    scene.chain.send(scene.vote(0, scene.statement(OTHER_WORD)), scene.relayer)
    assert (scene.report(), scene.act.is_frozen(scene.subject).call()) == (0, True)
    assert scene.act.expelled(scene.attester(0).address).call()
    assert scene.refused(0, scene.statement()) == "anchor.attester"
    assert scene.refused(1, old_epoch) == "anchor.epoch"  # what was said before counts no more
    older = scene.statement(report_word((9, 9, 9), GENESIS_AT_S - 1, END_S))
    assert scene.refused(1, older) == "anchor.late"  # freezing does not turn the clock back
    scene.votes(scene.statement(), 1)
    assert scene.report() == 0
    scene.votes(scene.statement(), 2)
    assert (scene.report(), scene.act.is_frozen(scene.subject).call()) == (WORD, False)


def test_evidence_never_voted_expels_too(scene: Scene) -> None:
    scene.votes(scene.statement(), 1, 2)
    one, two = scene.statement(), scene.statement(OTHER_WORD, epoch=77, size=0, root=bytes(32))
    signed = [scene.sign(scene.attester(0), a) for a in (one, two)]
    other = scene.sign(scene.attester(1), two)
    expose, refused = scene.act.expose, scene.chain.refused
    later = replace(two, word=report_word((1, 1, 1), GENESIS_AT_S + 1, END_S))
    for call, why in (
        (expose(one.as_tuple(), signed[0], two.as_tuple(), other), "anchor.attester"),
        (expose(one.as_tuple(), signed[0], one.as_tuple(), signed[0]), "anchor.same"),
        (expose(*self_contradiction(scene, one, later)), "anchor.measure"),
        (expose(*self_contradiction(scene, one, replace(two, definition=b"\x0e" * 32))), "anchor.measure"),
        (expose(*self_contradiction(scene, one, replace(two, subject=scene.relayer.address))), "anchor.measure"),
    ):
        assert refused(call, scene.relayer) == why
    scene.chain.send(expose(one.as_tuple(), signed[0], two.as_tuple(), signed[1]), scene.relayer)
    assert (scene.report(), scene.act.seats_taken().call()) == (0, 2)
    again = expose(one.as_tuple(), signed[0], two.as_tuple(), signed[1])
    assert refused(again, scene.relayer) == "anchor.attester"  # one seat buys one freeze


def self_contradiction(scene: Scene, one: Attestation, two: Attestation) -> tuple[Any, ...]:
    signer = scene.attester(0)
    return one.as_tuple(), scene.sign(signer, one), two.as_tuple(), scene.sign(signer, two)


def test_below_quorum_nothing_is_accepted(scene: Scene) -> None:
    """Expulsion never lowers m: a set short of it is silent, reports run out, and a successor is the way on."""
    for number in (0, 1):
        scene.chain.send(scene.act.expose(*contradiction_of(scene, number)), scene.relayer)
    scene.votes(scene.statement(), 2)
    assert (scene.report(), scene.act.quorum().call(), scene.act.seats_taken().call()) == (0, 2, 1)
    change = SetChange(2, 0, added=scene.relayer.address)
    assert scene.chain.refused(scene.proposal(change, 2), scene.relayer) == "anchor.quorum"


def contradiction_of(scene: Scene, number: int) -> tuple[Any, ...]:
    one, two = scene.statement(), scene.statement(OTHER_WORD)
    signer = scene.attester(number)
    return one.as_tuple(), scene.sign(signer, one), two.as_tuple(), scene.sign(signer, two)


def test_set_changes_need_quorum_and_48_hours(scene: Scene) -> None:
    chain, act = scene.chain, scene.act
    change = SetChange(3, 0, added=scene.attester(3).address, removed=scene.attester(0).address)
    assert chain.refused(scene.proposal(change, 0), scene.relayer) == "anchor.quorum"
    assert chain.refused(scene.proposal(change, 0, 0), scene.relayer) == "anchor.voted"
    assert chain.refused(scene.proposal(change, 0, 3), scene.relayer) == "anchor.attester"
    chain.send(scene.proposal(change, 0, 1), scene.relayer)
    assert chain.refused(scene.proposal(change, 0, 1), scene.relayer) == "anchor.nonce"
    assert chain.refused(act.execute(change.as_tuple()), scene.relayer) == "anchor.delay"
    chain.advance(DELAY_S)
    assert chain.refused(act.execute(replace(change, quorum=1).as_tuple()), scene.relayer) == "anchor.pending"
    chain.send(act.execute(change.as_tuple()), scene.relayer)
    assert [act.seat_of(scene.attester(number).address).call() for number in range(4)] == [0, 2, 3, 1]
    assert (act.quorum().call(), act.epoch().call()) == (3, 1)
    assert chain.refused(act.execute(change.as_tuple()), scene.relayer) == "anchor.pending"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda s: SetChange(2, 0, added=s.attester(1).address), "anchor.added"),
        (lambda s: SetChange(2, 0, removed=s.attester(3).address), "anchor.removed"),
        (lambda _: SetChange(4, 0), "anchor.quorum"),
        (lambda _: SetChange(0, 0), "anchor.quorum"),
        (lambda s: SetChange(3, 0, removed=s.attester(0).address), "anchor.quorum"),
    ],
    ids=["seated twice", "not seated", "more than seats", "nobody", "removal below quorum"],
)
def test_impossible_changes(scene: Scene, change: Callable[[Scene], SetChange], why: str) -> None:
    assert scene.chain.refused(scene.proposal(change(scene), 0, 1), scene.relayer) == why


def test_change_of_nothing_cancels_and_expulsion_voids(scene: Scene) -> None:
    chain, act = scene.chain, scene.act
    change = SetChange(2, 0, removed=scene.attester(2).address)
    chain.send(scene.proposal(change, 0, 1), scene.relayer)
    chain.send(scene.proposal(SetChange(2, 1), 1, 2), scene.relayer)
    chain.advance(DELAY_S)
    assert chain.refused(act.execute(change.as_tuple()), scene.relayer) == "anchor.pending"
    again = replace(change, nonce=2)
    chain.send(scene.proposal(again, 0, 1), scene.relayer)
    chain.send(act.expose(*contradiction_of(scene, 0)), scene.relayer)
    chain.advance(DELAY_S)
    assert chain.refused(act.execute(again.as_tuple()), scene.relayer) == "anchor.pending"
    back = SetChange(2, 3, added=scene.attester(0).address)
    assert chain.refused(scene.proposal(back, 1, 2), scene.relayer) == "anchor.added"  # expelled for good


def test_operator_is_replaced_by_the_quorum(scene: Scene) -> None:
    chain, root = scene.chain, tree_root(LEAVES[:6])
    successor = chain.account("next operator")
    scene.change_set(SetChange(2, 0, operator=successor.address), 0, 1)
    publish = scene.act.publish(6, root, PUBLISHED, consistency_proof(PUBLISHED, LEAVES[:6]))
    assert chain.refused(publish, scene.operator) == "anchor.operator"
    chain.send(publish, successor)


@pytest.mark.parametrize(
    ("attesters", "quorum", "why"),
    [(2, 0, "anchor.quorum"), (2, 3, "anchor.quorum"), (0, 1, "anchor.quorum")],
)
def test_impossible_sets(chain: Chain, attesters: int, quorum: int, why: str) -> None:
    names = [chain.account(f"attester {number}").address for number in range(attesters)]
    with pytest.raises(Exception, match=why):
        chain.deploy("Anchor", chain.account("operator").address, names, quorum)


def test_gas(scene: Scene) -> None:
    """Whole receipts, equal on both nodes."""
    chain, act, relayer = scene.chain, scene.act, scene.relayer
    found = {}
    for old_size, size in ((PUBLISHED, 20), (20, 1000)):
        proof, root = consistency_proof(old_size, LEAVES[:size]), tree_root(LEAVES[:size])
        call = act.publish(size, root, old_size, proof)
        found[f"publish, {len(proof)} hashes"] = chain.gas(call, scene.operator)
    inclusion = inclusion_proof(700, LEAVES)
    path = act.verify_inclusion(leaf_hash(LEAVES[700]), 700, 1000, inclusion)
    found[f"verify_inclusion, {len(inclusion)} hashes"] = chain.gas(path, relayer)
    found["first vote"] = chain.gas(scene.vote(0, scene.statement()), relayer)
    found["vote that makes the first report"] = chain.gas(scene.vote(1, scene.statement()), relayer)
    later = scene.statement(report_word((1, 2, 3), GENESIS_AT_S + 1, END_S))
    scene.votes(later, 0)
    found["vote that makes a later report"] = chain.gas(scene.vote(2, later), relayer)
    found["vote that expels"] = chain.gas(scene.vote(0, replace(later, word=later.word ^ 1)), relayer)
    change = SetChange(2, 0, added=scene.attester(3).address)
    found["propose, 2 signatures"] = chain.gas(scene.proposal(change, 1, 2), relayer)
    chain.advance(DELAY_S)
    found["execute, one added"] = chain.gas(act.execute(change.as_tuple()), relayer)
    assert found == PINNED["Anchor"]
