"""Storage: registered, its efficiency stated, certificates issued for what it discharged, records withdrawn, closed.

A charge record claims certificates of the same interval and zone, held by the storage's operator; a discharge record
says from which charge record it comes, and what was lost (`storage_records`). Only then certificates are issued again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from penstock.errors import Refused
from penstock.journal import storage_rules
from penstock.journal.fact import Entry
from penstock.journal.formats import TITLES
from penstock.journal.kinds.energy import TitlesIssued
from penstock.journal.kinds.ledger import RegisterOpened
from penstock.journal.kinds.storage import (
    EfficiencyStated,
    StorageClosed,
    StorageRecordsWithdrawn,
    StorageRegistered,
)
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.storage_book import NONE, Storage
from penstock.journal.storage_titles import PROPERTIES, due_titles
from penstock.journal.words import (
    ASSURANCES,
    TECHNOLOGIES,
    Direction,
    RegisterKind,
    Right,
    Unit,
)
from penstock.usecases.certify import COVER, covers, withdrawn
from penstock.usecases.world import World

UNCERTIFIED: Final = "discharged from charge without certificates"
"""Purpose of withdrawing what a storage issues of units that no certificate is behind."""


@dataclass(frozen=True, slots=True)
class NewStorage:
    """A storage to register. Its ``zone`` is that of the discharge register's site where none is named."""

    storage: str
    operator: str
    charge_register: str
    discharge_register: str
    zone: str = ""


def register_storage(world: World, new: NewStorage) -> list[Entry]:
    """Facts that register a storage and open its loss register, ``<storage>/loss``.

    Raises:
        As `storage_rules.check_registered`; Refused ``storage.zone`` where its site lies in another zone.
    """
    books, loss = world.books, f"{new.storage}/loss"
    opened = RegisterOpened(loss, Unit.WH, RegisterKind.LOSS)
    site = _site_zone(world, books.registers.id_of(new.discharge_register))
    if new.zone and site and site != new.zone:
        raise Refused("storage.zone", f"The site of {new.discharge_register} lies in {site}.", zone=new.zone)
    urns = (new.charge_register, new.discharge_register, loss)
    fact = StorageRegistered(new.storage, new.operator, new.zone or site, *urns)
    books.storages.check(fact)
    books.registers.check_open(opened)
    return [Entry(opened), Entry(fact)]


def _site_zone(world: World, register: int) -> str:
    """The zone of the site whose device counts a register; empty where none does."""
    device = int(world.energy.device_of[register]) if register < len(world.energy.device_of) else NONE
    return world.books.sites[world.energy.sites[world.energy.site[device]]].zone if device >= 0 else ""


def state_efficiency(world: World, fact: EfficiencyStated) -> list[Entry]:
    """An efficiency, fixed before it is used; raises as `storage_rules.check_efficiency`."""
    world.books.storages.check(fact)
    return [Entry(fact)]


def issue_stored(world: World, name: str, by: str = "") -> list[Entry]:
    """Certificates, and energy titles, of all discharge records that have none yet.

    One fact for each right and run of one origin; what no certificate is behind is withdrawn at once (`UNCERTIFIED`),
    as is what covers an issuer's debt.

    Raises:
        NotFound: ``storage.unknown``. Refused: ``storage.nothing``; what the title books refuse.
    """
    storage, entries = world.books.storages.named(name), []
    rights = (Right.ATTRIBUTE, Right.ENERGY)
    due = {right: _due(world, storage, right) for right in rights}
    issued_wh = int(np.sum(due[Right.ATTRIBUTE]["stop"] - due[Right.ATTRIBUTE]["start"]))
    world.participants.check_may(by, storage.fact.operator, "discharge", issued_wh)
    for right in rights:
        if len(due[right]["start"]):
            world.books.check_issue(right, _titles(due[right]))
            entries += [*_issued(right, storage, world.books.lots.texts, due[right])]
    if not entries:
        raise Refused("storage.nothing", f"{name} has no discharge to certify.", storage=name)
    bare = _pick(due[Right.ATTRIBUTE], due[Right.ATTRIBUTE]["lot"] == NONE)
    if len(bare["start"]):
        entries.append(withdrawn(Right.ATTRIBUTE, bare, UNCERTIFIED))
    return [*entries, *_covers(world, due[Right.ATTRIBUTE]), *covers(world, Right.ENERGY, _titles(due[Right.ENERGY]))]


