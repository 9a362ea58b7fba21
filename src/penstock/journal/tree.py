"""The journal's Merkle tree: RFC 9162, section 2.1, with SHA-256.

Leaves and nodes are hashed apart by a prefix byte, so no node can pass for a leaf. Proofs are tuples of 32-byte
hashes in the order of the standard. ``Frontier`` gives roots while appending; ``Tree`` keeps all full nodes and
proves; ``tree_proof`` checks proofs with neither, and its two functions are offered here as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from penstock.errors import Invalid
from penstock.journal.tree_kernel import (
    EMPTY_ROOT,
    HASH_BYTES,
    Bytes2D,
    leaf_hash,
    node_hash,
    node_hashes,
    root_of_hashes,
)
from penstock.journal.tree_proof import Proof, check_hashes, verify_consistency, verify_inclusion

__all__ = [
    "EMPTY_ROOT",
    "Frontier",
    "Proof",
    "Tree",
    "leaf_hash",
    "node_hash",
    "root_of",
    "verify_consistency",
    "verify_inclusion",
]

FIRST_ROWS: Final = 64


def root_of(leaf_hashes: Sequence[bytes] | Bytes2D) -> bytes:
    """Root over leaf hashes, a sequence of 32 bytes each or an array (n, 32) uint8 (RFC 9162, 2.1.1).

    Raises Invalid ``tree.hash`` if a hash has another length.
    """
    return root_of_hashes(_as_rows(leaf_hashes))


@dataclass(slots=True)
class Frontier:
    """The right edge of a growing tree: its size and the roots of its full subtrees, largest first.

    State is one hash for each bit set in ``size``, so at most log2(size) + 1 of them.
    """

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash. Raises Invalid ``tree.hash`` if it has not 32 bytes."""
        check_hashes((leaf,))
        size, node = self.size, leaf
        while size & 1:
            node = node_hash(self.peaks.pop(), node)
            size >>= 1
        self.peaks.append(node)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in order."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """Root over everything appended so far."""
        return _bag(self.peaks)

    def copy(self) -> Frontier:
        """An independent frontier over the same leaves."""
        return Frontier(self.size, list(self.peaks))


class Tree:
    """All full nodes of a growing tree; level k holds ``size >> k`` hashes, each over 2**k leaves.

    Roots and proofs are given for every size up to the present one.
    """

    __slots__ = ("_levels",)

    def __init__(self, leaf_hashes: Sequence[bytes] | Bytes2D = ()) -> None:
        self._levels = [_Level()]
        self.append(leaf_hashes)

    def __len__(self) -> int:
        return self._levels[0].count

    def append(self, leaf_hashes: Sequence[bytes] | Bytes2D) -> None:
        """Add leaf hashes in order, and every full node they complete. Raises Invalid ``tree.hash``, adding nothing."""
        rows = _as_rows(leaf_hashes)
        self._levels[0].extend(rows)
        depth = 0
        while len(new := self._completed(depth)):
            depth += 1
            self._levels[depth].extend(node_hashes(new))

    def root(self, size: int | None = None) -> bytes:
        """Root over the first ``size`` leaves, all by default. Raises Invalid ``tree.size`` beyond the tree."""
        size = len(self) if size is None else size
        self._check(0, size)
        return self._range_root(0, size)

    def inclusion_proof(self, index: int, size: int) -> Proof:
        """Hashes that prove leaf ``index`` in the tree of ``size`` leaves (RFC 9162, 2.1.3.1), leaf's sibling first.

        Raises Invalid ``tree.size`` unless 0 <= index < size <= len(tree).
        """
        self._check(index + 1, size, least=1)
        path, start, stop = [], 0, size
        while stop - start > 1:
            middle = start + _split(stop - start)
            if index < middle:
                path.append(self._range_root(middle, stop))
                stop = middle
            else:
                path.append(self._range_root(start, middle))
                start = middle
        return tuple(reversed(path))

    def consistency_proof(self, old: int, new: int) -> Proof:
        """Hashes that prove the first ``new`` leaves begin with the first ``old`` (RFC 9162, 2.1.4.1).

        Empty for ``old == new`` and for ``old == 0``, which the standard leaves out: every tree extends those.
        Raises Invalid ``tree.size`` unless 0 <= old <= new <= len(tree).
        """
        self._check(old, new)
        if old in (0, new):
            return ()
        path, start, stop = [], 0, new
        while old != stop:
            middle = start + _split(stop - start)
            if old <= middle:
                path.append(self._range_root(middle, stop))
                stop = middle
            else:
                path.append(self._range_root(start, middle))
                start = middle
        if start:  # the old tree is no full subtree of the new one, so its last part is needed too
            path.append(self._range_root(start, stop))
        return tuple(reversed(path))

    def _completed(self, depth: int) -> Bytes2D:
        """Pairs at ``depth`` whose parent is not hashed yet, (n, 64)."""
        level = self._levels[depth]
        if level.count < 2:
            return level.rows[:0].reshape(0, 2 * HASH_BYTES)
        if depth + 1 == len(self._levels):
            self._levels.append(_Level())
        done, ready = self._levels[depth + 1].count, level.count // 2
        return level.rows[2 * done : 2 * ready].reshape(ready - done, 2 * HASH_BYTES)

    def _range_root(self, start: int, stop: int) -> bytes:
        """Root over leaves [start, stop); ``start`` is a multiple of the power of two that covers the range."""
        count = stop - start
        if count and count & (count - 1) == 0:  # the common case in proofs: one full subtree, already hashed
            depth = count.bit_length() - 1
            return self._levels[depth].at(start >> depth)
        return _bag([self._levels[depth].at(position) for depth, position in _full_subtrees(start, stop)])

    def _check(self, low: int, high: int, least: int = 0) -> None:
        if not least <= low <= high <= len(self):
            raise Invalid("tree.size", "The tree has no such leaves.", size=high, known=len(self))


class _Level:
    """A growing column of hashes: ``rows`` has room, ``count`` of them are in use."""

    __slots__ = ("count", "rows")

    def __init__(self) -> None:
        self.count = 0
        self.rows: Bytes2D = np.empty((FIRST_ROWS, HASH_BYTES), np.uint8)

    def extend(self, new: Bytes2D) -> None:
        count = self.count + len(new)
        if count > len(self.rows):
            grown = np.empty((max(count, 2 * len(self.rows)), HASH_BYTES), np.uint8)
            grown[: self.count] = self.rows[: self.count]
            self.rows = grown
        self.rows[self.count : count] = new
        self.count = count

    def at(self, position: int) -> bytes:
        return bytes(self.rows[position])


def _split(count: int) -> int:
    """The largest power of two below ``count`` (RFC 9162, 2.1.1)."""
    return 1 << ((count - 1).bit_length() - 1)


def _full_subtrees(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """(depth, position) of the full subtrees that make up leaves [start, stop), left to right."""
    while start < stop:
        depth = (stop - start).bit_length() - 1
        yield depth, start >> depth
        start += 1 << depth


def _bag(peaks: Sequence[bytes]) -> bytes:
    """Root over full subtrees, largest first: joined from the right, as the splits of RFC 9162, 2.1.1 nest."""
    if not peaks:
        return EMPTY_ROOT
    node = peaks[-1]
    for peak in reversed(peaks[:-1]):
        node = node_hash(peak, node)
    return node


def _as_rows(hashes: Sequence[bytes] | Bytes2D) -> Bytes2D:
    if isinstance(hashes, np.ndarray):
        if hashes.ndim != 2 or hashes.shape[1] != HASH_BYTES or hashes.dtype != np.uint8:
            raise Invalid("tree.hash", "Hashes are an array (n, 32) of bytes.")
        return hashes
    check_hashes(hashes)
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(len(hashes), HASH_BYTES)
