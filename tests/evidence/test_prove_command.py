"""`penstock certificate prove` and `penstock verify`, on a workspace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_world import DAY, LOG_KEY, ORIGIN, SmallWorld
from typer.testing import CliRunner, Result

from penstock.cli.main import app
from penstock.errors import NotFound, Unverified
from penstock.journal import checkpoint
from penstock.journal.fact import Entry
from penstock.journal.kinds.ledger import CheckpointSigned


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose log is signed."""
    folder = Path(tmp_path_factory.mktemp("workspace"))
    world = SmallWorld(folder)
    tree = world.store.tree()
    note = checkpoint.sign(checkpoint.Checkpoint(ORIGIN, len(tree), tree.root()), ORIGIN, LOG_KEY)
    world._do("sign", lambda _: [Entry(CheckpointSigned(len(tree), tree.root(), note))], DAY.stop_us)
    world.store.close()
    return folder


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_a_certificate_is_proved_and_verified(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "certificate.json"
    command = ("certificate", "prove", "roof-a/export", "10", "14", "--bundle", str(file), "-w", str(folder))
    done = _run(*command, "--json")
    assert (done.exit_code, json.loads(done.stdout)["bytes"]) == (0, file.stat().st_size)
    told = json.loads(_run("verify", str(file), "--log-key", LOG_KEY.public.hex(), "--json").stdout)
    assert (told["certificate"], told["start"], told["stop"]) == ("roof-a/export", 10, 14)
    assert sum(state["stop"] - state["start"] for state in told["states"]) == 4
    assert told["events"][0]["what"].startswith("issued to ")
    assert "Certificate roof-a/export [10, 14) holds" in _run("verify", str(file)).stdout
    assert f"{file.stat().st_size:,} bytes" in _run(*command).stdout.replace("\n", "")


def test_what_does_not_hold_is_refused(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "certificate.json"
    _run("certificate", "prove", "roof-a/export", "10", "14", "--bundle", str(file), "-w", str(folder))
    file.write_bytes(file.read_bytes().replace(b'"start":"10"', b'"start":"11"', 1))
    refused = _run("verify", str(file)).exception
    assert isinstance(refused, Unverified)
    none = _run("certificate", "prove", "roof-a/export", "0", "9999999", "-w", str(folder)).exception
    assert isinstance(none, NotFound)
    assert none.code == "bundle.no_certificate"
