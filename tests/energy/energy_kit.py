"""Meters for the tests of the energy wing: enrolled devices, and packets they sign."""

from __future__ import annotations

from collections.abc import Sequence

import cbor2
import numpy as np

from penstock.energy.device import Devices
from penstock.energy.forms.cose import FIRST, Packet, packet_hash, sign
from penstock.energy.judge import Judged, prepare
from penstock.energy.judge import judge as judge_batch
from penstock.journal.fact import Entry, Recorded
from penstock.journal.formats import MESSAGES, READINGS, VERDICTS
from penstock.journal.kinds.energy import DeviceEnrolled, PacketsReceived, ReadingsVerified
from penstock.journal.segment import Column, Segment
from penstock.journal.words import Assurance, Form, Technology
from penstock.keys import SigningKey, derive_seed
from penstock.period import HOUR_US, QUARTER_HOUR_US

START_US = 1_471_849_200_000_000
CAPACITY_W = 1_000
FIRST_REGISTER = 10
"""Register numbers do not start with the devices', so that the two cannot be mixed up unnoticed."""


def key_of(device: str) -> SigningKey:
    return SigningKey(derive_seed(b"meters of the tests", device))


def devices(*names: str, capacity_w: int = CAPACITY_W) -> Devices:
    """Devices enrolled in order, commissioned at ``START_US``; the registers count down from the last."""
    found = Devices()
    for number, name in enumerate(names):
        found.enrol(enrolled(name, capacity_w), FIRST_REGISTER + len(names) - number)
    return found


def enrolled(name: str, capacity_w: int) -> DeviceEnrolled:
    return DeviceEnrolled(name, name, Technology.SOLAR_PV, key_of(name).public, f"{name}/export", capacity_w, START_US)


def stood(found: Devices, register: int, at_us: int, position_wh: int) -> None:
    """A reading of ``register`` was accepted."""
    one = {"at_us": at_us, "position_wh": position_wh, "register": register, "packet": 0, "verdict": 0}
    columns = {name: column([value], dict(READINGS.fixed)[name]) for name, value in one.items()}
    verified = Segment(READINGS, columns)
    fact = ReadingsVerified(verified.ref(), b"", "", Assurance.METER_SIGNED, 0, ())
    found.apply(Recorded(0, START_US, fact, b""), columns)


def hour(number: int) -> tuple[int, ...]:
    """The four quarter-hours that end in an hour of the day."""
    return tuple(START_US + number * HOUR_US + quarter * QUARTER_HOUR_US for quarter in (1, 2, 3, 4))


def packet(
    device: str,
    sequence: int = 0,
    previous: bytes = FIRST,
    at_us: Sequence[int] = (),
    position_wh: Sequence[int] = (10, 20, 30, 40),
) -> Packet:
    at_us = at_us or hour(sequence)[: len(position_wh)]
    return Packet(device, sequence, previous, tuple(at_us), tuple(position_wh))


def chain(device: str, hours: int, hourly_wh: int = 40) -> list[bytes]:
    """Good packets of a device, an hour each."""
    raws, previous = [], FIRST
    for number in range(hours):
        positions = [number * hourly_wh + hourly_wh * quarter // 4 for quarter in (1, 2, 3, 4)]
        raws.append(sign(packet(device, number, previous, position_wh=positions), key_of(device)))
        previous = packet_hash(raws[-1])
    return raws


def resealed(raw: bytes, **changed: object) -> bytes:
    """A packet's envelope with parts of its message replaced, the signature as it was."""
    protected, unprotected, payload, signature = cbor2.loads(raw).value
    parts = {"protected": protected, "unprotected": unprotected, "payload": payload, "signature": signature} | changed
    tag = parts.pop("tag", 18)
    return cbor2.dumps(cbor2.CBORTag(tag, list(parts.values())), canonical=True)


def judge(raws: Sequence[bytes], received_us: int, found: Devices) -> Judged:
    """Messages of our own form, prepared and judged."""
    return judge_batch(prepare([(Form.COSE, raw) for raw in raws], found), raws, received_us, found)


def applied(found: Devices, packets: dict[str, Column], readings: dict[str, Column]) -> None:
    """Fold the facts of a judged batch."""
    received = Segment(MESSAGES, packets)
    verified = Segment(VERDICTS, readings)
    facts = [
        Entry(PacketsReceived(received.ref(), "", ()), received),
        Entry(ReadingsVerified(verified.ref(), b"", "", Assurance.METER_SIGNED, 0, ()), verified),
    ]
    for seq, entry in enumerate(facts):
        assert entry.segment is not None
        found.apply(Recorded(seq, START_US, entry.fact, b""), entry.segment.columns)


def column(values: Sequence[int], dtype: str = "int64") -> Column:
    return np.array(values, dtype=dtype)
