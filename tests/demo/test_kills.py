"""kill -9 at any point, then the same command again: the same record, the same chain, nothing sent twice."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest
from staging import Played, Point, Underway, check_written, on_chain, penstock, play, points_of

STAGES = {
    "chain": Point("outbox", "deploy:Anchor"),
    "connect": Point("fact", "roofs"),
    "forward": Point("fact", "forward sold"),
    "meter": Point("fact", "meter:0"),
    "certify": Point("fact", "certify:0"),
    "settle": Point("fact", "delivered:1"),
    "store": Point("fact", "bought:0"),
    "serve": Point("fact", "match:0"),
    "launch": Point("outbox", "set_deal:mixed-pool/A"),
    "pool": Point("fact", "pool"),
    "collect": Point("outbox", "collected:0"),
    "tape": Point("fact", "tape:0"),
    "pay": Point("outbox", "redeem:0"),
    "income": Point("fact", "withdraw:A"),
    "agent": Point("outbox", "fund:spender", 4.0),
    "challenge": Point("outbox", "allow:copy-desk"),
    "last day": Point("fact", "collected:1"),
    "propose": Point("outbox", "propose:mixed-pool:1"),
    "vote": Point("fact", "voted:mixed-pool:1"),
    "badge": Point("outbox", "retire:badge"),
    "report": Point("fact", "factors"),
    "prove": Point("fact", "checkpoint:week"),
}
INSTANTS = range(10)
PARENT_GONE_S = 30.0


def kill_at(workspace: Path, point: Point) -> None:
    """Play until the point, kill the play, and see that nothing of it lives on."""
    underway = Underway.start(workspace)
    assert underway.wait_for(point.reached), underway.process.communicate()
    code, _ = underway.end(signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert underway.group_is_gone(PARENT_GONE_S)


def assert_as_undisturbed(workspace: Path, undisturbed: Played) -> None:
    """Play on to the end and compare with a play that nobody disturbed."""
    again = play(workspace)
    assert again.figures() == undisturbed.figures()
    assert again.stage("prove")["audit"]["clean"] is True
    assert on_chain(workspace) == on_chain(undisturbed.workspace)
    check_written(workspace)
    assert penstock("audit", "-w", workspace).returncode == 0


def test_one_workspace_killed_in_many_stages_ends_as_if_never_disturbed(undisturbed: Played, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    for stage in (
        "chain",
        "forward",
        "certify",
        "settle",
        "store",
        "pool",
        "launch",
        "collect",
        "pay",
        "propose",
        "agent",
        "challenge",
        "badge",
        "report",
    ):
        kill_at(workspace, STAGES[stage])
    assert_as_undisturbed(workspace, undisturbed)


def test_attesters_end_with_the_play_that_started_them(tmp_path: Path) -> None:
    underway = Underway.start(tmp_path / "workspace")
    assert underway.wait_for(lambda _: len(underway.group()) == 4), underway.process.communicate()
    underway.end(signal.SIGKILL)
    assert underway.group_is_gone(PARENT_GONE_S)


@pytest.mark.nightly
@pytest.mark.parametrize("stage", STAGES)
def test_killed_once_in_each_stage(stage: str, undisturbed: Played, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    kill_at(workspace, STAGES[stage])
    assert_as_undisturbed(workspace, undisturbed)


@pytest.mark.nightly
@pytest.mark.parametrize("number", INSTANTS)
def test_killed_at_random_instants(number: int, undisturbed: Played, tmp_path: Path) -> None:
    dice = random.Random(f"instant {number}")  # noqa: S311 (repeatable, guards nothing)
    table, name = dice.choice(points_of(undisturbed.workspace))
    workspace = tmp_path / "workspace"
    kill_at(workspace, Point(table, name, dice.uniform(0, 0.2)))
    assert_as_undisturbed(workspace, undisturbed)
