"""Fixtures for every contract test: ``chain`` (both nodes), ``deploy`` and role accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from nodes import NODES, Chain, Node
from web3.contract import Contract


@pytest.fixture(scope="session", params=sorted(NODES))
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Each node in turn, one process or database a session."""
    with NODES[request.param]() as running:
        yield running


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
