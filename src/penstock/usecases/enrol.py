"""Enrol: accounts, sites, registers and devices take their addresses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from penstock.errors import Conflict, Invalid
from penstock.journal.fact import Entry, FactBody
from penstock.journal.kinds.compute import RackRegistered
from penstock.journal.kinds.energy import DeviceEnrolled, SiteRegistered
from penstock.journal.kinds.ledger import AccountOpened, RegisterOpened
from penstock.journal.words import RegisterKind, Right, Technology, Unit
from penstock.usecases.world import World

KEY_BYTES = 32


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

    @property
    def export_register(self) -> str:
        """The register that issues: what the site exported."""
        return f"{self.name}/export"


def open_accounts(names: Sequence[str], external: Sequence[str] = ()) -> list[Entry]:
    """Accounts to open, the external ones (which may owe) first."""
    opened = [AccountOpened(name, external=True) for name in external] + [AccountOpened(name) for name in names]
    return [Entry(fact) for fact in opened]


def enrol_producers(world: World, producers: Sequence[Producer]) -> list[Entry]:
    """Facts that take rooftops in: owner's account, site, issuing register, tariff register, device.

    Raises:
        Invalid: ``device.key`` for a key that is not 32 bytes, ``device.capacity`` for one below 1 W.
        Conflict: ``device.enrolled_twice``, also within ``producers``.
    """
    for producer in producers:
        _check(world, producer)
    names = Counter(producer.name for producer in producers)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise Conflict("device.enrolled_twice", "A device is named twice in one enrolment.", device=twice[0])
    return [Entry(fact) for producer in producers for fact in _producer_facts(producer)]


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
        ),
    ]


def _check(world: World, producer: Producer) -> None:
    if len(producer.public_key) != KEY_BYTES:
        raise Invalid("device.key", "An Ed25519 public key has 32 bytes.", device=producer.name)
    if producer.capacity_w < 1:
        raise Invalid("device.capacity", "A device's capacity is at least 1 W.", device=producer.name)
    if world.energy.number(producer.name) >= 0:
        raise Conflict("device.enrolled_twice", "This device is already enrolled.", device=producer.name)


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
