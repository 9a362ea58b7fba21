"""The first edition's rules (checks/1), kept so that whoever rechecks an old record judges it as it was judged then.

One form of message with an Ed25519 key, plain readings of one register, no quarantine: a reading is from the future,
not after the last accepted one, below it, or above what capacity allows - and refused - or it counts.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.energy.checks.clock import SKEW_US
from penstock.energy.checks.register import step_is_fine
from penstock.energy.device import Devices
from penstock.energy.judge import Judged
from penstock.energy.message import NO_POWER, Batch
from penstock.energy.verdict import MessageVerdict, ReadingVerdict
from penstock.journal.segment import Column

FIRST_RULES: Final = "checks/1"
_FIRST_CODES: Final = MessageVerdict.FORKED


def unknown_then(batch: Batch) -> NDArray[np.bool_]:
    """Messages that the first edition could not read: more columns, other keys."""
    more = (batch.channel != 0) | (batch.power_mw != NO_POWER) | (batch.clock != 0)
    found = batch.reached > _FIRST_CODES
    found[batch.message[more]] = True
    return found


def as_first_judged(judged: Judged, received_us: int, devices: Devices) -> Judged:
    """A batch's columns as packet/1 and reading/1, its readings judged by the first rules."""
    packets = {name: judged.packets[name] for name in ("device", "sequence", "received_us", "verdict", "packet")}
    malformed = packets["verdict"] == MessageVerdict.MALFORMED
    packets["device"] = np.where(malformed, np.int32(-1), packets["device"])
    packets["sequence"] = np.where(malformed, 0, packets["sequence"])
    readings = {name: judged.readings[name] for name in ("register", "at_us", "position_wh", "packet")}
    return Judged(packets, readings | {"verdict": _verdicts(readings, received_us, devices)})


def _verdicts(readings: dict[str, Column], received_us: int, devices: Devices) -> NDArray[np.uint8]:
    verdict = np.full(len(readings["at_us"]), ReadingVerdict.FROM_THE_FUTURE, dtype=np.uint8)
    timely = np.flatnonzero(readings["at_us"] <= received_us + SKEW_US)
    timely = timely[np.argsort(readings["register"][timely], kind="stable")]
    register = readings["register"][timely]
    for rows in np.split(timely, np.flatnonzero(np.diff(register)) + 1) if len(timely) else ():
        verdict[rows] = _register(readings, rows, devices)
    return verdict


def _register(readings: dict[str, Column], rows: Column, devices: Devices) -> list[int]:
    number = int(readings["register"][rows[0]])
    at0, wh0 = int(devices.last_at_us[number]), int(devices.last_wh[number])
    capacity_w = int(devices.capacities_w(readings["register"][rows[:1]])[0])
    found = []
    for at, wh in zip(readings["at_us"][rows].tolist(), readings["position_wh"][rows].tolist(), strict=True):
        found.append(_step(at, wh, at0, wh0, capacity_w))
        if not found[-1]:
            at0, wh0 = at, wh
    return found


def _step(at: int, wh: int, at0: int, wh0: int, capacity_w: int) -> int:
    if at <= at0:
        return ReadingVerdict.TIME_BACKWARD
    if wh < wh0:
        return ReadingVerdict.REGISTER_BACKWARD
    one: Any = (np.array([value], dtype=np.int64) for value in (at, wh, at0, wh0, capacity_w))
    return 0 if step_is_fine(*one)[0] else ReadingVerdict.OVER_CAPACITY
