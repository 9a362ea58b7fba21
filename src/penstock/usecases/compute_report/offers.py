"""Offers: what can be bought here now - credits, with what is left of each class, and windows of accelerators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.compute.credit import CreditBook
from penstock.compute.window import Window
from penstock.journal.words import Unit
from penstock.period import iso
from penstock.usecases.compute_report.work import racks
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
PER_THOUSAND = 1_000


def offers(workspace: Workspace, now_us: int) -> list[Row]:
    """Every class of credits, those that can be bought first, then the cheapest for a thousand units."""
    energy = {one["rack"]: one["energy_mj_per_1k_tokens"] for one in racks(workspace)}
    rows = workspace.read(lambda world: [_whole(world, one, now_us, energy) for one in world.compute.credits.values()])
    return sorted(rows, key=lambda one: (not one["open"], one["price_usdc_micro_per_1k_units"], one["credit_class"]))


def _whole(world: World, book: CreditBook, now_us: int, energy: Mapping[str, int | None]) -> Row:
    """A class with what a thousand tokens of the backing rack, or of the only one, drew so far [mJ]."""
    rack = book.terms.backing_rack or (next(iter(energy)) if len(energy) == 1 else "")
    drawn = energy.get(rack) if book.terms.unit is Unit.TOKENS else None
    return {**credit_row(world, book, now_us), "energy_mj_per_1k_tokens": drawn}


def credit_row(world: World, book: CreditBook, now_us: int) -> Row:
    """One class: its price, its size, what is left of it. A thousand units' price is rounded up."""
    terms, backed = book.terms, world.capacity.credits.classes.get(book.terms.credit_class)
    left = backed.left if backed else terms.capacity_credits - book.sold
    return {
        "credit_class": terms.credit_class,
        "provider": terms.provider,
        "model": terms.model,
        "application": terms.application,
        "unit": terms.unit.value,
        "units_per_credit": terms.units_per_credit,
        "price_usdc_micro": terms.price_usdc_micro,
        "price_usdc_micro_per_1k_units": -(-terms.price_usdc_micro * PER_THOUSAND // terms.units_per_credit),
        "capacity_credits": terms.capacity_credits,
        "sold_credits": book.sold,
        "redeemed_credits": book.redeemed,
        "left_credits": left,
        "collateral_usdc_micro": terms.collateral_usdc_micro,
        "expires": iso(terms.expires_us),
        "open": left > 0 and now_us < terms.expires_us,
    }


def windows(world: World, now_us: int) -> list[Row]:
    """Every window offered, those that can be bought first, then the cheapest accelerator-hour."""
    rows = [window_row(one, now_us) for one in world.capacity.windows.offers.values()]
    return sorted(rows, key=lambda one: (not one["open"], one["price_usdc_micro_per_hour"], one["offer"]))


def window_row(window: Window, now_us: int) -> Row:
    """One window: what it is, what it costs, whether it can be had. An hour's price is rounded up."""
    terms = window.terms
    accelerator_hours = terms.accelerators * terms.hours
    return {
        "offer": terms.offer,
        "window": terms.window,
        "provider": terms.provider,
        "sku": terms.sku,
        "memory_mib": terms.memory_mib,
        "interconnect": terms.interconnect,
        "region": terms.region,
        "accelerators": terms.accelerators,
        "start": iso(terms.start_us),
        "hours": terms.hours,
        "firmness": terms.firmness.value,
        "availability_bp": terms.availability_bp,
        "pue_max_bp": terms.pue_max_bp,
        "energy_claim": terms.energy_claim,
        "price_usdc_micro": terms.price_usdc_micro,
        "price_usdc_micro_per_hour": -(-terms.price_usdc_micro // accelerator_hours),
        "deposit_bp": terms.deposit_bp,
        "collateral_usdc_micro": terms.collateral_usdc_micro,
        "expires": iso(terms.expires_us),
        "holder": window.holder,
        "open": window.sold < 0 and now_us < terms.expires_us,
    }
