"""Epochs: a register ends and another continues it, because the meter was replaced, rolled over, reset or corrected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from penstock.energy.key_book import KeySpan
from penstock.energy.statement import is_signed, statement
from penstock.errors import NotFound, Refused, Unverified
from penstock.journal.kinds.device import EpochOpened
from penstock.journal.words import ASSURANCES, Assurance, EpochCause
from penstock.keys import KeyKind

if TYPE_CHECKING:
    from penstock.energy.device import Devices

CORRECTIONS: Final = (EpochCause.CORRECTED_UP, EpochCause.CORRECTED_DOWN)


def check_epoch(devices: Devices, fact: EpochOpened, key: KeySpan | None = None) -> None:
    """That a new epoch continues the present one of a device's channel, from where both stood.

    ``key`` is the device's key by then, where it is about to change.

    Raises:
        NotFound: ``device.unknown``, ``register.unknown``. Refused: ``device.retired``; ``epoch.predecessor`` where
        the register before is another or stands elsewhere; ``epoch.time`` where it was read later; ``epoch.start``
        where the counts at the seam do not fit the cause; ``epoch.debt``; ``epoch.correction`` where a correction is
        not the one told. Unverified: ``epoch.signature``.
    """
    number = _device(devices, fact)
    before = int(devices.register_of(np.array([number]), np.array([fact.channel]))[0])
    if before < 0 or before != devices.register_id(fact.predecessor):
        raise Refused("epoch.predecessor", f"{fact.predecessor} is not the register that {fact.device} counts now.")
    if devices.last_wh[before] != fact.predecessor_position_wh:
        raise Refused("epoch.predecessor", f"{fact.predecessor} stands at {devices.last_wh[before]} Wh.")
    if fact.from_us < devices.last_at_us[before]:
        raise Refused("epoch.time", "The register before was read later than that.", register=fact.predecessor)
    _check_start(devices, fact, before)
    if fact.debt_wh < 0 or (fact.debt_wh and fact.cause is not EpochCause.CORRECTED_DOWN):
        raise Refused("epoch.debt", "Only a downward correction leaves a debt.")
    _check_signature(devices, number, fact, key)


def open_epoch(devices: Devices, fact: EpochOpened) -> None:
    """The new register takes the place of the old one. Nothing of the old one changes.

    Raises:
        Refused: ``epoch.register`` where a device counts the new one already.
    """
    number, register = devices.number(fact.device), devices.register_id(fact.register)
    if devices.counting(register) >= 0:
        raise Refused("epoch.register", f"A device counts {fact.register} already.", register=fact.register)
    began = fact.from_us, fact.rolls_over_wh, fact.start_count_wh
    devices.standings.begin(np.array([register]), np.array([number]), *began)
    seam = devices.seams.pop(devices.register_id(fact.predecessor), None)
    if seam is not None:
        devices.standings["last_wh"][register] = seam.position_wh
        devices.standings["certified_at_us"][register] = seam.certified_at_us
    devices.count_with(number, fact.channel, register)
    devices.points.succeed(register, devices.register_id(fact.predecessor))


def rolled_over_start_wh(devices: Devices, register: int) -> int:
    """The device's count where the next epoch begins, so that what was counted across the last digit is kept [Wh].

    Raises:
        Refused: ``epoch.start`` where no width was declared.
    """
    width = int(devices.rolls_over_wh[register])
    if not width:
        raise Refused("epoch.start", "No width was declared for this register, so it cannot roll over.")
    return int(devices.epoch_start_wh[register] + devices.last_wh[register]) - width


def _check_start(devices: Devices, fact: EpochOpened, before: int) -> None:
    if fact.cause is EpochCause.ROLLED_OVER:
        expected = rolled_over_start_wh(devices, before)
        fits = fact.start_count_wh == expected and fact.from_us == devices.last_at_us[before]
    elif fact.cause in CORRECTIONS:
        fits = _is_corrected(devices, fact, before)
    else:
        fits = fact.start_count_wh >= 0
    if not fits:
        raise Refused("epoch.start", "The device's count at the seam does not fit the cause.", cause=fact.cause)


def _is_corrected(devices: Devices, fact: EpochOpened, before: int) -> bool:
    """Whether an epoch begins where a correction said; raises Refused ``epoch.correction`` where none was told."""
    seam = devices.seams.get(before)
    if seam is None or seam.cause is not fact.cause:
        raise Refused("epoch.correction", "No such correction of the register before was told.")
    return (fact.start_count_wh, fact.from_us) == (seam.start_count_wh, seam.from_us)


def _check_signature(devices: Devices, number: int, fact: EpochOpened, key: KeySpan | None) -> None:
    """By the key that counts from here on, or by the owner. A weaker device, or a correction, may go without."""
    weaker = devices.assurance[number] != ASSURANCES.index(Assurance.METER_SIGNED)
    if not fact.signature and (weaker or fact.cause in CORRECTIONS):
        return
    message, owner_key = statement(fact, devices.origin), devices.owner_key(number)
    if owner_key and is_signed(KeyKind.ED25519, owner_key, message, fact.signature):
        return
    revoked = key is None and bool(devices.key_book.view("revoked")[number])
    key = key or devices.key_book.span(number)
    if revoked or not is_signed(key.kind, key.key, message, fact.signature):
        raise Unverified(
            "epoch.signature", "Neither the device's key nor the owner's signed this epoch.", device=fact.device
        )


def _device(devices: Devices, fact: EpochOpened) -> int:
    number = devices.number(fact.device)
    if number < 0:
        raise NotFound("device.unknown", f"There is no device {fact.device}.", device=fact.device)
    if devices.retired_us[number]:
        raise Refused("device.retired", "The device has ended.", device=fact.device)
    return number
