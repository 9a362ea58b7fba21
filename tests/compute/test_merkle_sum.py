"""The Merkle-sum tree: paths of every leaf, and every way a forged one fails."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.compute.merkle_sum import (
    NO_SALT,
    PARTS,
    SealedSums,
    check_path,
    leaf_digest,
    leaf_digests,
    node_digest,
    part_id,
    seal,
    seal_interval,
)
from penstock.errors import Invalid, PenstockError, Unverified

INT64_MAX = 2**63 - 1


def rows(count: int, seed: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (count, 32)).astype(np.uint8)


def energies(count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.random.default_rng(7).integers(0, 10**6, count, dtype=np.int64)


def sealed(count: int) -> SealedSums:
    return seal_interval(rows(count, 1), rows(count, 2), energies(count), (500, 60, 7))


def by_hand(nodes: list[tuple[bytes, int]]) -> tuple[bytes, int]:
    """Root and sum by the recursive definition: split at the largest power of two below the count."""
    if len(nodes) == 1:
        return nodes[0]
    split = 1 << ((len(nodes) - 1).bit_length() - 1)
    (left, left_mj), (right, right_mj) = by_hand(nodes[:split]), by_hand(nodes[split:])
    data = b"\x01" + left + left_mj.to_bytes(8, "big") + right + right_mj.to_bytes(8, "big")
    return hashlib.sha256(data).digest(), left_mj + right_mj


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 13, 64, 65, 2_000])
def test_the_root_is_the_definitions(count: int) -> None:
    done, mj = sealed(count), energies(count).tolist()
    salts, ids = rows(count, 1), rows(count, 2)
    leaves = [
        (hashlib.sha256(b"\x00" + salts[i].tobytes() + ids[i].tobytes() + mj[i].to_bytes(8, "big")).digest(), mj[i])
        for i in range(count)
    ]
    for name, amount in zip(PARTS, (500, 60, 7), strict=True):
        data = b"\x00" + bytes(32) + hashlib.sha256(name.encode()).digest() + amount.to_bytes(8, "big")
        leaves.append((hashlib.sha256(data).digest(), amount))
    assert (done.root, done.total) == by_hand(leaves)
    assert done.total == sum(mj) + 567
    assert done.count == count + 3


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=40), st.data())
def test_every_leaf_has_a_path_and_no_other_figure_has(mj: list[int], data: st.DataObject) -> None:
    count, column = len(mj), np.array(mj, dtype=np.int64)
    leaves = leaf_digests(rows(count, 1), rows(count, 2), column)
    done = seal(leaves, column)
    for i in range(count):
        check_path(leaves[i].tobytes(), mj[i], i, count, done.path(i), done.root, done.total)
    i = data.draw(st.integers(0, count - 1))
    other = data.draw(st.integers(0, 2**40).filter(lambda amount: amount != mj[i]))
    salt, payment_id = rows(count, 1)[i].tobytes(), rows(count, 2)[i].tobytes()
    forged = leaf_digest(salt, payment_id, other)
    with pytest.raises(Unverified, match="lead"):
        check_path(forged, other, i, count, done.path(i), done.root, done.total)


def failed(act: Any) -> str:
    with pytest.raises(PenstockError) as caught:
        act()
    return caught.value.code


def test_each_change_of_a_path_has_its_own_failure() -> None:
    done = sealed(10)
    leaf, mj, path = done.levels[0].hashes[4].tobytes(), int(done.levels[0].sums[4]), done.path(4)
    check = (leaf, mj, 4, done.count, path, done.root, done.total)
    check_path(*check)

    def changed(**new: Any) -> str:
        named = dict(zip(("leaf", "mj", "position", "count", "path", "root", "total"), check, strict=True))
        return failed(lambda: check_path(**{**named, **new}))

    (beside, amount), rest = path[0], path[1:]
    assert changed(total=done.total - 1) == "merkle_sum.total"
    assert changed(position=5) == "merkle_sum.path"
    assert changed(path=path[:-1]) == "merkle_sum.path"
    assert changed(path=(*path, path[0])) == "merkle_sum.path"
    assert changed(path=((beside, amount + 1), *rest)) == "merkle_sum.path"
    assert changed(path=((beside, -amount), *rest)) == "merkle_sum.range"
    assert changed(path=((beside[:-1], amount), *rest)) == "merkle_sum.shape"
    assert changed(path=((beside, INT64_MAX), *rest)) == "merkle_sum.range"
    assert changed(root=bytes(32)) == "merkle_sum.path"
    assert changed(count=done.count - 9) == "merkle_sum.position"
    assert changed(position=-1) == "merkle_sum.position"


def test_a_sum_moved_between_siblings_is_another_root() -> None:
    """The old weakness: hashing only the children's total would let one sibling's energy pass for the other's."""
    one, other = leaf_digest(NO_SALT, part_id("one"), 5), leaf_digest(NO_SALT, part_id("other"), 7)
    assert node_digest(one, 5, other, 7) != node_digest(one, 7, other, 5)


def test_a_node_is_no_leaf() -> None:
    done = sealed(5)
    inner = done.levels[1]
    node, mj = inner.hashes[0].tobytes(), int(inner.sums[0])
    got = failed(lambda: check_path(node, mj, 0, done.count, done.path(0), done.root, done.total))
    assert got == "merkle_sum.path"


@pytest.mark.parametrize(
    ("mj", "code"),
    [
        ([-1], "merkle_sum.range"),
        ([2, -1, 5], "merkle_sum.range"),
        ([INT64_MAX, 1], "merkle_sum.range"),
        ([INT64_MAX, INT64_MAX, 2], "merkle_sum.range"),
        ([], "merkle_sum.empty"),
    ],
)
def test_energies_out_of_range_are_refused(mj: list[int], code: str) -> None:
    assert failed(lambda: seal(rows(len(mj), 1), np.array(mj, dtype=np.int64))) == code


def test_the_largest_total_is_sealed() -> None:
    done = seal(rows(2, 1), np.array([INT64_MAX - 1, 1], dtype=np.int64))
    assert done.total == INT64_MAX


def test_shapes_are_checked() -> None:
    mj = np.array([1, 2], dtype=np.int64)
    assert failed(lambda: seal(rows(3, 1), mj)) == "merkle_sum.shape"
    assert failed(lambda: seal(rows(2, 1)[:, :31], mj)) == "merkle_sum.shape"
    assert failed(lambda: seal(rows(2, 1), mj.astype(np.float64))) == "merkle_sum.shape"
    assert failed(lambda: leaf_digests(rows(1, 1), rows(2, 2), mj)) == "merkle_sum.shape"
    with pytest.raises(Invalid):
        leaf_digest(b"short", bytes(32), 1)
    assert failed(lambda: leaf_digest(bytes(32), bytes(32), -1)) == "merkle_sum.range"
    assert failed(lambda: sealed(1).path(4)) == "merkle_sum.position"
