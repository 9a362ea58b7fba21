"""Devices as the checks see them: keys, registers, bounds, and where each one last stood. Columns, for a million.

One table has a row a device, in order of enrolment; others a row a register, by the journal's dense register number.
Every column handed out is a read-only view.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.energy import life
from penstock.energy.checks.flat import CHARGER
from penstock.energy.correction import Seam
from penstock.energy.device_table import NO_ANGLE, Column, DeviceTable
from penstock.energy.key_book import KeyBook, KeySpan
from penstock.energy.ownership import Ownership
from penstock.energy.point_tree import PointTree
from penstock.energy.standings import Standings
from penstock.journal.device_rows import read_identities, start_counts
from penstock.journal.fact import Recorded
from penstock.journal.growing import Growing, Layout
from penstock.journal.kinds.energy import (
    DeviceEnrolled,
    DevicesEnrolled,
    PacketsReceived,
    ReadingsVerified,
    SiteRegistered,
    TitlesIssued,
)
from penstock.journal.kinds.ledger import WorkspaceOpened
from penstock.journal.kinds.quarantine import GapAccepted, QuarantineLifted, ReadingsReviewed
from penstock.journal.kinds.upkeep import ReadingsErased
from penstock.journal.names import Names
from penstock.journal.register import Registers
from penstock.journal.segment import Columns
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, Right
from penstock.keys import KEY_KINDS
from penstock.units import INT64_MAX

Ints = NDArray[Any]


class Devices:
    """Every enrolled device, by number; and every register's standing, by register number.

    By device: ``capacity_w`` [W], ``commissioned_us``, ``retired_us`` (0: it lives), ``technology`` (TECHNOLOGIES),
    ``key_kind`` (KEY_KINDS), ``assurance`` (ASSURANCES), ``tilt_deg`` and ``azimuth_deg`` (-1 none), ``cell`` and
    ``site`` (rows of ``cells`` and ``sites``), ``key_since_us`` and ``key_until_us`` (the current key's validity,
    half-open), ``head_sequence`` and ``head_hash`` (the last message its own key signed).

    By register: ``device_of`` (-1 where no device counts it), ``epoch_start_wh`` (the device's own count where this
    register began: position = count - epoch_start_wh), ``rolls_over_wh`` (declared width, 0 none), ``last_at_us`` and
    ``last_wh`` (the last accepted reading; before the first, commissioning at 0 or the seam of a correction),
    ``certified_at_us`` and ``certified_wh`` (where certificates end, or up to when it stood still since),
    ``held_since_us`` (0 unless its readings wait in quarantine), ``parent_of`` (the register that checks it, -1).

    Args:
        registers: the journal's registers, which facts name. names: the journal's devices, where shared with it.
    """

    capacity_w, commissioned_us, retired_us = Column("_devices"), Column("_devices"), Column("_devices")
    technology, assurance = Column("_devices"), Column("_devices")
    tilt_deg, azimuth_deg = Column("_devices"), Column("_devices")
    cell, site = Column("_devices"), Column("_devices")
    head_sequence, head_hash = Column("_devices"), Column("_devices")
    key_kind, key_since_us = Column("key_book", "kind"), Column("key_book", "since_us")
    key_until_us = Column("key_book", "until_us")
    device_of, epoch_start_wh, rolls_over_wh = Column("standings"), Column("standings"), Column("standings")
    last_at_us, last_wh = Column("standings"), Column("standings")
    certified_at_us, certified_wh = Column("standings"), Column("standings")
    held_since_us, above_wh = Column("standings"), Column("standings")
    still, still_wh = Column("standings"), Column("standings")
    doubts, cleared_us = Column("standings"), Column("standings")
    parent_of = Column("points")

    def __init__(self, registers: Registers | None = None, names: Names | None = None) -> None:
        self.origin = ""
        self.key_book, self.standings = KeyBook(), Standings()
        self.ownership, self.points = Ownership(), PointTree()
        self.seams: dict[int, Seam] = {}  # of corrections whose epoch is about to be told
        self._urns = registers if registers is not None else Registers()
        self._names = names if names is not None else Names("device")
        self._cells = Names("cell")
        self._devices, self._channels = DeviceTable(), Growing({"register": Layout("int32", -1)})
        self._judged_again = False

    def __len__(self) -> int:
        return len(self._devices)

    @property
    def cells(self) -> Sequence[str]:
        """Locations as coarse as owners allow (geohash), by the numbers in ``cell``."""
        return self._cells.all

    @property
    def sites(self) -> Sequence[str]:
        """Sites that have devices, by the numbers in ``site``."""
        return self.ownership.sites.all

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
        return self.key_book.span(number).key

    def keys(self, numbers: Ints) -> list[bytes]:
        """The current public keys of many devices."""
        return self.key_book.keys(numbers)

    def former_keys(self, number: int) -> tuple[KeySpan, ...]:
        """Keys the device had before its current one, oldest first."""
        return self.key_book.former(number)

    def owner_key(self, number: int) -> bytes:
        """The Ed25519 key of the device's owner; empty where none was named."""
        return self.ownership.owner_key(number, self.sites[self.site[number]])

    def register_id(self, urn: str) -> int:
        """A register's number; NotFound ``register.unknown``."""
        return self._urns.id_of(urn)

    def issues(self, register: int) -> bool:
        """Whether certificates are issued for what a register counts, generated or drawn."""
        return bool(self._urns.certified[register])

    def register_of(self, numbers: Ints, channel: Ints) -> NDArray[np.int32]:
        """The register of each device's channel in its present epoch; -1 where there is no such channel or device."""
        found = np.full(len(numbers), -1, dtype=np.int32)
        rows = np.flatnonzero((numbers >= 0) & (numbers < len(self)))
        rows = rows[channel[rows] < self._devices["channels"][numbers[rows]]]
        found[rows] = self._channels["register"][self._devices["first_channel"][numbers[rows]] + channel[rows]]
        return found

    def registers_of(self, number: int) -> NDArray[np.int32]:
        """The present registers of one device, by channel."""
        first, channels = (int(self._devices[name][number]) for name in ("first_channel", "channels"))
        registers: NDArray[np.int32] = self._channels["register"][first : first + channels]
        return registers

    def counting(self, register: int) -> int:
        """The number of the device that counts a register, or counted it before an epoch; -1 where none does."""
        return int(self.standings["device_of"][register]) if register < len(self.standings) else -1

    def main_register(self) -> NDArray[np.int32]:
        """Each device's present register of channel 0, by device number."""
        registers: NDArray[np.int32] = self._channels["register"][self._devices["first_channel"]]
        return registers

    def held_from_us(self, registers: Ints) -> NDArray[np.int64]:
        """Since when registers are in quarantine [us]; the end of time where one is not, or no device counts it."""
        found = np.full(len(registers), INT64_MAX)
        rows = np.flatnonzero(registers < len(self.standings))
        since_us = self.standings["held_since_us"][registers[rows]]
        found[rows] = np.where(since_us == 0, INT64_MAX, since_us)
        return found

    def capacities_w(self, registers: Ints) -> NDArray[np.int64]:
        """Capacity [W] of the device behind each register; shape as given."""
        capacity: NDArray[np.int64] = self._devices["capacity_w"][self.standings["device_of"][registers]]
        return capacity

    def enrol(self, device: DeviceEnrolled, *registers: int) -> None:
        """Take a device in; its registers, by channel, stand at 0 when it is commissioned, whatever it showed then."""
        self._names.intern(device.device)
        self.key_book.add([device.public_key], KEY_KINDS.index(device.key_kind))
        for lock in device.programmes:
            self.ownership.lock(len(self), lock)
        columns: dict[str, Ints | int] = {
            "technology": TECHNOLOGIES.index(device.technology),
            "assurance": ASSURANCES.index(device.assurance),
            "capacity_w": device.capacity_w,
            "commissioned_us": device.commissioned_us,
            "tilt_deg": NO_ANGLE if device.tilt_deg is None else device.tilt_deg,
            "azimuth_deg": NO_ANGLE if device.azimuth_deg is None else device.azimuth_deg,
            "cell": self._cells.intern(self.ownership.cell_of(device.site)),
        }
        starts_wh = start_counts([device.start_counts_wh], len(registers))
        self._add(1, device.site, np.array(registers), columns, device.rolls_over_wh, starts_wh)

    def _enrol_many(self, fact: DevicesEnrolled, columns: Columns) -> None:
        names, keys, cells, starts = read_identities(columns["identity"])
        if not names:
            return
        first = self._urns.id_of(f"{names[0]}/{fact.channels[0]}")
        registers = np.arange(first, first + len(names) * len(fact.channels))
        self.key_book.add(keys, columns["key_kind"])
        copied = ("technology", "assurance", "capacity_w", "commissioned_us", "tilt_deg", "azimuth_deg")
        cell = np.fromiter(map(self._cells.intern, cells), dtype=np.int32, count=len(cells))
        values: dict[str, Ints | int] = {name: columns[name] for name in copied}
        rolls_over_wh = np.repeat(columns["rolls_over_wh"], len(fact.channels))
        starts_wh = start_counts(starts, len(fact.channels))
        self._add(len(names), fact.site, registers, values | {"cell": cell}, rolls_over_wh, starts_wh)

    def _add(
        self,
        rows: int,
        site: str,
        registers: Ints,
        columns: dict[str, Ints | int],
        rolls_over_wh: Ints | int,
        starts_wh: Ints,
    ) -> None:
        """New devices, whose registers are listed device by device."""
        channels, first = len(registers) // rows, len(self._channels)
        self._channels.add(len(registers), register=registers)
        number = self._devices.add(
            rows,
            site=self.ownership.site_number(site),
            first_channel=first + np.arange(rows) * channels,
            channels=channels,
            **columns,
        )
        since_us = np.repeat(self._devices["commissioned_us"][number], channels)
        self.standings.begin(registers, np.repeat(number, channels), since_us, rolls_over_wh, starts_wh.reshape(-1))
        self.points.reach(len(self.standings))

    def count_with(self, number: int, channel: int, register: int) -> None:
        """A device's channel is counted on another register from now on."""
        self._channels["register"][int(self._devices["first_channel"][number]) + channel] = register

    def start_chain(self, number: int) -> None:
        """The device's messages are numbered from 0 again, with nothing before the first."""
        self._devices.set_head(number, -1, bytes(32))

    def retire(self, number: int, from_us: int) -> None:
        """The device counts no more from an instant on."""
        self._devices["retired_us"][number] = from_us
        self.key_book.end(number, from_us)

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        """Fold one fact: enrolments and lives of devices, packets that move heads, readings that move standings."""
        match recorded.fact:
            case WorkspaceOpened() as opened:
                self.origin = opened.origin
            case SiteRegistered() as site:
                self.ownership.register(site)
            case DeviceEnrolled() as device:
                self.enrol(device, *(self._urns.id_of(urn) for urn in (device.register, *device.more_registers)))
            case DevicesEnrolled() as devices if columns is not None:
                self._enrol_many(devices, columns)
            case PacketsReceived() if columns is not None:
                self._devices.move_heads(columns)
                self._judged_again = False
            case ReadingsVerified() if columns is not None:
                self.standings.move(columns)
                self._stand_still(columns)
            case ReadingsReviewed() if columns is not None:
                self.standings.doubt(columns)
            case ReadingsErased() if columns is not None:
                self._stand(columns)
            case TitlesIssued(right=Right.ATTRIBUTE | Right.CONSUMPTION) if columns is not None:
                self.standings.certify(columns, recorded.fact.interval_us)
            case QuarantineLifted() as lifted:
                self.standings.lift([self._urns.id_of(urn) for urn in lifted.registers])
                self._judged_again = True
            case GapAccepted() as gap:
                self._devices.set_head(self.number(gap.device), gap.sequence - 1, gap.previous or bytes(32))
            case _:
                life.fold(self, recorded)

    def _stand_still(self, columns: Columns) -> None:
        """Chargers that stand still: each message once, when it came, not when its readings are judged again."""
        device = np.where(columns["register"] >= 0, self.standings["device_of"][columns["register"]], -1)
        rows = np.flatnonzero((device >= 0) & (self._devices["technology"][device] == CHARGER))
        if len(rows) and not self._judged_again:
            self.standings.stand_still(*(columns[name][rows] for name in ("register", "packet", "position_wh")))

    def _stand(self, columns: Columns) -> None:
        """Registers and devices stand where they stood when their readings were erased (columns of standing/1)."""
        device = columns["device"]
        self.standings.stand(columns)
        if len(device):
            self._devices["head_sequence"][device] = columns["head_sequence"]
            hashes = b"".join(bytes(one) for one in columns["head_hash"])
            self._devices["head_hash"][device] = np.frombuffer(hashes, np.uint8).reshape(-1, 32)

    def digest(self) -> bytes:
        """sha256 over all tables, names and keys: equal for equal facts."""
        parts = (self._names, self._cells, self.ownership, self.key_book, self._devices, self._channels)
        return hashlib.sha256(b"".join(part.digest() for part in (*parts, self.standings, self.points))).digest()
