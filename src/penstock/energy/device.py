"""Devices as the checks see them: keys, registers, bounds, and where each one last stood. Columns, for a million.

Two tables: one row a device, in order of enrolment, and one a register, by the journal's dense register number.
Everything handed out is a read-only view of a column.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.energy.forms.cose import packet_hash
from penstock.energy.key_book import KeyBook, KeySpan
from penstock.energy.verdict import READING_RULES
from penstock.journal.fact import Recorded
from penstock.journal.growing import Growing, Layout
from penstock.journal.kinds.energy import (
    DeviceEnrolled,
    PacketsReceived,
    ReadingsVerified,
    SiteRegistered,
    TitlesIssued,
)
from penstock.journal.register import Names, Registers
from penstock.journal.segment import Columns
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, Assurance, Outcome, Right
from penstock.keys import KeyKind

Ints = NDArray[Any]
NO_ANGLE: Final = -1
_BY_DEVICE: Final = {
    "capacity_w": Layout("int64"),
    "commissioned_us": Layout("int64"),
    "technology": Layout("uint8"),
    "assurance": Layout("uint8"),
    "tilt_deg": Layout("int16", NO_ANGLE),
    "azimuth_deg": Layout("int16", NO_ANGLE),
    "cell": Layout("int32"),
    "site": Layout("int32"),
    "head_sequence": Layout("int64", -1),
    "head_hash": Layout("uint8", 0, 32),
    "first_channel": Layout("int64"),
    "channels": Layout("uint8"),
}
_BY_REGISTER: Final = {
    "device_of": Layout("int32", -1),
    "epoch_start_wh": Layout("int64"),
    "rolls_over_wh": Layout("int64"),
    "last_at_us": Layout("int64"),
    "last_wh": Layout("int64"),
    "certified_at_us": Layout("int64"),
    "certified_wh": Layout("int64"),
    "held_since_us": Layout("int64"),
}
_QUARANTINES: Final = np.array(
    [code in READING_RULES and READING_RULES[code].outcome is Outcome.QUARANTINED for code in range(256)]  # type: ignore[index]
)


class Column:
    """A column of one of the tables, as a read-only property."""

    def __init__(self, table: str) -> None:
        self._table = table

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, devices: Devices, owner: type) -> Ints:
        table: Growing = getattr(devices, self._table)
        return table.view(self._name)


class Devices:
    """Every enrolled device, by number; and every register's standing, by register number.

    By device: ``capacity_w`` [W], ``commissioned_us``, ``technology`` (TECHNOLOGIES), ``key_kind`` (KEY_KINDS),
    ``assurance`` (ASSURANCES), ``tilt_deg`` and ``azimuth_deg`` (-1 none), ``cell`` and ``site`` (rows of ``cells``
    and ``sites``), ``key_since_us`` and ``key_until_us`` (the current key's validity, half-open), ``head_sequence``
    and ``head_hash`` (the last message its own key signed).

    By register: ``device_of`` (-1 where no device counts it), ``epoch_start_wh`` (the device's own count where this
    register began: position = count - epoch_start_wh), ``rolls_over_wh`` (declared width, 0 none), ``last_at_us``
    and ``last_wh`` (the last accepted reading; commissioning at 0 before the first), ``certified_at_us`` and
    ``certified_wh`` (where certificates end, or up to when it stood still since), ``held_since_us`` (0 unless its
    readings wait in quarantine).

    Args:
        registers: the journal's registers, which facts name; without them devices are only taken in by `enrol`.
    """

    capacity_w, commissioned_us = Column("_devices"), Column("_devices")
    technology, assurance = Column("_devices"), Column("_devices")
    tilt_deg, azimuth_deg = Column("_devices"), Column("_devices")
    cell, site = Column("_devices"), Column("_devices")
    head_sequence, head_hash = Column("_devices"), Column("_devices")
    device_of, epoch_start_wh, rolls_over_wh = Column("_registers"), Column("_registers"), Column("_registers")
    last_at_us, last_wh = Column("_registers"), Column("_registers")
    certified_at_us, certified_wh = Column("_registers"), Column("_registers")
    held_since_us = Column("_registers")

    def __init__(self, registers: Registers | None = None) -> None:
        self._urns = registers if registers is not None else Registers()
        self._names, self._sites, self._cells = Names("device"), Names("site"), Names("cell")
        self._cell_of_site: dict[str, str] = {}
        self._keys = KeyBook()
        self._devices, self._registers = Growing(_BY_DEVICE), Growing(_BY_REGISTER)
        self._channels = Growing({"register": Layout("int32", -1)})

    def __len__(self) -> int:
        return len(self._names)

    @property
    def cells(self) -> Sequence[str]:
        """Locations as coarse as owners allow (geohash), by the numbers in ``cell``."""
        return self._cells.all

    @property
    def sites(self) -> Sequence[str]:
        """Sites that have devices, by the numbers in ``site``."""
        return self._sites.all

    @property
    def key_kind(self) -> Ints:
        """Kind of each device's current key, an index into KEY_KINDS."""
        return self._keys.view("kind")

    @property
    def key_since_us(self) -> Ints:
        """From when each device's current key is valid [us]."""
        return self._keys.view("since_us")

    @property
    def key_until_us(self) -> Ints:
        """Until when each device's current key is valid [us], exclusive."""
        return self._keys.view("until_us")

    def number(self, device: str) -> int:
        """The device's number, or -1 where it is not enrolled."""
        return self._names.find(device)

    def numbers(self, devices: Sequence[str]) -> NDArray[np.int32]:
        """The numbers of many devices, -1 where one is not enrolled."""
        return self._names.find_all(devices)

    def name(self, number: int) -> str:
        """A device's name; NotFound ``device.unknown``."""
        return self._names.name(number)

    def key(self, number: int) -> bytes:
        """The device's current public key."""
        return self._keys.keys(np.array([number]))[0]

    def keys(self, numbers: Ints) -> list[bytes]:
        """The current public keys of many devices."""
        return self._keys.keys(numbers)

    def former_keys(self, number: int) -> tuple[KeySpan, ...]:
        """Keys the device had before its current one, oldest first."""
        return self._keys.former(number)

    def register_of(self, numbers: Ints, channel: Ints) -> NDArray[np.int32]:
        """The register of each device's channel in its present epoch; -1 where there is no such channel or device."""
        known = (numbers >= 0) & (numbers < len(self))
        safe = np.where(known, numbers, 0)
        known &= channel < self._devices["channels"][safe] if len(self) else False
        found = np.full(len(numbers), -1, dtype=np.int32)
        found[known] = self._channels["register"][self._devices["first_channel"][safe[known]] + channel[known]]
        return found

    def main_register(self) -> NDArray[np.int32]:
        """Each device's register of channel 0, by device number."""
        registers: NDArray[np.int32] = self._channels["register"][self._devices["first_channel"]]
        return registers

    def enrol(self, device: DeviceEnrolled, register_id: int) -> None:
        """Take a device in; its register stands at 0 when it is commissioned."""
        cell = self._cell_of_site.get(device.site, "")
        number = self._names.add(device.device)
        self._keys.add([device.public_key], KeyKind.ED25519)
        first = self._channels.add(1, register=register_id)[0]
        self._devices.add(
            1,
            capacity_w=device.capacity_w,
            commissioned_us=device.commissioned_us,
            technology=TECHNOLOGIES.index(device.technology),
            assurance=ASSURANCES.index(Assurance.METER_SIGNED),
            tilt_deg=NO_ANGLE if device.tilt_deg is None else device.tilt_deg,
            azimuth_deg=NO_ANGLE if device.azimuth_deg is None else device.azimuth_deg,
            cell=self._cells.intern(cell),
            site=self._sites.intern(device.site),
            first_channel=int(first),
            channels=1,
        )
        self._begin(np.array([register_id]), np.array([number]), np.array([device.commissioned_us]))

    def _begin(self, register: Ints, device: Ints, at_us: Ints) -> None:
        """Registers that devices count from an instant on, at 0."""
        self._registers.reach(int(register.max()) + 1)
        self._registers["device_of"][register] = device
        self._registers["last_at_us"][register] = at_us
        self._registers["certified_at_us"][register] = at_us

    def capacities_w(self, registers: Ints) -> NDArray[np.int64]:
        """Capacity [W] of the device behind each register; shape as given."""
        capacity: NDArray[np.int64] = self._devices["capacity_w"][self._registers["device_of"][registers]]
        return capacity

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        """Fold one fact: packets move heads, accepted readings move standings."""
        match recorded.fact:
            case SiteRegistered() as site:
                self._cell_of_site[site.site] = site.cell
            case DeviceEnrolled() as device:
                self.enrol(device, self._urns.id_of(device.register))
            case PacketsReceived() if columns is not None:
                self._move_heads(columns)
            case ReadingsVerified() if columns is not None:
                self._move_standings(columns)
            case TitlesIssued(right=Right.ATTRIBUTE) if columns is not None:
                self._move_certified(columns, recorded.fact.interval_us)

    def _move_heads(self, columns: Columns) -> None:
        rows = np.flatnonzero((columns["verdict"] == 0) & (columns["sequence"] >= 0))
        rows = rows[last_of_each(columns["device"][rows])]
        if len(rows):
            device, hashes = columns["device"][rows], [packet_hash(raw) for raw in columns["packet"][rows]]
            self._devices["head_sequence"][device] = columns["sequence"][rows]
            self._devices["head_hash"][device] = np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32)

    def _move_standings(self, columns: Columns) -> None:
        register, at_us, position_wh = columns["register"], columns["at_us"], columns["position_wh"]
        counts = np.flatnonzero(columns["verdict"] == 0)
        last = counts[last_of_each(register[counts])]
        self._registers["last_at_us"][register[last]] = at_us[last]
        self._registers["last_wh"][register[last]] = position_wh[last]
        rests = counts[position_wh[counts] == self._registers["certified_wh"][register[counts]]]
        rests = rests[last_of_each(register[rests])]  # hours without energy need no certificate: the next begin later
        self._registers["certified_at_us"][register[rests]] = at_us[rests]
        held = np.flatnonzero(_QUARANTINES[columns["verdict"]])[::-1]
        held = held[last_of_each(register[held])]
        held = held[self._registers["held_since_us"][register[held]] == 0]
        self._registers["held_since_us"][register[held]] = at_us[held]

    def _move_certified(self, columns: Columns, interval_us: int) -> None:
        last = last_of_each(columns["register"])
        register = columns["register"][last]
        self._registers["certified_at_us"][register] = columns["interval_us"][last] + interval_us
        self._registers["certified_wh"][register] = columns["stop"][last]

    def digest(self) -> bytes:
        """sha256 over both tables and all names and keys: equal for equal facts."""
        parts = (self._names, self._sites, self._cells, self._keys, self._devices, self._registers, self._channels)
        return hashlib.sha256(b"".join(part.digest() for part in parts)).digest()


def last_of_each(key: Ints) -> NDArray[np.int64]:
    """The last row of each key."""
    return len(key) - 1 - np.unique(key[::-1], return_index=True)[1]
