"""Acts on storages as the doors ask for them: readings gathered, submitted under a key, told as rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from penstock.energy.storage import efficiency
from penstock.errors import Invalid, Refused
from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import ReadingsVerified
from penstock.journal.kinds.storage import (
    EfficiencyStated,
    StorageCharged,
    StorageClosed,
    StorageDischarged,
    StorageRecordsWithdrawn,
)
from penstock.journal.segment import Columns
from penstock.journal.words import Direction
from penstock.period import HOUR_US
from penstock.usecases.fleet import segment_of
from penstock.usecases.registry.desk import done
from penstock.usecases.registry.storage import (
    NewStorage,
    close_storage,
    issue_stored,
    register_storage,
    state_efficiency,
    withdraw_records,
)
from penstock.usecases.registry.storage_records import Metered, charge, discharge, interval_rows
from penstock.usecases.registry.storage_rows import record_rows, storage_row
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Efficiency:
    """An efficiency to state for a period, from what its basis period showed.

    Without ``basis_in_wh`` the storage's own meters say what went in and came out; without ``num`` it is their ratio.
    """

    storage: str
    start_us: int
    stop_us: int
    basis_start_us: int
    basis_stop_us: int
    method: str
    basis_in_wh: int = 0
    basis_out_wh: int = 0
    num: int = 0
    den: int = 0


def register_on(workspace: Workspace, key: str, asked: NewStorage, at_us: int) -> Row:
    """Register a storage; raises as `register_storage`."""
    return _told(workspace, key, asked, at_us, lambda world: register_storage(world, asked), asked.storage)


def state_on(workspace: Workspace, key: str, asked: Efficiency, at_us: int) -> Row:
    """State an efficiency; raises as `state_efficiency` and `energy.storage.efficiency`."""
    in_wh, out_wh = asked.basis_in_wh, asked.basis_out_wh
    if not in_wh:
        in_wh, out_wh = measured(workspace, asked.storage, asked.basis_start_us, asked.basis_stop_us)
    num, den = (asked.num, asked.den) if asked.num else efficiency(in_wh, out_wh)
    fact = EfficiencyStated(
        asked.storage, num, den, asked.start_us, asked.stop_us, in_wh, out_wh, asked.basis_start_us,
        asked.basis_stop_us, asked.method,
    )  # fmt: skip
    return _told(workspace, key, asked, at_us, lambda world: state_efficiency(world, fact), asked.storage)


def charge_on(workspace: Workspace, key: str, asked: Metered, at_us: int) -> Row:
    """Charge records of what was metered since the last; raises as `charge`."""
    readings = _readings(workspace, asked.storage, Direction.CHARGE)
    told = _told(workspace, key, asked, at_us, lambda world: charge(world, asked, readings, at_us), asked.storage)
    return told | _records(workspace, asked.storage, Direction.CHARGE, told["acts"])


def discharge_on(workspace: Workspace, key: str, asked: Metered, at_us: int) -> Row:
    """Discharge records of what was metered since the last; raises as `discharge`."""
    readings = _readings(workspace, asked.storage, Direction.DISCHARGE)
    told = _told(workspace, key, asked, at_us, lambda world: discharge(world, asked, readings), asked.storage)
    return told | _records(workspace, asked.storage, Direction.DISCHARGE, told["acts"])


def issue_on(workspace: Workspace, key: str, storage: str, at_us: int, by: str = "") -> Row:
    """Certificates for what a storage discharged; raises as `issue_stored`."""
    return _told(workspace, key, storage, at_us, lambda world: issue_stored(world, storage, by), storage)


def withdraw_on(workspace: Workspace, key: str, fact: StorageRecordsWithdrawn, at_us: int) -> Row:
    """Withdraw records, newest first; raises as `withdraw_records`."""
    return _told(workspace, key, fact, at_us, lambda world: withdraw_records(world, fact), fact.storage)


def close_on(workspace: Workspace, key: str, fact: StorageClosed, at_us: int) -> Row:
    """Close a storage; raises as `close_storage`."""
    return _told(workspace, key, fact, at_us, lambda world: close_storage(world, fact), fact.storage)


def direction_of(text: str) -> Direction:
    """A direction of records by its word; raises Invalid ``storage.direction``."""
    if text not in (Direction.CHARGE.value, Direction.DISCHARGE.value):
        raise Invalid("storage.direction", "A storage has records of charge and of discharge.")
    return Direction(text)


def measured(workspace: Workspace, name: str, start_us: int, stop_us: int) -> tuple[int, int]:
    """What a storage's meters counted in whole hours of a period: Wh charged and Wh discharged."""
    sums = []
    for direction in (Direction.CHARGE, Direction.DISCHARGE):
        readings = _readings(workspace, name, direction)
        sums.append(workspace.read(lambda world, r=readings, d=direction: _hours(world, name, d, r, start_us, stop_us)))  # type: ignore[misc]
    return sums[0], sums[1]


def _hours(
    world: World, name: str, direction: Direction, readings: Sequence[Columns], start_us: int, stop_us: int
) -> int:
    storage = world.books.storages.named(name)
    register = storage.charge if direction is Direction.CHARGE else storage.discharge
    since = int(world.energy.commissioned_us[world.energy.device_of[register]]), 0
    rows = interval_rows(world, register, readings, HOUR_US, since)
    inside = (rows["interval_us"] >= start_us) & (rows["interval_us"] + HOUR_US <= stop_us)
    return int(np.sum((rows["stop"] - rows["start"])[inside]))


def _readings(workspace: Workspace, name: str, direction: Direction) -> list[Columns]:
    """All accepted readings of a storage's register, read back from the record."""

    def register_of(world: World) -> int:
        storage = world.books.storages.named(name)
        return storage.charge if direction is Direction.CHARGE else storage.discharge

    register = workspace.read(register_of)
    found: list[Columns] = []
    for row in workspace.facts():
        if isinstance(row.recorded.fact, ReadingsVerified):
            columns = segment_of(workspace, row)
            rows = np.flatnonzero((columns["register"] == register) & (columns["verdict"] == 0))
            if len(rows):
                found.append({one: column[rows] for one, column in columns.items()})
    if not found:
        raise Refused("storage.nothing", "There are no readings to record.", storage=name)
    return found


def _told(
    workspace: Workspace, key: str, asked: Any, at_us: int, decide: Callable[[World], Sequence[Entry]], name: str
) -> Row:
    told = done(workspace, key, asked, at_us, decide).to_json()
    return told | {"storage": workspace.read(lambda world: storage_row(world, name))}


def _records(workspace: Workspace, name: str, direction: Direction, acts: Sequence[Row]) -> Row:
    """The records that an act made: the spans that its fact sealed."""
    (seq,) = (act["seq"] for act in acts if act["kind"] in (StorageCharged.KIND, StorageDischarged.KIND))
    (row,) = workspace.facts(seq, seq + 1)
    columns = segment_of(workspace, row)
    made = set(zip(columns["register"].tolist(), columns["start"].tolist(), strict=True))

    def look(world: World) -> list[Row]:
        registers = world.books.registers
        rows = record_rows(world, name, direction)
        return [one for one in rows if (registers.id_of(one["register"]), one["start"]) in made]

    return {"records": workspace.read(look)}
