"""A yard for the tests of devices: a world in memory, devices of any kind of key, statements signed, packets sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from penstock.energy.forms.cose import Packet, sign
from penstock.energy.statement import statement
from penstock.energy.verdict import MessageVerdict, ReadingVerdict
from penstock.journal.fact import Entry
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.device import EpochOpened, KeyReclaimed, KeyRotated, MeterReplaced
from penstock.journal.kinds.energy import SiteRegistered
from penstock.journal.kinds.ledger import WorkspaceOpened
from penstock.journal.words import Technology
from penstock.keys import KeyKind, SigningKey, derive_seed
from penstock.period import HOUR_US
from penstock.usecases.enrol import NewDevice, enrol_device, register_site
from penstock.usecases.ingest import ingest
from penstock.usecases.world import World

START_US = 1_471_849_200_000_000
ORIGIN = "yard.example"
Signed = TypeVar("Signed", KeyRotated, KeyReclaimed, MeterReplaced, EpochOpened)


def key_of(name: str, number: int = 0) -> SigningKey:
    return SigningKey(derive_seed(b"keys of the yard", name, str(number)))


OWNER, ATTACKER = key_of("owner"), key_of("attacker")


def hours(number: float) -> int:
    return START_US + int(number * HOUR_US)


def new_device(name: str = "roof", **changes: Any) -> NewDevice:
    made = NewDevice(name, "site", Technology.SOLAR_PV, key_of(name).public, 5_000, START_US)
    return replace(made, **changes)


class Yard:
    """A world without a store. What a use case decides is written down and read back, as a journal would."""

    def __init__(self, owner_key: bytes = OWNER.public, personal: bool = False) -> None:
        self.world, self.seq = World(), 0
        self.tell([Entry(WorkspaceOpened(ORIGIN, bytes(32)))], START_US)
        site = SiteRegistered("site", "XX", "", "owner", owner_key, personal)
        self.tell(register_site(self.world, site), START_US)

    def tell(self, entries: Sequence[Entry], at_us: int = START_US) -> Yard:
        for entry in entries:
            body = KINDS.record(entry.fact, at_us, self.seq).body
            self.world.apply(KINDS.decode(body, self.seq), entry.segment.columns if entry.segment is not None else None)
            self.seq += 1
        return self

    def enrolled(self, **changes: Any) -> Yard:
        return self.tell(enrol_device(self.world, new_device(**changes)))

    def said(self, fact: Any) -> bytes:
        return statement(fact, self.world.energy.origin)

    def next_packet(
        self, key: SigningKey, readings: Sequence[tuple[float, int]], device: str = "roof", sequence: int | None = None
    ) -> bytes:
        """A packet of (hour, Wh) readings, behind the last one that counted unless a number is given."""
        energy = self.world.energy
        number = energy.number(device)
        due = int(energy.head_sequence[number]) + 1
        at_us, position_wh = zip(*((hours(hour), wh) for hour, wh in readings), strict=True)
        previous = energy.head_hash[number].tobytes()
        return sign(Packet(device, due if sequence is None else sequence, previous, at_us, position_wh), key)

    def send(
        self, key: SigningKey, *readings: tuple[float, int], device: str = "roof", late_hours: float = 0.01
    ) -> tuple[MessageVerdict, list[ReadingVerdict]]:
        """What becomes of a packet that arrives ``late_hours`` after its last reading."""
        raw = self.next_packet(key, readings, device)
        return self.receive(raw, hours(readings[-1][0] + late_hours))

    def receive(self, raw: bytes, received_us: int) -> tuple[MessageVerdict, list[ReadingVerdict]]:
        entries = ingest(self.world, [raw], received_us)
        self.tell(entries, received_us)
        packets, readings = (entry.segment.columns for entry in entries if entry.segment is not None)
        said = MessageVerdict(int(packets["verdict"][0]))
        return said, [ReadingVerdict(int(one)) for one in readings["verdict"]]

    def standing(self, device: str = "roof", channel: int = 0) -> tuple[str, int, int]:
        """The present register: its name, the instant and position of its last reading."""
        energy = self.world.energy
        register = int(energy.registers_of(energy.number(device))[channel])
        urn = self.world.books.registers.urn(register)
        return urn, int(energy.last_at_us[register]), int(energy.last_wh[register])

    def rotation(self, old: SigningKey, new: SigningKey, hour: float, last_sequence: int = -1) -> KeyRotated:
        fact = KeyRotated("roof", KeyKind.ED25519, new.public, hours(hour), last_sequence, b"", b"")
        said = self.said(fact)
        return replace(fact, signature=old.sign(said), proof=new.sign(said))

    def reclaim(self, owner: SigningKey, new: SigningKey, hour: float) -> KeyReclaimed:
        fact = KeyReclaimed("roof", KeyKind.ED25519, new.public, hours(hour), "lost", b"", b"")
        said = self.said(fact)
        return replace(fact, owner_signature=owner.sign(said), proof=new.sign(said))

    def replacement(self, owner: SigningKey, new: SigningKey, hour: float) -> MeterReplaced:
        fact = MeterReplaced("roof", KeyKind.ED25519, new.public, hours(hour), b"", b"")
        said = self.said(fact)
        return replace(fact, owner_signature=owner.sign(said), proof=new.sign(said))

    def signed_epoch(self, fact: EpochOpened, key: SigningKey) -> EpochOpened:
        return replace(fact, signature=key.sign(self.said(fact)))


def column(values: Sequence[int], dtype: str = "int64") -> np.ndarray[Any, Any]:
    return np.array(values, dtype=dtype)
