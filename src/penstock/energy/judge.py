"""Judging what devices send: each message in order of arrival, then its readings as columns; 0 is accepted.

Packets are judged in order of arrival: form, device, signature, sequence, hash of
the one before. A packet its device really signed moves that device's head; one
it did not sign moves nothing. Readings of accepted packets are then judged as
columns: time, register, capacity. What fails is kept, marked and never counted.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from penstock.energy.checks.clock import SKEW_US
from penstock.energy.checks.register import judge_readings
from penstock.energy.device import Devices
from penstock.energy.packet import Packet, SignedPacket, packet_hash, parse
from penstock.energy.verdict import READING_RULES, ReadingVerdict
from penstock.errors import Invalid
from penstock.journal.segment import Column

RULES: Final = "checks/1"
_ONE_BY_ONE: Final = 256
_CHUNK: Final = 128


class PacketVerdict(IntEnum):
    """Why a packet counts or not."""

    ACCEPTED = 0
    MALFORMED = 1
    UNKNOWN_DEVICE = 2
    BAD_SIGNATURE = 3
    REPLAYED = 4
    GAP = 5
    FORKED = 6


PACKETS_EXPLAINED: Final = {
    PacketVerdict.MALFORMED: "the bytes are not a packet of this format",
    PacketVerdict.UNKNOWN_DEVICE: "no such device is enrolled",
    PacketVerdict.BAD_SIGNATURE: "the enrolled key did not sign these bytes (forged or altered)",
    PacketVerdict.REPLAYED: "this sequence number was already received (replay)",
    PacketVerdict.GAP: "a sequence number is missing before this one",
    PacketVerdict.FORKED: "it does not name the hash of the packet before it",
}
READINGS_EXPLAINED: Final = {verdict: rule.sentence for verdict, rule in READING_RULES.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Columns of a batch after judgement: ``packets`` as format packet/1, ``readings`` as reading/1."""

    packets: dict[str, Column]
    readings: dict[str, Column]


def judge(raws: Sequence[bytes], received_us: int, devices: Devices) -> Judged:
    """Judge a batch of raw packets, in order of arrival, against what the devices sent before.

    ``devices`` is read, not changed: the facts made of the outcome change it.
    """
    parsed = [_parsed(raw) for raw in raws]
    numbers = [devices.number(each.packet.device) if each else -1 for each in parsed]
    genuine = _signatures_hold(parsed, numbers, devices)
    heads: dict[int, tuple[int, bytes]] = {}
    verdicts = [
        _judge_packet(raw, each, number, signed, devices, heads)
        for raw, each, number, signed in zip(raws, parsed, numbers, genuine, strict=True)
    ]
    blobs = np.empty(len(raws), dtype=object)
    blobs[:] = raws
    packets: dict[str, Column] = {
        "device": np.array(numbers, dtype=np.int32),
        "sequence": np.array([each.packet.sequence if each else 0 for each in parsed], dtype=np.int64),
        "received_us": np.full(len(raws), received_us, dtype=np.int64),
        "verdict": np.array(verdicts, dtype=np.uint8),
        "packet": blobs,
    }
    accepted = [(row, each.packet) for row, each in enumerate(parsed) if each and verdicts[row] == 0]
    return Judged(packets, _judge_readings(accepted, packets["device"], received_us, devices))


def _parsed(raw: bytes) -> SignedPacket | None:
    try:
        return parse(raw)
    except Invalid:
        return None


def _signatures_hold(parsed: Sequence[SignedPacket | None], numbers: Sequence[int], devices: Devices) -> list[bool]:
    """Whether each packet's signature is its device's; on all cores, as the check leaves the interpreter."""

    def holds(row: int) -> bool:
        each = parsed[row]
        return each is not None and numbers[row] >= 0 and each.is_signed_by(devices.key(numbers[row]))

    if len(parsed) < _ONE_BY_ONE:
        return [holds(row) for row in range(len(parsed))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(holds, range(len(parsed)), chunksize=_CHUNK))


def _judge_packet(
    raw: bytes,
    signed: SignedPacket | None,
    number: int,
    genuine: bool,
    devices: Devices,
    heads: dict[int, tuple[int, bytes]],
) -> PacketVerdict:
    if signed is None:
        return PacketVerdict.MALFORMED
    if number < 0:
        return PacketVerdict.UNKNOWN_DEVICE
    if not genuine:
        return PacketVerdict.BAD_SIGNATURE
    head = int(devices.head_sequence[number]), devices.head_hash[number].tobytes()
    verdict = _judge_order(signed.packet, *heads.get(number, head))
    if verdict is PacketVerdict.ACCEPTED:
        heads[number] = signed.packet.sequence, packet_hash(raw)
    return verdict


def _judge_order(packet: Packet, sequence: int, previous: bytes) -> PacketVerdict:
    if packet.sequence <= sequence:
        return PacketVerdict.REPLAYED
    if packet.sequence > sequence + 1:
        return PacketVerdict.GAP
    if packet.previous != previous:
        return PacketVerdict.FORKED
    return PacketVerdict.ACCEPTED


def _judge_readings(
    accepted: list[tuple[int, Packet]], numbers: Column, received_us: int, devices: Devices
) -> dict[str, Column]:
    lengths = [len(packet.at_us) for _, packet in accepted]
    packet_rows = np.repeat(np.array([index for index, _ in accepted], dtype=np.int32), lengths)
    readings: dict[str, Column] = {
        "register": devices.register_of(numbers[packet_rows], np.zeros(len(packet_rows), dtype=np.uint8)),
        "at_us": np.array([at for _, packet in accepted for at in packet.at_us], dtype=np.int64),
        "position_wh": np.array([wh for _, packet in accepted for wh in packet.position_wh], dtype=np.int64),
        "packet": packet_rows,
    }
    timely = readings["at_us"] <= received_us + SKEW_US
    readings["verdict"] = np.full(len(timely), ReadingVerdict.FROM_THE_FUTURE, dtype=np.uint8)
    register, at_us, position_wh = (readings[name][timely] for name in ("register", "at_us", "position_wh"))
    readings["verdict"][timely] = judge_readings(register, at_us, position_wh, devices)
    return readings
