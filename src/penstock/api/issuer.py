"""Paths of what the issuer does, and of what leaves for another registry and comes from one."""

from __future__ import annotations

import tempfile
from pathlib import Path as FilePath
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from penstock.api.act_forms import (
    ConsumeAsked,
    ExportAsked,
    LiftAsked,
    Lifted,
    LiftedBatch,
    MatchAsked,
    MatchPreview,
    WithdrawAsked,
)
from penstock.api.acts import command_key, instant_us, selection_of, told
from penstock.api.forms import SEQ_END, Form
from penstock.api.gate import Credentials, Gate
from penstock.api.problem import WITH_A_KEY, Described
from penstock.api.registry_forms import Done, IdempotencyKey
from penstock.api.seen import check_sees
from penstock.energy.matching import Corridor, Rules
from penstock.period import SECOND_US
from penstock.usecases.api_keys import OPERATE, READ, WRITE
from penstock.usecases.registry.chain_certificates import deadline_s
from penstock.usecases.registry.consume import Consumption, consume_on
from penstock.usecases.registry.export_certificates import Export, export_on, exported_csv
from penstock.usecases.registry.import_certificates import Import, import_on
from penstock.usecases.registry.lift import Lifting, lift_on
from penstock.usecases.registry.match_hours import Hours, Priced, match_hours_on, preview
from penstock.usecases.registry.selection import Selection
from penstock.usecases.registry.withdraw import Withdrawal, withdraw_on
from penstock.usecases.workspace import Workspace

IMPORT: Final = "/certificates/import"
CSV_BODY: Final = {"text/csv": {"schema": {"type": "string"}}}
CSV_ASKED: Final = {"requestBody": {"required": True, "content": CSV_BODY}}
CSV: Final[Described] = {200: {"content": CSV_BODY}}
Named = Annotated[str, Query(min_length=1, max_length=128)]


class Imported(Form):
    """What an import recorded, and what became of the file's rows."""

    first_seq: int
    repeated: bool
    acts: list[dict[str, Any]]
    rows: dict[str, Any]


def routes(workspace: Workspace, gate: Gate) -> APIRouter:
    """The paths under ``/certificates`` that match, consume, withdraw, export and import."""
    router = APIRouter(prefix="/certificates", tags=["certificates"], responses=WITH_A_KEY)
    _add_matching(router, workspace, gate)
    _add_exchange(router, workspace, gate)

    @router.post("/withdraw", status_code=201)
    def withdraw(asked: WithdrawAsked, shown: Credentials, key: IdempotencyKey = None) -> Done:
        """Certificates are taken back, whoever has them; what was used becomes the issuer's debt. Needs the scope
        `registry:operate`."""
        by = gate.member(shown, OPERATE)
        act = Withdrawal(selection_of(asked.selection), asked.reason, asked.statement, by)
        return told(withdraw_on(workspace, command_key(by, "withdraw", key), act, gate.clock()))

    return router


def _add_matching(router: APIRouter, workspace: Workspace, gate: Gate) -> None:
    @router.post("/match", status_code=201)
    def match(asked: MatchAsked, shown: Credentials, key: IdempotencyKey = None) -> Done:
        """Certificates are claimed for what was drawn, interval by interval, by stated rules."""
        by = gate.member(shown, WRITE)
        return told(match_hours_on(workspace, command_key(by, "match", key), hours_of(asked, by), gate.clock()))

    @router.post("/match/preview")
    def previewed(asked: MatchAsked, shown: Credentials) -> MatchPreview:
        """What a match would come to; nothing is recorded."""
        by, now = gate.member(shown, READ), gate.clock()
        act = hours_of(asked, by)
        for account in (act.account, *act.consumers):
            check_sees(workspace, by, account)
        return MatchPreview(**workspace.read(lambda world: preview(world, act, now)))

    @router.post("/consume", status_code=201)
    def consume(asked: ConsumeAsked, shown: Credentials, key: IdempotencyKey = None) -> Done:
        """Consumption certificates for what was drawn. Needs the scope `registry:operate`."""
        by = gate.member(shown, OPERATE)
        act = Consumption(asked.zone, asked.interval_s * SECOND_US)
        return told(consume_on(workspace, command_key(by, "consume", key), act, gate.clock()))


