"""What is known of challenges: who committed to what, which work was stated after it, what was judged.

A judgement is believed by nobody for its word: secrets must open commitments made before the work was stated, the seed
must be theirs, the rows those that the seed draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from penstock.compute.challenge import HASH_BYTES, commitment, draw, seed_of
from penstock.errors import Conflict, Invalid, NotFound, Refused, Unverified
from penstock.journal.fact import Recorded
from penstock.journal.kinds.work import ChallengeCommitted, ChallengeJudged, ChallengeKind, WorkStated

NO_ROOT: Final = bytes(HASH_BYTES)
"""Stands for the work in a challenge of speed, which tests none."""


@dataclass(frozen=True, slots=True)
class Committed:
    """A commitment and its place in the journal."""

    seq: int
    fact: ChallengeCommitted


@dataclass(frozen=True, slots=True)
class StatedWork:
    """A statement of work, its place in the journal and when it was recorded [us]."""

    seq: int
    at_us: int
    fact: WorkStated

    @property
    def rows(self) -> int:
        """How many answers it states."""
        return self.fact.segment.rows


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement, its place in the journal and when it was recorded [us]."""

    seq: int
    at_us: int
    fact: ChallengeJudged


@dataclass(slots=True)
class Challenges:
    """Commitments by challenger and digest, statements by provider and root, judgements in order; secrets that were
    shown are spent.

    Who copies a commitment can never open it, and keeps nobody from making the true one.
    """

    commitments: dict[tuple[str, bytes], Committed] = field(default_factory=dict)
    works: dict[tuple[str, bytes], StatedWork] = field(default_factory=dict)
    judged: list[Judged] = field(default_factory=list)
    spent: set[bytes] = field(default_factory=set)

    def apply(self, recorded: Recorded) -> None:
        """Fold one fact; facts of other rooms are passed over. Raises as `check_commitment` and `check_judgement`."""
        match recorded.fact:
            case ChallengeCommitted() as fact:
                self.check_commitment(fact)
                self.commitments[fact.challenger, fact.commitment] = Committed(recorded.seq, fact)
            case WorkStated() as fact if fact.segment.rows:  # an hour without answers takes no challenge upon itself
                self.works.setdefault((fact.provider, fact.root), StatedWork(recorded.seq, recorded.at_us, fact))
            case ChallengeJudged() as fact:
                opened = self.check_judgement(fact, recorded.at_us)
                self.spent.update(one.fact.commitment for one in opened)
                self.judged.append(Judged(recorded.seq, recorded.at_us, fact))

    def check_commitment(self, fact: ChallengeCommitted) -> None:
        """That a commitment may be made.

        Raises:
            Invalid: ``challenge.commitment`` for one that has not 32 bytes. Conflict: ``challenge.committed``.
        """
        if len(fact.commitment) != HASH_BYTES:
            raise Invalid("challenge.commitment", "A commitment has 32 bytes.")
        if (fact.challenger, fact.commitment) in self.commitments:
            raise Conflict("challenge.committed", "This commitment was made already.", id=fact.commitment.hex())

    def work(self, provider: str, root: bytes) -> StatedWork:
        """A provider's statement with this root; another's, though it be the same rows, is another.

        Raises:
            NotFound: ``challenge.no_work``.
        """
        if (provider, root) not in self.works:
            raise NotFound("challenge.no_work", "This provider stated no work with this root.", root=root.hex())
        return self.works[provider, root]

    def opened(self, provider: str, secrets: Sequence[bytes]) -> tuple[Committed, ...]:
        """The commitments that ``secrets`` open, in order of the secrets.

        Raises:
            Unverified: ``challenge.not_committed`` for a secret nobody committed to against this provider.
            Refused: ``challenge.spent`` for one shown before.
        """
        return tuple(self._opened(provider, secret) for secret in secrets)

    def drawn(self, provider: str, root: bytes, secrets: Sequence[bytes], rows: int, at_us: int) -> Drawn:
        """The draw that these secrets make of the work stated with ``root``: at ``at_us``, so many rows.

        Raises:
            NotFound: ``challenge.no_work``. Unverified, Refused: as `opened`. Invalid: as `seed_of` and `draw`.
            Refused: ``challenge.order`` where the secrets are not in order of commitment, or one was committed to after
            the work was stated; ``challenge.too_early`` where one may not be shown yet; ``challenge.not_next`` unless
            the work is its rack's first after the newest commitment and their hours: a secret that was shown once
            draws from nothing stated later.
        """
        work = self.work(provider, root)
        opened = self.opened(provider, secrets)
        if not opened:
            raise Invalid("challenge.secret", "A draw needs at least one secret.")
        _check_order(opened, work.seq)
        _check_hour(opened, at_us)
        if self._tested(work.fact.rack, opened) is not work:
            raise Refused("challenge.not_next", "These secrets test an earlier statement of the rack.", root=root.hex())
        seed = seed_of(secrets, root)
        return Drawn(work, opened, seed, draw(seed, work.rows, rows))

    def check_judgement(self, fact: ChallengeJudged, at_us: int) -> tuple[Committed, ...]:
        """The commitments that a judgement opens, once all in it that anyone can compute is right.

        Raises:
            As `drawn`. Unverified: ``challenge.judgement`` where seed, rows or failures are not what follows.
        """
        opened, seed, rows = self._drawn_again(fact, at_us)
        failed = list(fact.failed) == sorted(set(fact.failed)) and set(fact.failed) <= set(rows)
        silent = fact.challenge is not ChallengeKind.PRESENCE or fact.failed == fact.rows
        if (fact.seed, fact.rows) != (seed, rows) or not (failed and silent) or len(fact.evidence) != HASH_BYTES:
            raise Unverified("challenge.judgement", "The judgement is not what secrets and work come to.")
        return opened

    def failures(self, provider: str) -> int:
        """How many drawn rows or accelerators of a provider ever failed."""
        return sum(len(one.fact.failed) for one in self.judged if one.fact.provider == provider)

    def _drawn_again(self, fact: ChallengeJudged, at_us: int) -> tuple[tuple[Committed, ...], bytes, tuple[int, ...]]:
        if fact.challenge is ChallengeKind.SPEED:
            opened = self.opened(fact.provider, fact.secrets)
            _check_order(opened, opened[-1].seq + 1 if opened else 0)
            _check_hour(opened, at_us)
            if fact.work_root != NO_ROOT:
                raise Unverified("challenge.judgement", "A challenge of speed tests no stated work.")
            return opened, seed_of(fact.secrets, NO_ROOT), tuple(range(len(fact.rows)))
        found = self.drawn(fact.provider, fact.work_root, fact.secrets, len(fact.rows), at_us)
        if found.work.fact.rack != fact.rack:
            raise Unverified("challenge.judgement", "The judgement names another rack than the work.")
        return found.opened, found.seed, found.rows

    def _tested(self, rack: str, opened: Sequence[Committed]) -> StatedWork | None:
        """The first statement of ``rack`` after all of ``opened`` and their hours."""
        newest, hour_us = opened[-1].seq, max(one.fact.opens_after_us for one in opened)
        later = (one for one in self.works.values() if one.fact.rack == rack and one.seq > newest)
        return next((one for one in later if one.at_us >= hour_us), None)

    def _opened(self, provider: str, secret: bytes) -> Committed:
        challengers = {one.fact.challenger for one in self.commitments.values() if one.fact.provider == provider}
        for challenger in challengers:
            made = commitment(provider, challenger, secret)
            if made in self.spent:
                raise Refused("challenge.spent", "This secret was shown before.", commitment=made.hex())
            if (challenger, made) in self.commitments:
                return self.commitments[challenger, made]
        raise Unverified("challenge.not_committed", "Nobody committed to this secret.", provider=provider)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A draw: of which work, by which commitments, the seed, the rows (places in the statement, ascending)."""

    work: StatedWork
    opened: tuple[Committed, ...]
    seed: bytes
    rows: tuple[int, ...]


def _check_hour(opened: Sequence[Committed], at_us: int) -> None:
    if any(one.fact.opens_after_us > at_us for one in opened):
        raise Refused("challenge.too_early", "A secret is not shown before the hour that its commitment names.")


def _check_order(opened: Sequence[Committed], before_seq: int) -> None:
    """Secrets come in order of commitment, all of them committed to before the work was stated."""
    places = [one.seq for one in opened] + [before_seq]
    if any(one >= two for one, two in pairwise(places)):
        raise Refused(
            "challenge.order",
            "Secrets come in order of commitment, each committed to once and before the work was stated.",
            hint="A commitment made now tests the work that is stated next.",
        )
