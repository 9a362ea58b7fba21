"""What facts of storages must satisfy: registers, efficiencies, records that follow each other, claims behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict, Invalid, Refused
from penstock.journal.fifo import Draw
from penstock.journal.formats import DISCHARGES, LINKS
from penstock.journal.kinds.storage import (
    EfficiencyStated,
    StorageCharged,
    StorageClosed,
    StorageDischarged,
    StorageRecordsWithdrawn,
    StorageRegistered,
)
from penstock.journal.lots import RIGHTS, Lots
from penstock.journal.segment import Columns
from penstock.journal.words import TITLE_STATES, Direction, LinkKind, RegisterKind, Right, TitleState, Unit
from penstock.period import DAY_US, HOUR_US, QUARTER_HOUR_US

if TYPE_CHECKING:
    from penstock.journal.storage_book import Storage, Storages

Ints = NDArray[Any]
NONE: Final = -1
_OfOpen = EfficiencyStated | StorageCharged | StorageDischarged | StorageClosed
LENGTHS_US: Final = (QUARTER_HOUR_US, 2 * QUARTER_HOUR_US, HOUR_US)
RATE_MAX: Final = 2**31
FIRST_PERIOD_US: Final = 184 * DAY_US
"""The longest six months: how long a storage's first efficiency may be measured, and hold."""
SAME: Final = ("zone", "technology", "assurance", "carbon_mg_per_kwh", "valid_us", "support")
"""Properties of lots that make one origin."""


def check_registered(storages: Storages, fact: StorageRegistered, _: Columns) -> None:
    """A new storage has registers of its own. Its loss register may be opened with it.

    Raises:
        Invalid: ``storage.name``. Conflict: ``storage.known``, ``storage.register_taken``.
        NotFound: ``account.unknown``, ``register.unknown``. Refused: ``storage.registers``, ``storage.issued_already``.
    """
    if not fact.storage or not fact.storage.isprintable() or not fact.zone:
        raise Invalid("storage.name", "A storage has a printable name and a zone.")
    storages.names.check_new(fact.storage)
    storages.accounts.id_of(fact.operator)
    registers = storages.registers
    urns = [fact.charge_register, fact.discharge_register, fact.loss_register]
    known = urns if urns[2] in registers else urns[:2]
    ids = np.array([registers.id_of(urn) for urn in known])
    kinds = [RegisterKind.COUNTED, RegisterKind.COUNTED, RegisterKind.LOSS][: len(ids)]
    suits = [registers.kind(one) for one in ids.tolist()] == kinds
    suits &= {registers.unit(one) for one in ids.tolist()} == {Unit.WH}
    if not suits or registers.issues(Right.ATTRIBUTE)[ids].tolist() != [False, True, False][: len(ids)]:
        hint = "Charge and discharge are counted in Wh; the discharge register issues certificates, the others none."
        raise Refused("storage.registers", "These registers do not make a storage.", hint=hint, storage=fact.storage)
    if (storages.storage_of(ids) >= 0).any() or len(set(urns)) < len(urns):
        raise Conflict("storage.register_taken", "One of these registers is part of a storage.", storage=fact.storage)
    if max(book.head(int(ids[1])) for book in storages.titles.values()):
        raise Refused("storage.issued_already", f"{urns[1]} has issued as if it generated.", register=urns[1])


def check_efficiency(storages: Storages, fact: EfficiencyStated, _: Columns) -> None:
    """An efficiency is at most what was measured, and the first is measured, and holds, for six months at most.

    Raises:
        Invalid: ``storage.efficiency``, ``storage.period``. Conflict: ``storage.efficiency_overlap``.
        Refused: ``storage.output_above_input``, ``storage.above_basis``, ``storage.first_period``, ``storage.closed``.
    """
    stated = check_open(storages, fact).efficiencies
    if not (0 < fact.num <= RATE_MAX and 0 < fact.den <= RATE_MAX and fact.method):
        raise Invalid("storage.efficiency", "An efficiency is a ratio of whole numbers above 0, by a named method.")
    if fact.start_us >= fact.stop_us or fact.basis_start_us >= fact.basis_stop_us:
        raise Invalid("storage.period", "A period ends after it starts.")
    if fact.num > fact.den or not 0 < fact.basis_out_wh <= fact.basis_in_wh:
        raise Refused("storage.output_above_input", "No storage gives out more than was put in.", storage=fact.storage)
    if fact.num * fact.basis_in_wh > fact.basis_out_wh * fact.den:
        raise Refused("storage.above_basis", "The efficiency is above what its basis period showed.")
    longest_us = max(fact.stop_us - fact.start_us, fact.basis_stop_us - fact.basis_start_us)
    if not stated and longest_us > FIRST_PERIOD_US:
        raise Refused("storage.first_period", "A storage's first efficiency covers six months at most.")
    if stated and fact.start_us < stated[-1].stop_us:
        raise Conflict("storage.efficiency_overlap", "Another efficiency holds then already.")


