"""Paths that issue and claim, one or all at once, and acts on every row of a file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from penstock.api.act_forms import BulkDone, ClaimAsked, IssueAsked, RefusedRow, RulesForm, TermsForm, TogetherAsked
from penstock.api.acts import command_key, instant_us, selection_of, told
from penstock.api.gate import Credentials, Gate
from penstock.api.problem import WITH_A_KEY
from penstock.api.registry_forms import Done, IdempotencyKey
from penstock.energy.matching import Corridor, Rules
from penstock.period import DAY_US, SECOND_US
from penstock.usecases.api_keys import OPERATE, WRITE
from penstock.usecases.certify import Terms
from penstock.usecases.registry.bulk import Act, BulkAct, bulk_on
from penstock.usecases.registry.claim_certificates import ClaimCertificates, claim_on
from penstock.usecases.registry.issue import Issue, issue_on
from penstock.usecases.registry.together import Together, together_on
from penstock.usecases.workspace import Workspace

BULK: Final = "/certificates/bulk"
PARQUET: Final = "application/vnd.apache.parquet"
FILE_ASKED: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            PARQUET: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
Account = Annotated[str, Query(min_length=1, max_length=200)]
Words = Annotated[str, Query(max_length=1_000)]
Until = Annotated[str, Query(max_length=40, description="When a reservation ends.")]


def routes(workspace: Workspace, gate: Gate) -> APIRouter:
    """The paths under ``/certificates`` that issue, claim, and take files."""
    router = APIRouter(prefix="/certificates", tags=["certificates"], responses=WITH_A_KEY)

    @router.post("/issue", status_code=201)
    def issue(asked: IssueAsked, shown: Credentials, key: IdempotencyKey = None) -> Done:
        """Certificates of what was verified. Needs the scope `registry:operate`."""
        by = gate.member(shown, OPERATE)
        act = Issue(asked.zone, terms_of(asked.terms), by)
        return told(issue_on(workspace, command_key(by, "issue", key), act, gate.clock()))

    @router.post("/together", status_code=201)
    def together(asked: TogetherAsked, shown: Credentials, key: IdempotencyKey = None) -> Done:
        """Issue, transfer, and claim or retire, as one act. Needs the scope `registry:operate`."""
        by = gate.member(shown, OPERATE)
        said = asked.model_dump(exclude={"terms", "rules", "consumers"})
        act = Together(
            **said, terms=terms_of(asked.terms), rules=rules_of(asked.rules), consumers=tuple(asked.consumers), by=by
        )
        return told(together_on(workspace, command_key(by, "together", key), act, gate.clock()))

    @router.post("/claim", status_code=201)
    def claim(asked: ClaimAsked, shown: Credentials, key: IdempotencyKey = None) -> Done:
        """Chosen certificates are used for what was drawn in the same intervals, Wh for Wh."""
        by, consumers = gate.member(shown, WRITE), tuple(asked.consumers)
        act = ClaimCertificates(
            asked.account, selection_of(asked.selection), consumers, asked.beneficiary, asked.statement,
            rules_of(asked.rules), by,
        )  # fmt: skip
        return told(claim_on(workspace, command_key(by, "claim", key), act, gate.clock()))

    _add_files(router, workspace, gate)
    return router


def _add_files(router: APIRouter, workspace: Workspace, gate: Gate) -> None:
    @router.post("/bulk", status_code=201, openapi_extra=FILE_ASKED)
    async def bulk(
        request: Request, shown: Credentials, act: Act, account: Account, whole: bool = False,
        beneficiary: Words = "", reason: Words = "", statement: Words = "", until: Until = "",
        key: IdempotencyKey = None,
    ) -> BulkDone:  # fmt: skip
        """One act on every row of a CSV or Parquet file: all rows or none (``whole``), or each that can be.

        A row is register, start, stop; of a transfer also its target; of a split register and position.
        """
        by = gate.member(shown, OPERATE if act is Act.WITHDRAW else WRITE)
        asked = BulkAct(act, account, whole, beneficiary, reason, statement, instant_us(until), by)
        suffix = ".parquet" if request.headers.get("content-type", "").startswith(PARQUET) else ".csv"
        named = command_key(by, "bulk", key)
        with gate.slot(by), tempfile.NamedTemporaryFile(suffix=suffix) as file:
            async for piece in gate.body(request):
                await run_in_threadpool(file.write, piece)
            await run_in_threadpool(file.flush)
            row = await run_in_threadpool(bulk_on, workspace, named, Path(file.name), asked, gate.clock())
        refusals = [RefusedRow(**one) for one in row["refusals"]]
        kept = {name: row[name] for name in ("rows", "done", "quantity_wh", "refused")}
        return BulkDone(**kept, refusals=refusals)


def terms_of(form: TermsForm) -> Terms:
    """The terms of an issue."""
    return Terms(form.interval_s * SECOND_US, form.carbon_mg_per_kwh, form.valid_days * DAY_US, form.support)


def rules_of(form: RulesForm) -> Rules:
    """The rules of a match."""
    corridors = tuple(Corridor(one.source, one.target, one.limit_wh) for one in form.corridors)
    return Rules(form.preference, form.timing, corridors)
