"""Enrol: accounts, sites, registers and devices take their addresses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.energy.key_book import check_key
from penstock.errors import Conflict, Invalid, NotFound
from penstock.journal.device_rows import register_urns, start_counts
from penstock.journal.enrolled import check_channels
from penstock.journal.fact import Entry, FactBody
from penstock.journal.kinds.compute import RackRegistered
from penstock.journal.kinds.energy import DeviceEnrolled, ProgrammeLock, SiteRegistered
from penstock.journal.kinds.ledger import AccountOpened, RegisterOpened
from penstock.journal.words import Assurance, RegisterKind, Right, Technology, Unit
from penstock.keys import KeyKind, is_public_key
from penstock.physics.cell import parse_cell
from penstock.usecases.world import World

COARSE_DIGITS: Final = 5
"""How precisely a site says where it is unless its owner allows more: a geohash cell of about 5 km."""
ISSUES: Final = (Right.ATTRIBUTE, Right.ENERGY)


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A device to enrol on a site that is registered: what it is, its key, and the names of its channels.

    Channel i counts the register ``<name>/<channels[i]>``; channel 0 issues ``issues``, those that ``consumes`` names
    issue certificates of consumption, the others check. Of a device that has counted before, ``start_counts_wh`` says
    what each channel showed at ``commissioned_us``.
    """

    name: str
    site: str
    technology: Technology
    public_key: bytes
    capacity_w: int
    commissioned_us: int
    channels: tuple[str, ...] = ("export",)
    issues: tuple[Right, ...] = ISSUES
    key_kind: KeyKind = KeyKind.ED25519
    assurance: Assurance = Assurance.METER_SIGNED
    tilt_deg: int | None = None
    azimuth_deg: int | None = None
    rolls_over_wh: int = 0
    programmes: tuple[ProgrammeLock, ...] = ()
    start_counts_wh: tuple[int, ...] = ()
    consumes: tuple[str, ...] = ()

    def issues_on(self, channel: int) -> tuple[Right, ...]:
        """The rights that a channel's register issues."""
        first = self.issues if channel == 0 else ()
        return (Right.CONSUMPTION,) if self.channels[channel] in self.consumes else first


@dataclass(frozen=True, slots=True)
class Producer:
    """A rooftop to enrol: its meter's public key and capacity [W], its owner, where and how it lies."""

    name: str
    public_key: bytes
    capacity_w: int
    zone: str
    cell: str
    commissioned_us: int
    tilt_deg: int | None = None
    azimuth_deg: int | None = None
    key_kind: KeyKind = KeyKind.ED25519

    @property
    def export_register(self) -> str:
        """The register that issues: what the site exported."""
        return f"{self.name}/export"


def open_accounts(names: Sequence[str], external: Sequence[str] = ()) -> list[Entry]:
    """Accounts to open, the external ones (which may owe) first."""
    opened = [AccountOpened(name, external=True) for name in external] + [AccountOpened(name) for name in names]
    return [Entry(fact) for fact in opened]


def register_site(world: World, site: SiteRegistered, digits: int = COARSE_DIGITS) -> list[Entry]:
    """Facts that register a site, and open its owner's account where there is none.

    ``site.cell`` is cut to ``digits`` geohash digits, as many as its owner allows.

    Raises:
        Conflict: ``site.known``. Invalid: ``cell.malformed``; ``site.owner_key`` for a key that is none.
    """
    world.books.enrolled.check_site(site)
    if site.owner_key and not is_public_key(KeyKind.ED25519, site.owner_key):
        raise Invalid("site.owner_key", "An owner's key is an Ed25519 public key.", site=site.site)
    cell = coarsened(site.cell, digits)
    opened = [] if site.owner in world.books.accounts else [Entry(AccountOpened(site.owner))]
    return [*opened, Entry(replace(site, cell=cell))]


def coarsened(cell: str, digits: int = COARSE_DIGITS) -> str:
    """A geohash cut to ``digits``; empty stays empty. Raises Invalid ``cell.malformed``."""
    if cell:
        parse_cell(cell)
    return cell[: max(digits, 0)]


