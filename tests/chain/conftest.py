"""Fixtures of the chain's tests: a node in memory with a hand-turned clock, and anvil as the second opinion."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from chain_kit import ANVIL, GENESIS, ROLES, Clock
from web3 import Web3
from web3.types import RPCEndpoint

from penstock.chain.node import CHAIN_ID, Node
from penstock.chain.provider import NodeProvider


@pytest.fixture
def clock() -> Clock:
    return Clock(GENESIS.at_s + 1_000)


@pytest.fixture
def node(clock: Clock) -> Iterator[Node]:
    with Node(GENESIS, now=clock) as running:
        yield running


@pytest.fixture
def w3(node: Node) -> Web3:
    return Web3(NodeProvider(node))


@pytest.fixture(scope="session")
def anvil_url() -> Iterator[str]:
    """A fresh anvil under Prague rules. Its absence fails the test: run ``make setup``."""
    assert ANVIL.exists(), f"anvil is not installed at {ANVIL}; run: make setup"
    command = [ANVIL, "--hardfork", "prague", "--host", "127.0.0.1", "--port", "0", "--chain-id", str(CHAIN_ID)]
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            port = next(line.rsplit(":", 1)[1].strip() for line in process.stdout if line.startswith("Listening on"))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def anvil(anvil_url: str) -> Iterator[Web3]:
    """Anvil in its first state, the roles endowed as in the genesis."""
    w3 = Web3(Web3.HTTPProvider(anvil_url))
    snapshot = w3.provider.make_request(RPCEndpoint("evm_snapshot"), [])["result"]
    for account in ROLES:
        w3.provider.make_request(RPCEndpoint("anvil_setBalance"), [account.address, hex(1_000 * 10**18)])
    yield w3
    w3.provider.make_request(RPCEndpoint("anvil_dropAllTransactions"), [])
    w3.provider.make_request(RPCEndpoint("evm_revert"), [snapshot])
