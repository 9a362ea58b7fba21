"""RFC 9162 proofs on chain against the recursive definitions, and against the package's own tree."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import boa
import pytest
from on_boa import account, reason, send, source
from rfc9162_reference import consistency_proof, inclusion_proof, leaf_hash, spoiled, tree_root

from penstock.journal.tree import Tree
from penstock.journal.tree import leaf_hash as package_leaf_hash

LARGEST = 70
LEAVES = [f"fact {n}".encode() for n in range(LARGEST)]
ROOTS = [tree_root(LEAVES[:size]) for size in range(LARGEST + 1)]
OPERATOR = account("operator").address
RELAYER = account("relayer").address


@pytest.fixture
def anchor() -> Iterator[Any]:
    with boa.env.anchor():
        yield source("Anchor").deploy(OPERATOR, [account("attester").address], 1)


def publish(anchor: Any, size: int, root: bytes, old_size: int, proof: list[bytes]) -> str:
    return reason(anchor, "publish", size, root, old_size, proof, sender=OPERATOR)


def check_pair(anchor: Any, old_size: int, size: int, dice: random.Random) -> None:
    """The anchor stands at ``old_size``: every spoiled step to ``size`` is refused, then the true one passes."""
    proof = consistency_proof(old_size, LEAVES[:size])
    for wrong in spoiled(proof, dice):
        assert publish(anchor, size, ROOTS[size], old_size, wrong) == "anchor.proof"
    other = tree_root([*LEAVES[: size - 1], b"another fact"])
    assert publish(anchor, size, other, old_size, proof) == "anchor.proof"
    rewritten = [b"rewritten", *LEAVES[1:size]]  # another history, with its own true proof
    assert (
        publish(anchor, size, tree_root(rewritten), old_size, consistency_proof(old_size, rewritten)) == "anchor.proof"
    )
    assert publish(anchor, 4 * size, ROOTS[size], old_size, proof) == "anchor.proof"  # deeper than the proof
    assert publish(anchor, size, ROOTS[size], old_size, proof) == ""
    assert anchor.root_at(size) == ROOTS[size]


def check_pairs(anchor: Any, old_size: int, sizes: list[int]) -> None:
    with boa.env.anchor():
        assert publish(anchor, old_size, ROOTS[old_size], 0, []) == ""
        for size in sizes:
            with boa.env.anchor():
                check_pair(anchor, old_size, size, random.Random(old_size * 1000 + size))  # noqa: S311


@pytest.mark.parametrize("old_size", [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 69])
def test_consistency_sampled(anchor: Any, old_size: int) -> None:
    later = range(old_size + 1, LARGEST + 1)
    sizes = sorted(random.Random(old_size).sample(later, min(5, len(later))))  # noqa: S311
    check_pairs(anchor, old_size, sizes)


@pytest.mark.nightly
def test_consistency_every_pair(anchor: Any) -> None:
    for old_size in range(1, LARGEST):
        check_pairs(anchor, old_size, list(range(old_size + 1, LARGEST + 1)))


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 8, 13, 16, 33, 64, 70])
def test_inclusion(anchor: Any, size: int) -> None:
    assert publish(anchor, size, ROOTS[size], 0, []) == ""
    dice = random.Random(size)  # noqa: S311
    for index in dice.sample(range(size), min(6, size)):
        proof = inclusion_proof(index, LEAVES[:size])
        leaf = leaf_hash(LEAVES[index])
        assert anchor.verify_inclusion(leaf, index, size, proof)
        for wrong in spoiled(proof, dice):
            assert not anchor.verify_inclusion(leaf, index, size, wrong)
        assert not anchor.verify_inclusion(leaf_hash(b"another fact"), index, size, proof)
        assert size == 1 or not anchor.verify_inclusion(leaf, (index + 1) % size, size, proof)
    assert not anchor.verify_inclusion(leaf_hash(LEAVES[0]), size, size, inclusion_proof(0, LEAVES[:size]))
    assert not anchor.verify_inclusion(leaf_hash(LEAVES[0]), 0, size + 1, inclusion_proof(0, LEAVES[:size]))


def test_inner_node_is_no_leaf(anchor: Any) -> None:
    """The index and the size fix the path's length, so a node above the leaves cannot stand in for one."""
    assert publish(anchor, 4, ROOTS[4], 0, []) == ""
    for index in range(4):
        assert not anchor.verify_inclusion(ROOTS[2], index, 4, [tree_root(LEAVES[2:4])])


def test_unpublished_size_proves_nothing(anchor: Any) -> None:
    assert not anchor.verify_inclusion(bytes(32), 0, 1, [])
    assert anchor.latest() == (0, bytes(32))


def test_largest_sizes(anchor: Any) -> None:
    """Only as many leaves as fit 64 bits, but a path of 64 nodes is walked to its end: refused, not stuck."""
    top = 2**64 - 1
    assert publish(anchor, top - 1, b"\x01" * 32, 0, []) == ""
    assert publish(anchor, top, b"\x02" * 32, top - 1, [b"\x03" * 32] * 64) == "anchor.proof"
    assert not anchor.verify_inclusion(b"\x04" * 32, 0, top - 1, [b"\x03" * 32] * 64)
    assert reason(anchor, "publish", top, b"\x02" * 32, top - 1, [b"\x03" * 32] * 65, sender=OPERATOR) == "bare revert"


def test_publish_refusals(anchor: Any) -> None:
    proof = consistency_proof(3, LEAVES[:7])
    assert publish(anchor, 0, ROOTS[1], 0, []) == "anchor.not_growing"
    assert publish(anchor, 3, bytes(32), 0, []) == "anchor.root"
    assert publish(anchor, 3, ROOTS[3], 0, [ROOTS[1]]) == "anchor.proof"
    send(anchor, "publish", 3, ROOTS[3], 0, [], sender=OPERATOR)
    assert reason(anchor, "publish", 7, ROOTS[7], 3, proof, sender=RELAYER) == "anchor.operator"
    assert publish(anchor, 7, ROOTS[7], 2, proof) == "anchor.old_size"
    assert publish(anchor, 3, ROOTS[3], 3, []) == "anchor.not_growing"
    assert publish(anchor, 2, ROOTS[2], 3, []) == "anchor.not_growing"
    assert publish(anchor, 7, ROOTS[7], 3, []) == "anchor.proof"
    assert publish(anchor, 7, ROOTS[7], 3, proof) == ""
    assert anchor.latest() == (7, ROOTS[7])
    assert anchor.root_at(3) == ROOTS[3]


def test_package_tree_is_accepted(anchor: Any) -> None:
    """What the journal proves is what the contract checks."""
    tree = Tree([package_leaf_hash(leaf) for leaf in LEAVES])
    assert publish(anchor, 21, tree.root(21), 0, []) == ""
    assert publish(anchor, LARGEST, tree.root(), 21, list(tree.consistency_proof(21, LARGEST))) == ""
    for size in (21, LARGEST):
        proof = list(tree.inclusion_proof(20, size))
        assert anchor.verify_inclusion(package_leaf_hash(LEAVES[20]), 20, size, proof)