def enrol_device(world: World, new: NewDevice) -> list[Entry]:
    """Facts that take one device in: its registers, then itself.

    Raises:
        Invalid: ``device.name``, ``device.key``, ``device.capacity``, ``device.channels``, ``device.angle``,
        ``device.width``, ``device.start_count``, ``device.consumes``. Conflict: ``device.enrolled_twice``,
        ``device.key_taken``. NotFound: ``site.unknown``. Refused: ``register.rights``.
    """
    check_new(world, new)
    urns = register_urns([new.name], new.channels)
    opened = [
        RegisterOpened(urn, Unit.WH, RegisterKind.COUNTED, new.issues_on(channel)) for channel, urn in enumerate(urns)
    ]
    for register in opened:
        world.books.registers.check_open(register)
    enrolled = DeviceEnrolled(
        device=new.name,
        site=new.site,
        technology=new.technology,
        public_key=new.public_key,
        register=urns[0],
        capacity_w=new.capacity_w,
        commissioned_us=new.commissioned_us,
        tilt_deg=new.tilt_deg,
        azimuth_deg=new.azimuth_deg,
        key_kind=new.key_kind,
        assurance=new.assurance,
        more_registers=tuple(urns[1:]),
        rolls_over_wh=new.rolls_over_wh,
        programmes=new.programmes,
        start_counts_wh=new.start_counts_wh,
    )
    return [*map(Entry, opened), Entry(enrolled)]


def check_new(world: World, new: NewDevice) -> None:
    """What a new device needs; raises as `enrol_device`."""
    check_key(new.key_kind, new.public_key)
    if not new.name or not new.name.isprintable():
        raise Invalid("device.name", "A device's name has printable characters.")
    if named(new.name, new.key_kind, new.public_key) != new.name:
        raise Invalid("device.address", "A device's address is written in lower case.", device=new.name)
    if new.capacity_w < 1:
        raise Invalid("device.capacity", "A device's capacity is at least 1 W.", device=new.name)
    check_channels(new.channels)
    if not set(new.consumes) <= set(new.channels):
        raise Invalid("device.consumes", "What a device draws is counted by one of its channels.", device=new.name)
    if not 0 <= (new.tilt_deg or 0) <= 90 or not 0 <= (new.azimuth_deg or 0) < 360:
        raise Invalid("device.angle", "A plane is tilted by 0 to 90 degrees and faces 0 to 359.", device=new.name)
    if new.rolls_over_wh < 0:
        raise Invalid("device.width", "A register's width is not negative.", device=new.name)
    check_starts(start_counts([new.start_counts_wh], len(new.channels)), np.array([new.rolls_over_wh]), [new.name])
    if new.site not in world.books.sites:
        raise NotFound("site.unknown", f"There is no site {new.site}.", site=new.site)
    if world.energy.number(new.name) >= 0:
        raise Conflict("device.enrolled_twice", "This device is already enrolled.", device=new.name)
    if new.assurance is Assurance.METER_SIGNED and world.energy.key_book.holders([new.public_key])[0]:
        raise Conflict(
            "device.key_taken",
            "Another device has this key.",
            hint="A gateway that signs for many is enrolled with assurance gateway_signed.",
            device=new.name,
        )


def named(name: str, kind: KeyKind, key: bytes) -> str:
    """A device's name as its messages write it: one that is known by its address is named so, in lower case.

    Raises:
        Invalid: ``device.address`` where it is named otherwise.
    """
    if kind is not KeyKind.ETH_ADDRESS:
        return name
    if name.lower() != f"0x{key.hex()}":
        raise Invalid("device.address", "A device known by its address is named by it.", device=name)
    return name.lower()


def check_starts(starts_wh: NDArray[np.int64], rolls_over_wh: NDArray[np.int64], names: Sequence[str]) -> None:
    """That no counter (a row a device) showed more than its width; raises Invalid ``device.start_count``."""
    beyond = (rolls_over_wh > 0) & (starts_wh.max(axis=1, initial=0) >= rolls_over_wh)
    if beyond.any():
        name = names[int(np.argmax(beyond))]
        raise Invalid("device.start_count", "A counter shows less than the width it rolls over at.", device=name)


