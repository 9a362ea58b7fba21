"""Whatever is wrong is said in one sentence with a stable code, a hint and an exit code, and nothing is half done."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from staging import SMALL, Played, play
from staging import penstock as penstock_apart
from staging import penstock_here as penstock

ROOT = Path(__file__).resolve().parents[2]
FIRST = ROOT / "examples" / "deals" / "mixed_pool.yaml"
FULL = ("store.disk_full", "chain.store_io", "demo.attesters")
"""A full disk, as whoever met it says: the record, the chain, or an attester process that could not write its vote."""
NO_MOUNT = "a file system of a few hundred kilobytes needs mount, as root"


def refused(code: str, exit_code: int, *words: str | Path) -> dict[str, Any]:
    """Run it both ways: one error object for machines, the same in words for people. The object."""
    machine, person = penstock(*words, "--json"), penstock(*words)
    assert (machine.returncode, person.returncode) == (exit_code, exit_code), machine.stdout + person.stderr
    error: dict[str, Any] = json.loads(machine.stdout)
    assert set(error) == {"error", "code", "message", "hint", "context"}
    assert error["code"] == code
    assert error["message"].endswith((".", "?"))
    assert error["message"] in person.stderr
    assert f"[{code}" in person.stderr
    assert error["hint"]
    assert f"→ {error['hint']}" in person.stderr
    assert "Traceback" not in machine.stderr + person.stderr
    return error


def files_of(workspace: Path) -> dict[str, bytes]:
    """What is kept: everything but SQLite's own side files and the lease."""
    passing = ("-wal", "-shm", "lease")
    files = (path for path in workspace.rglob("*") if path.is_file() and not path.name.endswith(passing))
    return {str(path.relative_to(workspace)): path.read_bytes() for path in files if path.suffix != ".sqlite"}


def demo(workspace: Path, *options: str | Path) -> tuple[str | Path, ...]:
    return ("demo", "-w", workspace, *SMALL, *options)


# what is asked for


def test_every_mistake_of_a_deal_is_listed_with_its_line(tmp_path: Path) -> None:
    text = FIRST.read_text()
    lines = text.splitlines()
    wrong = {"pays: daily": "pays: dayly", "rate: 8 %": "rate: 8", "below 1.20": "beneath 1.20"}
    places = [next(at for at, line in enumerate(lines, 1) if old in line) for old in wrong]
    for old, new in wrong.items():
        text = text.replace(old, new, 1)
    bad = tmp_path / "bad.yaml"
    bad.write_text(text)
    for words in (demo(tmp_path / "workspace", "--deal", bad), ("deal", "check", bad)):
        error = refused("deal.malformed", 2, *words)
        assert error["error"] == "Invalid"
        said = penstock(*words).stderr
        assert all(f"\n  line {line}, " in said for line in places)
    assert not (tmp_path / "workspace").exists()


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("demo.deal_unsuited", lambda text: text.replace("2016-08-22T", "2016-08-23T")),
        ("demo.deal_unsuited", lambda text: text.replace("servicer", "trustee")),
    ],
    ids=["another calendar", "another fee"],
)
def test_a_deal_the_demo_cannot_play(code: str, change: Callable[[str], str], tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(change(FIRST.read_text()))
    refused(code, 2, *demo(tmp_path / "workspace", "--deal", other))
    assert not (tmp_path / "workspace").exists()


def test_a_deal_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "deal.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in penstock("deal", "check", file).stderr
    assert penstock(*demo(tmp_path / "workspace", "--deal", file)).returncode == 2
    assert not (tmp_path / "workspace").exists()


@pytest.mark.parametrize(
    ("code", "exit_code", "options"),
    [
        ("demo.no_sunshine", 4, ("--data", ".")),
        ("demo.week_incomplete", 2, ("--week", "2017-03-06")),
        ("demo.week", 2, ("--week", "2016-08-29")),
        ("period.malformed", 2, ("--week", "soon")),
    ],
)
def test_a_week_that_cannot_be_played(code: str, exit_code: int, options: tuple[str, ...], tmp_path: Path) -> None:
    error = refused(code, exit_code, *demo(tmp_path / "workspace", *options))
    if code == "demo.no_sunshine":
        assert error["hint"] == ("Run: python -m pip install --no-deps --require-hashes --target .data -r data.lock")
    assert not (tmp_path / "workspace").exists()


def test_another_play_in_the_same_workspace(copy: Path, undisturbed: Played) -> None:
    before = files_of(copy)
    for options in (("--seed", "another"), ("--week", "2016-08-15"), ("--cloud", "2016-08-22=40"), ("--days", "1")):
        refused("demo.other_play", 3, *demo(copy, *options))
    assert files_of(copy) == before
    assert play(copy).root == undisturbed.root


def test_what_is_not_there(undisturbed: Played, tmp_path: Path) -> None:
    workspace = undisturbed.workspace
    refused("device.unknown", 4, "device", "show", "roof-999", "-w", workspace)
    for words in (("trace", "answer", "99999999"), ("trace", "reading", "roof-999/export", "0", "1")):
        done = penstock(*words, "-w", workspace)
        assert (done.returncode, "Traceback" in done.stderr) == (4, False)
    done = penstock("audit", "-w", tmp_path / "nowhere")
    assert (done.returncode, "[store.no_workspace" in done.stderr) == (4, True)


# what lies in the workspace


def largest_segment(workspace: Path) -> Path:
    return max((workspace / "segments").glob("*.parquet"), key=lambda path: (path.stat().st_size, path.name))


def test_an_audit_is_clean(undisturbed: Played) -> None:
    done = penstock("audit", "-w", undisturbed.workspace, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["clean"], found["root"]) == (0, True, undisturbed.root)


def test_an_audit_names_the_segment_of_one_changed_byte(copy: Path) -> None:
    segment = largest_segment(copy)
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 2] ^= 1
    segment.write_bytes(raw)
    done = penstock("audit", "-w", copy, "--json")
    (one,) = json.loads(done.stdout)["findings"]
    assert (done.returncode, one["code"], one["segment"]) == (70, "store.segment_torn", segment.stem)
    said = penstock("audit", "-w", copy)
    assert (said.returncode, segment.stem in said.stdout) == (70, True)


