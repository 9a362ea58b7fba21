"""Devices as the checks see them: keys, registers, bounds, and where each one last stood."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from penstock.energy.packet import FIRST, packet_hash
from penstock.journal.fact import Recorded
from penstock.journal.kinds.energy import DeviceEnrolled, PacketsReceived, ReadingsVerified, TitlesIssued
from penstock.journal.segment import Columns
from penstock.journal.words import Right


@dataclass(slots=True)
class Head:
    """The last packet a device's own key signed: its sequence number and hash."""

    sequence: int = -1
    hash: bytes = FIRST


@dataclass(slots=True)
class Standing:
    """The last accepted reading of a register: instant [us] and position [Wh]."""

    at_us: int
    position_wh: int


@dataclass(slots=True)
class Devices:
    """Every enrolled device, in order of enrolment, with its head; and every register's standing.

    ``register_ids`` are the journal's dense register numbers, aligned with ``enrolled``;
    ``certified`` is where certificates of a register end, or up to when it stood still since: instant [us] and
    position [Wh].
    """

    enrolled: list[DeviceEnrolled] = field(default_factory=list)
    register_ids: list[int] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    standings: dict[int, Standing] = field(default_factory=dict)
    certified: dict[int, Standing] = field(default_factory=dict)
    _number: dict[str, int] = field(default_factory=dict)

    def number(self, device: str) -> int:
        """The device's number, or -1 where it is not enrolled."""
        return self._number.get(device, -1)

    def enrol(self, device: DeviceEnrolled, register_id: int) -> None:
        """Take a device in; its register stands at 0 when it is commissioned."""
        self._number[device.device] = len(self.enrolled)
        self.enrolled.append(device)
        self.register_ids.append(register_id)
        self.heads.append(Head())
        self.standings[register_id] = Standing(device.commissioned_us, 0)
        self.certified[register_id] = Standing(device.commissioned_us, 0)

    def capacities_w(self, registers: NDArray[np.int32]) -> NDArray[np.int64]:
        """Capacity [W] of the device behind each register; shape as given."""
        by_register = dict(zip(self.register_ids, (device.capacity_w for device in self.enrolled), strict=True))
        unique, inverse = np.unique(registers, return_inverse=True)
        return np.array([by_register[int(register)] for register in unique], dtype=np.int64)[inverse]

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        """Fold one fact: packets move heads, accepted readings move standings."""
        match recorded.fact:
            case PacketsReceived() if columns is not None:
                self._move_heads(columns)
            case ReadingsVerified() if columns is not None:
                self._move_standings(columns)
            case TitlesIssued(right=Right.ATTRIBUTE) if columns is not None:
                self._move_certified(columns, recorded.fact.interval_us)

    def _move_heads(self, columns: Columns) -> None:
        for row in _last_rows(columns["device"], columns["verdict"] == 0):
            head = self.heads[int(columns["device"][row])]
            head.sequence, head.hash = int(columns["sequence"][row]), packet_hash(columns["packet"][row])

    def _move_standings(self, columns: Columns) -> None:
        for row in _last_rows(columns["register"], columns["verdict"] == 0):
            self.standings[int(columns["register"][row])] = Standing(
                int(columns["at_us"][row]), int(columns["position_wh"][row])
            )
        self._move_certified_at_rest(columns)

    def _move_certified_at_rest(self, columns: Columns) -> None:
        """Hours without energy need no certificate: where a register stood still, the next ones begin after that."""
        numbers, place = np.unique(columns["register"], return_inverse=True)
        certified_wh = np.array([self.certified[int(number)].position_wh for number in numbers], dtype=np.int64)
        at_rest = (columns["verdict"] == 0) & (columns["position_wh"] == certified_wh[place])
        for row in _last_rows(columns["register"], at_rest):
            certified = self.certified[int(columns["register"][row])]
            certified.at_us = int(columns["at_us"][row])

    def _move_certified(self, columns: Columns, interval_us: int) -> None:
        for row in _last_rows(columns["register"], np.ones(len(columns["register"]), dtype=np.bool_)):
            self.certified[int(columns["register"][row])] = Standing(
                int(columns["interval_us"][row]) + interval_us, int(columns["stop"][row])
            )


def _last_rows(key: NDArray[np.int32], taken: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The last taken row of each key."""
    rows = np.flatnonzero(taken)
    return rows[len(rows) - 1 - np.unique(key[rows][::-1], return_index=True)[1]]
