"""EnergyTag paths of storage: charge records (SCR), discharge records (SDR), and certificates for discharge (SD-GC)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from penstock.api.acts import command_key, instant_us
from penstock.api.energytag import words
from penstock.api.energytag.forms import (
    SdgcAsked,
    StorageAsked,
    StorageDone,
    StorageRecord,
    StorageRecords,
    StorageWithdrawAsked,
)
from penstock.api.forms import After, Limit
from penstock.api.gate import Credentials, Gate
from penstock.api.problem import WITH_A_KEY
from penstock.api.registry_forms import IdempotencyKey
from penstock.api.seen import check_sees
from penstock.api.state import following
from penstock.journal.kinds.storage import StorageRecordsWithdrawn
from penstock.journal.words import Direction
from penstock.usecases.api_keys import OPERATE, READ, WRITE
from penstock.usecases.registry import storage_desk as use
from penstock.usecases.registry.storage_records import Metered
from penstock.usecases.registry.storage_rows import record_rows
from penstock.usecases.workspace import Workspace

Name = Annotated[str, Query(min_length=1, max_length=200)]
Row = dict[str, Any]


def routes(workspace: Workspace, gate: Gate) -> APIRouter:
    """The paths under ``/energytag/storage``."""
    router = APIRouter(prefix="/storage", tags=["energytag: storage"], responses=WITH_A_KEY)
    for name, direction in (("scr", Direction.CHARGE), ("sdr", Direction.DISCHARGE)):
        _add_records(router, workspace, gate, name, direction)

    @router.post("/issue_sdgc", status_code=201)
    def issue(asked: SdgcAsked, shown: Credentials, key: IdempotencyKey = None) -> StorageDone:
        """Certificates for what a storage discharged, up to what its records support."""
        by = _operates(workspace, gate, shown, asked.storage)
        return _done(use.issue_on(workspace, command_key(by, "sdgc", key), asked.storage, gate.clock(), by))

    return router


def _add_records(router: APIRouter, workspace: Workspace, gate: Gate, name: str, direction: Direction) -> None:
    record = use.charge_on if direction is Direction.CHARGE else use.discharge_on

    @router.post(f"/create_{name}", status_code=201, name=f"create_{name}")
    def create(asked: StorageAsked, shown: Credentials, key: IdempotencyKey = None) -> StorageDone:
        """Records of what the storage's meter counted, oldest charge first; ranges include both ends."""
        by = _operates(workspace, gate, shown, asked.storage)
        spans = words.spans_named(asked.granular_certificate_bundle_ids)
        start_us, stop_us = instant_us(asked.start_datetime), instant_us(asked.end_datetime)
        act = Metered(asked.storage, start_us=start_us, stop_us=stop_us, certificates=spans)
        return _done(record(workspace, command_key(by, name, key), act, gate.clock()))

    @router.get(f"/query_{name}", name=f"query_{name}")
    def query(storage: Name, shown: Credentials, after: After = 0, limit: Limit = 100) -> StorageRecords:
        """A storage's records, in order."""
        by = gate.member(shown, READ)
        check_sees(workspace, by, _operator_of(workspace, storage))
        found = workspace.read(lambda world: record_rows(world, storage, direction))
        rows = [record_of(row) for row in found[after : after + limit]]
        return StorageRecords(total=len(found), next_after=following(after, limit, len(found)), records=rows)

    @router.post(f"/withdraw_{name}", status_code=201, name=f"withdraw_{name}")
    def withdraw(asked: StorageWithdrawAsked, shown: Credentials, key: IdempotencyKey = None) -> StorageDone:
        """Records from a number on certify nothing any more. Needs the scope `registry:operate`."""
        by = gate.member(shown, OPERATE)
        fact = StorageRecordsWithdrawn(asked.storage, direction, asked.first, asked.reason, by)
        return _done(use.withdraw_on(workspace, command_key(by, f"withdraw {name}", key), fact, gate.clock()))


def record_of(row: Row) -> StorageRecord:
    """A record's row (`storage_rows.record_rows`) in EnergyTag's fields."""
    technology = row.get("technology")
    return StorageRecord(
        id=row["record"],
        storage=row["storage"],
        start_datetime=row["from"],
        end_datetime=row["to"],
        energy=row["energy_wh"],
        range_start=row["start"],
        range_end=row["stop"] - 1,
        register=row["register"],
        state=row["state"],
        charging_energy_source=words.source_of(technology) if technology else None,
        scr_allocation_id=row.get("charge_record"),
    )


def _operates(workspace: Workspace, gate: Gate, shown: Credentials, storage: str) -> str:
    """Who asks, who has to act for the storage's operator.

    Raises:
        NotFound: ``storage.unknown``. Refused: as `Participants.check_may`.
    """
    by, account = gate.member(shown, WRITE), _operator_of(workspace, storage)
    workspace.read(lambda world: world.participants.check_may(by, account, "charge", 0))
    return by


def _operator_of(workspace: Workspace, storage: str) -> str:
    return workspace.read(lambda world: world.books.storages.named(storage).fact.operator)


def _done(told: Row) -> StorageDone:
    records = [record_of(row) for row in told.get("records", [])]
    return StorageDone(
        action_id=told["first_seq"],
        action_response_status="Accepted",
        storage=told["storage"]["storage"],
        records=records,
    )
