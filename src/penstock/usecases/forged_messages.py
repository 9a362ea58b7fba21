"""Forged messages: what cryptography and the chain stop, shown on real days of one array, an hour a packet.

Each day is a device of its own that sends its packets in order; then the attacker sends. A row says how often what the
attacker sent was refused, and whether the honest day still counted whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from penstock.energy.device import Devices
from penstock.energy.forms.cose import FIRST, Packet, packet_hash, sign
from penstock.energy.judge import Judged, judge, prepare
from penstock.energy.statement import statement
from penstock.energy.verdict import MessageVerdict
from penstock.journal.fact import Recorded
from penstock.journal.kinds.device import KeyRotated
from penstock.journal.kinds.energy import DeviceEnrolled
from penstock.journal.words import Form, Technology
from penstock.keys import KeyKind, SigningKey, derive_seed
from penstock.period import HOUR_US
from penstock.usecases.forgery import Row, on_range, ranges
from penstock.usecases.sunny_days import Array, SunnyDay

DEVICE: Final = "meter"
_REGISTER: Final = 0
_SEED: Final = b"keys of the forgery table, of no device"


@dataclass(frozen=True, slots=True)
class Case:
    """One device and one day of it: its key, the next key, the packets it signed, and when its key was followed."""

    key: SigningKey
    next_key: SigningKey
    packets: tuple[Packet, ...]
    raws: tuple[bytes, ...]
    rotated_us: int

    @classmethod
    def of(cls, day: SunnyDay, number: int) -> Case:
        """The day as signed packets of an hour each, chained."""
        key, next_key = (SigningKey(derive_seed(_SEED, f"{number}/{name}")) for name in ("first", "second"))
        packets, raws, previous = [], [], FIRST
        positions = np.floor(np.cumsum(day.energy_wh) + 1e-6).astype(np.int64)
        hour = (day.at_us - 1 - day.start_us) // HOUR_US
        for sequence, each in enumerate(np.unique(hour)):
            rows = np.flatnonzero(hour == each)
            at_us, wh = tuple(day.at_us[rows].tolist()), tuple(positions[rows].tolist())
            packets.append(Packet(DEVICE, sequence, previous, at_us, wh))
            raws.append(sign(packets[-1], key))
            previous = packet_hash(raws[-1])
        return cls(key, next_key, tuple(packets), tuple(raws), int(day.at_us[-1]))

    def after(self, key: SigningKey, sequence: int, previous: bytes) -> bytes:
        """A packet an attacker would like to count: the last hour again, an hour later and as much energy more."""
        last = self.packets[-1]
        gained = last.position_wh[-1] - self.packets[0].position_wh[0]
        at_us = tuple(at + HOUR_US for at in last.at_us)
        position_wh = tuple(wh + min(gained, 100) for wh in last.position_wh)
        return sign(Packet(DEVICE, sequence, previous, at_us, position_wh), key)


Attack = Callable[[Case], list[bytes]]


def _altered(case: Case) -> list[bytes]:
    raw = bytearray(case.raws[len(case.raws) // 2])
    raw[len(raw) // 2] ^= 1
    return [bytes(raw)]


def _stranger(case: Case) -> list[bytes]:
    return [case.after(SigningKey(derive_seed(_SEED, "attacker")), len(case.raws), packet_hash(case.raws[-1]))]


def _replayed(case: Case) -> list[bytes]:
    return list(case.raws)


def _spliced(case: Case) -> list[bytes]:
    """The next packet, signed by the device's own key, on another history than the one that counted."""
    other = sign(replace(case.packets[-1], position_wh=tuple(wh + 1 for wh in case.packets[-1].position_wh)), case.key)
    return [case.after(case.key, len(case.raws), packet_hash(other))]


def _one_left_out(case: Case) -> list[bytes]:
    return [case.after(case.key, len(case.raws) + 1, packet_hash(case.raws[-1]))]


def _stolen_key(case: Case) -> list[bytes]:
    """The old key, stolen after it was followed: a well-formed packet in its place for a time after its end."""
    return [case.after(case.key, len(case.raws), packet_hash(case.raws[-1]))]


ATTACKS: Final[dict[str, Attack]] = {
    "altered on the way": _altered,
    "signed by a stranger": _stranger,
    "the day's packets replayed": _replayed,
    "splice onto another history": _spliced,
    "a packet left out": _one_left_out,
    "stolen key after rotation": _stolen_key,
}


def all_rows(folders: Sequence[Path]) -> list[Row]:
    """The whole table: what physics decides on every array, what cryptography and the chain decide on the first.

    Raises:
        NotFound: ``forgery.no_days``.
    """
    first, *others = ranges(folders)
    rows = on_range(first) + message_rows(first.array, first.days)
    return rows + [row for one in others for row in on_range(one)]


def message_rows(array: Array, days: Sequence[SunnyDay]) -> list[Row]:
    """A row an attack: the attacker's messages of each day, judged behind the honest ones."""
    return [_row(name, array, attack, days) for name, attack in ATTACKS.items()]


def _row(name: str, array: Array, attack: Attack, days: Sequence[SunnyDay]) -> Row:
    stopped, by = 0, Counter[int]()
    for number, day in enumerate(days):
        case = Case.of(day, number)
        sent = attack(case)
        verdicts = _judged(array, case, day, sent, rotated=attack is _stolen_key).packets["verdict"]
        honest, forged = verdicts[: len(case.raws)], verdicts[len(case.raws) :]
        stopped += bool(np.all(forged != 0)) and not honest.any()
        by.update(forged.tolist())
    named = (f"{MessageVerdict(code).name.lower()} {count}" for code, count in by.most_common(2))
    return Row(name, array.name, len(days), stopped, 0, round(100 * stopped / max(len(days), 1)), tuple(named))


def _judged(array: Array, case: Case, day: SunnyDay, sent: list[bytes], rotated: bool) -> Judged:
    devices = Devices()
    device = DeviceEnrolled(
        DEVICE, array.name, Technology.SOLAR_PV, case.key.public, DEVICE, array.capacity_w, day.start_us
    )
    devices.enrol(device, _REGISTER)
    if rotated:
        devices.apply(Recorded(0, case.rotated_us, _rotation(case, devices.origin), b""), None)
    raws = [*case.raws, *sent]
    batch = prepare([(Form.COSE, raw) for raw in raws], devices)
    return judge(batch, raws, case.rotated_us + 2 * HOUR_US, devices)


def _rotation(case: Case, origin: str) -> KeyRotated:
    """The fact that the first key is followed by the second, signed by both."""
    last = len(case.raws) - 1
    fact = KeyRotated(DEVICE, KeyKind.ED25519, case.next_key.public, case.rotated_us + 1, last, b"", b"")
    said = statement(fact, origin)
    return replace(fact, signature=case.key.sign(said), proof=case.next_key.sign(said))
