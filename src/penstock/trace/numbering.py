"""Numbering: which fact gave a register, an account or a device its dense number, and what became of the device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from penstock.journal.fact import Recorded
from penstock.journal.kinds.device import (
    DeviceRetired,
    EpochOpened,
    KeyReclaimed,
    KeyRevoked,
    KeyRotated,
    MeterReplaced,
)
from penstock.journal.kinds.energy import DeviceEnrolled, DevicesEnrolled
from penstock.journal.kinds.ledger import AccountOpened, RegisterOpened

LIVES = (KeyRotated, KeyRevoked, KeyReclaimed, MeterReplaced, EpochOpened, DeviceRetired)


@dataclass(frozen=True, slots=True)
class Bulk:
    """A bulk enrolment: the numbers of its first device and register, how many devices, registers a device."""

    seq: int
    device: int
    register: int
    rows: int
    channels: int

    def row_of(self, register: int) -> int:
        """The row whose device counts a register; outside ``range(rows)`` where none does."""
        return (register - self.register) // self.channels


@dataclass(frozen=True, slots=True)
class Counted:
    """The devices that count some registers: those of a fact each (number, seq), those of a row of a bulk enrolment
    (seq, row, device, its first register), and the facts of their lives."""

    devices: tuple[tuple[int, int], ...]
    fleet: tuple[tuple[int, int, int, int], ...]
    lives: tuple[int, ...]


@dataclass(slots=True)
class Numbering:
    """Numbers in the order the journal gave them."""

    registers: dict[int, int] = field(default_factory=dict)
    accounts: list[int] = field(default_factory=list)
    devices: dict[str, tuple[int, int]] = field(default_factory=dict)
    device_of: dict[str, str] = field(default_factory=dict)
    predecessor: dict[str, str] = field(default_factory=dict)
    bulk: list[Bulk] = field(default_factory=list)
    lives: list[tuple[int, str]] = field(default_factory=list)
    device_count: int = 0
    register_count: int = 0

    def take(self, recorded: Recorded) -> None:
        """Follow one fact."""
        match recorded.fact:
            case RegisterOpened():
                self.registers[self.register_count] = recorded.seq
                self.register_count += 1
            case AccountOpened():
                self.accounts.append(recorded.seq)
            case DeviceEnrolled() as fact:
                self.devices[fact.device] = (self.device_count, recorded.seq)
                self.device_count += 1
                self.device_of |= dict.fromkeys((fact.register, *fact.more_registers), fact.device)
            case DevicesEnrolled() as fact:
                rows, channels = fact.segment.rows, len(fact.channels)
                self.bulk.append(Bulk(recorded.seq, self.device_count, self.register_count, rows, channels))
                self.device_count, self.register_count = self.device_count + rows, self.register_count + rows * channels
            case KeyRotated() | KeyRevoked() | KeyReclaimed() | MeterReplaced() | DeviceRetired() as fact:
                self.lives.append((recorded.seq, fact.device))
            case EpochOpened() as fact:
                self.lives.append((recorded.seq, fact.device))
                self.device_of[fact.register] = fact.device
                self.predecessor[fact.register] = fact.predecessor

    def before(self, urns: Iterable[str]) -> set[str]:
        """The registers that these continue, back to the first."""
        found: set[str] = set()
        for urn in urns:
            while urn in self.predecessor:
                urn = self.predecessor[urn]
                found.add(urn)
        return found

    def opened(self, numbers: Iterable[int]) -> list[tuple[int, int]]:
        """Number and opening fact of those registers that a fact of their own opened."""
        return [(number, self.registers[number]) for number in sorted(numbers) if number in self.registers]

    def holders(self, numbers: Iterable[int]) -> list[tuple[int, int]]:
        """Number and opening fact of accounts."""
        return [(number, self.accounts[number]) for number in sorted(set(numbers))]

    def counted_by(self, registers: Mapping[int, str]) -> Counted:
        """The devices that count ``registers`` (urn by number), and their lives."""
        names = {self.device_of[urn] for urn in registers.values() if urn in self.device_of}
        fleet = {self._place(bulk, number) for number in registers for bulk in self.bulk}
        rows = sorted(place for place in fleet if place is not None)
        endings = {urn.rpartition("/")[0] for number, urn in registers.items() if self._in_bulk(number)}
        return Counted(
            devices=tuple(sorted(self.devices[name] for name in names if name in self.devices)),
            fleet=tuple(rows),
            lives=tuple(seq for seq, device in self.lives if device in names | endings),
        )

    def _in_bulk(self, register: int) -> bool:
        return any(0 <= bulk.row_of(register) < bulk.rows for bulk in self.bulk)

    @staticmethod
    def _place(bulk: Bulk, register: int) -> tuple[int, int, int, int] | None:
        row = bulk.row_of(register)
        if not 0 <= row < bulk.rows:
            return None
        return bulk.seq, row, bulk.device + row, bulk.register + row * bulk.channels


def number_all(facts: Iterable[Recorded]) -> Numbering:
    """The numbering of a journal."""
    found = Numbering()
    for recorded in facts:
        found.take(recorded)
    return found
