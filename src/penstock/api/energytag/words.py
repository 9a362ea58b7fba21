"""EnergyTag's words for ours, and its ranges - both ends included - for our half-open spans.

Source: EnergyTag Granular Certificate Scheme Standard v2, bundle attributes and actions.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np

from penstock.errors import Invalid, NotFound
from penstock.journal.words import TITLE_STATES, Right, Technology, TitleState
from penstock.period import to_us
from penstock.usecases.registry.certificate_rows import parse_id
from penstock.usecases.registry.export_certificates import SOURCES
from penstock.usecases.registry.selection import Named, Selection
from penstock.usecases.world import World

Row = dict[str, Any]
STATUS: Final = {
    TitleState.HELD: "Active",
    TitleState.RESERVED: "Reserved",
    TitleState.LIFTED: "Locked",
    TitleState.CLAIMED: "Claimed",
    TitleState.RETIRED: "Cancelled",
    TitleState.WITHDRAWN: "Withdrawn",
    TitleState.EXPIRED: "Expired",
    TitleState.EXPORTED: "Exported",
}
STATE: Final = {word: state for state, word in STATUS.items()}
TECHNOLOGY: Final = {word: technology for technology, word in SOURCES.items()}
CARRIER: Final = "Electricity"
FACE_VALUE_WH: Final = 1
CONFIGURATION: Final = 1
"""Certificates stand alone: no other scheme's certificate exists for the same energy."""


def source_of(technology: str) -> str:
    """The energy source of a technology, in EnergyTag's word where it has one."""
    return SOURCES.get(Technology(technology), technology)


def technology_of(source: str | None) -> Technology | None:
    """The technology that an energy source names. Raises Invalid ``energytag.energy_source``."""
    if not source:
        return None
    try:
        return TECHNOLOGY.get(source.capitalize()) or Technology(source)
    except ValueError:
        hint = f"Known are: {', '.join([*TECHNOLOGY, *Technology])}."
        raise Invalid("energytag.energy_source", "There is no such energy source.", hint=hint) from None


def issuance_id(register: str, interval: str) -> str:
    """What a bundle keeps however it is split: its register and its interval's start."""
    return f"{register}@{interval}"


def read_issuance_id(text: str) -> tuple[str, int]:
    """Register and start of interval [us] that an issuance id names. Raises Invalid ``energytag.issuance_id``."""
    register, _, interval = text.rpartition("@")
    try:
        at_us = to_us(datetime.fromisoformat(interval))
    except (ValueError, Invalid):
        at_us = -1
    if not register or at_us < 0:
        hint = "It is REGISTER@INTERVAL, as every bundle says."
        raise Invalid("energytag.issuance_id", "This is no issuance id.", hint=hint)
    return register, at_us


def bundle_of(row: Row, world: World) -> Row:
    """A certificate's row (`certificate_rows.rows_of`) in EnergyTag's fields."""
    number = world.energy.number(row["device"]) if row["device"] else -1
    return {
        "id": row["certificate"],
        "issuance_id": issuance_id(row["register"], row["hour"]),
        "certificate_status": STATUS[TitleState(row["state"])],
        "account_id": world.books.accounts.id_of(row["holder"]),
        "bundle_id_range_start": row["start"],
        "bundle_id_range_end": row["stop"] - 1,
        "bundle_quantity": row["energy_wh"],
        "energy_carrier": CARRIER,
        "energy_source": source_of(row["technology"]),
        "face_value": FACE_VALUE_WH,
        "issuance_post_energy_carrier_conversion": False,
        "registry_configuration": CONFIGURATION,
        "device_id": number if number >= 0 else None,
        "device_name": row["device"],
        "device_technology_type": row["technology"],
        "device_capacity": int(world.energy.capacity_w[number]) if number >= 0 else None,
        "production_starting_interval": row["hour"],
        "production_ending_interval": row["ends"],
        "expiry_datestamp": row["expires"],
        "is_storage": row["stored"],
        "issue_market_zone": row["zone"],
        "support_received": row["support"],
        "assurance": row["assurance"],
        "emissions_factor_production_device": carbon_kg_per_mwh(row["carbon_mg_per_kwh"]),
    }


def carbon_kg_per_mwh(mg_per_kwh: int) -> str:
    """kg CO2e per MWh, exactly: a mg per kWh is a millionth of a kg per kWh, a thousandth of a kg per MWh."""
    return str(Decimal(mg_per_kwh) / 1_000)


def account_name(world: World, number: int) -> str:
    """The account that an EnergyTag id numbers. Raises NotFound ``account.unknown``."""
    return world.books.accounts.name(number)


def device_name(world: World, number: int) -> str:
    """The device that an EnergyTag id numbers. Raises NotFound ``device.unknown``."""
    if not 0 <= number < len(world.energy):
        raise NotFound("device.unknown", f"There is no device numbered {number}.", id=number)
    return world.energy.name(number)


def main_register(world: World, number: int) -> str:
    """The register that a device's certificates are issued on. Raises NotFound ``device.unknown``."""
    device_name(world, number)
    registers = world.energy.registers_of(number)
    issues = registers[world.books.registers.issues(Right.ATTRIBUTE)[registers]]
    return world.books.registers.urn(int((issues if len(issues) else registers)[0]))


def basis_points(percentage: Decimal) -> int:
    """A percentage of at most two decimals in basis points, exactly."""
    return int(percentage * 100)


def spans_named(ids: list[str]) -> tuple[Named, ...]:
    """The spans that bundles' ids name. Raises Invalid ``certificate.id``."""
    return tuple(parse_id(one) for one in ids)


def span_of_range(world: World, issued: str, first: int | None, last: int | None) -> Selection:
    """What an issuance id and a range, both ends included, name; without a range all that suits of that issuance.

    Raises:
        Invalid: ``energytag.issuance_id``, ``energytag.range``.
    """
    register, at_us = read_issuance_id(issued)
    if first is None and last is None:
        return Selection(register=register, start_us=at_us, stop_us=at_us + 1, share_basis_points=10_000)
    if first is None or last is None or last < first:
        raise Invalid("energytag.range", "A range has a start and an end, both included, in this order.")
    book = world.books.titles[Right.ATTRIBUTE]
    number = world.books.registers.id_of(register)
    parts = book.parts(*(np.array([value]) for value in (number, first, last + 1)))
    if (parts["interval_us"] != at_us).any():
        raise Invalid("energytag.range", "Some of this range is of another issuance.", issuance_id=issued)
    return Selection(spans=(Named(register, first, last + 1),))


def states_of(status: str | None) -> tuple[TitleState, ...]:
    """The states that a status names: all for none. Raises Invalid ``energytag.status``."""
    if status is None:
        return TITLE_STATES
    if status not in STATE:
        hint = f"Known are: {', '.join(STATE)}."
        raise Invalid("energytag.status", "There is no such status.", hint=hint)
    return (STATE[status],)
