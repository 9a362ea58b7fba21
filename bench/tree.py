"""Merkle tree of one million 40-byte leaves (RFC 9162): compiled lanes on all cores against a hashlib loop."""

from __future__ import annotations

import hashlib
import os
from statistics import median

import numpy as np

from bench.result import Result, race, seconds
from penstock.journal.tree import Frontier, Tree, verify_consistency, verify_inclusion
from penstock.journal.tree_kernel import Bytes2D, leaf_hashes, load_kernel, root_of_rows

LEAVES = 1_000_000
WIDTH = 40
PROOFS = 5_000


def hashlib_root(data: bytes, width: int) -> bytes:
    """The same root, one hashlib call a leaf and a node."""
    sha256 = hashlib.sha256
    level = [sha256(b"\x00" + data[at : at + width]).digest() for at in range(0, len(data), width)]
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        level = [sha256(b"\x01" + a + b).digest() for a, b in zip(level[0::2], level[1::2], strict=False)] + odd
    return level[0]


def appending(hashes: Bytes2D) -> list[str]:
    """Rates of appending leaf hashes, one run each."""
    some, tree, frontier = [bytes(item) for item in hashes[:100_000]], Tree(), Frontier()
    tree_rate = len(hashes) / seconds(lambda: tree.append(hashes))
    frontier_rate = len(some) / seconds(lambda: frontier.extend(some))
    return [
        f"appending leaf hashes to a Tree, which proves: {tree_rate:,.0f}/s; "
        f"to a Frontier, which only gives roots, one by one: {frontier_rate:,.0f}/s"
    ]


def proving(hashes: Bytes2D) -> list[str]:
    """Rates of making and checking proofs at random places of the whole tree, one run each."""
    tree, total = Tree(hashes), len(hashes)
    places = np.random.default_rng(2).integers(1, total, PROOFS).tolist()
    root, olds, leaves = tree.root(), [tree.root(size) for size in places], [bytes(hashes[at]) for at in places]
    paths: list[tuple[bytes, ...]] = []
    links: list[tuple[bytes, ...]] = []

    def check_inclusion() -> None:
        for leaf, index, path in zip(leaves, places, paths, strict=True):
            verify_inclusion(leaf, index, total, path, root)

    def check_consistency() -> None:
        for old, size, link in zip(olds, places, links, strict=True):
            verify_consistency(size, old, total, root, link)

    made = PROOFS / seconds(lambda: paths.extend(tree.inclusion_proof(index, total) for index in places))
    linked = PROOFS / seconds(lambda: links.extend(tree.consistency_proof(size, total) for size in places))
    checked, rechecked = PROOFS / seconds(check_inclusion), PROOFS / seconds(check_consistency)
    return [
        f"inclusion proofs: {made:,.0f}/s made, {checked:,.0f}/s checked; "
        f"consistency proofs: {linked:,.0f}/s made, {rechecked:,.0f}/s checked"
    ]


def run() -> Result:
    """Roots equal first, then five interleaved rounds."""
    load_s = seconds(load_kernel)
    rows = np.random.default_rng(1).integers(0, 256, (LEAVES, WIDTH), dtype=np.uint8)
    data = rows.tobytes()
    hashes = leaf_hashes(rows)
    assert root_of_rows(rows) == hashlib_root(data, WIDTH)
    times = race(lambda: root_of_rows(rows), lambda: hashlib_root(data, WIDTH))
    return Result(
        name="tree",
        ours=LEAVES / median(times.ours_s),
        unit="leaves/s",
        peer=LEAVES / median(times.peer_s),
        ratio=times.ratio,
        peer_name="hashlib loop, one thread",
        notes=(
            f"{times.spread}; {os.cpu_count()} threads; roots asserted equal",
            f"compile time excluded; loading the kernel took {load_s:.1f} s (seconds on first use, then from cache)",
            *appending(hashes),
            *proving(hashes),
        ),
    )
