"""``Anchor`` against its twin under random histories: the same state and the same refusals after every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boa
import pytest
from anchor_twin import AnchorTwin
from eth_account.signers.local import LocalAccount
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from on_boa import Refusal, account, now, reason, set_now, source
from rfc9162_reference import consistency_proof, tree_root

from penstock.chain.typed_data import (
    ZERO_ADDRESS,
    Attestation,
    Message,
    SetChange,
    anchor_domain,
    attestation_message,
    checkpoint_message,
    report_word,
    set_change_message,
    sign_typed,
)

HOUR_S = 3600
ATTESTERS = [account(f"attester {n}") for n in range(5)]
NEWCOMERS = [account(f"newcomer {n}") for n in range(2)]
ATTACKER, OPERATOR, NEXT_OPERATOR, RELAYER = (
    account(role) for role in ("attacker", "operator", "next operator", "relayer")
)
SIGNERS: dict[str, LocalAccount] = {
    one.address: one for one in [*ATTESTERS, *NEWCOMERS, ATTACKER, OPERATOR, NEXT_OPERATOR]
}
SUBJECTS = [account(f"deal {n}").address for n in range(3)]
DEFINITIONS = [b"\x0a" * 32, b"\x0b" * 32]
LEAVES = [f"fact {n}".encode() for n in range(40)]

REACHED: Counter[Any] = Counter()  # what the histories really met
MUST_REACH = ("accepted", "thawed", ("frozen by", "attest"), ("frozen by", "expose"), ("execute", ""))

attesters = st.sampled_from([*ATTESTERS[:3], *ATTESTERS, *NEWCOMERS, ATTACKER]).map(lambda one: one.address)
subjects = st.sampled_from([SUBJECTS[0], *SUBJECTS])
words = st.tuples(st.sampled_from([7, 7, 7, -8]), st.integers(-1, 3), st.sampled_from([24, 24, 24, 0]))


class AnchorMachine(RuleBasedStateMachine):
    """Operator, attesters, a sponsor among them, newcomers and an attacker, on one log and three deals."""

    @initialize(quorum=st.integers(1, 3))
    def start(self, quorum: int) -> None:
        self.held = boa.env.anchor()
        self.held.__enter__()
        set_now(1_790_000_000)
        self.start_s = now()
        names = [one.address for one in ATTESTERS[:4]]
        self.anchor = source("Anchor").deploy(OPERATOR.address, names, quorum)
        self.twin = AnchorTwin(OPERATOR.address, list(names), quorum)
        self.domain = anchor_domain(boa.env.evm.patch.chain_id, str(self.anchor.address))
        self.changes: list[SetChange] = []
        self.agreed: list[Attestation] = []
        for subject, sponsor in ((SUBJECTS[0], RELAYER), (SUBJECTS[1], ATTESTERS[1])):
            self.register(subject, sponsor.address, OPERATOR.address)
        self.publish(True, 1, "true", 0)

    def teardown(self) -> None:
        if hasattr(self, "held"):
            self.held.__exit__(None, None, None)

    def both(self, twin: Callable[[], None], act: str, *args: Any, sender: str = RELAYER.address) -> None:
        """Do it on both sides; they agree on whether and why it is refused."""
        reports, frozen = dict(self.twin.reports), set(self.twin.frozen)
        try:
            twin()
            expected = ""
        except Refusal as refusal:
            expected = str(refusal)
        found = reason(self.anchor, act, *args, sender=sender)
        assert found == expected, (act, args)
        REACHED[act, found] += 1
        REACHED["accepted"] += any(word != reports.get(subject) for subject, word in self.twin.reports.items())
        REACHED["frozen by", act] += bool(self.twin.frozen.keys() - frozen)
        REACHED["thawed"] += bool(frozen - self.twin.frozen.keys())

    def sign(self, signer: str, message: Message) -> tuple[int, bytes, bytes]:
        return sign_typed(bytes(SIGNERS[signer].key), message)

    # ------------------------------------------------------------ checkpoints

    @rule(
        direct=st.booleans(),
        step=st.integers(0, 4),
        kind=st.sampled_from(["true", "true", "true", "other root", "cut", "doubled", "zero root"]),
        behind=st.sampled_from([0, 0, 0, 1]),
    )
    def publish(self, direct: bool, step: int, kind: str, behind: int) -> None:
        size, old_size = self.twin.size + step, max(0, self.twin.size - behind)
        if size > len(LEAVES):
            return
        leaves = [*LEAVES[: max(0, size - 1)], b"a lie"][:size] if kind == "other root" else LEAVES[:size]
        root = bytes(32) if kind == "zero root" else tree_root(leaves)
        proof = consistency_proof(old_size, LEAVES[:size]) if 0 < old_size < size else []
        proof = {"cut": proof[:-1], "doubled": [*proof, *proof[-1:]]}.get(kind, proof)
        true = consistency_proof(old_size, LEAVES[:size]) if 0 < old_size < size else []
        holds = proof == true and (kind == "true" or old_size == 0)
        if direct:
            self._direct(size, root, old_size, proof, holds)
        else:
            self._relayed(size, root, old_size, proof, holds)

    def _direct(self, size: int, root: bytes, old_size: int, proof: list[bytes], holds: bool) -> None:
        sender = self.twin.operator if size % 7 else ATTACKER.address
        twin = self.twin
        self.both(
            lambda: twin.publish(sender, size, root, old_size, holds),
            "publish",
            *(size, root, old_size, proof),
            sender=sender,
        )

    def _relayed(self, size: int, root: bytes, old_size: int, proof: list[bytes], holds: bool) -> None:
        signer = self.twin.operator if size % 5 else ATTACKER.address
        signature = self.sign(signer, checkpoint_message(self.domain, size, root))
        twin = self.twin
        self.both(
            lambda: twin.publish_signed(signer, size, root, old_size, holds),
            "publish_signed",
            *(size, root, old_size, proof, signature),
        )

    # ------------------------------------------------------------ reports

    @rule(
        subject=st.sampled_from([*SUBJECTS, ZERO_ADDRESS]),
        sponsor=st.sampled_from([RELAYER.address, ATTESTERS[1].address, ZERO_ADDRESS]),
        sender=st.sampled_from([OPERATOR.address, NEXT_OPERATOR.address, SUBJECTS[2], ATTACKER.address]),
    )
    def register(self, subject: str, sponsor: str, sender: str) -> None:
        self.both(lambda: self.twin.register(sender, subject, sponsor), "register", subject, sponsor, sender=sender)

    def statement(self, subject: str, word: tuple[int, int, int], definition: bytes, stale: str) -> Attestation:
        value, slot, life_h = word
        as_of = self.start_s + slot * 20 * HOUR_S
        root = self.twin.roots.get(self.twin.size, b"\x01" * 32)
        return Attestation(
            subject,
            report_word((value, 0, -1), as_of, as_of + life_h * 10 * HOUR_S + 1),
            definition,
            self.twin.size,
            {"root": b"\x02" * 32, "no root": bytes(32)}.get(stale, root),
            max(0, self.twin.epoch - (stale == "epoch")),
        )

    @rule(
        signers=st.lists(attesters, min_size=1, max_size=4),
        subject=subjects,
        word=words,
        definition=st.sampled_from([DEFINITIONS[0], *DEFINITIONS]),
        stale=st.sampled_from(["", "", "", "", "epoch", "root", "no root"]),
    )
    def attest(
        self, signers: list[str], subject: str, word: tuple[int, int, int], definition: bytes, stale: str
    ) -> None:
        for signer in signers:
            a = self.statement(subject, word, definition, stale)
            signature = self.sign(signer, attestation_message(self.domain, a))
            self.both(self._attest(signer, a), "attest", a.as_tuple(), signature)

    def _attest(self, signer: str, a: Attestation) -> Callable[[], None]:
        return lambda: self.twin.attest(now(), signer, a)

    @rule(subject=st.sampled_from(SUBJECTS[:2]), wait_h=st.integers(0, 6))
    def agree(self, subject: str, wait_h: int) -> None:
        """Every attester signs the same word about this hour; late ones are refused as late."""
        set_now(now() + wait_h * HOUR_S)
        word = report_word((now() % 1000, 1, -1), now(), now() + 30 * HOUR_S)
        a = Attestation(subject, word, DEFINITIONS[0], self.twin.size, self.twin.roots[self.twin.size], self.twin.epoch)
        for signer in list(self.twin.attesters):
            signature = self.sign(signer, attestation_message(self.domain, a))
            self.both(self._attest(signer, a), "attest", a.as_tuple(), signature)
        self.agreed.append(a)

    @precondition(lambda self: self.agreed and self.twin.attesters)
    @rule(data=st.data(), by_expose=st.booleans(), speak=st.booleans())
    def contradict(self, data: st.DataObject, by_expose: bool, speak: bool) -> None:
        """An attester signs another word for a measure already signed: by a vote now, or shown as evidence."""
        old = data.draw(st.sampled_from(self.agreed))
        signer = data.draw(st.sampled_from(self.twin.attesters))
        new = replace(old, word=old.word ^ 1, epoch=self.twin.epoch)
        signed_old, signed_new = (self.sign(signer, attestation_message(self.domain, a)) for a in (old, new))
        if by_expose:
            twin = self.twin
            args = (old.as_tuple(), signed_old, new.as_tuple(), signed_new)
            self.both(lambda: twin.expose(signer, old, signer, new), "expose", *args)
        else:
            self.both(self._attest(signer, new), "attest", new.as_tuple(), signed_new)
        if speak:
            self.agree(old.subject, 0)

    @rule(subject=subjects, word=words, v=st.sampled_from([0, 29, 255]))
    def forge(self, subject: str, word: tuple[int, int, int], v: int) -> None:
        """A signature that recovers nobody is the zero address, which holds no seat."""
        a = self.statement(subject, word, DEFINITIONS[0], "")
        self.both(
            lambda: self.twin.attest(now(), ZERO_ADDRESS, a), "attest", a.as_tuple(), (v, b"\x01" * 32, b"\x01" * 32)
        )

    @rule(
        signer=attesters,
        other=st.one_of(st.none(), st.none(), attesters),
        subject=subjects,
        other_subject=st.one_of(st.none(), st.none(), subjects),
        one=words,
        two=words,
        stale=st.sampled_from(["", "epoch", "root"]),
    )
    def expose(
        self,
        signer: str,
        other: str | None,
        subject: str,
        other_subject: str | None,
        one: tuple[int, int, int],
        two: tuple[int, int, int],
        stale: str,
    ) -> None:
        a = self.statement(subject, one, DEFINITIONS[0], "")
        b = self.statement(other_subject or subject, two, DEFINITIONS[0], stale)
        signed_a = self.sign(signer, attestation_message(self.domain, a))
        signed_b = self.sign(other or signer, attestation_message(self.domain, b))
        twin = self.twin
        self.both(
            lambda: twin.expose(signer, a, other or signer, b),
            "expose",
            *(a.as_tuple(), signed_a, b.as_tuple(), signed_b),
        )

    # ------------------------------------------------------------ the set

    @rule(
        quorum=st.integers(0, 5),
        added=st.sampled_from([ZERO_ADDRESS, *[one.address for one in [*NEWCOMERS, ATTESTERS[0], ATTESTERS[4]]]]),
        removed=st.sampled_from([ZERO_ADDRESS, *[one.address for one in [*ATTESTERS[2:], *NEWCOMERS]]]),
        operator=st.sampled_from([ZERO_ADDRESS, ZERO_ADDRESS, NEXT_OPERATOR.address]),
        nonce_off=st.sampled_from([0, 0, 0, 0, 1]),
        extra=st.lists(attesters, max_size=2),
        enough=st.booleans(),
    )
    def propose(
        self,
        quorum: int,
        added: str,
        removed: str,
        operator: str,
        nonce_off: int,
        extra: list[str],
        enough: bool,
    ) -> None:
        change = SetChange(quorum, self.twin.nonce + nonce_off, added, removed, operator)
        signers = [*(self.twin.attesters[: self.twin.quorum] if enough else []), *extra]
        message = set_change_message(self.domain, change)
        signatures = [self.sign(signer, message) for signer in signers]
        twin = self.twin
        self.both(lambda: twin.propose(now(), signers, change), "propose", change.as_tuple(), signatures)
        self.changes.append(change)

    @precondition(lambda self: self.changes)
    @rule(back=st.sampled_from([0, 0, 0, 1]))
    def execute(self, back: int) -> None:
        change = self.changes[-1 - back] if back < len(self.changes) else self.changes[-1]
        change = self.twin.pending if self.twin.pending and not back else change
        twin = self.twin
        self.both(lambda: twin.execute(now(), change), "execute", change.as_tuple())

    @precondition(lambda self: len(self.twin.attesters) >= self.twin.quorum)
    @rule(newcomer=st.sampled_from([*NEWCOMERS, ATTESTERS[4]]), rotate=st.booleans(), early=st.booleans())
    def change_set(self, newcomer: LocalAccount, rotate: bool, early: bool) -> None:
        """A quorum admits a key, or rotates one out for it; early execution is refused."""
        removed = self.twin.attesters[0] if rotate else ZERO_ADDRESS
        self.propose(self.twin.quorum, newcomer.address, removed, ZERO_ADDRESS, 0, [], True)
        self.wait(48 * HOUR_S - early)
        self.execute(0)

    @rule(seconds=st.sampled_from([1, HOUR_S, 20 * HOUR_S, 48 * HOUR_S - 1, 48 * HOUR_S]))
    def wait(self, seconds: int) -> None:
        set_now(now() + seconds)

    # ------------------------------------------------------------ what must hold

    @invariant()
    def equal(self) -> None:
        if not hasattr(self, "anchor"):
            return
        anchor, twin = self.anchor, self.twin
        assert anchor.latest() == (twin.size, twin.roots.get(twin.size, bytes(32)))
        assert (anchor.epoch(), anchor.quorum(), anchor.nonce()) == (twin.epoch, twin.quorum, twin.nonce)
        assert (anchor.operator(), anchor.seats_taken()) == (twin.operator, len(twin.attesters))
        seated = {str(anchor.attester_at(seat)) for seat in range(1, 8)} - {ZERO_ADDRESS}
        assert seated == set(twin.attesters)
        assert (anchor.pending() == bytes(32)) == (twin.pending is None)
        assert anchor.executable_from() == twin.executable_from
        for subject in SUBJECTS:
            assert anchor.report(subject) == twin.reports.get(subject, 0)
            assert anchor.is_frozen(subject) == (subject in twin.frozen)

    @invariant()
    def lawful(self) -> None:
        """Nobody expelled holds a seat, and nothing frozen reports."""
        if hasattr(self, "twin"):
            assert not self.twin.expelled & set(self.twin.attesters)
            assert not self.twin.frozen.keys() & {s for s in SUBJECTS if self.anchor.report(s)}


LONG = settings(max_examples=300, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck))
QUICK = settings(LONG, max_examples=25, stateful_step_count=30, derandomize=True, phases=[Phase.generate])


def test_machine() -> None:
    AnchorMachine.TestCase.settings = QUICK
    AnchorMachine.TestCase().runTest()
    assert [outcome for outcome in MUST_REACH if not REACHED[outcome]] == []


@pytest.mark.nightly
def test_machine_long() -> None:
    AnchorMachine.TestCase.settings = LONG
    AnchorMachine.TestCase().runTest()
