"""The arranger's guide as a script: every command of docs/deals.md, one after the other, in a fresh workspace.

Nightly: each command is a process of its own. `test_deal_doors.py` runs most of it in one.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.nightly
def test_the_guide_runs_as_it_is_written(tmp_path: Path) -> None:
    script = "set -eu\n" + "\n".join(BLOCK.findall((ROOT / "docs/deals.md").read_text()))
    (tmp_path / "penstock").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m penstock "$@"\n')
    (tmp_path / "penstock").chmod(0o755)
    place = tmp_path / "walk"
    place.mkdir()
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PORT": str(free_port()),
        "RPC_PORT": str(free_port()),
        "PENSTOCK_PASSPHRASE": "walk",
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=place, env=environment, capture_output=True, text=True, timeout=600, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert "roofs.yaml is sound" in said
    assert "Four Roofs is launched as roofs" in said
    assert said.count("roofs, period 1: voted") == 2
    assert "period 1 to 2026-02-01T00:00:00Z closed on its report: normal" in said
    assert "deal.data_awaited" in done.stderr
    assert "period 2 to 2026-03-01T00:00:00Z closed without a report: turbo" in said
    assert "ballot.delay" in done.stderr
    assert said.rstrip().endswith("in two days")
