"""Portfolio: who has certificates; what an account holds and used, by state, zone, technology, month. In whole Wh."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from penstock.journal.segment import Columns
from penstock.journal.span_index import SPAN_COLUMNS
from penstock.journal.titles import PAYLOAD
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, TITLE_STATES, Right
from penstock.usecases.registry.certificate_rows import rows_of
from penstock.usecases.registry.title_walk import walk
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
RECENT: Final = 50
_NONE: Final = {name: np.zeros(0, dtype=dtype) for name, dtype in {**SPAN_COLUMNS, **PAYLOAD}.items()}


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


def portfolio(workspace: Workspace, account: str) -> Row:
    """Everything the page of an account shows; writers pass meanwhile. Raises NotFound ``account.unknown``."""
    number = workspace.read(lambda world: world.books.accounts.id_of(account))
    kinds, certificates = [_kinds(_NONE)], 0
    newest: Columns = _NONE
    for titles in walk(workspace, lambda _, rows: _owned(rows, number)):
        if len(titles["start"]):
            certificates += len(titles["start"])
            kinds.append(_kinds(titles))
            newest = _newest(newest, titles)
    summed = {name: np.concatenate([part[name] for part in kinds]) for name in kinds[0]}
    said = {"account": account, "certificates": certificates}
    return workspace.read(lambda world: said | _told(world, account, summed, newest))


def _told(world: World, account: str, kinds: Columns, newest: Columns) -> Row:
    by_state = np.zeros(len(TITLE_STATES), dtype=np.int64)
    np.add.at(by_state, kinds["state"], kinds["energy_wh"])
    return {
        "organisation": world.participants.organisation_of.get(account, ""),
        "by_state_wh": _states(by_state),
        "by_zone": _by(kinds, _zones(world, kinds)),
        "by_technology": _by(kinds, _words(world, kinds, "technology", TECHNOLOGIES)),
        "by_assurance": _by(kinds, _words(world, kinds, "assurance", ASSURANCES)),
        "by_month": _by(kinds, _months(kinds)),
        "newest": rows_of(world, newest),
    }


def _owned(titles: Columns, holder: int) -> Columns:
    """Copies of a holder's titles."""
    rows = np.flatnonzero(titles["holder"] == holder)
    return {name: titles[name][rows] for name in _NONE}


def _kinds(titles: Columns) -> Columns:
    """Wh by lot, month of production and state: what sums are made of, few where titles are many."""
    month = titles["interval_us"].astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    key = (titles["lot"].astype(np.int64) << 24) | (month << 8) | titles["state"]
    kinds, group = np.unique(key, return_inverse=True)
    energy_wh = np.zeros(len(kinds), dtype=np.int64)
    np.add.at(energy_wh, group.ravel(), titles["stop"] - titles["start"])
    return {"lot": kinds >> 24, "month": (kinds >> 8) & 0xFFFF, "state": kinds & 0xFF, "energy_wh": energy_wh}


def _newest(before: Columns, titles: Columns) -> Columns:
    """The newest of both, then by register and position."""
    every = {name: np.concatenate([before[name], titles[name]]) for name in _NONE}
    newest = np.lexsort((every["start"], every["register"], -every["interval_us"]))[:RECENT]
    return {name: column[newest] for name, column in every.items()}


def _by(kinds: Columns, named: tuple[Any, list[str]]) -> list[Row]:
    """Wh by a name of each kind, and of each name by state."""
    code, names = named
    sums = np.zeros((len(names), len(TITLE_STATES)), dtype=np.int64)
    np.add.at(sums, (code, kinds["state"]), kinds["energy_wh"])
    return [
        {
            "name": name,
            "energy_wh": int(row.sum()),
            "by_state_wh": _states(row),
        }
        for name, row in zip(names, sums, strict=True)
        if row.any()
    ]


def _zones(world: World, kinds: Columns) -> tuple[Any, list[str]]:
    lots = world.books.lots
    return lots.column("zone")[kinds["lot"]], [*lots.texts]


def _words(world: World, kinds: Columns, column: str, words: tuple[Any, ...]) -> tuple[Any, list[str]]:
    return world.books.lots.column(column)[kinds["lot"]], [word.value for word in words]


def _months(kinds: Columns) -> tuple[Any, list[str]]:
    """Each kind's month of production, UTC."""
    present, code = np.unique(kinds["month"], return_inverse=True)
    return code.ravel(), [str(one) for one in present.astype("datetime64[M]")]
