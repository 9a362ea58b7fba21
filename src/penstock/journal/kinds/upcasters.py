"""Older versions of facts, each read as the next one: pure functions of their plain values."""

from __future__ import annotations

from typing import Final

from penstock.journal.canonical import Plain
from penstock.journal.fact import Upcaster


def _device_enrolled_1(data: dict[str, Plain]) -> dict[str, Plain]:
    """Every device had one register that began at 0, an Ed25519 key, and signed its own readings."""
    more: dict[str, Plain] = {"key_kind": "ed25519", "assurance": "meter_signed", "more_registers": []}
    return data | more | {"rolls_over_wh": "0", "programmes": [], "start_counts_wh": []}


def _site_registered_1(data: dict[str, Plain]) -> dict[str, Plain]:
    """Owners had no keys, and nothing was erasable."""
    return data | {"owner_key": "", "personal": False}


def _titles_issued_1(data: dict[str, Plain]) -> dict[str, Plain]:
    """Nothing was said of carbon, nothing expired, nothing came from a storage."""
    return data | {"carbon_mg_per_kwh": "0", "valid_us": "0", "support": "", "stored": False}


def _titles_moved_1(data: dict[str, Plain]) -> dict[str, Plain]:
    """Nobody was named who asked, nor the time of a claim."""
    return data | {"statement": "", "start_us": "0", "stop_us": "0", "by": ""}


def _deal_originated_1(data: dict[str, Plain]) -> dict[str, Plain]:
    """No deal had a schedule."""
    return data | {"schedule": ""}


def _rack_registered_1(data: dict[str, Plain]) -> dict[str, Plain]:
    """Idle was the only loss that was told apart."""
    return data | {"overhead_register": "", "unattributed_register": ""}


def _credits_offered_1(data: dict[str, Plain]) -> dict[str, Plain]:
    """Credits were tokens, nothing was reserved behind them, and nothing was due by a time."""
    kept = {name: value for name, value in data.items() if name != "tokens_per_credit"}
    kept["units_per_credit"] = data["tokens_per_credit"]
    more: dict[str, Plain] = {"unit": "tokens", "application": "", "conversion": "", "backing_rack": ""}
    return kept | more | {"collateral_usdc_micro": "0", "grace_us": "0", "revenue_account": ""}


UPCASTERS: Final[dict[tuple[str, int], Upcaster]] = {
    ("credits.offered", 1): _credits_offered_1,
    ("deal.originated", 1): _deal_originated_1,
    ("device.enrolled", 1): _device_enrolled_1,
    ("rack.registered", 1): _rack_registered_1,
    ("site.registered", 1): _site_registered_1,
    ("titles.issued", 1): _titles_issued_1,
    ("titles.moved", 1): _titles_moved_1,
}
