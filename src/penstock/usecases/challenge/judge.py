"""The judgement of a challenge, recorded with the digest of its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from penstock.compute.challenge import seed_of
from penstock.compute.challenge_book import NO_ROOT
from penstock.errors import NotFound
from penstock.journal.fact import Entry
from penstock.journal.kinds.work import ChallengeJudged, ChallengeKind
from penstock.usecases.challenge.evidence import Evidence
from penstock.usecases.challenge.speed import SpeedEvidence
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World


def judge(
    world: World, evidence: Evidence | SpeedEvidence, secrets: Sequence[bytes], judge: str, now_us: int
) -> list[Entry]:
    """The fact of what a challenge found.

    Raises:
        NotFound: ``provider.unknown``, ``challenge.no_rack``. As `Challenges.check_judgement`.
    """
    world.capacity.providers.named(evidence.provider)
    fact = _speed(evidence, secrets, judge) if isinstance(evidence, SpeedEvidence) else _work(evidence, secrets, judge)
    if isinstance(evidence, SpeedEvidence):
        _check_accelerators(world, evidence)
    world.challenges.check_judgement(fact, now_us)
    return [Entry(fact)]


def judge_on(
    workspace: Workspace, evidence: Evidence | SpeedEvidence, secrets: Sequence[bytes], judge_name: str, now_us: int
) -> ChallengeJudged:
    """Record what a challenge found; the same again is recorded once. Raises as `judge`."""
    receipt = workspace.submit(
        f"challenge:judge:{evidence.digest.hex()[:32]}",
        (evidence.digest, judge_name, tuple(secrets)),
        now_us,
        lambda world: judge(world, evidence, secrets, judge_name, now_us),
    )
    fact = next(workspace.facts(receipt.first_seq, receipt.first_seq + 1)).recorded.fact
    return cast(ChallengeJudged, fact)


def _work(evidence: Evidence, secrets: Sequence[bytes], judge: str) -> ChallengeJudged:
    return ChallengeJudged(
        provider=evidence.provider,
        rack=evidence.rack,
        challenge=ChallengeKind.PRESENCE if evidence.silent else ChallengeKind.WORK,
        secrets=tuple(secrets),
        seed=evidence.seed,
        work_root=evidence.work_root,
        rows=evidence.rows,
        failed=evidence.failed,
        evidence=evidence.digest,
        judge=judge,
    )


def _speed(evidence: SpeedEvidence, secrets: Sequence[bytes], judge: str) -> ChallengeJudged:
    return ChallengeJudged(
        provider=evidence.provider,
        rack=evidence.rack,
        challenge=ChallengeKind.SPEED,
        secrets=tuple(secrets),
        seed=seed_of(secrets, NO_ROOT),
        work_root=NO_ROOT,
        rows=tuple(range(len(evidence.elapsed_us))),
        failed=evidence.failed,
        evidence=evidence.digest,
        judge=judge,
    )


def _check_accelerators(world: World, evidence: SpeedEvidence) -> None:
    """A challenge of speed asks every accelerator that the rack claims: one that is left out could be the second."""
    rack = world.compute.racks.get(evidence.rack)
    if rack is None or rack.accelerators != len(evidence.elapsed_us):
        raise NotFound("challenge.no_rack", "The rack has another number of accelerators.", rack=evidence.rack)
