"""Holdings: what an account has - dollars, credits not yet used up, and certificates by state."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from penstock.journal.words import Right, TitleState
from penstock.usecases.registry.portfolio import balances
from penstock.usecases.world import World

Row = dict[str, Any]
_OPEN: Final = (TitleState.HELD, TitleState.RESERVED)


def holdings(world: World, account: str) -> Row:
    """Everything an account has. Raises NotFound ``account.unknown``."""
    number = world.books.accounts.id_of(account)
    return {
        "account": account,
        "organisation": world.participants.organisation_of.get(account, ""),
        "balance_usdc_micro": world.books.ledger.balance(number),
        "credits": credits_of(world, number),
        "certificates_by_state_wh": balances(world, account),
    }


def credits_of(world: World, holder: int) -> list[Row]:
    """Credits of each class that an account holds: whole ones, and the units that are left of one in part used."""
    titles = world.books.titles[Right.USE].owned(holder, _OPEN)
    units = np.zeros(len(world.books.registers), dtype=np.int64)
    np.add.at(units, titles["register"], titles["stop"] - titles["start"])
    return [
        {
            "credit_class": name,
            "model": book.terms.model,
            "unit": book.terms.unit.value,
            "credits": left // book.terms.units_per_credit,
            "units": left,
        }
        for name, book in world.compute.credits.items()
        if (left := int(units[world.books.registers.id_of(book.terms.register)]))
    ]
