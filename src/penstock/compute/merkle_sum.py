"""The Merkle-sum tree of an interval's energy: one path shows "mine is in" and "the total is not above the meter".

Every node carries the millijoules below it, hashed in beside each child, so nobody can show a figure twice, or a
total that its leaves do not add up to. A leaf is ``sha256(0x00 || salt || payment id || mJ as u64)``, a node
``sha256(0x01 || left || its sum || right || its sum)``; numbers are big-endian, an odd last node moves up unchanged.
Sums are from 0 to 2**63 - 1: with negative leaves or sums that wrap, a total could be forged.

Energy that no request bears is in leaves of its own, after the answers': `PARTS`, each under its `part_id`. A path
shows its reader the sum of each sibling, the nearest one's being a single other request; whose it is stays hidden
behind that leaf's salt.

Shape as RFC 9162, 2.1.1; sums as in proofs of liabilities (Chalkias and others, 2020).
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Invalid, Unverified
from penstock.journal.segment import Column
from penstock.journal.tree_kernel import (
    CHUNK_ROWS,
    HASH_BYTES,
    KERNEL_ROWS_COLD,
    LEAF_PREFIX,
    NODE_PREFIX,
    Bytes2D,
    hashes_of,
    load_kernel,
)
from penstock.units import INT64_MAX

SUM_BYTES: Final = 8
SALT_BYTES: Final = 32
PAYMENT_ID_BYTES: Final = 32
LEVELS_MAX: Final = 63
PARTS: Final = ("idle", "overhead", "unattributed")
NO_SALT: Final = bytes(SALT_BYTES)

Hash = bytes
Sibling = tuple[bytes, int]
"""A sibling on the way up: its hash and its sum [mJ]."""


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One level's nodes from left to right: ``hashes`` (n, 32) uint8 and ``sums`` (n,) int64 [mJ]."""

    hashes: Bytes2D
    sums: Column


@dataclass(frozen=True, slots=True, eq=False)
class SealedSums:
    """A sealed interval: ``root`` commits to ``total`` [mJ] and to every leaf; ``levels`` from leaves to root."""

    root: Hash
    total: int
    levels: tuple[Level, ...]

    @property
    def count(self) -> int:
        """Leaves, those of the parts included."""
        return len(self.levels[0].sums)

    def path(self, position: int) -> tuple[Sibling, ...]:
        """Siblings of leaf ``position`` from below; levels where it moves up alone have none.

        Raises:
            Invalid: ``merkle_sum.position`` outside the tree.
        """
        _check_position(position, self.count)
        found: list[Sibling] = []
        for level in self.levels[:-1]:
            beside = position ^ 1
            if beside < len(level.sums):
                found.append((level.hashes[beside].tobytes(), int(level.sums[beside])))
            position >>= 1
        return tuple(found)


def leaf_digests(salts: Bytes2D, payment_ids: Bytes2D, mj: Column) -> Bytes2D:
    """Leaf hashes of requests: salts and payment ids (n, 32) uint8, energy (n,) [mJ], to (n, 32) uint8.

    Raises:
        Invalid: ``merkle_sum.shape`` for other shapes, ``merkle_sum.range`` for energy below 0.
    """
    sums = _checked_sums(mj)
    _check_shape(salts, len(sums), SALT_BYTES)
    _check_shape(payment_ids, len(sums), PAYMENT_ID_BYTES)
    return _hashes((salts, payment_ids, _big_endian(sums)), LEAF_PREFIX)


def leaf_digest(salt: bytes, payment_id: bytes, mj: int) -> Hash:
    """One leaf's hash, as `leaf_digests`. Raises Invalid ``merkle_sum.shape``, ``merkle_sum.range``."""
    if len(salt) != SALT_BYTES or len(payment_id) != PAYMENT_ID_BYTES:
        raise Invalid("merkle_sum.shape", "Salt and payment id are 32 bytes each.")
    return hashlib.sha256(LEAF_PREFIX + salt + payment_id + _u64(mj)).digest()


def part_id(name: str) -> bytes:
    """The payment id under which a part of `PARTS` has its leaf: sha256 of its name."""
    return hashlib.sha256(name.encode()).digest()


def seal(leaf_digests: Bytes2D, mj: Column) -> SealedSums:
    """Seal an interval: leaf hashes (n, 32) uint8 with their energy (n,) [mJ], n > 0.

    Raises:
        Invalid: ``merkle_sum.empty``, ``merkle_sum.shape``, ``merkle_sum.range`` for energy below 0 or a total from
            2**63 on.
    """
    sums = _checked_sums(mj)
    if len(sums) == 0:
        raise Invalid("merkle_sum.empty", "There is no leaf to seal.", hint="Seal the interval's parts even if idle.")
    _check_shape(leaf_digests, len(sums), HASH_BYTES)
    levels = [Level(leaf_digests, sums)]
    while len(levels[-1].sums) > 1:
        levels.append(_above(levels[-1]))
    return SealedSums(levels[-1].hashes[0].tobytes(), int(levels[-1].sums[0]), tuple(levels))