def check_open(storages: Storages, fact: _OfOpen, *_: Any) -> Storage:
    """The storage of a fact, which takes more; raises as `open_storage`."""
    return open_storage(storages, fact.storage)


def open_storage(storages: Storages, name: str) -> Storage:
    """A storage that takes more; raises NotFound ``storage.unknown``, Refused ``storage.closed``."""
    storage = storages.named(name)
    if storage.closed:
        raise Refused("storage.closed", f"{name} was closed.", storage=name)
    return storage


def check_rows(storages: Storages, storage: Storage, direction: Direction, rows: Columns, length_us: int) -> None:
    """That records follow those before: on the present register, without a gap, in order of time, within the meter.

    Raises:
        Invalid: ``storage.rows``, ``storage.interval``. Refused: ``storage.other_register``, ``storage.gap``,
            ``storage.interval_order``, ``storage.beyond_meter``.
    """
    register = storage.charge if direction is Direction.CHARGE else storage.discharge
    start, stop, interval_us = rows["start"], rows["stop"], rows["interval_us"]
    if not len(start) or (stop <= start).any() or (start < 0).any():
        raise Invalid("storage.rows", "A record has a span that runs upwards from 0 or more.")
    if length_us not in LENGTHS_US or (interval_us % length_us).any():
        raise Invalid("storage.interval", "An interval is 15, 30 or 60 minutes of UTC and starts on a multiple of it.")
    if (rows["register"] != register).any():
        raise Refused("storage.other_register", f"Records go on {storages.registers.urn(register)}.")
    before = storages.records(storage, direction)
    if (start[1:] != stop[:-1]).any() or (_goes_on(before, register) and start[0] != before["stop"][-1]):
        raise Refused("storage.gap", "A record starts where the one before it stopped.", hint="Leave no interval out.")
    late = len(before["stop"]) and interval_us[0] < before["interval_us"][-1] + before["length_us"][-1]
    if late or (np.diff(interval_us) < 0).any():
        raise Refused("storage.interval_order", "A record is of a later interval than those before it.")
    if stop[-1] > storages.registers.read[register]:
        raise Refused("storage.beyond_meter", "The meter has not counted so far.", storage=storage.fact.storage)


def _goes_on(before: Columns, register: int) -> bool:
    return bool(len(before["stop"]) and before["register"][-1] == register)


def check_charged(storages: Storages, fact: StorageCharged, rows: Columns) -> None:
    """Charge records, and the claims behind them; raises as `check_rows`, `check_open`, `check_supplied`.

    Raises:
        Invalid: ``storage.sum``.
    """
    storage = check_open(storages, fact)
    check_rows(storages, storage, Direction.CHARGE, rows, fact.interval_us)
    size = rows["stop"] - rows["start"]
    certified = rows["lot"] != NONE
    if (fact.charged_wh, fact.certified_wh) != (int(size.sum()), int(size[certified].sum())):
        raise Invalid("storage.sum", "The fact's sums are not those of its records.")
    check_supplied(storages, storage, {name: column[certified] for name, column in rows.items()}, fact.interval_us)


def check_supplied(storages: Storages, storage: Storage, rows: Columns, length_us: int) -> None:
    """That certificates of the same interval, zone and origin, held by the operator, were claimed for each record.

    Raises:
        Refused: ``storage.not_supplied``.
    """
    pieces = storages.links[LinkKind.CLAIM].backward(rows["register"], rows["start"], rows["stop"])
    titles = storages.titles[Right.ATTRIBUTE].parts(pieces.source, pieces.source_start, pieces.source_stop)
    row = pieces.query[titles["query"]]
    filled = np.zeros(len(rows["start"]), dtype=np.int64)
    np.add.at(filled, row, titles["stop"] - titles["start"])
    fits = _fits(storages.lots, titles["lot"], rows["lot"][row], length_us, storage.fact.zone)
    fits &= titles["interval_us"] == rows["interval_us"][row]
    fits &= (titles["holder"] == storage.operator) & (titles["state"] == TITLE_STATES.index(TitleState.CLAIMED))
    if not fits.all() or (filled != rows["stop"] - rows["start"]).any():
        sentence = "Certificates of the operator, of the same interval and zone, are not claimed for all of it."
        raise Refused("storage.not_supplied", sentence, storage=storage.fact.storage)


def _fits(lots: Lots, lot: Ints, like: Ints, length_us: int, zone: str) -> NDArray[np.bool_]:
    known = (like >= 0) & (like < len(lots))
    like = np.where(known, like, 0)
    fits: NDArray[np.bool_] = known & (lots.column("interval_us")[lot] == length_us)
    fits &= (lots.column("zone")[lot] == lots.text(zone)) & (
        lots.column("right")[like] == RIGHTS.index(Right.ATTRIBUTE)
    )
    for name in SAME:
        fits &= lots.column(name)[lot] == lots.column(name)[like]
    return fits


