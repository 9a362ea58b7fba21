"""RFC 9162 by its recursive definitions (clauses 2.1.1, 2.1.3.1, 2.1.4.1): short, slow, and not the code under test."""

from __future__ import annotations

import random
from collections.abc import Callable
from hashlib import sha256

Proof = list[bytes]


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf).digest()


def tree_root(leaves: list[bytes]) -> bytes:
    """MTH(D[n]), clause 2.1.1."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    k = largest_power_below(len(leaves))
    return sha256(b"\x01" + tree_root(leaves[:k]) + tree_root(leaves[k:])).digest()


def inclusion_proof(index: int, leaves: list[bytes]) -> Proof:
    """PATH(m, D[n]), clause 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = largest_power_below(len(leaves))
    if index < k:
        return [*inclusion_proof(index, leaves[:k]), tree_root(leaves[k:])]
    return [*inclusion_proof(index - k, leaves[k:]), tree_root(leaves[:k])]


def consistency_proof(old_size: int, leaves: list[bytes]) -> Proof:
    """PROOF(m, D[n]) = SUBPROOF(m, D[n], true), clause 2.1.4.1."""
    return _subproof(old_size, leaves, whole=True)


def _subproof(m: int, leaves: list[bytes], *, whole: bool) -> Proof:
    n = len(leaves)
    if m == n:
        return [] if whole else [tree_root(leaves)]
    k = largest_power_below(n)
    if m <= k:
        return [*_subproof(m, leaves[:k], whole=whole), tree_root(leaves[k:])]
    return [*_subproof(m - k, leaves[k:], whole=False), tree_root(leaves[:k])]


def largest_power_below(n: int) -> int:
    """The largest power of two smaller than ``n`` (n > 1)."""
    power = 1
    while power * 2 < n:
        power *= 2
    return power


def dropped(proof: Proof, dice: random.Random) -> Proof:
    spot = dice.randrange(len(proof))
    return proof[:spot] + proof[spot + 1 :]


def swapped(proof: Proof, dice: random.Random) -> Proof:
    one, two = sorted(dice.sample(range(len(proof)), 2)) if len(proof) > 1 else (0, 0)
    changed = list(proof)
    changed[one], changed[two] = changed[two], changed[one]
    return changed


def extended(proof: Proof, dice: random.Random) -> Proof:
    spot = dice.randrange(len(proof) + 1)
    return [*proof[:spot], dice.choice([*proof, bytes(32)]), *proof[spot:]]


def flipped(proof: Proof, dice: random.Random) -> Proof:
    spot, bit = dice.randrange(len(proof)), dice.randrange(256)
    changed = (int.from_bytes(proof[spot], "big") ^ 1 << bit).to_bytes(32, "big")
    return [*proof[:spot], changed, *proof[spot + 1 :]]


DEFECTS: dict[str, Callable[[Proof, random.Random], Proof]] = {
    "dropped": dropped,
    "swapped": swapped,
    "extended": extended,
    "flipped": flipped,
}


def spoiled(proof: Proof, dice: random.Random) -> list[Proof]:
    """One proof for each defect that really changes ``proof``."""
    made = [defect(proof, dice) for name, defect in DEFECTS.items() if proof or name == "extended"]
    return [other for other in made if other != proof]
