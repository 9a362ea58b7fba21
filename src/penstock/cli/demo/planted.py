"""Packets for the demo, with bad ones planted among the good; the seed alone decides which.

Nothing in a planted packet says that it is planted: it goes the same way, in the
same batch, and the checks must find it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.energy.forms.cose import FIRST, Packet, Signs, packet_hash, sign
from penstock.keys import SigningKey, derive_seed
from penstock.period import SECOND_US

KINDS: Final = ("forged", "altered", "replayed", "backward", "impossible", "stranger", "garbled")
READINGS_PER_PACKET: Final = 4
_EACH: Final = 6
_FIRST_HOUR: Final = 13


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter's readings for the whole week: instants [us] and register positions [Wh]."""

    device: str
    key: Signs
    at_us: NDArray[np.int64]
    position_wh: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which kind of bad packet goes in right after packet ``hour`` of meter ``meter``."""

    kinds: dict[tuple[int, int], str]

    @classmethod
    def draw(cls, seed: bytes, meters: int, hours: int, each: int = _EACH) -> Plan:
        """``each`` of every kind, on different meters and hours, after the first noon (registers stand at 0 before)."""
        dice = np.random.Generator(np.random.PCG64(int.from_bytes(derive_seed(seed, "planted"), "big")))
        late = hours - _FIRST_HOUR
        cells = dice.choice(meters * late, size=each * len(KINDS), replace=False)
        placed = {
            (int(cell) // late, int(cell) % late + _FIRST_HOUR): KINDS[i % len(KINDS)] for i, cell in enumerate(cells)
        }
        return cls(placed)


def packets(meters: Sequence[Meter], plan: Plan, seed: bytes) -> list[list[bytes]]:
    """Raw packets in order of arrival, one list an hour of the week (good and planted together)."""
    hours = len(meters[0].at_us) // READINGS_PER_PACKET
    arrivals: list[list[bytes]] = [[] for _ in range(hours)]
    attacker = SigningKey(derive_seed(seed, "attacker"))
    for number, meter in enumerate(meters):
        for hour, raw in _stream(number, meter, plan, attacker, hours):
            arrivals[hour].append(raw)
    return arrivals


def _stream(number: int, meter: Meter, plan: Plan, attacker: SigningKey, hours: int) -> Iterator[tuple[int, bytes]]:
    sequence, previous, before = 0, FIRST, b""
    for hour in range(hours):
        rows = slice(hour * READINGS_PER_PACKET, (hour + 1) * READINGS_PER_PACKET)
        at_us = tuple(int(at) for at in meter.at_us[rows])
        packet = Packet(meter.device, sequence, previous, at_us, tuple(int(wh) for wh in meter.position_wh[rows]))
        raw = sign(packet, meter.key)
        yield hour, raw
        sequence, previous = sequence + 1, packet_hash(raw)
        kind = plan.kinds.get((number, hour))
        if kind is not None:
            bad = _plant(
                kind, replace(packet, sequence=sequence, previous=previous), raw, before or raw, meter, attacker
            )
            yield hour, bad
            if kind in ("backward", "impossible"):  # a faulty meter really signs these: its chain moves on
                sequence, previous = sequence + 1, packet_hash(bad)
        before = raw


def _plant(kind: str, after: Packet, raw: bytes, before: bytes, meter: Meter, attacker: SigningKey) -> bytes:
    later = tuple(at + SECOND_US for at in after.at_us[-1:])
    last_wh = after.position_wh[-1]
    match kind:
        case "forged":
            return sign(replace(after, at_us=later, position_wh=(last_wh + 500,)), attacker)
        case "altered":
            return raw[:-70] + bytes([raw[-70] ^ 1]) + raw[-69:]
        case "replayed":
            return before
        case "backward":
            return sign(replace(after, at_us=later, position_wh=(max(last_wh - 40, 0),)), meter.key)
        case "impossible":
            return sign(replace(after, at_us=later, position_wh=(last_wh + 90_000,)), meter.key)
        case "stranger":
            return sign(replace(after, device=f"{after.device}-x"), attacker)
        case _:
            return raw[: len(raw) // 2]
