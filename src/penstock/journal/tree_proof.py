"""Checking Merkle proofs, with nothing but the proof and the roots at hand: RFC 9162, sections 2.1.3.2 and 2.1.4.2."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from penstock.errors import Invalid, Unverified
from penstock.journal.tree_kernel import EMPTY_ROOT, HASH_BYTES, node_hash

Proof = tuple[bytes, ...]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that leaf hash ``leaf`` stands at ``index`` in the tree of ``size`` leaves with ``root``.

    RFC 9162, 2.1.3.2. Raises Unverified ``tree.inclusion`` if the proof does not lead to the root; Invalid
    ``tree.size`` unless 0 <= index < size; Invalid ``tree.hash`` for a hash that has not 32 bytes (such could be
    cut at another place and still hash alike).
    """
    if not 0 <= index < size:
        raise Invalid("tree.size", "A leaf's index lies below the tree's size.", index=index, size=size)
    check_hashes((leaf, root, *proof))
    place, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise _not_included(index, size)
        if place & 1 or place == last:
            node = node_hash(sibling, node)
            place, last = _skip_right_edge(place, last)
        else:
            node = node_hash(node, sibling)
        place, last = place >> 1, last >> 1
    if last or node != root:
        raise _not_included(index, size)


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree (new_size, new_root) begins with the leaves of (old_size, old_root).

    RFC 9162, 2.1.4.2; equal sizes need equal roots and no proof, an old size of 0 the empty root and no proof.
    Raises Unverified ``tree.consistency``, Invalid ``tree.size`` unless 0 <= old_size <= new_size, Invalid
    ``tree.hash`` for a hash that has not 32 bytes.
    """
    if not 0 <= old_size <= new_size:
        raise Invalid("tree.size", "A tree never shrinks.", old_size=old_size, new_size=new_size)
    check_hashes((old_root, new_root, *proof))
    if old_size in (0, new_size):
        known = old_root == (new_root if old_size == new_size else EMPTY_ROOT)
        if (proof or not known) or (new_size == 0 and new_root != EMPTY_ROOT):
            raise _not_consistent(old_size, new_size)
        return
    if _roots_of(old_size, new_size, old_root, proof) != (old_root, new_root):
        raise _not_consistent(old_size, new_size)


def check_hashes(hashes: Iterable[bytes]) -> None:
    """Raises Invalid ``tree.hash`` unless each has 32 bytes."""
    if any(len(item) != HASH_BYTES for item in hashes):
        raise Invalid("tree.hash", "A hash has 32 bytes.")


def _roots_of(old_size: int, new_size: int, old_root: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The old and the new root that ``proof`` leads to (RFC 9162, 2.1.4.2, steps 2 to 6)."""
    if not proof:
        raise _not_consistent(old_size, new_size)
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old_node = new_node = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise _not_consistent(old_size, new_size)
        if place & 1 or place == last:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
            place, last = _skip_right_edge(place, last)
        else:
            new_node = node_hash(new_node, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise _not_consistent(old_size, new_size)
    return old_node, new_node


def _skip_right_edge(place: int, last: int) -> tuple[int, int]:
    """Climb levels where the node moves up unchanged: until ``place`` is a right child, or zero."""
    while not place & 1 and place:
        place, last = place >> 1, last >> 1
    return place, last


def _not_included(index: int, size: int) -> Unverified:
    return Unverified("tree.inclusion", "The proof does not lead from the leaf to the root.", index=index, size=size)


def _not_consistent(old_size: int, new_size: int) -> Unverified:
    return Unverified(
        "tree.consistency", "The proof does not lead to both roots.", old_size=old_size, new_size=new_size
    )
