"""The compiled tree kernel against hashlib: every length, ragged counts, chunk borders, read-only input."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from penstock.errors import Invalid
from penstock.journal import tree_kernel
from penstock.journal.tree import Tree
from penstock.journal.tree_kernel import (
    CHUNK_ROWS,
    LEAF_PREFIX,
    NODE_PREFIX,
    leaf_hashes,
    node_hashes,
    plain_hashes,
    root_of_hashes,
    root_of_rows,
)


@pytest.fixture(autouse=True)
def _everything_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small inputs too take the compiled way here."""
    tree_kernel.load_kernel()
    monkeypatch.setattr(tree_kernel, "KERNEL_ROWS_LOADED", 1)


def random_rows(count: int, width: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.random.default_rng(1000 * count + width).integers(0, 256, (count, width), dtype=np.uint8)


def twin_root(rows: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> bytes:
    """One hashlib call a leaf and a node."""
    level = [hashlib.sha256(LEAF_PREFIX + row.tobytes()).digest() for row in rows]
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[0::2], level[1::2], strict=False)
        level = [hashlib.sha256(NODE_PREFIX + left + right).digest() for left, right in pairs] + odd
    return level[0] if level else hashlib.sha256().digest()


@pytest.mark.parametrize("width", range(201))
def test_every_length(width: int) -> None:
    rows = random_rows(37, width)
    assert np.array_equal(leaf_hashes(rows), plain_hashes(rows, LEAF_PREFIX))


def test_every_count() -> None:
    rows, pairs = random_rows(1025, 40), random_rows(1025, 64)
    leaves, nodes = plain_hashes(rows, LEAF_PREFIX), plain_hashes(pairs, NODE_PREFIX)
    tree = Tree(leaves)
    for count in range(1026):
        assert np.array_equal(leaf_hashes(rows[:count]), leaves[:count])
        assert np.array_equal(node_hashes(pairs[:count]), nodes[:count])
        assert root_of_rows(rows[:count]) == root_of_hashes(leaves[:count]) == tree.root(count)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, 3 * CHUNK_ROWS + 5])
def test_chunks_join_to_one_root(count: int) -> None:
    rows = random_rows(count, 24)
    expected = twin_root(rows)
    assert root_of_rows(rows) == expected
    assert root_of_hashes(leaf_hashes(rows)) == expected
    assert Tree(leaf_hashes(rows)).root() == expected


def test_input_is_left_alone() -> None:
    """Levels overwrite each other inside; what the caller handed in stays, and may be read-only or strided."""
    hashes = random_rows(2 * CHUNK_ROWS + 3, 32)
    before = hashes.copy()
    hashes.flags.writeable = False
    assert root_of_hashes(hashes) == root_of_hashes(before)
    assert np.array_equal(hashes, before)
    wide = random_rows(50, 80)
    assert np.array_equal(leaf_hashes(wide[::2, 3:43]), plain_hashes(wide[::2, 3:43].copy(), LEAF_PREFIX))


def test_wrong_shapes_are_refused() -> None:
    for rows in (np.zeros(8, np.uint8), np.zeros((2, 8), np.int64), np.zeros((2, 2, 2), np.uint8)):
        for act in (leaf_hashes, node_hashes, root_of_rows, root_of_hashes):
            with pytest.raises(Invalid) as caught:
                act(rows)  # type: ignore[arg-type]
            assert caught.value.code == "tree.rows"


def test_small_inputs_load_no_compiler() -> None:
    """A command that hashes a few thousand rows must not wait for numba."""
    code = (
        "import sys, numpy as np\n"
        "from penstock.journal.tree import Tree, root_of\n"
        "from penstock.journal.tree_kernel import root_of_rows\n"
        "root_of_rows(np.zeros((4000, 40), np.uint8)); Tree(np.zeros((4000, 32), np.uint8)).root()\n"
        "sys.exit('numba' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
