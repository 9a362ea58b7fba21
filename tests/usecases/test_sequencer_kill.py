"""Killed at any point, a writer has recorded whole groups only, and everything it acknowledged."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from kill_victim import commands_of
from sequencer_kit import opened, state, state_from_nothing

from penstock.journal.kinds import KINDS
from penstock.store.postgres_server import PostgresServer, server_programs
from penstock.usecases.audit_record import audit_record

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
VICTIM = Path(__file__).with_name("kill_victim.py")


def run_until_killed(folder: Path, seed: int, point: str, count: int, after_s: float | None) -> list[str]:
    """The keys that the victim acknowledged before it died."""
    command = [sys.executable, str(VICTIM), str(folder), str(seed), point, str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None and victim.stderr is not None
        assert victim.stdout.readline() == "open\n", victim.stderr.read()
        timer = threading.Timer(60 if after_s is None else after_s, victim.kill)
        timer.start()
        said = victim.stdout.read().split("\n")[:-1]
        assert victim.wait() == -9, victim.stderr.read()
        timer.cancel()
    return said


def check_workspace(folder: Path, seed: int, acknowledged: list[str], dice: random.Random) -> None:
    """No hole, no half group, nothing acknowledged lost; litter swept; the last group repeated is answered once."""
    for file in (folder / "segments").glob(".tmp-*"):
        file.write_bytes(file.read_bytes()[: dice.randrange(file.stat().st_size + 1)])
    store, sequencer = opened(folder)
    with store:
        keys = list(dict.fromkeys(fact.key for fact in store.facts()))
        assert set(acknowledged) <= set(keys)
        groups = sorted({int(key.partition("-")[0][1:]) for key in keys})
        assert groups == list(range(len(groups)))
        assert keys == [command.key for number in groups for command in commands_of(number, seed)]
        assert list(audit_record(store, KINDS)) == []
        named = {f"{fact.segment}.parquet" for fact in store.facts() if fact.segment}
        assert {file.name for file in (folder / "segments").iterdir()} == named
        assert state(sequencer) == state_from_nothing(store)
        if groups:
            size = store.size()
            repeated = sequencer.submit_many(commands_of(groups[-1], seed))
            assert all(answer.repeated for answer in repeated)  # type: ignore[union-attr]
            assert store.size() == size


def kill_often(folder: Path, seed: int, plan: list[tuple[str, float | None]]) -> None:
    dice = random.Random(seed)  # noqa: S311
    acknowledged: list[str] = []
    for point, after_s in plan:
        acknowledged += run_until_killed(folder, seed, point, dice.randrange(1, 4), after_s)
        check_workspace(folder, seed, acknowledged, dice)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The address of a real PostgreSQL server; skipped where none is installed."""
    if not server_programs():
        pytest.skip("no PostgreSQL server is installed, nor the package that carries one")
    with PostgresServer() as server:
        yield server.address


@pytest.fixture(params=["sqlite", "postgres"], autouse=True)
def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each engine in turn, named by the environment as for any process; a schema for each test."""
    if request.param == "postgres":
        monkeypatch.setenv("PENSTOCK_DATABASE", request.getfixturevalue("database"))
        monkeypatch.setenv("PENSTOCK_SCHEMA", "k" + hashlib.sha256(str(tmp_path).encode()).hexdigest()[:16])


def test_killed_at_each_point(tmp_path: Path) -> None:
    kill_often(tmp_path, 1, [(point, None) for point in POINTS])


def test_killed_at_random_instants(tmp_path: Path) -> None:
    dice = random.Random(2)  # noqa: S311
    kill_often(tmp_path, 2, [("never", dice.random() * 0.15) for _ in range(4)])


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(3, 9))
def test_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    plan: list[tuple[str, float | None]] = [(dice.choice(POINTS), None) for _ in range(10)]
    kill_often(tmp_path, seed, plan + [("never", dice.random() * 0.5) for _ in range(10)])
