"""Certificates as rows for the doors: a title with all that its lot and its device say of it. Nothing here changes."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np

from penstock.errors import Invalid
from penstock.journal.lots import Lot
from penstock.journal.segment import Columns
from penstock.journal.words import TITLE_STATES, Right, TitleState
from penstock.period import HOUR_US, iso
from penstock.usecases.registry.selection import Named, Selection, suits
from penstock.usecases.world import World

Row = dict[str, Any]
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
    world: World,
    account: str,
    asked: Selection,
    states: tuple[TitleState, ...],
    after: int,
    limit: int,
    right: Right = Right.ATTRIBUTE,
) -> tuple[int, list[Row]]:
    """How many titles suit, of one account or of all (``""``), and ``limit`` of them after ``after`` others.

    By register and position. Raises NotFound ``account.unknown``, ``register.unknown``.
    """
    book = world.books.titles[right]
    titles = book.owned(world.books.accounts.id_of(account), states) if account else book.columns()
    fits = suits(world, asked, titles)
    if not account and len(states) < len(TITLE_STATES):
        fits &= np.isin(titles["state"], [TITLE_STATES.index(state) for state in states])
    rows = np.flatnonzero(fits)
    if account:
        rows = rows[np.lexsort((titles["start"][rows], titles["register"][rows]))]
    shown = rows[after : after + limit]
    return len(rows), rows_of(world, {name: column[shown] for name, column in titles.items()})


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
