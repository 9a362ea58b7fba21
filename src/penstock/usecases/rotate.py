"""Rotate, revoke, reclaim: a device's key is followed by another, or ends."""

from __future__ import annotations

from penstock.energy.life import check_reclaim, check_revocation, check_rotation
from penstock.energy.statement import statement
from penstock.journal.fact import Entry, FactBody
from penstock.journal.kinds.device import KeyReclaimed, KeyRevoked, KeyRotated
from penstock.usecases.world import World


def to_sign(world: World, fact: FactBody) -> bytes:
    """The bytes that a key signs before ``fact`` can be recorded here; its signatures may be empty."""
    return statement(fact, world.energy.origin)


def rotate(world: World, fact: KeyRotated) -> list[Entry]:
    """The old key names the new one; raises as `life.check_rotation`."""
    check_rotation(world.energy, fact)
    return [Entry(fact)]


def revoke(world: World, fact: KeyRevoked) -> list[Entry]:
    """The operator's word that a key is not trusted any more; raises as `life.check_revocation`."""
    check_revocation(world.energy, fact)
    return [Entry(fact)]


def reclaim(world: World, fact: KeyReclaimed) -> list[Entry]:
    """The owner signs, the operator records: another key after one that was lost; raises as `life.check_reclaim`."""
    check_reclaim(world.energy, fact)
    return [Entry(fact)]
