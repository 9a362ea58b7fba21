"""Transfer, lock, retire: whose a device's later output is, what it is promised to, and when it ends."""

from __future__ import annotations

from penstock.energy.life import check_lock, check_retirement, check_transfer
from penstock.errors import Invalid
from penstock.journal.fact import Entry
from penstock.journal.kinds.device import DeviceLocked, DeviceRetired, DeviceTransferred
from penstock.journal.kinds.ledger import AccountOpened
from penstock.keys import KeyKind, is_public_key
from penstock.usecases.world import World


def transfer(world: World, fact: DeviceTransferred) -> list[Entry]:
    """Later output becomes another's, whose account is opened where there is none.

    Raises:
        As `life.check_transfer`; Invalid ``site.owner_key`` for an owner's key that is none.
    """
    if fact.owner_key and not is_public_key(KeyKind.ED25519, fact.owner_key):
        raise Invalid("site.owner_key", "An owner's key is an Ed25519 public key.", owner=fact.owner)
    check_transfer(world.energy, fact)
    opened = [] if fact.owner in world.books.accounts else [Entry(AccountOpened(fact.owner))]
    return [*opened, Entry(fact)]


def lock(world: World, fact: DeviceLocked) -> list[Entry]:
    """A device takes part in one programme for a time.

    Raises:
        As `life.check_lock`; Invalid ``device.programme`` for a programme without a name.
    """
    if not fact.programme.strip() or not fact.programme.isprintable():
        raise Invalid("device.programme", "A programme has a name of printable characters.", device=fact.device)
    check_lock(world.energy, fact)
    return [Entry(fact)]


def retire(world: World, fact: DeviceRetired) -> list[Entry]:
    """A device counts no more; raises as `life.check_retirement`."""
    check_retirement(world.energy, fact)
    return [Entry(fact)]
