"""Bulk SHA-256 for the journal's tree: many rows of one length at a time, few or many.

Few rows go through hashlib one by one, many through the compiled sixteen-lane kernel of ``tree_lanes``, in chunks
that are full subtrees and share out over the processor's cores. Both ways give the same bytes, and a test holds them
to it. Loading the compiled kernel takes a second or more, so only an input that is worth it loads it; once it is
loaded, smaller inputs use it too. A long-running process calls ``load_kernel`` at its start.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Invalid

HASH_BYTES: Final = 32
LEAF_PREFIX: Final = b"\x00"
NODE_PREFIX: Final = b"\x01"
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

KERNEL: Final = "penstock.journal.tree_lanes"
KERNEL_ROWS_LOADED: Final = 1 << 10
KERNEL_ROWS_COLD: Final = 1 << 19  # hashlib needs about as long for these as loading takes
CHUNK_ROWS: Final = 1 << 14  # a power of two, so that a chunk is a full subtree; its hashes fit a core's cache

Bytes2D = NDArray[np.uint8]


def leaf_hash(data: bytes) -> bytes:
    """Hash of one leaf: sha256(0x00 || data) (RFC 9162, 2.1.1)."""
    return hashlib.sha256(LEAF_PREFIX + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: sha256(0x01 || left || right) (RFC 9162, 2.1.1)."""
    return hashlib.sha256(NODE_PREFIX + left + right).digest()


def leaf_hashes(rows: Bytes2D) -> Bytes2D:
    """Leaf hash of every row (RFC 9162, 2.1.1).

    Args: rows (n, width) uint8, one packed row a leaf. Returns (n, 32) uint8.
    Raises Invalid ``tree.rows`` if ``rows`` is not a two-dimensional array of bytes.
    """
    return _hashes(_checked(rows), LEAF_PREFIX)


def hashes_of(rows: Bytes2D, prefix: bytes) -> Bytes2D:
    """sha256(prefix || row) for each row: (n, width) uint8 to (n, 32). Raises as ``leaf_hashes``."""
    return _hashes(_checked(rows), prefix)


def node_hashes(pairs: Bytes2D) -> Bytes2D:
    """One level up: (n, 64) uint8, left and right child side by side, to (n, 32) (RFC 9162, 2.1.1).

    Raises Invalid ``tree.rows`` as ``leaf_hashes`` does.
    """
    return _hashes(_checked(pairs), NODE_PREFIX)


def root_of_hashes(hashes: Bytes2D) -> bytes:
    """Root over leaf hashes (n, 32) uint8; of none, the hash of nothing (RFC 9162, 2.1.1).

    Built level by level, an odd last node moving up unchanged. That equals the recursive definition: there too the
    right part of a split stands alone until it meets a full left sibling.
    """
    level, kernel = _checked(hashes), _kernel_for(len(hashes))
    if kernel is None:
        return _plain_root(level)
    return _plain_root(_by_chunks(level, lambda part: kernel.fold(part.copy(), NODE_PREFIX)))


def root_of_rows(rows: Bytes2D) -> bytes:
    """Root of the tree with one leaf a row: (n, width) uint8 to 32 bytes (RFC 9162, 2.1.1).

    Raises Invalid ``tree.rows`` as ``leaf_hashes`` does.
    """
    checked, kernel = _checked(rows), _kernel_for(len(rows))
    if kernel is None:
        return _plain_root(plain_hashes(checked, LEAF_PREFIX))
    return _plain_root(_by_chunks(checked, lambda part: kernel.fold(kernel.hash_rows(part, LEAF_PREFIX), NODE_PREFIX)))


def load_kernel() -> None:
    """Load the compiled kernel, and compile it where no cached machine code is found, ahead of the first need."""
    rows = np.zeros((1, HASH_BYTES), np.uint8)
    importlib.import_module(KERNEL).hash_rows(rows, LEAF_PREFIX)


def plain_hashes(rows: Bytes2D, prefix: bytes) -> Bytes2D:
    """sha256(prefix || row) for each row, by hashlib: the twin that the compiled kernel must equal."""
    count, width = rows.shape
    data, sha256 = rows.tobytes(), hashlib.sha256
    digests = b"".join([sha256(prefix + data[i * width : i * width + width]).digest() for i in range(count)])
    return np.frombuffer(digests, dtype=np.uint8).reshape(count, HASH_BYTES)


def _plain_root(level: Bytes2D) -> bytes:
    if len(level) == 0:
        return EMPTY_ROOT
    while len(level) > 1:
        pairs, odd = divmod(len(level), 2)
        above = plain_hashes(level[: 2 * pairs].reshape(pairs, 2 * HASH_BYTES), NODE_PREFIX)
        level = np.concatenate([above, level[-1:]]) if odd else above
    return level.tobytes()


def _hashes(rows: Bytes2D, prefix: bytes) -> Bytes2D:
    kernel = _kernel_for(len(rows))
    if kernel is None:
        return plain_hashes(rows, prefix)
    return _by_chunks(rows, lambda part: kernel.hash_rows(part, prefix))


def _by_chunks(rows: Bytes2D, act: Callable[[Bytes2D], Bytes2D]) -> Bytes2D:
    """``act`` on every chunk of ``rows``, on all cores, and the results one after the other."""
    parts = [rows[start : start + CHUNK_ROWS] for start in range(0, len(rows), CHUNK_ROWS)]
    if len(parts) == 1:
        return act(parts[0])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.concatenate(list(pool.map(act, parts)))


def _kernel_for(count: int) -> Any:
    """The compiled kernel if ``count`` rows are worth it, else None."""
    enough = KERNEL_ROWS_LOADED if KERNEL in sys.modules else KERNEL_ROWS_COLD
    if count < enough or sys.byteorder != "little":  # the kernel swaps bytes without asking
        return None
    return importlib.import_module(KERNEL)


def _checked(rows: Bytes2D) -> Bytes2D:
    if rows.ndim != 2 or rows.dtype != np.uint8:
        raise Invalid("tree.rows", "Rows are a two-dimensional array of bytes.", hint="Pack each row to uint8 first.")
    return np.ascontiguousarray(rows)