def check_discharged(storages: Storages, fact: StorageDischarged, rows: Columns) -> None:
    """Discharge records are what first in, first out makes of them.

    Raises:
        Refused: ``storage.not_first_in``; as `check_rows`, `check_open` and `Storages.plan`. Invalid: ``storage.sum``.
    """
    storage = check_open(storages, fact)
    check_rows(storages, storage, Direction.DISCHARGE, rows, fact.interval_us)
    found = storages.plan(storage, whole_intervals(rows), surplus=bool((rows["charge"] == NONE).any()))
    if any(not np.array_equal(found.records[name], rows[name]) for name, _ in DISCHARGES.fixed):
        raise Refused("storage.not_first_in", "A discharge rests on the oldest charge that is left.")
    sums = int(np.sum(rows["stop"] - rows["start"])), found.drawn, found.lost
    if (fact.discharged_wh, fact.drawn_wh, fact.loss_wh) != sums:
        raise Invalid("storage.sum", "The fact's sums are not those of its records.")


def check_withdrawn(storages: Storages, fact: StorageRecordsWithdrawn, _: Columns) -> None:
    """Records are withdrawn newest first, and only while nothing was built on them.

    Raises:
        NotFound: ``storage.unknown``. Invalid: ``storage.direction``. Refused: ``storage.no_record``,
        ``storage.built_on``.
    """
    storage = storages.named(fact.storage)
    if fact.direction not in (Direction.CHARGE, Direction.DISCHARGE):
        raise Invalid("storage.direction", "A storage has records of charge and of discharge.")
    held = storages.records(storage, fact.direction)
    rows = np.flatnonzero((held["number"] >= fact.first) & ~held["withdrawn"])
    if not len(rows) or held["number"][rows[0]] != fact.first:
        raise Refused("storage.no_record", f"{fact.storage} has no standing record {fact.first}.", first=fact.first)
    if fact.direction is Direction.CHARGE:
        built = storage.standing.drawn > int(np.sum((held["stop"] - held["start"])[: rows[0]]))
    else:
        register, start = held["register"][rows].tolist(), held["start"][rows].tolist()
        books = storages.titles.values()
        built = any(book.head(one) > at for book in books for one, at in zip(register, start, strict=True))
    if built:
        raise Refused("storage.built_on", "Discharges or certificates rest on these records.", first=fact.first)


def check_surplus(surplus: bool, storage: str) -> None:
    """That a discharge may stand without an efficiency; raises Refused ``storage.no_efficiency``."""
    if not surplus:
        hint = "See: penstock certificate storage efficiency"
        raise Refused("storage.no_efficiency", f"No efficiency is stated for {storage} then.", hint=hint)


def check_supported(surplus: bool, storage: str, rows: Columns, drawn: Draw) -> None:
    """That charge is behind every discharge; raises Refused ``storage.beyond_charge``."""
    short = rows["stop"] - rows["start"] - drawn.supported
    if not surplus and short.any():
        row = int(np.argmax(short > 0))
        raise Refused(
            "storage.beyond_charge",
            f"{int(short.sum())} Wh were discharged that no recorded charge supports.",
            hint="Record the charge first, or let the surplus stand without origin.",
            storage=storage,
            interval_us=int(rows["interval_us"][row]),
            supported_wh=int(drawn.supported.sum()),
        )


def unsupported(rows: Columns) -> tuple[Columns, Columns]:
    """Records of discharges, those that are not empty, that no charge is behind; and no links."""
    kept = rows["stop"] > rows["start"]
    records = {name: rows[name][kept] for name in ("register", "start", "stop", "interval_us", "assurance")}
    none = {name: np.zeros(0, dtype=dtype) for name, dtype in LINKS.fixed}
    return records | {"charge": np.full(int(kept.sum()), NONE, dtype=np.int64)}, none


def whole_intervals(rows: Columns) -> Columns:
    """Records joined again to one row an interval."""
    first = np.flatnonzero(np.r_[True, np.diff(rows["interval_us"]) != 0])
    last = np.r_[first[1:], len(rows["start"])] - 1
    return {name: rows[name][last if name == "stop" else first] for name in rows}


def efficiency_of(stated: Sequence[EfficiencyStated], interval_us: Ints) -> Ints:
    """The number of the efficiency that holds when each interval starts, -1 where none does."""
    number = np.full(len(interval_us), NONE, dtype=np.int64)
    for place, one in enumerate(stated):
        number[(interval_us >= one.start_us) & (interval_us < one.stop_us)] = place
    return number


def runs(column: Ints) -> Iterator[tuple[int, int]]:
    """First row, and row after the last, of each run of equal values."""
    first = np.flatnonzero(np.r_[True, column[1:] != column[:-1]][: len(column)])
    yield from zip(first.tolist(), [*first[1:].tolist(), len(column)], strict=True)


def joined(parts: Sequence[Columns]) -> Columns:
    """Columns one after the other, in the names of the first."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
