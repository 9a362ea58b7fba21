"""Killed at any point and begun again, an intake ends with the same total, root and verdicts as an undisturbed one."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from intake_victim import BATCHES, AtPoints, take_all

from penstock.energy.verdict import MessageVerdict, ReadingVerdict
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.energy import PacketsReceived, ReadingsVerified
from penstock.usecases.audit_record import audit_record
from penstock.usecases.workspace import Workspace

VICTIM = Path(__file__).with_name("intake_victim.py")
POINTS = [
    "segment_begin",
    "segment_half",
    "segment_written",
    "segment_synced",
    "segment_renamed",
    "folder_synced",
    "rows_inserted",
    "committed",
]
BY_CLOCK = "never"


class Outcome(NamedTuple):
    """What an intake comes to."""

    counted_wh: int
    read_wh: tuple[int, ...]
    root: bytes
    verdicts: tuple[tuple[str, tuple[int, ...]], ...]
    energy: bytes


def outcome(workspace: Workspace) -> Outcome:
    counted, verdicts = 0, []
    for row in workspace.facts():
        columns = workspace.columns(row)
        if isinstance(row.recorded.fact, ReadingsVerified):
            counted += row.recorded.fact.counted_wh
        if isinstance(row.recorded.fact, PacketsReceived | ReadingsVerified):
            assert columns is not None
            verdicts.append((row.recorded.fact.KIND, tuple(columns["verdict"].tolist())))
    read = tuple(workspace.read(lambda world: world.books.registers.read).tolist())
    energy = workspace.read(lambda world: world.energy.digest())
    return Outcome(counted, read, workspace.tree().root(), tuple(verdicts), energy)


@cache
def undisturbed(seed: int) -> Outcome:
    with TemporaryDirectory() as folder, AtPoints(Path(folder) / "ws") as workspace:
        take_all(workspace, seed)
        return outcome(workspace)


def run_until_killed(folder: Path, seed: int, point: str, count: int, after_s: float) -> tuple[bool, list[int]]:
    """Whether it was killed, and the batches that it said were recorded."""
    command = [sys.executable, str(VICTIM), str(folder), str(seed), point, str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None and victim.stderr is not None
        assert victim.stdout.readline() == "open\n", victim.stderr.read()
        timer = threading.Timer(after_s if point == BY_CLOCK else 120, victim.kill)
        timer.start()
        said = victim.stdout.read().split("\n")[:-1]
        code = victim.wait()
        timer.cancel()
        assert code in (0, -9), victim.stderr.read()
    return code == -9, [int(number) for number in said]


def kill_until_done(folder: Path, seed: int, plan: Iterator[tuple[str, int, float]]) -> int:
    """Kill and begin again until a stream is taken in or the plan ends, then finish it; how often it was killed."""
    kills = 0
    for point, count, after_s in plan:
        killed, said = run_until_killed(folder, seed, point, count, after_s)
        for left in (folder / "segments").glob(".tmp-*"):
            left.write_bytes(left.read_bytes()[: len(left.read_bytes()) // 2])
        assert said == list(range(len(said)))
        if not killed:
            break
        kills += 1
    with AtPoints(folder) as workspace:
        take_all(workspace, seed)
        assert outcome(workspace) == undisturbed(seed)
        assert list(audit_record(workspace.store, KINDS)) == []
    return kills


def test_the_stream_has_everything_that_can_go_wrong() -> None:
    found = Counter((kind, verdict) for kind, verdicts in undisturbed(1).verdicts for verdict in verdicts)
    packets = {verdict for kind, verdict in found if kind == PacketsReceived.KIND}
    M = MessageVerdict
    assert {M.ACCEPTED, M.GAP, M.REPLAYED, M.BAD_SIGNATURE} <= packets
    readings = {verdict for kind, verdict in found if kind == ReadingsVerified.KIND}
    R = ReadingVerdict
    assert {R.ACCEPTED, R.REGISTER_BACKWARD, R.RESET, R.HELD_BACK} <= readings
    assert len(undisturbed(1).verdicts) == 2 * BATCHES


def test_killed_and_begun_again_it_comes_to_the_same(tmp_path: Path) -> None:
    dice = random.Random(1)  # noqa: S311
    plan = [(point, dice.randrange(1, 5), 0.0) for point in dice.sample(POINTS, 4)] + [(BY_CLOCK, 1, 0.1)]
    assert kill_until_done(tmp_path / "ws", 1, iter(plan)) >= 4


@pytest.mark.nightly
def test_a_hundred_kills_at_random_points(tmp_path: Path) -> None:
    dice = random.Random(2)  # noqa: S311
    kills = run = 0
    while kills < 100:
        plan = (
            (BY_CLOCK, 1, dice.random() * 0.6)
            if dice.random() < 0.3
            else (dice.choice(POINTS), dice.randrange(1, 9), 0.0)
            for _ in range(100 - kills)
        )
        kills += kill_until_done(tmp_path / str(run), 1 + run % 3, plan)
        run += 1
    assert kills == 100
