"""Gas is pinned to the unit, equal on both nodes, and does not grow with the number of holders.

To pin anew after a change that is meant: ``python tests/contracts/test_gas.py``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from gas_table import SALT, measure, pull_gas
from nodes import Chain, Node, embedded

PINNED = Path(__file__).parent / "gas.json"
TARGETS = {
    "tranche transfer, existing holder": 45_000,
    "tranche transfer that settles both, later": 60_000,
    "tranche pull, later": 90_000,
    "tranche withdraw, later": 55_000,
    "tranche withdraw, also credited": 55_000,
}


@pytest.fixture
def pinned() -> dict[str, int]:
    return dict(json.loads(PINNED.read_text()))


def test_gas_is_pinned(node: Node, pinned: dict[str, int]) -> None:
    """The same figures on each node, so the nodes agree with one another too."""
    assert measure(Chain(node, SALT)) == pinned


def test_gas_is_on_target(pinned: dict[str, int]) -> None:
    assert [name for name, most in TARGETS.items() if pinned[name] > most] == []


def test_a_pull_costs_the_same_for_any_number_of_holders(node: Node) -> None:
    assert len({pull_gas(Chain(node, f"{SALT}/crowd"), holders) for holders in (1, 200)}) == 1


if __name__ == "__main__":
    with embedded() as running:
        PINNED.write_text(json.dumps(measure(Chain(running, SALT)), indent=1) + "\n")
    sys.stdout.write(PINNED.read_text())
