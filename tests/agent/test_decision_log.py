"""The log of decisions is a chain: each damage is found at its line."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from penstock.agent.decision_log import DecisionLog
from penstock.errors import Unverified


@pytest.fixture
def log(tmp_path: Path) -> DecisionLog:
    made = DecisionLog(tmp_path / "decisions.jsonl")
    for number in range(5):
        made.write(number, "bought", f"why {number}", paid=number)
    return made


def test_lines_follow_each_other(log: DecisionLog) -> None:
    read = log.read()
    assert [one.number for one in read] == list(range(5))
    assert [one.before for one in read[1:]] == [one.digest for one in read[:-1]]
    assert read[3].said == {"paid": 3}


@pytest.mark.parametrize("kind", ["changed", "dropped", "reordered", "spaced", "rehashed", "doubled", "deep"])
def test_damage_is_found(log: DecisionLog, kind: str) -> None:
    lines = log.path.read_bytes().splitlines()
    if kind == "changed":
        lines[2] = lines[2].replace(b"why 2", b"why 9")
    elif kind == "dropped":
        del lines[2]
    elif kind == "reordered":
        lines[2], lines[3] = lines[3], lines[2]
    elif kind == "spaced":
        lines[2] = json.dumps(json.loads(lines[2]), indent=None).encode()
    elif kind == "doubled":
        lines.insert(2, lines[2])
    elif kind == "deep":
        lines[2] = b"[" * 200_000
    else:
        from hashlib import sha256

        from penstock.keys.dsse import canonical

        body = json.loads(lines[2])["body"] | {"why": "another"}
        lines[2] = canonical({"body": body, "digest": sha256(canonical(body)).hexdigest()})
    log.path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(Unverified) as caught:
        log.read()
    assert caught.value.code == "log.broken"
    assert caught.value.ids["line"] == ("4" if kind in ("rehashed", "doubled") else "3")


def test_a_torn_end_is_cut_off(log: DecisionLog) -> None:
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + whole[:37])
    log.write(9, "bought", "after")
    assert [one.at_us for one in log.read()] == [0, 1, 2, 3, 4, 9]


def test_long_lines_are_followed(log: DecisionLog) -> None:
    log.write(9, "bought", "x" * 200_000)
    log.write(10, "bought", "after")
    assert log.read()[-1].number == 6


def _write(path: Path, who: int) -> None:
    for number in range(20):
        DecisionLog(path).write(number, "bought", f"{who}")


def test_several_processes_write_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(path, who)) for who in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(DecisionLog(path).read()) == 60
