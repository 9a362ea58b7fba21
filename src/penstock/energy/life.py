"""A device's life after enrolment: what each act needs to be true, and what it changes.

An act is checked before it is recorded and again whenever the journal is read, signatures included: whoever replays
a journal has verified every key that ever followed another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from penstock.energy.correction import correct
from penstock.energy.epoch import check_epoch, open_epoch
from penstock.energy.key_book import check_key
from penstock.energy.statement import is_signed, statement
from penstock.errors import Conflict, NotFound, Refused, Unverified
from penstock.journal.fact import FactBody, Recorded
from penstock.journal.kinds.device import (
    DeviceLocked,
    DeviceRetired,
    DeviceTransferred,
    EpochOpened,
    KeyReclaimed,
    KeyRevoked,
    KeyRotated,
    MeterReplaced,
    PointPlaced,
    RegisterCorrected,
)
from penstock.journal.kinds.energy import ProgrammeLock
from penstock.journal.words import PointRole
from penstock.keys import KeyKind

if TYPE_CHECKING:
    from penstock.energy.device import Devices

_NewKey = KeyRotated | KeyReclaimed | MeterReplaced


def check_rotation(devices: Devices, fact: KeyRotated) -> None:
    """That the old key may name the new one, from then on.

    Raises:
        As `_check_new_key`; Unverified ``key.signature``; Refused ``key.not_valid`` where it was revoked or ended.
    """
    number = _check_new_key(devices, fact)
    old = devices.key_book.span(number)
    if devices.key_book.view("revoked")[number] or old.until_us <= fact.from_us:
        raise Refused(
            "key.not_valid", "The key was revoked, or ended before.", hint="Reclaim the device.", device=fact.device
        )
    if not is_signed(old.kind, old.key, statement(fact, devices.origin), fact.signature):
        raise Unverified("key.signature", "The device's present key did not sign this.", device=fact.device)


def check_reclaim(devices: Devices, fact: KeyReclaimed) -> None:
    """That the owner gives the device another key.

    Raises:
        As `_check_new_key` and `_check_owner`; Refused ``device.no_owner_key`` where nobody could sign.
    """
    number = _check_new_key(devices, fact)
    if not devices.owner_key(number):
        raise Refused(
            "device.no_owner_key", "No owner's key was named when the site was registered.", device=fact.device
        )
    _check_owner(devices, number, fact, fact.owner_signature)


def check_replacement(devices: Devices, fact: MeterReplaced) -> None:
    """That another meter may count for the device; raises as `_check_new_key` and `_check_owner`."""
    _check_owner(devices, _check_new_key(devices, fact), fact, fact.owner_signature)


def check_revocation(devices: Devices, fact: KeyRevoked) -> None:
    """That a key can be revoked; raises NotFound ``device.unknown``, Refused ``device.retired``."""
    _living(devices, fact.device)


def check_transfer(devices: Devices, fact: DeviceTransferred) -> None:
    """That later output may become another's.

    Raises:
        As `_check_owner`; Refused ``device.backdated`` where certificates reach further already.
    """
    number = _living(devices, fact.device)
    certified_us = devices.certified_at_us[devices.registers_of(number)]
    if fact.from_us < certified_us.max():
        raise Refused("device.backdated", "Output up to a later instant is certified already.", device=fact.device)
    _check_owner(devices, number, fact, fact.owner_signature)


def check_retirement(devices: Devices, fact: DeviceRetired) -> None:
    """That a device can end; raises Refused ``device.retired``, ``device.backdated`` where it counted later."""
    number = _living(devices, fact.device)
    if fact.from_us <= _last_us(devices, number):
        raise Refused("device.backdated", "The device has counted later than that.", device=fact.device)


def check_point(devices: Devices, fact: PointPlaced) -> None:
    """That a register may have this place.

    Raises:
        As `PointTree.check_place`; NotFound ``register.unknown``; Refused ``point.site`` where no device of one site
        counts both, ``point.role`` where the register was opened to issue and would check, or the reverse.
    """
    register, parent = _point(devices, fact)
    counted_by = [devices.counting(one) for one in (register, parent) if one >= 0]
    if min(counted_by) < 0 or len(set(devices.site[counted_by].tolist())) != 1:
        raise Refused("point.site", "The registers of a tree are counted by devices of one site.")
    if devices.issues(register) != (fact.role is PointRole.ISSUES):
        raise Refused("point.role", "The register was opened for the other role.", register=fact.register)
    devices.points.check_place(register, fact.direction, fact.role, parent)


def check_lock(devices: Devices, fact: DeviceLocked) -> None:
    """That a device is free for a programme; raises as `Ownership.check_lock`."""
    number = _living(devices, fact.device)
    devices.ownership.check_lock(number, ProgrammeLock(fact.programme, fact.start_us, fact.stop_us))


def _check_new_key(devices: Devices, fact: _NewKey) -> int:
    """What every new key needs; the device's number.

    Raises:
        Invalid: ``device.key``. NotFound: ``device.unknown``. Conflict: ``device.key_taken``. Unverified:
        ``key.proof`` where the new key did not sign. Refused: ``device.retired``, ``key.backdated`` where the device
        has counted later than the new key begins.
    """
    number = _living(devices, fact.device)
    check_key(fact.key_kind, fact.public_key)
    if devices.key_book.holders([fact.public_key])[0] or fact.public_key in _former(devices, number):
        raise Conflict("device.key_taken", "A device has this key already, or had it.", device=fact.device)
    since_us = int(devices.key_since_us[number])
    if fact.from_us <= max(since_us, _last_us(devices, number)):
        raise Refused("key.backdated", "The present key has signed readings later than that.", device=fact.device)
    if not is_signed(fact.key_kind, fact.public_key, statement(fact, devices.origin), fact.proof):
        raise Unverified("key.proof", "The new key did not sign this.", device=fact.device)
    return number


def _former(devices: Devices, number: int) -> set[bytes]:
    return {span.key for span in devices.former_keys(number)}


def _check_owner(devices: Devices, number: int, fact: FactBody, signature: bytes) -> None:
    """The owner's consent, where an owner's key was named; raises Unverified ``device.owner_signature``."""
    key = devices.owner_key(number)
    if key and not is_signed(KeyKind.ED25519, key, statement(fact, devices.origin), signature):
        raise Unverified("device.owner_signature", "The owner did not sign this.", device=devices.name(number))


def _living(devices: Devices, device: str) -> int:
    """The number of a device that has not ended; raises NotFound ``device.unknown``, Refused ``device.retired``."""
    number = devices.number(device)
    if number < 0:
        raise NotFound(
            "device.unknown", f"There is no device {device}.", hint="See: penstock device list", device=device
        )
    if devices.retired_us[number]:
        raise Refused("device.retired", "The device has ended.", device=device)
    return number


def _last_us(devices: Devices, number: int) -> int:
    """The last instant that any register of the device was counted at."""
    return int(devices.last_at_us[devices.registers_of(number)].max())


def _point(devices: Devices, fact: PointPlaced) -> tuple[int, int]:
    return devices.register_id(fact.register), -1 if fact.parent is None else devices.register_id(fact.parent)


def _rotate(devices: Devices, fact: KeyRotated, _at_us: int) -> None:
    check_rotation(devices, fact)
    number = devices.number(fact.device)
    devices.key_book.follow(number, fact.key_kind, fact.public_key, fact.from_us, fact.last_sequence)


def _reclaim(devices: Devices, fact: KeyReclaimed, _at_us: int) -> None:
    check_reclaim(devices, fact)
    number, head = devices.number(fact.device), devices.head_sequence
    devices.key_book.follow(number, fact.key_kind, fact.public_key, fact.from_us, int(head[number]))
    devices.start_chain(number)


def _revoke(devices: Devices, fact: KeyRevoked, at_us: int) -> None:
    """What it signed and was accepted stands; nothing that arrives later does, whatever time it tells."""
    check_revocation(devices, fact)
    number = devices.number(fact.device)
    accepted_us = int(devices.last_at_us[devices.registers_of(number)].min()) + 1
    until_us = fact.from_us if fact.from_us > at_us else min(fact.from_us, accepted_us)
    devices.key_book.end(number, until_us, revoked=True)


def _replace(devices: Devices, fact: MeterReplaced, _at_us: int) -> None:
    check_replacement(devices, fact)
    number = devices.number(fact.device)
    devices.key_book.follow(number, fact.key_kind, fact.public_key, fact.from_us, -1)
    devices.start_chain(number)


def _transfer(devices: Devices, fact: DeviceTransferred, _at_us: int) -> None:
    check_transfer(devices, fact)
    devices.ownership.transfer(devices.number(fact.device), fact.owner, fact.owner_key, fact.from_us)


def _retire(devices: Devices, fact: DeviceRetired, _at_us: int) -> None:
    check_retirement(devices, fact)
    devices.retire(devices.number(fact.device), fact.from_us)


def _place(devices: Devices, fact: PointPlaced, _at_us: int) -> None:
    check_point(devices, fact)
    register, parent = _point(devices, fact)
    devices.points.place(register, fact.direction, fact.role, parent)


def _lock(devices: Devices, fact: DeviceLocked, _at_us: int) -> None:
    check_lock(devices, fact)
    lock = ProgrammeLock(fact.programme, fact.start_us, fact.stop_us)
    devices.ownership.lock(devices.number(fact.device), lock)


def _correct(devices: Devices, fact: RegisterCorrected, _at_us: int) -> None:
    correct(devices, fact)


def _open_epoch(devices: Devices, fact: EpochOpened, _at_us: int) -> None:
    check_epoch(devices, fact)
    open_epoch(devices, fact)


_Act = Callable[["Devices", Any, int], None]
_ACTS: Final[dict[type, _Act]] = {
    KeyRotated: _rotate,
    KeyRevoked: _revoke,
    KeyReclaimed: _reclaim,
    DeviceTransferred: _transfer,
    MeterReplaced: _replace,
    RegisterCorrected: _correct,
    EpochOpened: _open_epoch,
    PointPlaced: _place,
    DeviceLocked: _lock,
    DeviceRetired: _retire,
}


def fold(devices: Devices, recorded: Recorded) -> None:
    """Take in a fact of a device's life, checked once more; other facts change nothing here."""
    act = _ACTS.get(type(recorded.fact))
    if act is not None:
        act(devices, recorded.fact, recorded.at_us)
