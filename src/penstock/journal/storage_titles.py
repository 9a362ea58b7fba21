"""Certificates of what a storage discharged: titles that look through to where the energy was generated.

One title a discharge record. Zone, technology, carbon and support are those of the certificates claimed for its
charge; its assurance is the weakest of theirs and of the two readings. Where no certificate is behind a record its
units are issued, as titles must tile, and withdrawn in the same command.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Refused
from penstock.journal.kinds.energy import TitlesIssued
from penstock.journal.segment import Columns
from penstock.journal.storage_book import NONE, Storage, Storages
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, Assurance, Direction, LinkKind, Right, Technology

Ints = NDArray[Any]
PROPERTIES: Final = ("technology", "assurance", "carbon_mg_per_kwh", "valid_us", "support", "length_us")
UNBOUNDED: Final = 2**63 - 1
_BATTERY: Final = TECHNOLOGIES.index(Technology.BATTERY)


def due_titles(
    storages: Storages, storage: Storage, register: int, right: Right, start: int = 0, stop: int = UNBOUNDED
) -> Columns:
    """What a register of a storage can issue of a right, of records that begin in ``[start, stop)``, all by default.

    Columns of ``title/1``, PROPERTIES and ``lot``, the origin's, -1 where there is none. ``support`` is a number of
    `Lots.texts`, or -1 for none. Energy is the battery's, whatever its origin.
    """
    held = storages.records(storage, Direction.DISCHARGE)
    filled = storages.links[LinkKind.STORE].filled(register)
    of = held["register"] == register
    rows, first = np.flatnonzero(of & (held["start"] < filled)), held["start"][of][:1]
    rows = rows[(held["start"][rows] >= start) & (held["start"][rows] < stop)]
    if start == 0 and len(first) and 0 < first[0] < filled:  # counted before the first record
        rows = np.r_[np.flatnonzero(of)[:1], rows]
    held = {name: column[rows] for name, column in held.items()}
    due = {name: held[name] for name in ("register", "start", "stop", "interval_us", "length_us")}
    lot, assurance = _origins(storages, held)
    if start == 0 and len(rows) and held["start"][0] > 0:
        due["start"][0], due["stop"][0], lot[0] = 0, first[0], NONE
    holder = np.full(len(lot), storage.operator, dtype=np.int32)
    properties = _properties(storages, lot, assurance) if right is Right.ATTRIBUTE else _bare(storages, assurance)
    return {**due, "holder": holder, "lot": lot, **properties}


def _origins(storages: Storages, records: Columns) -> tuple[Ints, Ints]:
    """The lot behind each discharge record, -1 for none, and the weaker assurance of charge and discharge."""
    charges, charge = storages.charges, records["charge"]
    at = np.where(charge == NONE, 0, charge)
    if not len(charges):
        return np.full(len(charge), NONE), records["assurance"]
    bare = (charge == NONE) | charges["withdrawn"][at] | records["withdrawn"]
    weaker = np.maximum(charges["assurance"][at], records["assurance"])
    return np.where(bare, NONE, charges["lot"][at]), np.where(charge == NONE, records["assurance"], weaker)


def _properties(storages: Storages, lot: Ints, assurance: Ints) -> Columns:
    known, at = lot != NONE, np.where(lot == NONE, 0, lot)
    found = _bare(storages, np.full_like(assurance, ASSURANCES.index(Assurance.DECLARED)))
    if known.any():
        lots = {name: storages.lots.column(name)[at] for name in found}
        lots["assurance"] = np.maximum(lots["assurance"], assurance)
        found = {name: np.where(known, lots[name], bare) for name, bare in found.items()}
    return found


def _bare(storages: Storages, assurance: Ints) -> Columns:
    """Properties of energy that a battery gave, without an origin."""
    said = {"technology": _BATTERY, "carbon_mg_per_kwh": 0, "valid_us": 0, "support": storages.lots.text("")}
    return {"assurance": assurance} | {name: np.full(len(assurance), value) for name, value in said.items()}


def backed(storages: Storages, register: int, rows: Columns) -> list[bool]:
    """Of titles that a register issues, which have certificates behind them; all where no storage is discharged."""
    if not storages.gives(len(storages.registers))[register]:
        return [True] * len(rows["start"])
    storage = storages.all[int(storages.storage_of(np.array([register]))[0])]
    due = due_titles(storages, storage, register, Right.ATTRIBUTE, int(rows["start"][0]), int(rows["stop"][-1]))
    found: list[bool] = (due["lot"][np.searchsorted(due["start"], rows["start"])] != NONE).tolist()
    return found


def check_issue(storages: Storages, fact: TitlesIssued, issue: Columns) -> None:
    """That what storages' discharge registers issue is what their records and origins call for.

    Raises:
        Refused: ``storage.other_title``.
    """
    gives = storages.gives(len(storages.registers))[issue["register"]]
    for register in np.unique(issue["register"][gives]).tolist():
        rows = {name: column[issue["register"] == register] for name, column in issue.items()}
        storage = storages.all[int(storages.storage_of(np.array([register]))[0])]
        if not _is_due(storages, storage, register, fact, rows):
            sentence = "A storage issues what its discharge records and their origins call for."
            raise Refused("storage.other_title", sentence, storage=storage.fact.storage)


def _is_due(storages: Storages, storage: Storage, register: int, fact: TitlesIssued, rows: Columns) -> bool:
    due = due_titles(storages, storage, register, fact.right, int(rows["start"][0]), int(rows["stop"][-1]))
    at = np.searchsorted(due["start"], rows["start"])
    if not len(due["start"]) or (at >= len(due["start"])).any() or not fact.stored or fact.zone != storage.fact.zone:
        return False
    said = {
        "technology": TECHNOLOGIES.index(fact.technology),
        "assurance": ASSURANCES.index(fact.assurance),
        "carbon_mg_per_kwh": fact.carbon_mg_per_kwh,
        "valid_us": fact.valid_us,
        "support": storages.lots.text(fact.support),
        "length_us": fact.interval_us,
    }
    alike = [np.array_equal(due[name][at], rows[name]) for name in ("start", "stop", "holder", "interval_us")]
    return all(alike) and all((due[name][at] == value).all() for name, value in said.items())