def seal_interval(
    salts: Bytes2D, payment_ids: Bytes2D, answers_mj: Column, parts_mj: tuple[int, int, int]
) -> SealedSums:
    """Seal answers in their order, then the `PARTS` in theirs, unsalted: they are stated beside the root [mJ].

    Answer ``i`` is leaf ``i``, part ``j`` leaf ``n + j``. Raises as `leaf_digests` and `seal`.
    """
    mj = np.concatenate([_checked_sums(answers_mj), _checked_sums(np.array(parts_mj, dtype=np.int64))])
    parts = [leaf_digest(NO_SALT, part_id(name), amount) for name, amount in zip(PARTS, parts_mj, strict=True)]
    answers = leaf_digests(salts, payment_ids, answers_mj)
    return seal(np.concatenate([answers, np.frombuffer(b"".join(parts), np.uint8).reshape(-1, HASH_BYTES)]), mj)


def check_path(
    leaf: Hash, mj: int, position: int, count: int, path: tuple[Sibling, ...], root: Hash, total: int
) -> None:
    """Check that leaf ``position`` of ``count`` with ``mj`` is under ``root`` and that all leaves sum to ``total``.

    Raises:
        Invalid: ``merkle_sum.position``, ``merkle_sum.range``.
        Unverified: ``merkle_sum.path`` for a path of another length or to another root, ``merkle_sum.total`` for
            another sum.
    """
    _check_position(position, count)
    node, carried, siblings, last = leaf, _in_range(mj), list(path), count - 1
    while last:
        if position % 2 or position < last:
            if not siblings:
                raise Unverified("merkle_sum.path", "The path is too short for this tree.", position=position)
            beside, amount = siblings.pop(0)
            pair = (beside, amount, node, carried) if position % 2 else (node, carried, beside, amount)
            node, carried = node_digest(*pair), carried + amount
        position, last = position >> 1, last >> 1
    if siblings or node != root:
        raise Unverified("merkle_sum.path", "The path does not lead from this leaf to this root.")
    if carried != total:
        raise Unverified("merkle_sum.total", "The leaves sum to another total.", told=total, sum=carried)


def node_digest(left: Hash, left_mj: int, right: Hash, right_mj: int) -> Hash:
    """One node's hash over its children and their sums. Raises Invalid ``merkle_sum.shape``, ``merkle_sum.range``."""
    if len(left) != HASH_BYTES or len(right) != HASH_BYTES:
        raise Invalid("merkle_sum.shape", "A node's children are 32 bytes each.")
    _in_range(left_mj + right_mj)
    return hashlib.sha256(NODE_PREFIX + left + _u64(left_mj) + right + _u64(right_mj)).digest()


def _above(below: Level) -> Level:
    pairs, odd = divmod(len(below.sums), 2)
    left, right = slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)
    amounts = _big_endian(below.sums)
    hashes = _hashes((below.hashes[left], amounts[left], below.hashes[right], amounts[right]), NODE_PREFIX)
    sums = below.sums[left] + below.sums[right]
    if not odd:
        return Level(hashes, sums)
    return Level(np.concatenate([hashes, below.hashes[-1:]]), np.append(sums, below.sums[-1:]))


def _hashes(parts: tuple[Bytes2D, ...], prefix: bytes) -> Bytes2D:
    """sha256(prefix || parts side by side) by row. Rows are packed where they are hashed, so they stay in its cache."""
    count = len(parts[0])
    if count >= KERNEL_ROWS_COLD:
        load_kernel()
    starts = range(0, max(count, 1), CHUNK_ROWS)

    def hashed(start: int) -> Bytes2D:
        return hashes_of(np.concatenate([part[start : start + CHUNK_ROWS] for part in parts], axis=1), prefix)

    if len(starts) == 1:
        return hashed(0)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.concatenate(list(pool.map(hashed, starts)))


def _big_endian(sums: Column) -> Bytes2D:
    packed: NDArray[np.uint8] = sums.astype(">u8").view(np.uint8).reshape(len(sums), SUM_BYTES)
    return packed


def _checked_sums(mj: Column) -> Column:
    """As int64, none negative, and no sum of them beyond 63 bits."""
    if mj.ndim != 1 or not (np.issubdtype(mj.dtype, np.signedinteger)):
        raise Invalid("merkle_sum.shape", "Energy is one column of whole millijoules.")
    sums = mj.astype(np.int64, copy=False)
    # Non-negative addends: the first overflow of a running sum shows as a negative one.
    if (sums < 0).any() or (np.cumsum(sums) < 0).any():
        raise Invalid("merkle_sum.range", "Energies are not negative and their sum has at most 63 bits.")
    return sums


def _check_shape(rows: Bytes2D, count: int, width: int) -> None:
    if rows.shape != (count, width) or rows.dtype != np.uint8:
        raise Invalid("merkle_sum.shape", f"There is one row of {width} bytes for each energy.", rows=rows.shape)


def _check_position(position: int, count: int) -> None:
    if not 0 <= position < count or count > 1 << LEVELS_MAX:
        raise Invalid("merkle_sum.position", "There is no such leaf.", position=position, count=count)


def _in_range(mj: int) -> int:
    if not 0 <= mj <= INT64_MAX:
        raise Invalid("merkle_sum.range", "Energies are not negative and their sum has at most 63 bits.", mj=mj)
    return mj


def _u64(mj: int) -> bytes:
    return _in_range(mj).to_bytes(SUM_BYTES, "big")
