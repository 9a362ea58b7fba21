"""The Merkle tree against a literal reading of RFC 9162, its published vectors, and forged proofs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import Invalid, Unverified
from penstock.journal.tree import (
    EMPTY_ROOT,
    Frontier,
    Tree,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

SIZES = 70

# Inputs and roots of the reference implementation of Certificate Transparency
# (google/certificate-transparency, merkletree/merkle_tree_test.cc; RFC 6962, 2.1.3 uses the same eight-leaf shape).
CT_INPUTS = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")] + [
    bytes.fromhex("606162636465666768696a6b6c6d6e6f")
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
EMPTY_CT_ROOT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(index.to_bytes(4, "big")) for index in range(count)]


ROWS = leaves(SIZES)
TREE = Tree(ROWS)


def split(count: int) -> int:
    power = 1
    while 2 * power < count:
        power *= 2
    return power


def rfc_root(hashes: Sequence[bytes]) -> bytes:
    """MTH, RFC 9162, 2.1.1, word for word."""
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    k = split(len(hashes))
    return node_hash(rfc_root(hashes[:k]), rfc_root(hashes[k:]))


def rfc_path(index: int, hashes: Sequence[bytes]) -> list[bytes]:
    """PATH, RFC 9162, 2.1.3.1."""
    if len(hashes) == 1:
        return []
    k = split(len(hashes))
    if index < k:
        return [*rfc_path(index, hashes[:k]), rfc_root(hashes[k:])]
    return [*rfc_path(index - k, hashes[k:]), rfc_root(hashes[:k])]


def rfc_subproof(old: int, hashes: Sequence[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF, RFC 9162, 2.1.4.1."""
    if old == len(hashes):
        return [] if whole else [rfc_root(hashes)]
    k = split(len(hashes))
    if old <= k:
        return [*rfc_subproof(old, hashes[:k], whole), rfc_root(hashes[k:])]
    return [*rfc_subproof(old - k, hashes[k:], False), rfc_root(hashes[:k])]


def test_published_roots() -> None:
    hashes = [leaf_hash(data) for data in CT_INPUTS]
    tree, frontier = Tree(hashes), Frontier()
    assert root_of([]).hex() == tree.root(0).hex() == frontier.root().hex() == EMPTY_CT_ROOT == EMPTY_ROOT.hex()
    for size, expected in enumerate(CT_ROOTS, start=1):
        frontier.append(hashes[size - 1])
        assert {root_of(hashes[:size]).hex(), tree.root(size).hex(), frontier.root().hex()} == {expected}


def test_published_inclusion_proof() -> None:
    """Leaf 0 of 8 in the reference tests: sibling leaf, then the nodes over leaves 2-3 and 4-7."""
    proof = Tree([leaf_hash(data) for data in CT_INPUTS]).inclusion_proof(0, 8)
    assert [item.hex() for item in proof] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


@pytest.mark.parametrize("size", range(SIZES + 1))
def test_roots_and_inclusion_follow_the_standard(size: int) -> None:
    root = rfc_root(ROWS[:size])
    frontier = Frontier()
    frontier.extend(ROWS[:size])
    assert TREE.root(size) == root_of(ROWS[:size]) == frontier.root() == root
    for index in range(size):
        proof = TREE.inclusion_proof(index, size)
        assert list(proof) == rfc_path(index, ROWS[:size])
        verify_inclusion(ROWS[index], index, size, proof, root)


@pytest.mark.parametrize("new", range(SIZES + 1))
def test_consistency_follows_the_standard(new: int) -> None:
    for old in range(new + 1):
        proof = TREE.consistency_proof(old, new)
        if old:
            assert list(proof) == rfc_subproof(old, ROWS[:new], True)
        verify_consistency(old, TREE.root(old), new, TREE.root(new), proof)


@given(st.integers(1, 3000), st.integers(1, 3000), st.data())
@settings(max_examples=40, deadline=None)
def test_larger_trees(one: int, other: int, data: st.DataObject) -> None:
    old, new = sorted((one, other))
    hashes = leaves(new)
    cut = data.draw(st.integers(0, new))
    tree = Tree(hashes[:cut])
    tree.append(np.frombuffer(b"".join(hashes[cut:]), np.uint8).reshape(-1, 32))
    index = data.draw(st.integers(0, new - 1))
    assert tree.root() == rfc_root(hashes)
    verify_inclusion(hashes[index], index, new, tree.inclusion_proof(index, new), tree.root())
    verify_consistency(old, rfc_root(hashes[:old]), new, tree.root(), tree.consistency_proof(old, new))


@given(st.lists(st.integers(0, 40), max_size=12))
@settings(max_examples=60, deadline=None)
def test_batches_do_not_matter(batches: list[int]) -> None:
    hashes, tree = leaves(sum(batches)), Tree()
    for batch in batches:
        tree.append(hashes[len(tree) : len(tree) + batch])
    assert len(tree) == len(hashes)
    assert [tree.root(size) for size in range(len(hashes) + 1)] == [
        rfc_root(hashes[:size]) for size in range(len(hashes) + 1)
    ]


