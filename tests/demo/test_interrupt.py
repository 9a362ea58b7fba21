"""Ctrl-C in the middle of the demo: one sentence, exit 130, no process left, nothing half done."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest
from staging import SENTENCE, Played, Point, Underway, first_point, on_chain, penstock, play


@pytest.mark.parametrize(
    ("point", "whole_group"),
    [
        (Point("fact", "roofs", 0.1), False),
        (Point("outbox", "anchor:", 0.2), True),
    ],
    ids=["alone, while meters are read", "with its attesters, as a terminal does"],
)
def test_ctrl_c(point: Point, whole_group: bool, undisturbed: Played, tmp_path: Path) -> None:
    point = replace(point, name=first_point(undisturbed.workspace, point))
    workspace = tmp_path / "workspace"
    underway = Underway.start(workspace)
    assert underway.wait_for(point.reached), underway.process.communicate()
    code, said = underway.end(signal.SIGINT, whole_group)
    assert (code, said.strip()) == (130, SENTENCE)
    assert underway.group() == [], "a process outlived it"
    assert penstock("audit", "-w", workspace).returncode == 0
    again = play(workspace)
    assert again.figures() == undisturbed.figures()
    assert on_chain(workspace) == on_chain(undisturbed.workspace)
