"""Portfolio: who has certificates; what an account holds and used, by state, zone, technology, month. In whole Wh."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from penstock.journal.segment import Columns
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, TITLE_STATES, Right
from penstock.usecases.registry.certificate_rows import rows_of
from penstock.usecases.world import World

Row = dict[str, Any]
RECENT: Final = 50


def balances(world: World, account: str) -> dict[str, int]:
    """Wh of certificates by state, states without any left out. Raises NotFound ``account.unknown``."""
    book, number = world.books.titles[Right.ATTRIBUTE], world.books.accounts.id_of(account)
    held = {state.value: book.balance(number, state) for state in TITLE_STATES}
    return {state: energy_wh for state, energy_wh in held.items() if energy_wh}


def holders(world: World, after: int, limit: int) -> Row:
    """Who has certificates in any state, most Wh first, then in order of opening: ``limit`` of them after ``after``.

    ``by_state_wh`` sums over all of them.
    """
    books = world.books
    held = books.titles[Right.ATTRIBUTE].balances(len(books.accounts))
    total = held.sum(axis=1)
    order = np.argsort(-total, kind="stable")[: np.count_nonzero(total)]
    return {
        "holders": len(order),
        "by_state_wh": _states(held.sum(axis=0)),
        "accounts": [_holder(world, int(number), held[number]) for number in order[after : after + limit]],
    }


def _holder(world: World, number: int, held: Any) -> Row:
    account = world.books.accounts.name(number)
    organisation = world.participants.organisation_of.get(account, "")
    said = {"account": account, "organisation": organisation, "energy_wh": int(held.sum())}
    return {**said, "by_state_wh": _states(held)}


def _states(held: Any) -> dict[str, int]:
    """Wh by state code as Wh by state, states without any left out."""
    return {state.value: int(energy_wh) for state, energy_wh in zip(TITLE_STATES, held, strict=True) if energy_wh}


def portfolio(world: World, account: str) -> Row:
    """Everything the page of an account shows. Raises NotFound ``account.unknown``."""
    titles = world.books.titles[Right.ATTRIBUTE].owned(world.books.accounts.id_of(account), TITLE_STATES)
    energy_wh = titles["stop"] - titles["start"]
    newest = np.lexsort((titles["start"], titles["register"], -titles["interval_us"]))[:RECENT]
    return {
        "account": account,
        "organisation": world.participants.organisation_of.get(account, ""),
        "certificates": len(energy_wh),
        "by_state_wh": balances(world, account),
        "by_zone": _by(titles, energy_wh, _zones(world, titles)),
        "by_technology": _by(titles, energy_wh, _words(world, titles, "technology", TECHNOLOGIES)),
        "by_assurance": _by(titles, energy_wh, _words(world, titles, "assurance", ASSURANCES)),
        "by_month": _by(titles, energy_wh, _months(titles)),
        "newest": rows_of(world, {name: column[newest] for name, column in titles.items()}),
    }


def _by(titles: Columns, energy_wh: Any, named: tuple[Any, list[str]]) -> list[Row]:
    """Wh by a name of each title, and of each name by state."""
    code, names = named
    sums = np.zeros((len(names), len(TITLE_STATES)), dtype=np.int64)
    np.add.at(sums, (code, titles["state"]), energy_wh)
    return [
        {
            "name": name,
            "energy_wh": int(row.sum()),
            "by_state_wh": _states(row),
        }
        for name, row in zip(names, sums, strict=True)
        if row.any()
    ]


def _zones(world: World, titles: Columns) -> tuple[Any, list[str]]:
    lots = world.books.lots
    return lots.column("zone")[titles["lot"]], [*lots.texts]


def _words(world: World, titles: Columns, column: str, words: tuple[Any, ...]) -> tuple[Any, list[str]]:
    return world.books.lots.column(column)[titles["lot"]], [word.value for word in words]


def _months(titles: Columns) -> tuple[Any, list[str]]:
    """Each title's month of production, UTC."""
    month = titles["interval_us"].astype("datetime64[us]").astype("datetime64[M]")
    present, code = np.unique(month, return_inverse=True)
    return code.ravel(), [str(one) for one in present]
