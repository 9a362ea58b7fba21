"""A provider that lies loses its collateral on the embedded chain, from drawn rows to slashed credits; no other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from challenge_kit import Court, Shop, texts_of

from penstock.chain.client import ChainClient
from penstock.chain.node import Genesis, Node
from penstock.chain.provider import NodeProvider
from penstock.chain.rpc import serve as serve_rpc
from penstock.compute.challenge_book import Judged
from penstock.compute.reexecution import NOTHING, Finding
from penstock.errors import PenstockError, Refused, Unverified
from penstock.journal.kinds.compute import CreditsOffered
from penstock.keys import ChainKey, derive_seed
from penstock.period import SECOND_US
from penstock.usecases.anchor_rpc import AnchorChain, JsonRpc
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.challenge.evidence import Evidence
from penstock.usecases.challenge.verdict import (
    EXPIRY_S_MAX,
    CreditClass,
    Verdict,
    found_again,
    slash,
    verdict_on,
    vote,
    watch,
)
from penstock.usecases.checkout import buy, open_class
from penstock.usecases.votes import VoteJournal
from penstock.usecases.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "provider"))
from minilm import NAME, MiniLm

ROLES = ("operator", "provider", "attester-1", "attester-2", "attester-3")
KEYS = {role: ChainKey(derive_seed(b"verdict", role)) for role in (*ROLES, "buyer", "deal")}
PRICE, COLLATERAL, CAPACITY, BOUGHT = 2_000, 5_000, 100, 40


@pytest.fixture(scope="module")
def model() -> MiniLm:
    return MiniLm.load()


@dataclass(slots=True)
class Scene:
    """A court beside a chain: operator and provider each at a desk of its own, a class of credits sold to a buyer."""

    court: Court
    operator: ChainDesk
    provider: ChainDesk
    url: str
    folder: Path
    now_s: int
    of: CreditClass

    def vote(self, role: str, verdict: Verdict, expiry_s: int = 0, provider: str = "provider") -> str:
        """An attester's vote, from a connection and a memory of its own."""
        checkpoint = self.checkpoint()
        with VoteJournal(self.folder / f"{role}.votes") as votes:
            chain = AnchorChain(JsonRpc(self.url))
            expiry_s = expiry_s or self.now_s + 86_400
            where = (self.of, KEYS[provider].address, verdict, expiry_s, checkpoint)
            return vote(chain, *where, KEYS[role], votes, self.now_s)

    def checkpoint(self) -> tuple[int, bytes]:
        """The court's record as it stands, anchored."""
        tree = self.court.workspace.tree()
        size, old = len(tree), int(self.operator.view("Anchor", "size"))
        if size > old:
            proof = list(tree.consistency_proof(old, size))
            self.operator.act(f"publish:{size}", "Anchor", "publish", size, tree.root(size), old, proof)
        return size, tree.root(size)

    def dollars(self, role: str) -> int:
        """What a role has on chain [micro-dollars]."""
        return int(self.operator.view("Dollar", "balanceOf", KEYS[role].address))


@pytest.fixture
def scene(tmp_path: Path, model: MiniLm) -> Iterator[Scene]:
    now_s = 1_800_000_000
    genesis = Genesis({KEYS[role].address: 10**20 for role in ROLES}, at_s=now_s - 1)
    with (
        Node(genesis, now=lambda: now_s) as node,
        serve_rpc(node) as url,
        Workspace(tmp_path / "operator") as own,
        Workspace(tmp_path / "provider") as theirs,
        Workspace(tmp_path / "court") as record,
    ):
        client = ChainClient(NodeProvider(node))
        desks = [ChainDesk(place, client, KEYS[role]) for place, role in ((own, "operator"), (theirs, "provider"))]
        of = opened(desks[0], desks[1], now_s)
        court = Court(record, model, address=KEYS["provider"].address).founded()
        yield Scene(court, desks[0], desks[1], url, tmp_path, now_s, of)


def opened(operator: ChainDesk, provider: ChainDesk, now_s: int) -> CreditClass:
    """The contracts deployed, the provider's class open with its collateral, credits sold, the class watched."""
    attesters = [KEYS[role].address for role in ROLES if role.startswith("attester")]
    dollar = operator.deploy("Dollar", "Dollar", provider.address)  # who mints is no matter here
    anchor = operator.deploy("Anchor", "Anchor", operator.address, attesters, 2)
    credit = operator.deploy("Credit", "Credit", dollar.address, anchor.address, "")
    for name, one in (("Dollar", dollar), ("Anchor", anchor), ("Credit", credit)):
        provider.know(name, name, one.address)
    provider.act("money", "Dollar", "mint", KEYS["buyer"].address, BOUGHT * PRICE)
    expires_us = (now_s + 30 * 86_400) * SECOND_US
    terms = CreditsOffered("answers", "provider", NAME, "answers/credits", 1_000, PRICE, CAPACITY, expires_us)
    sold = open_class(provider, terms, KEYS["deal"].address, COLLATERAL)
    buy(operator, "buyer", sold, KEYS["buyer"], BOUGHT, now_s)
    of = CreditClass(credit.address, sold.class_id)
    watch(operator, of, KEYS["provider"].address)
    return of


def lied(court: Court, liar: Shop) -> Evidence:
    """A challenger commits, the liar answers and states, drawn rows are done again and judged."""
    court.commit()
    liar.serve(texts_of(12))
    root, _ = court.state(liar)
    evidence = court.challenge(root, liar.disclose)
    court.judged(evidence)
    return evidence


