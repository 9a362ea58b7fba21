"""The fields of other registries' certificates: how each form names them, and how their texts are read.

A text that cannot be read raises ValueError, InvalidOperation or Invalid.

Source: EnergyTag Granular Certificate Scheme Standard (certificate bundle); I-REC(E) Product Code (certificate).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Final

from penstock.journal.words import TECHNOLOGIES, Technology
from penstock.period import DAY_US, parse_iso
from penstock.units import INT64_MAX

MWH_WH: Final = 1_000_000
NONE: Final = -1
"""What an empty field, or one that cannot be read, parses to."""
DATE_CHARS: Final = len("2026-01-31")
_GONE: Final = ("cancelled", "claimed", "expired", "withdrawn", "locked", "reserved", "redeemed", "retired")
_SOURCES: Final = {
    "solar": Technology.SOLAR_PV,
    "wind": Technology.WIND,
    "hydro": Technology.HYDRO,
    "biomass": Technology.BIOMASS,
    "geothermal": Technology.GEOTHERMAL,
    "nuclear": Technology.NUCLEAR,
    "battery": Technology.BATTERY,
}

Parse = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a form names its fields, and how it writes numbers."""

    fields: Mapping[str, tuple[str, ...]]
    number: Parse
    quantity: Parse
    stop: Parse
    whole_wh: int  # what a certificate is where the file states no face value
    counts: bool  # whether the quantity counts certificates; else it is energy
    required: tuple[str, ...] = ("device", "first", "last", "quantity", "source", "start", "stop")


def plain(name: str) -> str:
    """A field's name in lower case, its words joined by ``_``."""
    return "_".join(name.strip().lower().replace("_", " ").replace("-", " ").split())


def whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(text)
    return int(text)


def _serial(text: str) -> int:
    """An I-REC number: its digits, groups and decimals joined."""
    return whole(text.replace("-", "").replace(".", ""))


def _mwh(text: str) -> int:
    wh = _bounded(text, MWH_WH)
    if wh != int(wh):
        raise ValueError(text)
    return int(wh)


def instant(text: str) -> int:
    """An instant; a date, or a time without an offset, is UTC, as both schemes say."""
    if len(text) == DATE_CHARS:
        return parse_iso(f"{text}T00:00:00Z")
    stated = text.endswith("Z") or "+" in text[DATE_CHARS:] or "-" in text[DATE_CHARS:]
    return parse_iso(text if stated else text + "Z")


def _last_day(text: str) -> int:
    """The end of a period that a date names: that day is part of it."""
    return instant(text) + (DAY_US if len(text) == DATE_CHARS else 0)


def source(text: str) -> int:
    plain = text.lower()
    for word, technology in _SOURCES.items():
        if word in plain:
            return TECHNOLOGIES.index(technology)
    return NONE


def carbon(text: str) -> int:
    """kg per MWh as mg per kWh, rounded up."""
    return int(_bounded(text, 1_000).to_integral_value(rounding=ROUND_CEILING))


def _bounded(text: str, times: int) -> Decimal:
    """So many times a figure from 0 up to what a column holds, before anything makes a whole number of its exponent."""
    value = Decimal(text)
    if not 0 <= value <= INT64_MAX // times:
        raise ValueError(text)
    return value * times


def yes(text: str) -> int:
    return int(text.lower() in ("true", "1", "yes"))


def status(text: str) -> int:
    """0 where it is used, or reserved, where it comes from."""
    return int(text.lower() not in _GONE)


LAYOUTS: Final = {
    "energytag": Layout(
        {
            "registry": ("issuing_body",),
            "device": ("device_id", "device_name"),
            "first": ("bundle_id_range_start", "certificate_bundle_id_range_start"),
            "last": ("bundle_id_range_end", "certificate_bundle_id_range_end"),
            "quantity": ("bundle_quantity",),
            "face_wh": ("face_value",),
            "source": ("energy_source",),
            "start": ("production_starting_interval",),
            "stop": ("production_ending_interval",),
            "expiry": ("expiry_datestamp",),
            "zone": ("issue_market_zone", "country_of_issuance"),
            "carbon": ("emissions_factor_production_device",),
            "support": ("support_received",),
            "stored": ("is_storage",),
            "status": ("certificate_status", "certificate_bundle_status"),
        },
        whole, whole, instant, 1, True,
    ),
    "irec": Layout(
        {
            "registry": ("issuer",),
            "device": ("production_device", "device", "device_code"),
            "first": ("from_certificate_id", "certificate_from"),
            "last": ("to_certificate_id", "certificate_to"),
            "quantity": ("number_of_certificates", "volume_mwh", "volume"),
            "source": ("energy_source",),
            "start": ("production_period_start", "period_start"),
            "stop": ("production_period_end", "period_end"),
            "zone": ("country",),
            "carbon": ("co2_produced_kg_per_mwh",),
            "support": ("support",),
            "status": ("status",),
        },
        _serial, _mwh, _last_day, MWH_WH, False,
    ),
}  # fmt: skip
