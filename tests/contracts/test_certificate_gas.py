"""Gas of certificates is pinned to the unit, equal on both nodes; opening a batch does not grow with its rows.

To pin anew after a change that is meant: ``python tests/contracts/test_certificate_gas.py``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from gas_certificate import SALT, measure
from nodes import Chain, Node, embedded

PINNED = Path(__file__).parent / "gas_certificate.json"
STEADY_MAX = 60_000
WORD_ROWS = 128
DRAWS = 4  # of a word whose rows are alike
DIGITS = 5  # more in "100000" than in "1"
DIGIT_GAS_MAX = 400


@pytest.fixture
def pinned() -> dict[str, int]:
    return dict(json.loads(PINNED.read_text()))


def test_gas_is_pinned(node: Node, pinned: dict[str, int]) -> None:
    assert measure(Chain(node, SALT)) == pinned


def test_a_steady_lift_with_twenty_levels_is_on_target(pinned: dict[str, int]) -> None:
    steady = [pinned[f"lift, 20 levels, {turn}"] for turn in ("steady", "steady again", "new holder later")]
    assert max(steady) <= STEADY_MAX
    draws = pinned["lift, 20 levels, word draws"]
    assert (DRAWS * draws + (WORD_ROWS - DRAWS) * max(steady)) / WORD_ROWS <= STEADY_MAX


def test_opening_costs_the_same_for_any_number_of_rows(pinned: dict[str, int]) -> None:
    """But for writing and sending a longer number."""
    assert 0 <= pinned["open, 100000 rows"] - pinned["open, 1 row"] <= DIGITS * DIGIT_GAS_MAX


def test_the_page_tells_the_pinned_figures(pinned: dict[str, int]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "lifting.md").read_text()
    told = page[page.index("## Gas") :]
    named = [f"lift, 20 levels, {turn}" for turn in ("steady", "word draws", "relayed", "new holder")]
    named += ["open, 1 row", "open, 100000 rows", "lift, 10 levels, steady", "lower", "retire", "claim"]
    assert [act for act in named if f"{pinned[act]:,}" not in told] == []


if __name__ == "__main__":
    with embedded() as running:
        PINNED.write_text(json.dumps(measure(Chain(running, SALT)), indent=1) + "\n")
    sys.stdout.write(PINNED.read_text())