def seen(court: Court, evidence: Evidence, model: MiniLm) -> tuple[Judged, tuple[int, ...]]:
    """What an attester finds, with an engine of its own and the statement's columns from the record."""
    judged = court.workspace.read(lambda world: world.challenges.judged[-1])
    stated = court.workspace.read(lambda world: world.challenges.work("provider", judged.fact.work_root))
    columns = court.workspace.columns(next(court.workspace.facts(stated.seq, stated.seq + 1)))
    assert columns is not None
    return judged, found_again(judged, Evidence.from_json(evidence.to_json()), NAME, columns, model)


def verdict_of(court: Court, evidence: Evidence, model: MiniLm) -> Verdict:
    judged, rows = seen(court, evidence, model)
    return court.workspace.read(lambda world: verdict_on(world, "provider", {judged.seq: rows}))


def test_a_provider_that_lies_loses_its_collateral(scene: Scene, model: MiniLm) -> None:
    verdict = verdict_of(scene.court, lied(scene.court, Shop(MiniLm.load(layers=4))), model)
    assert (verdict.failures, verdict.drawn) == (4, 4)
    with pytest.raises(Refused, match=r"credit\.no_verdict"):
        slash(scene.provider, scene.of)
    assert scene.vote("attester-1", verdict)
    assert scene.vote("attester-1", verdict) == ""  # the same again changes nothing
    assert scene.vote("attester-2", verdict)
    assert scene.vote("attester-3", verdict) == ""  # the quorum has spoken
    slash(scene.operator, scene.of)
    scene.operator.act("refund", "Credit", "refund", KEYS["buyer"].address, scene.of.class_id)
    assert scene.dollars("buyer") == BOUGHT * (PRICE + COLLATERAL)
    assert scene.dollars("deal") == 0


def test_an_honest_provider_is_never_slashed(scene: Scene, model: MiniLm) -> None:
    """Even where a judge says otherwise: attesters count what they find themselves."""
    court, honest = scene.court, Shop(model)
    court.commit()
    honest.serve(texts_of(12))
    root, _ = court.state(honest)
    true = court.challenge(root, honest.disclose)
    blamed = tuple(
        replace(one, finding=finding, shown=honest.disclose(one.payment_id))
        for one, finding in zip(true.found, cycle((Finding.VECTOR_DIFFERS, Finding.TOKENS_DIFFER)), strict=False)
    )
    framed = replace(true, found=blamed)
    court.judged(framed)
    assert seen(court, framed, model)[1] == ()
    with pytest.raises(Refused, match=r"verdict\.nothing"):
        verdict_of(court, framed, model)


def _as_another_machine(answer: dict[str, Any]) -> None:
    """Its sums end a little elsewhere."""
    answer["data"][0]["embedding"][0] += 1e-6


@pytest.mark.parametrize("bent", [{"tolerance": 0.0}, {"tolerance": float("nan")}, {"shown": b"other bytes"}])
def test_who_judges_cannot_make_an_honest_provider_fail(scene: Scene, model: MiniLm, bent: dict[str, Any]) -> None:
    """Neither by a tolerance that no machine keeps, nor by bytes in the file that the provider never stated."""
    court, honest = scene.court, Shop(model, _as_another_machine)
    court.commit()
    honest.serve(texts_of(12))
    root, _ = court.state(honest)
    true = court.challenge(root, honest.disclose)
    shown = [honest.disclose(one.payment_id) for one in true.found]
    if "shown" in bent:
        shown = [replace(one, answer=bent["shown"]) for one in shown]
    blamed = [
        replace(one, finding=Finding.VECTOR_DIFFERS, shown=bytes_)
        for one, bytes_ in zip(true.found, shown, strict=True)
    ]
    framed = replace(true, found=tuple(blamed), tolerance=bent.get("tolerance", true.tolerance))
    court.judged(framed)
    assert seen(court, framed, model)[1] == ()


def test_what_nobody_can_see_does_not_count(scene: Scene, model: MiniLm) -> None:
    court = scene.court
    court.commit()
    shop = Shop(model)
    shop.serve(texts_of(12))
    root, _ = court.state(shop)
    silent = court.challenge(root, lambda _: NOTHING)
    court.judged(silent)
    judged, rows = seen(court, silent, model)
    assert rows == ()
    # an attester that asked and was met by silence itself counts it
    own = {judged.seq: judged.fact.rows[:3]}
    assert court.workspace.read(lambda world: verdict_on(world, "provider", own)).failures == 3


def test_evidence_is_that_of_the_judgement(scene: Scene, model: MiniLm) -> None:
    evidence = lied(scene.court, Shop(MiniLm.load(layers=4)))
    bent = replace(evidence, tolerance=2.0)
    with pytest.raises(Unverified, match=r"verdict\.evidence"):
        seen(scene.court, bent, model)


@pytest.mark.parametrize(
    ("code", "asked"),
    [
        ("verdict.other_provider", {"provider": "deal"}),
        ("verdict.expiry", {"expiry_s": 1}),
        ("verdict.expiry", {"expiry_s": 1_800_000_000 + EXPIRY_S_MAX + 1}),
    ],
)
def test_a_verdict_is_about_this_provider_and_for_a_while(scene: Scene, code: str, asked: dict[str, object]) -> None:
    with pytest.raises(PenstockError) as raised:
        scene.vote("attester-1", Verdict(4, 4, scene.now_s - 10), **asked)  # type: ignore[arg-type]
    assert raised.value.code == code


def test_nobody_else_votes_and_nobody_twice(scene: Scene) -> None:
    verdict = Verdict(4, 4, scene.now_s - 10)
    with pytest.raises(Refused, match=r"verdict\.refused_by_anchor"):
        scene.vote("operator", verdict)
    scene.vote("attester-1", verdict)
    with pytest.raises(Refused, match=r"attest\.two_words"):
        scene.vote("attester-1", replace(verdict, failures=5))
