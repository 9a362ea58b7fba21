"""Attesters as they run: processes of their own, with their own keys, over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attest_kit import (
    ATTESTERS,
    DEAL,
    START_US,
    House,
    Record,
    account,
    chain_for,
    first_of,
    key_of,
    make_record,
)
from test_attest import flipped, lie, word_for

from penstock.api.app import make_app
from penstock.api.running import serve_in_thread
from penstock.chain.keystore import save_key
from penstock.period import DAY_US

WORDS = "open sesame"
PATIENCE_S = 120

Process = subprocess.Popen[str]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with each attester's sealed key."""
    folder = tmp_path / "keys"
    folder.mkdir()
    for role in ATTESTERS:
        save_key(folder / f"{role}.json", key_of(role), WORDS, cost_log2=4)
    return folder


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    made = make_record(tmp_path / "workspace", days=1)
    yield made
    made.workspace.store.close()


@pytest.fixture
def chain(record: Record) -> Iterator[tuple[House, str]]:
    with chain_for(record) as found:
        yield found


def start(role: str, source: str, rpc: str, keys: Path, *more: str, words: str | None = WORDS) -> Process:
    options = ["--source", source, "--rpc", rpc, "--deal", DEAL, "--keys", str(keys), "--key", role, "--json", *more]
    secret = {} if words is None else {"PENSTOCK_PASSPHRASE": words}
    known = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    command = [sys.executable, "-m", "penstock", "attest", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=known | secret)


def finish(process: Process) -> tuple[int, list[dict[str, Any]]]:
    """How a process ended, and the lines it said."""
    out, err = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in err, err
    return process.returncode, [json.loads(line) for line in out.splitlines()]


def test_three_processes_attest_each_period_as_it_is_anchored(
    record: Record, chain: tuple[House, str], keys: Path
) -> None:
    house, rpc = chain
    with serve_in_thread(make_app(record.workspace)) as api:
        started = [start(role, api.url, rpc, keys, "--follow", "--periods", "2") for role in ATTESTERS]
        record.day(1)
        record.anchor(START_US + 2 * DAY_US)
        house.publish(record.anchored[1:])
        ended = [finish(process) for process in started]
    assert len({os.getpid(), *(process.pid for process in started)}) == 4
    assert [code for code, _ in ended] == [0, 0, 0]
    assert [[line["period"] for line in lines] for _, lines in ended] == [[0, 1]] * 3
    words = {line["word"] for _, lines in ended for line in lines if line["period"] == 1}
    assert words == {hex(house.report)}
    assert {line["attester"] for _, lines in ended for line in lines} == {
        account(role).address.lower() for role in ATTESTERS
    }
    voted = [role for role in ATTESTERS if house.report in house.votes(role)]
    assert len(voted) >= 2
    assert all(len(set(house.votes(role))) == len(house.votes(role)) for role in ATTESTERS)


def test_one_killed_after_its_vote_does_not_vote_again(record: Record, chain: tuple[House, str], keys: Path) -> None:
    house, rpc = chain
    with serve_in_thread(make_app(record.workspace)) as api:
        victim = start(ATTESTERS[0], api.url, rpc, keys, "--follow", "--periods", "2")
        assert victim.stdout and victim.stderr
        said = json.loads(victim.stdout.readline())
        victim.kill()
        victim.wait(PATIENCE_S)
        victim.stdout.close()
        victim.stderr.close()
        code, (again,) = finish(start(ATTESTERS[0], api.url, rpc, keys, "--periods", "1"))
    assert (said["status"], code, again["status"]) == ("voted", 0, "stands")
    assert house.votes(ATTESTERS[0]) == [int(said["word"], 16)]


def test_one_lies_and_two_honest_processes_outvote_it(record: Record, chain: tuple[House, str], keys: Path) -> None:
    house, rpc = chain
    lie(house, ATTESTERS[2], record, 0, word_for(0, 99_000, 10**9, 5))
    started = [start(role, str(record.path), rpc, keys, "--periods", "1") for role in ATTESTERS[:2]]
    ended = [finish(process) for process in started]
    assert [(code, line["status"]) for code, (line,) in ended] == [(0, "voted")] * 2
    assert house.report == int(ended[0][1][0]["word"], 16)


def test_one_fed_altered_segments_refuses(record: Record, chain: tuple[House, str], keys: Path, tmp_path: Path) -> None:
    house, rpc = chain
    altered = tmp_path / "altered"
    shutil.copytree(record.path, altered)
    segment = altered / "segments" / f"{first_of(record, 'answers.served').segment}.parquet"
    segment.write_bytes(flipped(segment.read_bytes()))
    code, (said,) = finish(start(ATTESTERS[0], str(altered), rpc, keys, "--periods", "1"))
    assert (code, said["code"], said["error"]) == (5, "attest.segment_altered", "Unverified")
    assert house.votes(ATTESTERS[0]) == []


@pytest.mark.parametrize(
    ("role", "words", "code", "exit_code"),
    [
        (ATTESTERS[0], "wrong", "key.passphrase", 5),
        (ATTESTERS[0], None, "key.no_passphrase", 2),
        ("x", "", "key.missing", 4),
    ],
)
def test_a_key_that_does_not_open(
    keys: Path, tmp_path: Path, role: str, words: str | None, code: str, exit_code: int
) -> None:
    ended, (said,) = finish(start(role, str(tmp_path), "http://127.0.0.1:1", keys, words=words))
    assert (ended, said["code"]) == (exit_code, code)


def test_the_passphrase_may_come_from_a_file(record: Record, chain: tuple[House, str], keys: Path) -> None:
    (keys / "words").write_text(WORDS + "\n")
    more = ("--passphrase-file", str(keys / "words"), "--periods", "1")
    code, (said,) = finish(start(ATTESTERS[0], str(record.path), chain[1], keys, *more, words=None))
    assert (code, said["status"]) == (0, "voted")


def test_waiting_ends(record: Record, chain: tuple[House, str], keys: Path) -> None:
    more = ("--follow", "--periods", "2", "--timeout", "0.2")
    code, lines = finish(start(ATTESTERS[0], str(record.path), chain[1], keys, *more))
    assert (code, [line.get("code", line.get("status")) for line in lines]) == (6, ["voted", "attest.timeout"])