def enrol_producers(world: World, producers: Sequence[Producer]) -> list[Entry]:
    """Facts that take rooftops in: owner's account, site, issuing register, tariff register, device.

    Raises:
        Invalid: ``device.key`` for a key that is none, ``device.capacity`` for one below 1 W.
        Conflict: ``device.enrolled_twice``, ``device.key_taken``, also within ``producers``.
    """
    for producer in producers:
        _check(world, producer)
    check_apart([producer.name for producer in producers], [producer.public_key for producer in producers])
    return [Entry(fact) for producer in producers for fact in _producer_facts(producer)]


def check_apart(names: Sequence[str], keys: Sequence[bytes]) -> None:
    """That nothing stands twice in one enrolment; raises Conflict ``device.enrolled_twice``, ``device.key_taken``."""
    if len(set(names)) != len(names):
        (twice, _), *_ = Counter(names).most_common(1)
        raise Conflict("device.enrolled_twice", "A device is named twice in one enrolment.", device=twice)
    if len(set(keys)) != len(keys):
        (key, count), *_ = Counter(keys).most_common(1)
        raise Conflict("device.key_taken", f"{count} devices of one enrolment claim one key.", key=key.hex())


def _producer_facts(producer: Producer) -> list[FactBody]:
    return [
        AccountOpened(producer.name),
        SiteRegistered(producer.name, producer.zone, producer.cell, producer.name),
        RegisterOpened(producer.export_register, Unit.WH, RegisterKind.COUNTED, (Right.ATTRIBUTE, Right.ENERGY)),
        RegisterOpened(f"{producer.name}/tariff", Unit.USDC_MICRO, RegisterKind.COUNTED),
        DeviceEnrolled(
            producer.name,
            producer.name,
            Technology.SOLAR_PV,
            producer.public_key,
            producer.export_register,
            producer.capacity_w,
            producer.commissioned_us,
            producer.tilt_deg,
            producer.azimuth_deg,
            producer.key_kind,
        ),
    ]


def _check(world: World, producer: Producer) -> None:
    check_key(producer.key_kind, producer.public_key)
    if producer.capacity_w < 1:
        raise Invalid("device.capacity", "A device's capacity is at least 1 W.", device=producer.name)
    if world.energy.number(producer.name) >= 0:
        raise Conflict("device.enrolled_twice", "This device is already enrolled.", device=producer.name)
    if world.energy.key_book.holders([producer.public_key])[0]:
        raise Conflict("device.key_taken", "Another device has this key.", device=producer.name)


def enrol_rack(
    rack: str, operator: str, zone: str, public_key: bytes, accelerators: int, capacity_w: int, commissioned_us: int
) -> list[Entry]:
    """Facts that take a rack in: its signed import meter and the registers of what it does."""
    registered = RackRegistered(
        rack=rack,
        operator=operator,
        accelerators=accelerators,
        capacity_w=capacity_w,
        import_register=f"{rack}/import",
        energy_register=f"{rack}/energy",
        calendar_register=f"{rack}/calendar",
        token_register=f"{rack}/tokens",
        idle_register=f"{rack}/idle",
    )
    facts: list[FactBody] = [
        AccountOpened(operator),
        SiteRegistered(rack, zone, "", operator),
        RegisterOpened(registered.import_register, Unit.WH, RegisterKind.COUNTED),
        RegisterOpened(registered.energy_register, Unit.MJ, RegisterKind.COUNTED),
        RegisterOpened(registered.calendar_register, Unit.MS, RegisterKind.SCHEDULED, (Right.USE,)),
        RegisterOpened(registered.token_register, Unit.TOKENS, RegisterKind.COUNTED),
        RegisterOpened(registered.idle_register, Unit.MJ, RegisterKind.LOSS),
        DeviceEnrolled(
            rack, rack, Technology.RACK, public_key, registered.import_register, capacity_w, commissioned_us
        ),
        registered,
    ]
    return [Entry(fact) for fact in facts]
