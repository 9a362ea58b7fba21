"""Forwards as rows for the doors: terms, sales, what came, what is owed."""

from __future__ import annotations

import csv
from typing import Any

from penstock.energy.forward.promise import Promise, Sale, collateral_account, escrow_account, promised_register
from penstock.errors import Invalid
from penstock.journal.words import Right
from penstock.period import iso, parse_iso
from penstock.usecases.world import World

Row = dict[str, Any]


def forwards(world: World) -> list[Row]:
    """Every forward, in the order of offers."""
    return [forward_row(world, name) for name in world.forwards.promises]


def forward_row(world: World, name: str) -> Row:
    """A forward; raises NotFound ``forward.unknown``."""
    promise = world.forwards.named(name)
    terms = promise.offered
    return {
        "forward": name,
        "seller": terms.seller,
        "registers": list(terms.registers),
        "from": iso(terms.start_us),
        "to": iso(terms.stop_us),
        "form": terms.form.value,
        "energy": terms.energy,
        "p50_wh": terms.p50_wh,
        "p90_wh": terms.p90_wh,
        "method": terms.method,
        "basis": terms.basis,
        "remedy": terms.remedy.value,
        "make_up_until": iso(terms.make_up_until_us) if terms.make_up_until_us else None,
        "prices_usdc_micro_per_mwh": list(terms.prices_usdc_micro_per_mwh),
        "offered_wh": promise.offered_wh,
        "sold_wh": promise.sold_wh,
        "delivered_wh": promise.delivered_wh,
        "missing_wh": int(promise.missing.sum()) if promise.sales else 0,
        "escrow_usdc_micro": _held(world, escrow_account(name)),
        "collateral_usdc_micro": _held(world, collateral_account(name)),
        "state": "settled" if promise.settled else "open",
        "sales": [_sale_row(world, promise, one) for one in promise.sales],
    }


def _held(world: World, account: str) -> int:
    return world.books.ledger.balance(world.books.accounts.id_of(account))


def _sale_row(world: World, promise: Promise, sale: Sale) -> Row:
    titles = world.books.titles[Right.USE].within(promise.register, sale.start, sale.stop)
    holders = dict.fromkeys(world.books.accounts.name(one) for one in titles["holder"].tolist())
    return {
        "promise": f"{promised_register(promise.name)}@{sale.start}-{sale.stop}",
        "buyer": sale.sold.buyer,
        "holders": list(holders),
        "rank": sale.sold.rank,
        "quantity_wh": sale.sold.quantity_wh,
        "share_basis_points": sale.sold.share_basis_points,
        "delivered_wh": sale.delivered_wh,
        "cost_usdc_micro": sale.sold.cost_usdc_micro,
        "earned_usdc_micro": sale.released_usdc_micro,
        "collateral_usdc_micro": sale.sold.collateral_usdc_micro,
    }


def read_shape(text: str) -> tuple[tuple[int, int, int], ...]:
    """Periods of a shape from CSV with the columns from, to, energy_wh.

    Raises:
        Invalid: ``forward.shape_file`` with the line that cannot be read; ``period.malformed``, ``period.naive``.
    """
    found = []
    for number, row in enumerate(csv.DictReader(text.splitlines()), 2):
        said = [(row.get(name) or "").strip() for name in ("from", "to", "energy_wh")]
        if not all(said) or not (said[2].isascii() and said[2].isdigit()) or len(said[2]) > 18:
            hint = "Columns: from, to, energy_wh; whole Wh."
            raise Invalid("forward.shape_file", f"Line {number} of the shape cannot be read.", hint=hint, line=number)
        found.append((parse_iso(said[0]), parse_iso(said[1]), int(said[2])))
    return tuple(found)