def _covers(world: World, due: Columns) -> list[Entry]:
    """What of an issue covers a debt, withdrawn: of certificates alone, for what has none behind it covers nothing."""
    found: list[dict[str, Column]] = []
    for register in np.unique(due["register"]).tolist():
        rows = _pick(due, due["register"] == register)
        told = zip(rows["start"].tolist(), rows["stop"].tolist(), (rows["lot"] != NONE).tolist(), strict=True)
        pieces, _ = world.books.corrections.debts.after(Right.ATTRIBUTE, register, told)
        row, start, stop = np.array(pieces, dtype=np.int64).reshape(-1, 3).T
        found.append({"register": rows["register"][row], "start": start, "stop": stop, "holder": rows["holder"][row]})
    spans = storage_rules.joined(found) if found else {"start": np.zeros(0)}
    return [withdrawn(Right.ATTRIBUTE, spans, COVER)] if len(spans["start"]) else []


def _due(world: World, storage: Storage, right: Right) -> dict[str, Column]:
    """What the storage's registers can issue of a right behind their heads, as `due_titles`."""
    books, parts = world.books, []
    registers = books.storages.records(storage, Direction.DISCHARGE)["register"].tolist()
    for register in dict.fromkeys([*registers, storage.discharge]):
        rows = due_titles(books.storages, storage, register, right)
        issues = bool(books.registers.issues(right)[register])
        parts.append(_pick(rows, (rows["start"] >= books.titles[right].head(register)) & issues))
    return dict(storage_rules.joined(parts))


def withdraw_records(world: World, fact: StorageRecordsWithdrawn) -> list[Entry]:
    """Records from one on, newest first, certify nothing any more; raises as `storage_rules.check_withdrawn`."""
    world.books.storages.check(fact)
    world.participants.check_may(fact.by, world.books.storages.named(fact.storage).fact.operator, fact.direction.value)
    return [Entry(fact)]


def close_storage(world: World, fact: StorageClosed) -> list[Entry]:
    """A storage takes no more records; raises as `storage_rules.check_open`."""
    world.books.storages.check(fact)
    return [Entry(fact)]


def _issued(right: Right, storage: Storage, texts: Sequence[str], rows: Columns) -> Iterator[Entry]:
    """One fact for each run of titles of one origin, in order of position."""
    said = np.column_stack([rows[name] for name in PROPERTIES])
    change = np.cumsum(np.r_[0, (np.diff(said, axis=0) != 0).any(axis=1)])
    for first, stop in storage_rules.runs(change):
        segment = Segment(TITLES, _titles(_pick(rows, slice(first, stop))))
        at = {name: int(rows[name][first]) for name in PROPERTIES}
        fact = TitlesIssued(
            segment=segment.ref(),
            right=right,
            zone=storage.fact.zone,
            technology=TECHNOLOGIES[at["technology"]],
            assurance=ASSURANCES[at["assurance"]],
            interval_us=at["length_us"],
            quantity=int(np.sum(segment.columns["stop"] - segment.columns["start"])),
            carbon_mg_per_kwh=at["carbon_mg_per_kwh"],
            valid_us=at["valid_us"],
            support=texts[at["support"]] if at["support"] != NONE else "",
            stored=True,
        )
        yield Entry(fact, segment)


def _titles(rows: Columns) -> dict[str, Column]:
    return {name: rows[name] for name, _ in TITLES.fixed}


def _pick(rows: Columns, mask: Column | slice) -> dict[str, Column]:
    return {name: column[mask] for name, column in rows.items()}