@pytest.mark.parametrize(
    ("code", "damage"),
    [
        ("store.segment_torn", lambda path: os.truncate(path, path.stat().st_size // 2)),
        ("store.segment_torn", lambda path: os.truncate(path, 0)),
        ("store.segment_missing", lambda path: path.unlink()),
    ],
    ids=["half", "empty", "missing"],
)
def test_a_torn_segment_is_named_by_whoever_meets_it(code: str, damage: Callable[[Path], None], copy: Path) -> None:
    segment = largest_segment(copy)
    whole = segment.read_bytes()
    damage(segment)
    for words in (demo(copy), ("trace", "answer", "0", "-w", copy)):
        error = refused(code, 70, *words)
        assert error["context"] == {"segment": segment.stem}
    audit = json.loads(penstock("audit", "-w", copy, "--json").stdout)
    assert segment.stem in {one.get("segment") for one in audit["findings"]}
    segment.write_bytes(whole)
    assert penstock("audit", "-w", copy).returncode == 0


def exchange(chain: Path) -> None:
    """Another chain, with its own genesis."""
    from penstock.usecases.own_chain import found_chain

    shutil.rmtree(chain)
    found_chain(chain.parent, {bytes(20): 1}).close()


def other_genesis(chain: Path) -> None:
    file = chain / "genesis.json"
    body = json.loads(file.read_text())
    file.write_text(json.dumps(body | {"at_s": body["at_s"] + 1}))


def zero_pages(chain: Path) -> None:
    file = chain / "chain.sqlite"
    raw = bytearray(file.read_bytes())
    for page in range(2, len(raw) // 4_096):
        raw[page * 4_096 : page * 4_096 + 64] = bytes(64)
    file.write_bytes(raw)


@pytest.mark.parametrize(
    ("code", "exit_code", "damage"),
    [
        ("chain.wrong_chain", 3, exchange),
        ("chain.wrong_chain", 3, other_genesis),
        ("chain.genesis_damaged", 70, lambda chain: (chain / "genesis.json").write_text("{")),
        ("chain.store_damaged", 70, lambda chain: (chain / "chain.sqlite").write_text("no chain")),
        ("chain.store_damaged", 70, lambda chain: os.truncate(chain / "chain.sqlite", 100_000)),
        ("chain.store_damaged", 70, zero_pages),
        ("chain.lost", 70, shutil.rmtree),
    ],
    ids=["another chain", "another genesis", "genesis torn", "no chain", "half a chain", "pages zeroed", "no folder"],
)
def test_a_chain_that_is_not_the_one(code: str, exit_code: int, damage: Callable[[Path], None], copy: Path) -> None:
    damage(copy / "chain")
    before = files_of(copy)
    refused(code, exit_code, *demo(copy))
    assert files_of(copy) == before
    assert penstock("audit", "-w", copy).returncode == 0


def test_a_journal_that_is_none(copy: Path) -> None:
    for side in copy.glob("journal.sqlite-*"):
        side.unlink()
    (copy / "journal.sqlite").write_text("no journal")
    refused("store.sql_damaged", 70, *demo(copy))
    refused("store.sql_damaged", 70, "audit", "-w", copy)


def test_a_folder_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused("store.no_folder", 2, *demo(tmp_path / "file"))
    refused("store.no_folder", 2, *demo(tmp_path / "file" / "inside"))


def test_a_workspace_in_use(copy: Path) -> None:
    with (copy / "lease").open("r+") as lease:
        fcntl.flock(lease, fcntl.LOCK_EX)
        lease.write("4711\n")
        lease.flush()
        error = refused("store.in_use", 6, *demo(copy))
        assert error["context"]["pid"] == "4711"
        assert penstock("audit", "-w", copy).returncode == 0, "reading beside the writer is allowed"


# what the disk holds


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A file system of so many kilobytes; grown when asked again."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = False

    def sized(kilobytes: int) -> Path:
        nonlocal mounted
        grow = ["-o", f"{'remount,' if mounted else ''}size={kilobytes}k"]
        done = subprocess.run(["mount", "-t", "tmpfs", *grow, "none", str(folder)], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(NO_MOUNT)
        mounted = True
        return folder

    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip(NO_MOUNT)
    yield sized
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_at_one_stage_after_the_other(disk: Callable[[int], Path], undisturbed: Played) -> None:
    reached = []
    for kilobytes in (200, 1_200, 1_600, 2_400, 3_400):
        workspace = disk(kilobytes) / "workspace"
        done = penstock_apart(*demo(workspace), "--json")
        error = json.loads(done.stdout)
        assert (done.returncode, error["code"] in FULL) == (6, True), kilobytes
        assert (error["error"], bool(error["hint"])) == ("Unavailable", True)
        audit = json.loads(penstock_apart("audit", "-w", workspace, "--json").stdout)
        assert audit["clean"] is True
        reached.append(audit["checked"]["facts"])
    assert reached == sorted(reached)
    assert len(set(reached)) >= 3, "the disk was full at one stage only"
    again = play(disk(64_000) / "workspace")
    assert again.figures() == undisturbed.figures()
    assert again.stage("prove")["audit"]["clean"] is True
