"""Charge and discharge records: what a storage's meter counted, in whole intervals, and the certificates behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from penstock.energy.certificate import interval_spans
from penstock.energy.storage import charge_records, origins, supply
from penstock.errors import Refused
from penstock.journal import storage_rules
from penstock.journal.fact import Entry
from penstock.journal.formats import CHARGES, DISCHARGES
from penstock.journal.kinds.storage import StorageCharged, StorageDischarged
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.storage_book import Storage
from penstock.journal.words import TITLE_STATES, Direction, LinkKind, Right, TitleState
from penstock.period import HOUR_US, Period
from penstock.usecases.claim import Claim, claim, moved
from penstock.usecases.match import link_entry
from penstock.usecases.registry.selection import Named, of_spans, spans_of
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True)
class Metered:
    """Whole intervals of ``interval_us`` inside ``start_us`` to ``stop_us`` (0: all) of a storage's meter to record.

    ``certificates`` to be claimed for a charge are named, or else all of the operator's that suit; ``bare`` claims
    none. ``surplus`` lets a discharge that no recorded charge supports stand without origin.
    """

    storage: str
    interval_us: int = HOUR_US
    start_us: int = 0
    stop_us: int = 0
    certificates: tuple[Named, ...] = ()
    bare: bool = False
    surplus: bool = False
    by: str = ""


def charge(world: World, asked: Metered, readings: Sequence[Columns], at_us: int) -> list[Entry]:
    """Charge records of all whole intervals in ``readings`` (columns of reading/1 or /2) behind the last record.

    Facts: the claim of certificates for the charge; where the operator has their energy too, that it was drawn here;
    the records.

    Raises:
        Refused: ``storage.nothing``, ``storage.other_interval``, ``storage.other_zone``, ``storage.beyond_charged``.
        As `storage_rules.check_rows`, `of_spans`, `claim` and `check_may`.
    """
    storage = storage_rules.open_storage(world.books.storages, asked.storage)
    rows = _metered(world, storage, Direction.CHARGE, asked, readings)
    parts = _certificates(world, storage, asked, rows, at_us)
    links, origin = supply(rows, parts, storage.charge)
    supplied_wh = int(np.sum(links["source_stop"] - links["source_start"]))
    if asked.certificates and supplied_wh < int(np.sum(parts["stop"] - parts["start"])):
        raise Refused("storage.beyond_charged", f"Only {supplied_wh} Wh of these certificates were charged.")
    records = charge_records(rows, links, origin)
    charged_wh = int(np.sum(rows["stop"] - rows["start"]))
    world.participants.check_may(asked.by, storage.fact.operator, "charge", charged_wh)
    segment = Segment(CHARGES, records)
    fact = StorageCharged(segment.ref(), asked.storage, asked.interval_us, charged_wh, supplied_wh)
    claimed = _claimed(world, storage, links, _period(rows, asked), asked.by, at_us) if supplied_wh else []
    return [*claimed, Entry(fact, segment)]


def discharge(world: World, asked: Metered, readings: Sequence[Columns]) -> list[Entry]:
    """Discharge records of all whole intervals in ``readings`` behind the last, and the links of *store* they call for.

    Raises:
        Refused: ``storage.nothing``. As `storage_rules.check_rows`, `Storages.plan` and `check_may`.
    """
    books, storage = world.books, storage_rules.open_storage(world.books.storages, asked.storage)
    rows = _metered(world, storage, Direction.DISCHARGE, asked, readings)
    found = books.storages.plan(storage, rows, asked.surplus)
    given_wh = int(np.sum(rows["stop"] - rows["start"]))
    world.participants.check_may(asked.by, storage.fact.operator, "discharge", given_wh)
    segment = Segment(DISCHARGES, found.records)
    fact = StorageDischarged(segment.ref(), asked.storage, asked.interval_us, given_wh, found.drawn, found.lost)
    links = [link_entry(world, LinkKind.STORE, found.links, _period(rows, asked))] if found.drawn else []
    return [Entry(fact, segment), *links]


def _accepted(world: World, register: int, readings: Sequence[Columns]) -> dict[str, Column]:
    """Accepted readings of one register, none behind one that waits."""
    parts = [{"assurance": np.zeros(len(one["verdict"]), dtype=np.uint8), **one} for one in readings]
    names = ("register", "at_us", "position_wh", "assurance", "verdict")
    rows = {name: np.concatenate([part[name] for part in parts]) for name in names} if parts else {}
    if not rows or register >= len(world.energy.certified_at_us):
        raise Refused("storage.nothing", "There are no readings to record.")
    kept = (rows["register"] == register) & (rows["verdict"] == 0)
    taken = _pick(rows, kept)
    return _pick(taken, taken["at_us"] < world.energy.held_from_us(taken["register"]))


def _metered(
    world: World, storage: Storage, direction: Direction, asked: Metered, readings: Sequence[Columns]
) -> dict[str, Column]:
    """Whole intervals that a storage's meter counted behind its last record, inside the time asked for."""
    register = storage.charge if direction is Direction.CHARGE else storage.discharge
    before = world.books.storages.records(storage, direction)
    last = len(before["stop"]) - 1
    since = None
    if last >= 0 and before["register"][last] == register:
        since = int(before["interval_us"][last] + before["length_us"][last]), int(before["stop"][last])
    rows = interval_rows(world, register, readings, asked.interval_us, since)
    ends = rows["interval_us"] + asked.interval_us
    rows = _pick(rows, (rows["interval_us"] >= asked.start_us) & ((ends <= asked.stop_us) | (asked.stop_us == 0)))
    if not len(rows["start"]):
        raise Refused("storage.nothing", "No whole interval has energy to record yet.", storage=asked.storage)
    storage_rules.check_rows(world.books.storages, storage, direction, rows, asked.interval_us)
    return rows


