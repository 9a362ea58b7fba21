"""``Anchor`` in Python: the same state, the same refusals in the same order. Signatures arrive as their signer."""

from __future__ import annotations

from dataclasses import dataclass, field

from on_boa import Refusal

from penstock.chain.typed_data import ZERO_ADDRESS, Attestation, SetChange

DELAY_S = 48 * 3600
SEATS = 16
Measure = tuple[str, int, bytes]


def as_of_s(word: int) -> int:
    return (word >> 192) % 2**32


def need(condition: bool, why: str) -> None:
    if not condition:
        raise Refusal(f"anchor.{why}")


@dataclass
class AnchorTwin:
    """State of one Anchor; every method is one call and takes the time it happens at."""

    operator: str
    attesters: list[str]
    quorum: int
    size: int = 0
    roots: dict[int, bytes] = field(default_factory=dict)
    epoch: int = 0
    nonce: int = 0
    pending: SetChange | None = None
    executable_from: int = 0
    expelled: set[str] = field(default_factory=set)
    sponsors: dict[str, str] = field(default_factory=dict)
    reports: dict[str, int] = field(default_factory=dict)
    frozen: dict[str, int] = field(default_factory=dict)
    voted: dict[tuple[str, Measure], int] = field(default_factory=dict)
    ballots: dict[Attestation, set[str]] = field(default_factory=dict)

    def publish(self, sender: str, size: int, root: bytes, old_size: int, proof_holds: bool) -> None:
        need(sender == self.operator, "operator")
        self._publish(size, root, old_size, proof_holds)

    def publish_signed(self, signer: str, size: int, root: bytes, old_size: int, proof_holds: bool) -> None:
        if signer != self.operator:
            raise Refusal("signed.wrong_signer")
        self._publish(size, root, old_size, proof_holds)

    def _publish(self, size: int, root: bytes, old_size: int, proof_holds: bool) -> None:
        need(old_size == self.size, "old_size")
        need(size > old_size, "not_growing")
        need(root != bytes(32), "root")
        need(proof_holds, "proof")
        self.size = size
        self.roots[size] = root

    def register(self, sender: str, subject: str, sponsor: str) -> None:
        need(sender in (subject, self.operator), "operator")
        need(ZERO_ADDRESS not in (subject, sponsor), "zero")
        need(subject not in self.sponsors, "registered")
        self.sponsors[subject] = sponsor

    def attest(self, now: int, signer: str, a: Attestation) -> None:
        self._check_attester(signer, a.subject)
        need(a.epoch == self.epoch, "epoch")
        measure = (a.subject, as_of_s(a.word), a.definition)
        if self.voted.get((signer, measure), a.word) != a.word:
            self._expel(signer, a.subject)
            return
        need(a.word >> 224 > now, "expired")
        need(as_of_s(a.word) <= now, "future")
        need(a.root != bytes(32) and self.roots.get(a.size) == a.root, "root")
        need(self._is_later(a.subject, as_of_s(a.word)), "late")
        ballot = self.ballots.setdefault(a, set())
        need(signer not in ballot, "voted")
        ballot.add(signer)
        self.voted[signer, measure] = a.word
        if len(ballot) >= self.quorum:
            self.frozen.pop(a.subject, None)
            self.reports[a.subject] = a.word

    def expose(self, signer: str, one: Attestation, other_signer: str, two: Attestation) -> None:
        self._check_attester(signer, one.subject)
        need(other_signer == signer, "attester")
        need((two.subject, two.definition) == (one.subject, one.definition), "measure")
        need(as_of_s(two.word) == as_of_s(one.word), "measure")
        need(two.word != one.word, "same")
        self._expel(signer, one.subject)

    def propose(self, now: int, signers: list[str], change: SetChange) -> None:
        need(change.nonce == self.nonce, "nonce")
        self._check_change(change)
        for place, signer in enumerate(signers):
            need(signer in self.attesters, "attester")
            need(signer not in signers[:place], "voted")
        need(len(signers) >= self.quorum, "quorum")
        self.nonce += 1
        self.pending = change
        self.executable_from = now + DELAY_S

    def execute(self, now: int, change: SetChange) -> None:
        need(self.pending == change, "pending")
        need(now >= self.executable_from, "delay")
        self.pending = None
        self.attesters = [a for a in self.attesters if a != change.removed]
        self.attesters += [change.added] if change.added != ZERO_ADDRESS else []
        self.operator = self.operator if change.operator == ZERO_ADDRESS else change.operator
        self.quorum = change.quorum
        self.epoch += 1

    def _check_attester(self, signer: str, subject: str) -> None:
        need(signer in self.attesters, "attester")
        need(subject in self.sponsors, "subject")
        need(signer != self.sponsors[subject], "sponsor")

    def _check_change(self, change: SetChange) -> None:
        count = len(self.attesters)
        if change.removed != ZERO_ADDRESS:
            need(change.removed in self.attesters, "removed")
            count -= 1
        if change.added != ZERO_ADDRESS:
            need(change.added not in self.attesters and change.added not in self.expelled, "added")
            need(count < SEATS, "seats")
            count += 1
        need(0 < change.quorum <= count, "quorum")

    def _is_later(self, subject: str, as_of: int) -> bool:
        held = self.reports.get(subject, 0)
        return as_of > as_of_s(held) if held else as_of >= self.frozen.get(subject, 0)

    def _expel(self, attester: str, subject: str) -> None:
        if subject not in self.frozen:
            self.frozen[subject] = as_of_s(self.reports.pop(subject, 0))
        self.expelled.add(attester)
        self.attesters.remove(attester)
        self.pending = None
        self.epoch += 1
