"""Add a rack to the record: its signed import meter, its calendar, and the registers of what it does."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.errors import Conflict, Invalid
from penstock.journal.fact import Entry
from penstock.journal.kinds.ledger import AccountOpened
from penstock.keys import KeyKind, is_public_key
from penstock.usecases.enrol import enrol_rack
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True)
class AddRack:
    """A rack of an operator in a grid zone; ``meter_key`` is the Ed25519 key of its import meter."""

    rack: str
    operator: str
    zone: str
    meter_key: bytes
    accelerators: int
    capacity_w: int
    commissioned_us: int


def add_rack(world: World, asked: AddRack) -> list[Entry]:
    """The facts of a new rack; its operator may have others.

    Raises:
        Conflict: ``rack.known``. Invalid: ``rack.terms`` for a key that is none, or nothing of something.
    """
    if asked.rack in world.compute.racks or f"{asked.rack}/import" in world.books.registers:
        raise Conflict("rack.known", "A rack of this name is registered.", rack=asked.rack)
    if not is_public_key(KeyKind.ED25519, asked.meter_key) or min(asked.accelerators, asked.capacity_w) < 1:
        raise Invalid("rack.terms", "A rack has a meter's Ed25519 key, accelerators and a capacity.", rack=asked.rack)
    facts = enrol_rack(
        *(asked.rack, asked.operator, asked.zone, asked.meter_key),
        *(asked.accelerators, asked.capacity_w, asked.commissioned_us),
    )
    known = asked.operator in world.books.accounts
    return [one for one in facts if not (known and isinstance(one.fact, AccountOpened))]
