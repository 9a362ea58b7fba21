"""An interval of a million answers sealed in a Merkle-sum tree, against a hashlib loop."""

from __future__ import annotations

import hashlib

import numpy as np

from bench.result import Result, is_small, race, seconds
from penstock.compute.merkle_sum import SealedSums, check_path, leaf_digests, seal
from penstock.journal.tree_kernel import Bytes2D, load_kernel

LEAVES = 1_000_000
PATHS = 2_000


def hashlib_root(salts: bytes, payment_ids: bytes, mj: list[int]) -> tuple[bytes, int]:
    """The same root and total, one hashlib call a leaf and a node."""
    sha256 = hashlib.sha256
    level = [
        (sha256(b"\x00" + salts[at : at + 32] + payment_ids[at : at + 32] + sum_.to_bytes(8, "big")).digest(), sum_)
        for at, sum_ in zip(range(0, len(salts), 32), mj, strict=True)
    ]
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        level = [
            (sha256(b"\x01" + a + x.to_bytes(8, "big") + b + y.to_bytes(8, "big")).digest(), x + y)
            for (a, x), (b, y) in zip(level[0::2], level[1::2], strict=False)
        ] + odd
    return level[0]


def paths(sealed: SealedSums, leaves: Bytes2D, mj: list[int], count: int) -> list[str]:
    """Rates of giving paths and of checking them, one run each."""
    rows = np.random.default_rng(1).integers(0, len(mj), count).tolist()
    given = [sealed.path(row) for row in rows]

    def check() -> None:
        for row, path in zip(rows, given, strict=True):
            check_path(leaves[row].tobytes(), mj[row], row, len(mj), path, sealed.root, sealed.total)

    give_s, check_s = seconds(lambda: [sealed.path(row) for row in rows]), seconds(check)
    return [f"{count / give_s:,.0f} paths given and {count / check_s:,.0f} checked a second, {len(given[0])} siblings"]


def run() -> Result:
    """Time leaves and levels together, both ways to the same root and total."""
    count = 50_000 if is_small() else LEAVES
    rng = np.random.default_rng(3)
    salts, ids = (rng.integers(0, 256, (count, 32)).astype(np.uint8) for _ in range(2))
    mj = rng.integers(0, 10**6, count, dtype=np.int64)
    salt_bytes, id_bytes, amounts = salts.tobytes(), ids.tobytes(), mj.tolist()
    load_kernel()

    def ours() -> SealedSums:
        return seal(leaf_digests(salts, ids, mj), mj)

    sealed = ours()
    if (sealed.root, sealed.total) != hashlib_root(salt_bytes, id_bytes, amounts):
        raise AssertionError("the hashlib loop has another root")
    timed = race(ours, lambda: hashlib_root(salt_bytes, id_bytes, amounts))
    notes = paths(sealed, leaf_digests(salts, ids, mj), amounts, min(count, PATHS))
    return Result(
        name="merkle_sum",
        ours=count / float(np.median(timed.ours_s)),
        unit="leaves/s",
        peer=count / float(np.median(timed.peer_s)),
        ratio=timed.ratio,
        peer_name="hashlib loop",
        notes=(
            timed.spread,
            "leaves of salt, payment id and energy; all levels kept to give paths",
            *notes,
        ),
    )
