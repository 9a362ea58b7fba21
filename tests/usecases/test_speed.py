"""The reference kernel asked of a rack: one accelerator sold twice, a slower one, a silent and a lying one are caught.

Time is counted, not taken: each accelerator of these tests tells how long its work would have taken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from dataclasses import replace as changed
from pathlib import Path
from threading import Barrier, Lock, get_ident

import pytest
from challenge_kit import SECRET, Court

from penstock.compute.reference_kernel import Kernel, run
from penstock.errors import NotFound, PenstockError, Unavailable
from penstock.journal.kinds.capacity import SkuPublished
from penstock.journal.kinds.work import ChallengeKind
from penstock.usecases.challenge.speed import Accelerator, SpeedEvidence, ask_all
from penstock.usecases.workspace import Workspace

KERNEL = Kernel(2, 256)
TOOK_US = 1_000
SKU = SkuPublished("CPU-2", 1, 1_024, "none", KERNEL.name, TOOK_US, 2_000, "measured here")


@dataclass
class Time:
    """A clock for each thread that asks, which its accelerator moves on."""

    now_us: dict[int, int] = field(default_factory=dict)

    def __call__(self) -> int:
        return self.now_us.get(get_ident(), 0)

    def passes(self, us: int) -> None:
        self.now_us[get_ident()] = self() + us


def accelerator(time: Time, took_us: int = TOOK_US) -> Accelerator:
    """An accelerator of its own: it takes so long."""

    def ask(kernel: Kernel, seed: bytes) -> bytes:
        time.passes(took_us)
        return run(kernel, seed)

    return ask


def shared(time: Time, claims: int) -> list[Accelerator]:
    """One accelerator behind several claims: it works off one after the other, however they come."""
    lock, all_asked, done = Lock(), Barrier(claims), [0]

    def ask(kernel: Kernel, seed: bytes) -> bytes:
        all_asked.wait()
        with lock:
            done[0] += 1
            time.passes(done[0] * TOOK_US)
            return run(kernel, seed)

    return [ask] * claims


def silent(_kernel: Kernel, _seed: bytes) -> bytes:
    raise Unavailable("test.silent", "No answer.")


def gone(_kernel: Kernel, _seed: bytes) -> bytes:
    raise OSError


def invented(_kernel: Kernel, seed: bytes) -> bytes:
    return hashlib.sha256(seed).digest()


def asked(time: Time, *accelerators: Accelerator) -> SpeedEvidence:
    return ask_all("provider", "rack-1", SKU, accelerators, [SECRET], time)


def test_accelerators_as_sold_pass() -> None:
    time = Time()
    found = asked(time, accelerator(time), accelerator(time, TOOK_US * 12 // 10))
    assert len(found.elapsed_us) == 2
    assert found.failed == ()


def test_one_sold_twice_is_caught() -> None:
    time = Time()
    found = asked(time, *shared(time, 2))
    assert sorted(found.elapsed_us) == [TOOK_US, 2 * TOOK_US]
    assert len(found.failed) == 1


def test_a_slower_one_under_a_better_name_is_caught() -> None:
    time = Time()
    assert asked(time, accelerator(time), accelerator(time, TOOK_US * 12 // 10 + 1)).failed == (1,)


@pytest.mark.parametrize("bad", [silent, gone, invented])
def test_silence_and_invention_are_no_answer(bad: Accelerator) -> None:
    time = Time()
    found = asked(time, bad, accelerator(time))
    assert (found.elapsed_us[0], found.failed) == (-1, (0,))


def test_another_accelerators_answer_is_none() -> None:
    time, told = Time(), []

    def copied(kernel: Kernel, seed: bytes) -> bytes:
        time.passes(TOOK_US)
        told.append(run(kernel, seed))
        return told[0]

    assert len(asked(time, copied, copied).failed) == 1


@pytest.fixture
def court(tmp_path: Path) -> Iterator[Court]:
    with Workspace(tmp_path / "court") as workspace:
        made = Court(workspace, judge=None).founded(accelerators=2)  # type: ignore[arg-type]
        made.commit()
        yield made


def test_a_judgement_of_speed_is_recorded(court: Court) -> None:
    time = Time()
    evidence = asked(time, *shared(time, 2))
    fact = court.judged(evidence)
    assert (fact.challenge, fact.rows, fact.failed) == (ChallengeKind.SPEED, (0, 1), evidence.failed)
    assert fact.evidence == evidence.digest
    assert court.workspace.read(lambda world: world.challenges.failures("provider")) == 1


def test_every_accelerator_is_asked(court: Court) -> None:
    time = Time()
    with pytest.raises(NotFound, match=r"challenge\.no_rack"):
        court.judged(asked(time, accelerator(time)))
    elsewhere = changed(asked(time, accelerator(time), accelerator(time)), rack="rack-2")
    with pytest.raises(PenstockError, match=r"challenge\.no_rack"):
        court.judged(elsewhere)


def test_evidence_tells_times_apart() -> None:
    time = Time()
    one = asked(time, accelerator(time))
    assert changed(one, elapsed_us=(TOOK_US + 1,)).digest != one.digest