def test_copied_frontier_is_independent() -> None:
    frontier = Frontier()
    frontier.extend(ROWS[:7])
    other = frontier.copy()
    other.append(ROWS[7])
    assert (frontier.size, frontier.root()) == (7, TREE.root(7))
    assert (other.size, other.root()) == (8, TREE.root(8))


def flipped(item: bytes, bit: int) -> bytes:
    return (int.from_bytes(item, "big") ^ 1 << bit).to_bytes(32, "big")


def forged(proof: Sequence[bytes]) -> list[list[bytes]]:
    """Every way to spoil a proof: a changed, missing, doubled, exchanged or added hash."""
    proofs = [[*proof, ROWS[0]], [ROWS[0], *proof], [*proof, *proof[-1:]] if proof else [ROWS[1]]]
    for place in range(len(proof)):
        proofs.append([*proof[:place], flipped(proof[place], 83 * place % 256), *proof[place + 1 :]])
        proofs.append([*proof[:place], *proof[place + 1 :]])
    if len(proof) > 1:
        proofs.append(list(reversed(proof)))
    return [item for item in proofs if item != list(proof)]


@pytest.mark.parametrize("size", [*range(1, 20), 63, 64, 65])
def test_forged_inclusion_is_refused(size: int) -> None:
    root = TREE.root(size)
    for index in range(size):
        proof = TREE.inclusion_proof(index, size)
        cases = [(ROWS[index], index, size, bad, root) for bad in forged(proof)]
        cases += [(ROWS[index], other, size, list(proof), root) for other in range(size) if other != index]
        cases += [(flipped(ROWS[index], 9), index, size, list(proof), root)]
        cases += [(ROWS[index], index, size, list(proof), flipped(root, 200))]
        for case in cases:
            with pytest.raises(Unverified) as caught:
                verify_inclusion(*case)
            assert caught.value.code == "tree.inclusion"


@pytest.mark.parametrize("new", [*range(1, 20), 63, 64, 65])
def test_forged_consistency_is_refused(new: int) -> None:
    for old in range(new + 1):
        proof, old_root, new_root = TREE.consistency_proof(old, new), TREE.root(old), TREE.root(new)
        cases = [(old, old_root, new, new_root, bad) for bad in forged(proof)]
        cases += [(old, flipped(old_root, 3), new, new_root, list(proof))]
        if old:  # the empty tree precedes every tree, whatever its root
            cases += [(old, old_root, new, flipped(new_root, 77), list(proof))]
        for case in cases:
            with pytest.raises(Unverified) as caught:
                verify_consistency(*case)
            assert caught.value.code == "tree.consistency"


def test_a_node_is_no_leaf() -> None:
    """Second preimage: two leaves' hashes offered as one leaf's data (RFC 9162, 2.1.1)."""
    root = TREE.root(2)
    with pytest.raises(Unverified):
        verify_inclusion(leaf_hash(ROWS[0] + ROWS[1]), 0, 1, [], root)


def test_hashes_cut_elsewhere_are_refused() -> None:
    """31 and 33 bytes concatenate to what 32 and 32 do: the length is checked before hashing."""
    root, both = TREE.root(2), ROWS[0] + ROWS[1]
    with pytest.raises(Invalid, match="32 bytes"):
        verify_inclusion(both[:31], 0, 2, [both[31:]], root)
    with pytest.raises(Invalid, match="32 bytes"):
        verify_consistency(1, both[:33], 2, root, [both[33:]])


@pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0), (5, 2), (0, -1)])
def test_malformed_inclusion_sizes(index: int, size: int) -> None:
    with pytest.raises(Invalid) as caught:
        verify_inclusion(ROWS[0], index, size, [], TREE.root(4))
    assert caught.value.code == "tree.size"
    with pytest.raises(Invalid) as caught:
        TREE.inclusion_proof(index, size)
    assert caught.value.code == "tree.size"


@pytest.mark.parametrize(("old", "new"), [(-1, 4), (5, 4), (-2, -1)])
def test_malformed_consistency_sizes(old: int, new: int) -> None:
    with pytest.raises(Invalid) as caught:
        verify_consistency(old, ROWS[0], new, ROWS[1], [])
    assert caught.value.code == "tree.size"
    with pytest.raises(Invalid) as caught:
        TREE.consistency_proof(old, new)
    assert caught.value.code == "tree.size"


def test_nothing_beyond_the_tree() -> None:
    for act in (
        lambda: TREE.root(SIZES + 1),
        lambda: TREE.root(-1),
        lambda: TREE.inclusion_proof(0, SIZES + 1),
        lambda: TREE.consistency_proof(1, SIZES + 1),
    ):
        with pytest.raises(Invalid, match="no such leaves"):
            act()


def test_malformed_hashes_change_nothing() -> None:
    tree, frontier = Tree(ROWS[:5]), Frontier()
    with pytest.raises(Invalid) as caught:
        tree.append([ROWS[5], b"short"])
    assert caught.value.code == "tree.hash"
    with pytest.raises(Invalid):
        tree.append(np.zeros((2, 31), np.uint8))
    with pytest.raises(Invalid):
        frontier.append(b"")
    assert (len(tree), tree.root(), frontier.size) == (5, TREE.root(5), 0)
