"""Certificates as rows for the doors: a title with all that its lot and its device say of it. Nothing here changes."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Invalid
from penstock.journal.lots import Lot
from penstock.journal.segment import Column, Columns
from penstock.journal.words import TITLE_STATES, Right, TitleState
from penstock.period import HOUR_US, iso
from penstock.usecases.registry.selection import Named, Selection, suits
from penstock.usecases.registry.title_walk import walk
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
_ASKED_OF: Final = ("register", "start", "interval_us", "lot", "state")
_ROWS: Final = 64  # written out while writers wait
_ID: Final = re.compile(r"(?P<register>.{1,200})@(?P<start>0|[1-9][0-9]{0,18})-(?P<stop>[1-9][0-9]{0,18})")


def certificate_id(register: str, start: int, stop: int) -> str:
    """A certificate's name as one word: ``roof-a/export@1000-2000``, its units from the first up to the last's end."""
    return f"{register}@{start}-{stop}"


def parse_id(text: str) -> Named:
    """The span that a certificate's name says. Raises Invalid ``certificate.id``."""
    found = _ID.fullmatch(text)
    if found is None or not int(found["start"]) < int(found["stop"]) < 2**63:
        hint = "A certificate's name is REGISTER@START-STOP, e.g. roof-a/export@1000-2000."
        raise Invalid("certificate.id", "This is no certificate's name.", hint=hint)
    return Named(found["register"], int(found["start"]), int(found["stop"]))


def rows_of(world: World, titles: Columns, lots: dict[int, Lot] | None = None) -> list[Row]:
    """One row a title (columns of a `TitleBook`), in their order."""
    known = {} if lots is None else lots
    return [_row(world, titles, at, known) for at in range(len(titles["start"]))]


def find(
    workspace: Workspace,
    account: str,
    asked: Selection,
    states: tuple[TitleState, ...],
    after: int,
    limit: int,
    right: Right = Right.ATTRIBUTE,
) -> tuple[int, list[Row]]:
    """How many titles suit, of one account or of all (``""``), and ``limit`` of them after ``after`` others.

    By register and position. Writers pass meanwhile: what they change shows where it was not looked for yet.
    Raises NotFound ``account.unknown``, ``register.unknown``.
    """
    holder, register = workspace.read(lambda world: _numbers(world, account, asked.register))
    page = _Page(holder, asked, states, after, limit)
    shown = list(walk(workspace, page.look, right, register))
    titles = {name: np.concatenate([part[name] for part in shown]) for name in shown[0]}
    rows, lots = list[Row](), dict[int, Lot]()
    for first in range(0, len(titles["start"]), _ROWS):
        some = {name: column[first : first + _ROWS] for name, column in titles.items()}
        rows += workspace.read(partial(rows_of, titles=some, lots=lots))
    return page.total, rows


def _numbers(world: World, account: str, register: str) -> tuple[int, int]:
    """An account's and a register's number, -1 for none asked for."""
    holder = world.books.accounts.id_of(account) if account else -1
    return holder, world.books.registers.id_of(register) if register else -1


class _Page:
    """Counts the titles that suit, stretch by stretch, and keeps those of one page."""

    def __init__(self, holder: int, asked: Selection, states: tuple[TitleState, ...], after: int, limit: int) -> None:
        self.total, self._asked, self._first, self._last = 0, asked, after, after + limit
        self._holder, self._state = holder, np.isin(range(len(TITLE_STATES)), [TITLE_STATES.index(s) for s in states])

    def look(self, world: World, titles: Columns) -> Columns:
        """Copies of those of a stretch that stand on the page."""
        rows = self._suiting(world, titles)
        shown = rows[max(self._first - self.total, 0) : max(self._last - self.total, 0)]
        self.total += len(rows)
        return {name: column[shown] for name, column in titles.items()}

    def _suiting(self, world: World, titles: Columns) -> Column:
        if self._holder < 0:
            return np.flatnonzero(self._mask(world, titles))
        rows = np.flatnonzero(titles["holder"] == self._holder)
        return rows[self._mask(world, {name: titles[name][rows] for name in _ASKED_OF})]

    def _mask(self, world: World, titles: Columns) -> NDArray[np.bool_]:
        fits: NDArray[np.bool_] = self._state[titles["state"]]
        return fits if self._asked == Selection() else fits & suits(world, self._asked, titles)


def _row(world: World, titles: Columns, at: int, lots: dict[int, Lot]) -> Row:
    register, start, stop = (int(titles[name][at]) for name in ("register", "start", "stop"))
    number, interval_us = int(titles["lot"][at]), int(titles["interval_us"][at])
    lot = lots.setdefault(number, world.books.lots[number])
    urn, device = world.books.registers.urn(register), world.energy.counting(register)
    ends_us = interval_us + (lot.interval_us or HOUR_US)
    return {
        "certificate": certificate_id(urn, start, stop),
        "register": urn,
        "start": start,
        "stop": stop,
        "energy_wh": stop - start,
        "hour": iso(interval_us),
        "ends": iso(ends_us),
        "holder": world.books.accounts.name(int(titles["holder"][at])),
        "state": TITLE_STATES[int(titles["state"][at])].value,
        "zone": lot.zone,
        "technology": lot.technology.value,
        "assurance": lot.assurance.value,
        "carbon_mg_per_kwh": lot.carbon_mg_per_kwh,
        "support": lot.support,
        "stored": lot.stored,
        "expires": iso(ends_us + lot.valid_us) if lot.valid_us else None,
        "device": world.energy.name(device) if device >= 0 else "",
        "lot": number,
    }
