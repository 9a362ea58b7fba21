"""A Merkle tree of which leaves were erased: what is left of it still has the same root and proves every other leaf.

Of an erased part only the roots of its largest whole subtrees are kept, in order of level and place; the mask of
erased leaves says which these are. A last node without a sibling moves up unchanged, which gives the root and the
paths of RFC 9162, 2.1.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Corrupt
from penstock.journal.tree_kernel import EMPTY_ROOT, HASH_BYTES, Bytes2D, node_hashes

Mask = NDArray[np.bool_]


class PrunedTree:
    """All nodes that stand above the erased parts.

    Args: leaves (n, 32) uint8, of any value where ``erased``; ``nodes`` the kept roots, 32 bytes each.
    Raises Corrupt ``tree.pruned`` where ``nodes`` are not as many as the mask needs.
    """

    def __init__(self, leaves: Bytes2D, erased: Mask | None = None, nodes: bytes = b"") -> None:
        masks = _masks(np.zeros(len(leaves), dtype=np.bool_) if erased is None else erased)
        kept = np.frombuffer(nodes, dtype=np.uint8) if len(nodes) % HASH_BYTES == 0 else np.empty(0, np.uint8)
        if len(kept) != HASH_BYTES * sum(int(roots.sum()) for roots in _roots(masks)) or len(kept) != len(nodes):
            raise Corrupt("tree.pruned", "The hashes kept of erased rows are not as many as were erased.")
        self._levels = _grown(leaves, _roots(masks), kept.reshape(-1, HASH_BYTES))

    def root(self) -> bytes:
        """The root over all leaves, erased ones included."""
        top = self._levels[-1]
        return top[0].tobytes() if len(top) else EMPTY_ROOT

    def proof(self, index: int) -> tuple[bytes, ...]:
        """Hashes that prove leaf ``index``, which is not erased; its sibling first (RFC 9162, 2.1.3.1)."""
        path = []
        for level in self._levels[:-1]:
            if index ^ 1 < len(level):
                path.append(level[index ^ 1].tobytes())
            index >>= 1
        return tuple(path)

    def nodes_for(self, erased: Mask) -> bytes:
        """What to keep once the leaves of ``erased`` are gone; it includes those that are gone already."""
        roots = _roots(_masks(erased))
        return b"".join(level[mine].tobytes() for level, mine in zip(self._levels, roots, strict=True))


def _masks(erased: Mask) -> list[Mask]:
    """Which nodes stand over erased leaves alone, level by level."""
    masks = [erased]
    while len(masks[-1]) > 1:
        below = masks[-1]
        pairs = len(below) // 2
        masks.append(np.concatenate([below[: 2 * pairs].reshape(pairs, 2).all(axis=1), below[2 * pairs :]]))
    return masks


def _roots(masks: list[Mask]) -> list[Mask]:
    """Of these, the topmost."""
    above = [np.repeat(upper, 2)[: len(lower)] for lower, upper in pairwise(masks)]
    return [lower & ~over for lower, over in zip(masks, above, strict=False)] + [masks[-1]]


def _grown(leaves: Bytes2D, roots: list[Mask], kept: Bytes2D) -> list[Bytes2D]:
    levels, at = [np.array(leaves, dtype=np.uint8)], 0
    for depth, mine in enumerate(roots):
        level, count = levels[-1], int(mine.sum())
        level[mine] = kept[at : at + count]
        at += count
        if depth + 1 < len(roots):
            pairs = len(level) // 2
            above = node_hashes(level[: 2 * pairs].reshape(pairs, 2 * HASH_BYTES))
            levels.append(np.concatenate([above, level[2 * pairs :]]))
    return levels