def _add_exchange(router: APIRouter, workspace: Workspace, gate: Gate) -> None:
    @router.post("/export", status_code=201)
    def export(asked: ExportAsked, shown: Credentials, key: IdempotencyKey = None) -> Done:
        """Certificates go to another registry; ``GET /certificates/exports/{seq}`` has the file for it."""
        by = gate.member(shown, WRITE)
        act = Export(asked.account, asked.registry, selection_of(asked.selection), asked.statement, by)
        return told(export_on(workspace, command_key(by, "export", key), act, gate.clock())[0])

    @router.post("/lift", status_code=201)
    def lift(asked: LiftAsked, shown: Credentials, key: IdempotencyKey = None) -> Lifted:
        """Certificates leave for the chain; what is not minted by the deadline comes back."""
        by, now = gate.member(shown, WRITE), gate.clock()
        named = command_key(by, "lift", key)
        act = Lifting(
            asked.account, bytes.fromhex(asked.holder[2:]), _deadline_s(workspace, named, now, asked.days), by
        )
        rows = lift_on(workspace, act, selection_of(asked.selection), now, named)
        return Lifted(batches=[LiftedBatch(**row) for row in rows])

    @router.get("/exports/{seq}", response_class=Response, responses=CSV)
    def exported(seq: Annotated[int, Path(ge=0, le=SEQ_END)], shown: Credentials) -> Response:
        """The file of an export for the other registry, by the place of its fact."""
        gate.member(shown, READ)
        return Response(exported_csv(workspace, seq), media_type="text/csv")

    @router.post(
        "/import",
        status_code=201,
        name="import",
        openapi_extra={"requestBody": {"required": True, "content": CSV_BODY}},
    )
    async def import_(
        request: Request, shown: Credentials, account: Named, registry: Named,
        form: Literal["energytag", "irec"], whole: bool = False, key: IdempotencyKey = None,
    ) -> Imported:  # fmt: skip
        """Another registry's certificates come in, as a CSV file. Needs the scope `registry:operate`."""
        by = gate.member(shown, OPERATE)
        asked = Import(account, registry, form, b"", whole, by)
        with gate.slot(by), tempfile.NamedTemporaryFile() as file:
            async for piece in gate.body(request):
                await run_in_threadpool(file.write, piece)
            await run_in_threadpool(file.flush)
            named = command_key(by, "import", key) if key else ""
            found, rows = await run_in_threadpool(import_on, workspace, named, FilePath(file.name), asked, gate.clock())
        return Imported(first_seq=found.first_seq, repeated=found.repeated, acts=list(found.acts), rows=rows)


def _deadline_s(workspace: Workspace, key: str, at_us: int, days: int) -> int:
    """So many days from now, or from when the same command was recorded: asked again, it is the same act."""
    before = workspace.store.receipt(key)
    if before is not None:
        (row,) = workspace.facts(before.first_seq, before.first_seq + 1)
        at_us = row.recorded.at_us
    return deadline_s(at_us, days)


def hours_of(asked: MatchAsked, by: str) -> Hours:
    """A match that ``by`` asks for. Raises as `instant_us`."""
    corridors = tuple(Corridor(one.source, one.target, one.limit_wh) for one in asked.corridors)
    return Hours(
        account=asked.account,
        start_us=instant_us(asked.start),
        stop_us=instant_us(asked.stop),
        consumers=tuple(asked.consumers),
        beneficiary=asked.beneficiary,
        rules=Rules(asked.preference, asked.timing, corridors),
        certificates=Selection(zone=asked.zone, technology=asked.technology),
        prices=tuple(Priced(one.lot, one.usdc_micro_per_mwh) for one in asked.prices),
        statement=asked.statement,
        by=by,
    )
