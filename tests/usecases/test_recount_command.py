"""`penstock store recount`: what it prints is what the record adds up to, in however many parts."""

from __future__ import annotations

import json

import pytest
from small_plant import Plant
from typer.testing import CliRunner

from penstock.cli.main import app


@pytest.mark.parametrize("parts", ["1", "3"])
def test_the_command_counts_the_record_again(lived: Plant, parts: str) -> None:
    done = CliRunner().invoke(app, ["store", "recount", "-w", str(lived.workspace.path), "--parts", parts, "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    sealed = [row for row in lived.workspace.facts() if row.segment]
    assert said["segments"] == len(sealed) > 0
    assert said["hours"] > 0
    again = CliRunner().invoke(app, ["store", "recount", "-w", str(lived.workspace.path), "--json"])
    assert json.loads(again.stdout) == said