def interval_rows(
    world: World, register: int, readings: Sequence[Columns], interval_us: int, since: tuple[int, int] | None = None
) -> dict[str, Column]:
    """Spans of a register's whole intervals, from ``since`` (instant [us], position [Wh]) or its beginning on."""
    taken = _accepted(world, register, readings)
    at_us, position = world.energy.certified_at_us.copy(), world.energy.certified_wh.copy()
    if since is not None:
        at_us[register], position[register] = since
    return interval_spans(
        taken["register"], taken["at_us"], taken["position_wh"], at_us, position, interval_us, taken["assurance"]
    )


def _certificates(world: World, storage: Storage, asked: Metered, rows: Columns, at_us: int) -> dict[str, Column]:
    """The operator's certificates of the recorded intervals: those named, or all that suit; with their origin."""
    books, lots = world.books, world.books.lots
    if asked.certificates:
        parts = of_spans(world, storage.operator, spans_of(world, asked.certificates), at_us=at_us)
        _check_suit(world, storage, asked, rows, parts)
    else:
        owned = books.titles[Right.ATTRIBUTE].owned(storage.operator, (TitleState.HELD,))
        suits = _of_zone(world, storage, owned) & _of_interval(world, asked, rows, owned) & (not asked.bare)
        suits &= owned["register"] != storage.discharge  # what a storage gives out does not charge it
        parts = _pick(owned, suits & ~books.expired(owned["lot"], owned["interval_us"], at_us))
    return {**parts, "origin": origins(lots, parts["lot"])}


def _of_zone(world: World, storage: Storage, parts: Columns) -> Column:
    lots = world.books.lots
    fits: Column = lots.column("zone")[parts["lot"]] == lots.text(storage.fact.zone)
    return fits


def _of_interval(world: World, asked: Metered, rows: Columns, parts: Columns) -> Column:
    long = world.books.lots.column("interval_us")[parts["lot"]] == asked.interval_us
    fits: Column = long & np.isin(parts["interval_us"], rows["interval_us"])
    return fits


def _check_suit(world: World, storage: Storage, asked: Metered, rows: Columns, parts: Columns) -> None:
    if not _of_zone(world, storage, parts).all():
        raise Refused("storage.other_zone", f"A certificate is of another zone than {storage.fact.zone}.")
    if not _of_interval(world, asked, rows, parts).all():
        raise Refused("storage.other_interval", "A certificate is of another interval than what was charged.")


def _claimed(world: World, storage: Storage, links: Columns, period: Period, by: str, at_us: int) -> list[Entry]:
    """The claim; and of units whose energy the operator has too, that it was drawn by the charge."""
    name, operator = storage.fact.storage, storage.fact.operator
    told = Claim(operator, f"charge of {name}", period, by=by)
    entries = claim(world, links, told, at_us)
    book, drawn = world.books.titles[Right.ENERGY], world.books.links[LinkKind.ALLOCATE]
    parts = book.parts(links["source"], links["source_start"], links["source_stop"])
    mine = (parts["holder"] == storage.operator) & (parts["state"] == TITLE_STATES.index(TitleState.HELD))
    mine[drawn.forward(parts["register"], parts["start"], parts["stop"]).query] = False
    if not mine.any():
        return entries
    parts = _pick(parts, mine)
    at = links["target_start"][parts["query"]] + parts["start"] - links["source_start"][parts["query"]]
    allocated = {
        "source": parts["register"],
        "source_start": parts["start"],
        "source_stop": parts["stop"],
        "target": links["target"][parts["query"]],
        "target_start": at,
        "target_stop": at + parts["stop"] - parts["start"],
    }
    used = moved(world, Right.ENERGY, parts, TitleState.CLAIMED, told, at_us=at_us)
    return [*entries, link_entry(world, LinkKind.ALLOCATE, allocated, period), used]


def _pick(rows: Columns, mask: Column) -> dict[str, Column]:
    return {name: column[mask] for name, column in rows.items()}


def _period(rows: Columns, asked: Metered) -> Period:
    return Period(int(rows["interval_us"][0]), int(rows["interval_us"][-1]) + asked.interval_us)
