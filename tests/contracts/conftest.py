"""Fixtures for every contract test: ``chain`` (both nodes), ``deploy`` and role accounts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from nodes import NODES, Chain, Node
from web3.contract import Contract

from penstock.chain.opcodes import shortened

SHA3 = 0x20


@pytest.fixture(scope="session", autouse=True)
def quick_machines(request: pytest.FixtureRequest) -> None:
    """Titanoboa runs the embedded node's short instructions, which halves the time of machines of many steps.

    Nightly it runs py-evm's own, so that the same machines also compare the two.
    """
    if "boa" in sys.modules and request.config.getoption("markexpr") != "nightly":
        engine = sys.modules["boa"].env.evm.vm.state.computation_class
        engine.opcodes = shortened(engine.opcodes) | {SHA3: engine.opcodes[SHA3]}  # Titanoboa listens to hashes


@pytest.fixture(scope="session", params=sorted(NODES))
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Each node in turn, one process or database a session."""
    with NODES[request.param]() as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def quiet_refusals() -> Iterator[None]:
    """At each refusal Titanoboa would write out the contract's storage, and it stumbles over maps of maps."""
    if "boa" not in sys.modules:
        yield
        return
    from boa.contracts.vyper.vyper_contract import StorageModel

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StorageModel, "dump", lambda _: {})
        yield


@pytest.fixture
def chain(node: Node, request: pytest.FixtureRequest) -> Chain:
    """This test's chain: accounts are named after the test without its node, so both nodes see the same bytes."""
    name = request.node.originalname or request.node.name
    return Chain(node, f"{request.node.path.name}::{name}")


@pytest.fixture
def deploy(chain: Chain) -> Callable[..., Contract]:
    """``deploy(name, *args)``: a contract from its artefact, by the role `deployer`."""

    def deploy_named(name: str, *args: Any) -> Contract:
        return chain.deploy(name, *args)

    return deploy_named
