"""`penstock serve` as it runs: page, API and chain of a workspace, closed cleanly when told to stop."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from penstock.usecases.own_chain import found_chain
from penstock.usecases.workspace import Workspace

PENSTOCK = (sys.executable, "-m", "penstock", "serve")
WAIT_S = 60


def ask(url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, {"Content-Type": "application/json"}), timeout=WAIT_S) as answer:  # noqa: S310
        return json.loads(answer.read())


@pytest.mark.parametrize(("with_chain", "stop"), [(True, signal.SIGINT), (False, signal.SIGTERM)])
def test_a_workspace_is_served_until_it_is_stopped(tmp_path: Path, with_chain: bool, stop: signal.Signals) -> None:
    path = tmp_path / "workspace"
    Workspace(path).store.close()
    if with_chain:
        found_chain(path, {bytes(20): 5}).close()
    command = [*PENSTOCK, "--workspace", str(path), "--port", "0", "--rpc-port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        said = json.loads(process.stdout.readline())
        assert ask(f"{said['url']}/health")["facts"] == 0
        if with_chain:
            held = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBalance", "params": ["0x" + "00" * 20, "latest"]}
            assert ask(said["rpc"], held)["result"] == "0x5"
        else:
            assert said["rpc"] is None
    finally:
        process.send_signal(stop)
        _, errors = process.communicate(timeout=WAIT_S)
    assert (process.returncode, errors) == (0, "")
    Workspace(path).store.close()


def test_a_folder_without_a_workspace_stays_without(tmp_path: Path) -> None:
    command = [*PENSTOCK, "--workspace", str(tmp_path / "nowhere"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert (done.returncode, json.loads(done.stdout)["code"]) == (4, "store.no_workspace")
    assert not (tmp_path / "nowhere").exists()


def test_a_chain_is_founded_once_and_found_again(tmp_path: Path) -> None:
    with found_chain(tmp_path, {bytes(20): 5}) as node:
        first = node.archive.header(0)
    with found_chain(tmp_path, {}) as node:
        assert node.archive.header(0) == first
