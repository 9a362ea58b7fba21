"""Providers, capacity, windows and credits as rows for the doors."""

from __future__ import annotations

from typing import Any

import numpy as np

from penstock.compute.backed import Backed
from penstock.compute.calendar import free_parts
from penstock.compute.service import MS_PER_HOUR
from penstock.compute.window import STANDARD, Window
from penstock.journal.words import TITLE_STATES, Right, TitleState
from penstock.period import HOUR_US, iso
from penstock.usecases.world import World

Row = dict[str, Any]
HOURS_SHOWN = 1_000
"""No more hours are listed in an answer."""


def providers(world: World) -> list[Row]:
    """Every provider: where it answers, its collateral, what needs it, what is free of it."""
    known, rows = world.capacity.providers, []
    for name, one in known.registered.items():
        posted, needed = known.posted[name], known.needed[name]
        row: Row = {"provider": name, "url": one.url, "address": one.address.hex(), "work_key": one.work_key.hex()}
        row |= {"collateral_usdc_micro": posted, "needed_usdc_micro": needed, "free_usdc_micro": posted - needed}
        rows.append(row | {"revenue_usdc_micro": _held(world, one.revenue_account)})
    return rows


def capacity(world: World, rack: str, start_us: int, stop_us: int) -> list[Row]:
    """Hours of a rack that are opened: accelerators free, sold, reserved for credits, lost.

    Raises:
        NotFound: ``rack.unknown``.
    """
    book, calendar = world.capacity, world.capacity.calendar(rack)
    operator = world.books.accounts.id_of(book.rack(rack).operator)
    rows: list[Row] = []
    for one in book.opened.get(rack, []):
        first, last = max(one.start_us, start_us // HOUR_US * HOUR_US), min(one.stop_us, stop_us)
        for hour_us in range(first, last, HOUR_US)[: HOURS_SHOWN - len(rows)]:
            start = calendar.position(hour_us)
            titles = world.books.titles[Right.USE].within(calendar.register, start, start + calendar.hour_ms)
            ms, state = titles["stop"] - titles["start"], titles["state"]
            own = titles["holder"] == operator
            held = state == TITLE_STATES.index(TitleState.HELD)
            counts = {"free": held & own, "sold": held & ~own}
            counts |= {
                "reserved": state == TITLE_STATES.index(TitleState.RESERVED),
                "lost": state == TITLE_STATES.index(TitleState.WITHDRAWN),
                "over": state == TITLE_STATES.index(TitleState.RETIRED),
            }
            told = {name: int(ms[mask].sum()) // MS_PER_HOUR for name, mask in counts.items()}
            rows.append({"rack": rack, "hour": iso(hour_us), "sku": one.sku, **told})
    return rows


def free_accelerators(world: World, rack: str, start_us: int, hours: int) -> int:
    """How many accelerators are free in each of consecutive hours; raises NotFound ``rack.unknown``."""
    calendar = world.capacity.calendar(rack)
    operator = world.books.accounts.id_of(world.capacity.rack(rack).operator)
    parts = free_parts(world.books.titles[Right.USE], calendar, operator, start_us, hours)
    free = np.zeros(hours, dtype=np.int64)
    np.add.at(free, calendar.hour_of(parts["start"] - calendar.position(start_us)), parts["stop"] - parts["start"])
    return int(free.min()) // MS_PER_HOUR


def windows(world: World) -> list[Row]:
    """Every window offered, in order."""
    return [_window(one) for one in world.capacity.windows.offers.values()]


def windows_short(world: World) -> list[Row]:
    """The same, as wide as a page."""
    names = ("offer", "provider", "sku", "accelerators", "from", "hours", "price_usdc_micro", "state", "holder")
    return [{name: row[name] for name in names} for row in windows(world)]


def window(world: World, offer: str) -> Row:
    """One window; raises NotFound ``window.unknown``."""
    return _window(world.capacity.windows.named(offer))


def _window(one: Window) -> Row:
    terms = one.terms
    row: Row = {"offer": terms.offer, "window": terms.window, "provider": terms.provider, "rack": terms.rack}
    row |= {name: getattr(terms, name) for name in STANDARD} | {"firmness": terms.firmness.value}
    row |= {"from": iso(terms.start_us), "to": iso(one.stop_us), "expires": iso(terms.expires_us)}
    row |= {"balance_due": iso(terms.balance_due_us) if terms.balance_due_us else None, "deposit_bp": terms.deposit_bp}
    row |= {"price_usdc_micro": terms.price_usdc_micro, "collateral_usdc_micro": terms.collateral_usdc_micro}
    row |= {"state": one.state, "holder": one.holder, "last_price_usdc_micro": one.price_usdc_micro}
    row |= {"unpaid_usdc_micro": one.unpaid_usdc_micro if one.live else 0, "escrow_usdc_micro": one.escrow_usdc_micro}
    return row | {"contracted_ms": one.contracted_ms, "lost_ms": one.lost_ms}


def classes(world: World) -> list[Row]:
    """Every class of credits, with and without capacity behind it."""
    return [credit_class(world, name) for name in world.compute.credits]


def classes_short(world: World) -> list[Row]:
    """The same, as wide as a page."""
    names = ("credit_class", "provider", "unit", "units_per_credit", "price_usdc_micro", "offered", "outstanding")
    return [{name: row[name] for name in (*names, "backed", "expires")} for row in classes(world)]


def credit_class(world: World, name: str) -> Row:
    """One class; raises NotFound ``credit.unknown_class``."""
    book = world.compute.book(name)
    terms = book.terms
    row: Row = {"credit_class": name, "provider": terms.provider, "model": terms.model, "unit": terms.unit.value}
    row |= {"application": terms.application, "units_per_credit": terms.units_per_credit}
    row |= {"price_usdc_micro": terms.price_usdc_micro, "collateral_usdc_micro": terms.collateral_usdc_micro}
    row |= {"offered": terms.capacity_credits, "sold": book.sold, "redeemed": book.redeemed, "ended": book.ended}
    row |= {"outstanding": book.outstanding, "expires": iso(terms.expires_us), "grace_us": terms.grace_us}
    backed = world.capacity.credits.classes.get(name)
    return row | {"backed": backed is not None} | (_backing(backed) if backed else {})


def _backing(one: Backed) -> Row:
    asked = {holder: sum(each.credits for each in waiting) for holder, waiting in one.asked.items() if waiting}
    row: Row = {"rack": one.terms.backing_rack, "conversion": one.terms.conversion}
    row |= {"conversion_version": one.conversion.version, "reserved_hours": one.reserved_ms // MS_PER_HOUR}
    return row | {"backing": one.backing_credits, "left": one.left, "asked": asked}


def holdings(world: World, credit_class: str) -> list[Row]:
    """Who holds how many credits of a backed class, and asked work for how many.

    Raises:
        NotFound: ``credit.unknown_class``.
    """
    one = world.capacity.credits.named(credit_class)
    parts = one.parts(world.books, None, TitleState.HELD, TitleState.RESERVED)
    units, per = parts["stop"] - parts["start"], one.terms.units_per_credit
    asked = parts["state"] == TITLE_STATES.index(TitleState.RESERVED)
    rows = []
    for holder in np.unique(parts["holder"]).tolist():
        mine = parts["holder"] == holder
        held, waiting = int(units[mine & ~asked].sum()) // per, int(units[mine & asked].sum()) // per
        rows.append({"holder": world.books.accounts.name(holder), "held": held, "asked": waiting})
    return rows


def _held(world: World, account: str) -> int:
    return world.books.ledger.balance(world.books.accounts.id_of(account))
