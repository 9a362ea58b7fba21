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
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, Assurance, Direction, LinkKind, Technology

Ints = NDArray[Any]
PROPERTIES: Final = ("technology", "assurance", "carbon_mg_per_kwh", "valid_us", "support", "length_us")
_BARE: Final = {
    "technology": TECHNOLOGIES.index(Technology.BATTERY),
    "assurance": ASSURANCES.index(Assurance.DECLARED),
    "carbon_mg_per_kwh": 0,
    "valid_us": 0,
}


def due_titles(storages: Storages, storage: Storage, register: int) -> Columns:
    """What a register of a storage can issue in all, from 0 on: columns of ``title/1``, PROPERTIES and ``lot``.

    ``lot`` is the origin's, -1 where there is none; ``support`` is a number of `Lots.texts`, or -1 for none.
    """
    held = storages.records(storage, Direction.DISCHARGE)
    rows = np.flatnonzero((held["register"] == register) & (held["start"] < _filled(storages, register)))
    names = ("register", "start", "stop", "interval_us", "length_us")
    due = {name: held[name][rows] for name in names}
    lot, assurance = _origins(storages, {name: column[rows] for name, column in held.items()})
    if len(rows) and due["start"][0] > 0:  # counted before the first record
        due = {name: np.r_[column[:1], column] for name, column in due.items()}
        due["start"][0], due["stop"][0] = 0, due["start"][1]
        lot, assurance = np.r_[NONE, lot], np.r_[np.uint8(0), assurance]
    holder = np.full(len(lot), storage.operator, dtype=np.int32)
    return {**due, "holder": holder, "lot": lot, **_properties(storages, lot, assurance)}


def _filled(storages: Storages, register: int) -> int:
    return storages.links[LinkKind.STORE].filled(register)


def _origins(storages: Storages, records: Columns) -> tuple[Ints, Ints]:
    """The lot behind each discharge record, -1 for none, and the weaker assurance of charge and discharge."""
    charges, charge = storages.charges, records["charge"]
    at = np.where(charge == NONE, 0, charge)
    if not len(charges):
        return np.full(len(charge), NONE), records["assurance"]
    bare = (charge == NONE) | charges["withdrawn"][at] | records["withdrawn"]
    return np.where(bare, NONE, charges["lot"][at]), np.maximum(charges["assurance"][at], records["assurance"])


def _properties(storages: Storages, lot: Ints, assurance: Ints) -> Columns:
    known, at = lot != NONE, np.where(lot == NONE, 0, lot)
    found: dict[str, Ints] = {}
    for name, bare in (*_BARE.items(), ("support", storages.lots.text(""))):
        column = storages.lots.column(name)
        found[name] = np.where(known, column[at] if len(column) else bare, bare)
    found["assurance"] = np.where(known, np.maximum(found["assurance"], assurance), found["assurance"])
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
    due = due_titles(storages, storage, register)
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
