"""The fuzzer itself: it finds what is planted, and a short run over every target finds nothing."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

RUN = Path(__file__).with_name("run.py")
needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this system"
)
SHORT, LONG = 1_000, 100_000


def fuzzed(keep: Path, runs: int, *more: str) -> list[dict[str, Any]]:
    words = [sys.executable, str(RUN), "--runs", str(runs), "--keep", str(keep), "--json", *more]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    outcomes: list[dict[str, Any]] = json.loads(done.stdout)
    return outcomes


def nothing_found(outcomes: list[dict[str, Any]], runs: int) -> None:
    found = [one for one in outcomes if one["crash"]]
    assert not found, "\n".join(f"{one['target']}: {one['crash']}" for one in found)
    assert len(outcomes) >= 37
    for one in outcomes:
        assert one["runs"] >= runs // 10, one
        assert one["covered"] > 0, one
        assert one["accepted"] > 0, one


@needs_atheris
def test_a_short_run_over_every_parser_finds_nothing(tmp_path: Path) -> None:
    nothing_found(fuzzed(tmp_path, SHORT), SHORT)


@needs_atheris
@pytest.mark.nightly
def test_a_long_run_over_every_parser_finds_nothing(tmp_path: Path) -> None:
    nothing_found(fuzzed(tmp_path, LONG, "--seed", "20261122"), LONG)


@needs_atheris
def test_what_is_planted_is_found_and_kept(tmp_path: Path) -> None:
    """A parser that fails on one byte, and one that brings the process down: both are findings with their input."""
    plant = (
        "import os, run\n"
        "from dataclasses import dataclass\n"
        "from fuzz_kit import Target\n"
        "def failing(raw):\n"
        "    if raw[:1] == b'!': raise KeyError('planted')\n"
        "def falling(raw):\n"
        "    if raw[:1] == b'!': os.abort()\n"
        "planted = {n: Target(lambda: [b'a', b'!'], c) for n, c in (('failing', failing), ('falling', falling))}\n"
        "run.loaded = lambda: planted\n"
        "import sys; sys.exit(run.main(sys.argv[1:]))\n"
    )
    words = [sys.executable, "-c", plant, "--runs", "200", "--keep", str(tmp_path), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=RUN.parent)
    failing, falling = json.loads(done.stdout)
    assert done.returncode == 1
    assert "KeyError: 'planted'" in failing["crash"]
    assert falling["crash"].startswith("exit ")
    assert {path.read_bytes()[:1] for path in tmp_path.iterdir()} == {b"!"}
    assert len(list(tmp_path.iterdir())) == 2


def test_seeds_are_made_here_and_accepted() -> None:
    """A target whose seeds are all refused would never get past its first check."""
    sys.path.append(str(RUN.parent))
    from fuzz_targets import TARGETS

    for name, target in TARGETS.items():
        assert any(target.check(seed) for seed in target.seeds()), name
