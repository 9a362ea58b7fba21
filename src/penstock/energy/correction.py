"""Corrections of a register: where the epoch that follows one begins, and what a correction may say.

It takes over where certificates end, or at the true position where that is lower; nothing more is issued on the
register that ends. What was counted beyond, and truly, is the new register's before its first reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from penstock.errors import NotFound, Refused
from penstock.journal.kinds.device import RegisterCorrected
from penstock.journal.words import EpochCause

if TYPE_CHECKING:
    from penstock.energy.device import Devices


@dataclass(frozen=True, slots=True)
class Seam:
    """Where a corrected register's next epoch begins.

    The device's own counter stood at ``start_count_wh`` where the new register stands at 0; at ``from_us`` the new
    one stands at ``position_wh``; hours from ``certified_at_us`` on are certified on it.
    """

    cause: EpochCause
    start_count_wh: int
    position_wh: int
    from_us: int
    certified_at_us: int


def check_correction(devices: Devices, fact: RegisterCorrected) -> Seam:
    """That a register may be corrected so; where its next epoch begins.

    Raises:
        NotFound: ``device.unknown``. Refused: ``device.retired``; ``epoch.predecessor`` where the device does not
        count this register now; ``correct.before_epoch`` below the register's beginning; ``correct.nothing`` where it
        stands there already; ``correct.counter`` where the device shows less than it is said to have counted.
    """
    before = _present(devices, fact)
    last_wh, true_wh, start_wh = int(devices.last_wh[before]), fact.true_wh, int(devices.epoch_start_wh[before])
    if true_wh < 0:
        raise Refused(
            "correct.before_epoch",
            f"{fact.register} began where its device had counted {start_wh} Wh.",
            hint="Correct it to that count; what an earlier epoch counted stands.",
        )
    if true_wh == last_wh:
        raise Refused("correct.nothing", f"{fact.register} stands there already.", register=fact.register)
    if fact.shown_wh < start_wh + true_wh:
        raise Refused(
            "correct.counter",
            "The device shows less than it is said to have counted.",
            hint="Name what it shows; a counter that was reset takes another epoch, which its key or its owner signs.",
        )
    base_wh = min(true_wh, int(devices.certified_wh[before])) if devices.issues(before) else true_wh
    key_since_us = int(devices.key_since_us[devices.number(fact.device)])
    return Seam(
        cause=EpochCause.CORRECTED_DOWN if true_wh < last_wh else EpochCause.CORRECTED_UP,
        start_count_wh=fact.shown_wh - true_wh + base_wh,
        position_wh=true_wh - base_wh,
        from_us=max(int(devices.last_at_us[before]), key_since_us),
        certified_at_us=int(devices.certified_at_us[before]),
    )


def correct(devices: Devices, fact: RegisterCorrected) -> None:
    """Keep where the epoch has to begin that comes next; raises as `check_correction`."""
    devices.seams[devices.register_id(fact.register)] = check_correction(devices, fact)


def _present(devices: Devices, fact: RegisterCorrected) -> int:
    number = devices.number(fact.device)
    if number < 0:
        hint = "See: penstock device list"
        raise NotFound("device.unknown", f"There is no device {fact.device}.", hint=hint, device=fact.device)
    if devices.retired_us[number]:
        raise Refused("device.retired", "The device has ended.", device=fact.device)
    before = int(devices.register_of(np.array([number]), np.array([fact.channel]))[0])
    if before < 0 or before != devices.register_id(fact.register):
        raise Refused("epoch.predecessor", f"{fact.register} is not the register that {fact.device} counts now.")
    return before
