"""Bulk SHA-256 for the journal's tree: many rows of one length at a time, few or many.

Small inputs go through hashlib one by one; from ``BULK_ROWS`` on, the compiled sixteen-lane kernel of
``tree_lanes`` takes over. Both give the same bytes, and a test holds them to it.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Invalid

HASH_BYTES: Final = 32
LEAF_PREFIX: Final = b"\x00"
NODE_PREFIX: Final = b"\x01"
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

Bytes2D = NDArray[np.uint8]


def leaf_hashes(rows: Bytes2D) -> Bytes2D:
    """Leaf hash of every row (RFC 9162, 2.1.1).

    Args: rows (n, width) uint8, one packed row a leaf. Returns (n, 32) uint8.
    Raises Invalid ``tree.rows`` if ``rows`` is not a two-dimensional array of bytes.
    """
    return plain_hashes(_checked(rows), LEAF_PREFIX)


def node_hashes(pairs: Bytes2D) -> Bytes2D:
    """One level up: (n, 64) uint8, left and right child side by side, to (n, 32) (RFC 9162, 2.1.1)."""
    return plain_hashes(_checked(pairs), NODE_PREFIX)


def root_of_hashes(hashes: Bytes2D) -> bytes:
    """Root over leaf hashes (n, 32) uint8, built level by level; an odd last node moves up unchanged.

    This equals the recursive definition of RFC 9162, 2.1.1: there too the right part of a split stands alone
    until it meets a full left sibling.
    """
    level = _checked(hashes)
    if len(level) == 0:
        return EMPTY_ROOT
    while len(level) > 1:
        level = _level_up(level)
    return level.tobytes()


def root_of_rows(rows: Bytes2D) -> bytes:
    """Root of the tree with one leaf a row: (n, width) uint8 to 32 bytes (RFC 9162, 2.1.1)."""
    return root_of_hashes(leaf_hashes(rows))


def plain_hashes(rows: Bytes2D, prefix: bytes) -> Bytes2D:
    """sha256(prefix || row) for each row, by hashlib: the twin that the compiled kernel must equal."""
    count, width = rows.shape
    data, sha256 = rows.tobytes(), hashlib.sha256
    digests = b"".join([sha256(prefix + data[i * width : i * width + width]).digest() for i in range(count)])
    return np.frombuffer(digests, dtype=np.uint8).reshape(count, HASH_BYTES)


def _level_up(level: Bytes2D) -> Bytes2D:
    pairs = len(level) // 2
    above = node_hashes(level[: 2 * pairs].reshape(pairs, 2 * HASH_BYTES))
    return above if len(level) % 2 == 0 else np.concatenate([above, level[-1:]])


def _checked(rows: Bytes2D) -> Bytes2D:
    if rows.ndim != 2 or rows.dtype != np.uint8:
        raise Invalid("tree.rows", "Rows are a two-dimensional array of bytes.", hint="Pack each row to uint8 first.")
    return np.ascontiguousarray(rows)
