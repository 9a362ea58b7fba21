"""Paths of carbon: grid factors and methods published, certificates made credits, credits used, AI work offset."""

from __future__ import annotations

import tempfile
from typing import IO, Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from penstock.api.acts import command_key, instant_us, selection_of, stop_us_of, told
from penstock.api.carbon_forms import (
    Adopted,
    CreditAsked,
    CreditRow,
    CreditRows,
    FactorsRow,
    FactorsRows,
    MethodAsked,
    MethodRow,
    MethodRows,
    OffsetAsked,
    OffsetRow,
    OffsetRows,
    Published,
    UseAsked,
)
from penstock.api.forms import After, Limit
from penstock.api.gate import Credentials, Gate
from penstock.api.issuer import CSV_ASKED
from penstock.api.problem import TOO_MANY, WITH_A_KEY
from penstock.api.registry_forms import Done, IdempotencyKey
from penstock.api.state import following
from penstock.energy.carbon.factors import FactorName
from penstock.errors import Invalid
from penstock.journal.kinds.carbon import MethodAdopted, Work
from penstock.usecases.api_keys import OPERATE, WRITE
from penstock.usecases.registry import avoid as credit_use
from penstock.usecases.registry import factors as factor_use
from penstock.usecases.registry import offset as offset_use
from penstock.usecases.registry.selection import Selection
from penstock.usecases.workspace import Workspace

FACTORS: Final = "/carbon/factors"
Series = Annotated[str, Query(min_length=1, max_length=128)]
Basis = Annotated[str, Query(max_length=1_000, description="What the figures include.")]


def routes(workspace: Workspace, gate: Gate) -> APIRouter:
    """The paths under ``/carbon``."""
    router = APIRouter(prefix="/carbon", tags=["carbon"])
    _add_rows(router, workspace)
    _add_publishing(router, workspace, gate)
    _add_credits(router, workspace, gate)
    return router


def _add_rows(router: APIRouter, workspace: Workspace) -> None:
    """What reads: free to whoever reaches the door, as the record is."""

    @router.get("/factors")
    def factors(after: After = 0, limit: Limit = 100) -> FactorsRows:
        """Grid factors that are published."""
        found = factor_use.rows(workspace)
        rows = [FactorsRow(**row) for row in found[after : after + limit]]
        return FactorsRows(total=len(found), next_after=following(after, limit, len(found)), factors=rows)

    @router.get("/methods")
    def methods(after: After = 0, limit: Limit = 100) -> MethodRows:
        """Methods of avoided emissions that are adopted."""
        found = factor_use.method_rows(workspace)
        rows = [MethodRow(**row) for row in found[after : after + limit]]
        return MethodRows(total=len(found), next_after=following(after, limit, len(found)), methods=rows)

    @router.get("/credits", name="carbon_credits")
    def credits(after: After = 0, limit: Limit = 100) -> CreditRows:  # noqa: A001 - the path's name
        """Carbon credits that were made."""
        found = credit_use.credit_rows(workspace)
        rows = [CreditRow(**row) for row in found[after : after + limit]]
        return CreditRows(total=len(found), next_after=following(after, limit, len(found)), credits=rows)

    @router.get("/offsets")
    def offsets(after: After = 0, limit: Limit = 100) -> OffsetRows:
        """AI work that certificates were retired for."""
        found = offset_use.offset_rows(workspace)
        rows = [OffsetRow(**row) for row in found[after : after + limit]]
        return OffsetRows(total=len(found), next_after=following(after, limit, len(found)), offsets=rows)


def _add_publishing(router: APIRouter, workspace: Workspace, gate: Gate) -> None:
    @router.post("/factors", status_code=201, responses={**WITH_A_KEY, **TOO_MANY}, openapi_extra=CSV_ASKED)
    async def publish(
        request: Request, shown: Credentials, source: Series, version: Series, basis: Basis = "",
        key: IdempotencyKey = None,
    ) -> Published:  # fmt: skip
        """Publish grid factors from a CSV file, once for a source and version. Needs the scope `registry:operate`."""
        by, name = gate.member(shown, OPERATE), FactorName(source, version)
        named = command_key(by, "publish", key) if key else ""
        with gate.slot(by), tempfile.TemporaryFile() as file:
            async for piece in gate.body(request):
                await run_in_threadpool(file.write, piece)
            text = await run_in_threadpool(_text, file)
            done = await run_in_threadpool(factor_use.publish_on, workspace, name, basis, text, gate.clock(), named)
        return Published(**done)

    @router.post("/methods", status_code=201, responses=WITH_A_KEY)
    def adopt(asked: MethodAsked, shown: Credentials, key: IdempotencyKey = None) -> Adopted:
        """Adopt a method of avoided emissions. Needs the scope `registry:operate`."""
        by = gate.member(shown, OPERATE)
        named = command_key(by, "adopt", key)
        return Adopted(**factor_use.adopt_method_on(workspace, named, method_of(asked), gate.clock()))


def _add_credits(router: APIRouter, workspace: Workspace, gate: Gate) -> None:
    @router.post("/credits", status_code=201, responses=WITH_A_KEY)
    def credit(asked: CreditAsked, shown: Credentials, key: IdempotencyKey = None) -> Done:
        """Certificates become carbon credits: they are certificates no longer."""
        by, named = gate.member(shown, WRITE), selection_of(asked.selection)
        act = credit_use.Crediting(asked.method, asked.version, asked.holder or asked.account, asked.statement, by)
        key_of = command_key(by, "credit", key)
        return told(credit_use.avoid_on(workspace, key_of, asked.account, named, act, gate.clock()))

    @router.post("/credits/use", status_code=201, responses=WITH_A_KEY)
    def use_credits(asked: UseAsked, shown: Credentials, key: IdempotencyKey = None) -> Done:
        """Carbon credits are retired, or handed to another account."""
        by = gate.member(shown, WRITE)
        said = asked.model_dump(exclude={"register_"})
        act = credit_use.Using(**said, register=asked.register_, by=by)
        return told(credit_use.use_credits_on(workspace, command_key(by, "use credits", key), act, gate.clock()))

    @router.post("/offsets", status_code=201, responses=WITH_A_KEY)
    def offset(asked: OffsetAsked, shown: Credentials, key: IdempotencyKey = None) -> Done:
        """Certificates are retired for AI work, to the energy that its record says, rounded up."""
        by = gate.member(shown, WRITE)
        act, suits = offset_of(asked, by), filters_of(asked)
        named = command_key(by, "offset", key)
        return told(offset_use.offset_on(workspace, named, asked.account, suits, act, gate.clock()))


def method_of(asked: MethodAsked) -> MethodAdopted:
    """The method that a form says. Raises as `instant_us`."""
    said = asked.model_dump(exclude={"commissioned_from", "technologies"})
    since_us = instant_us(asked.commissioned_from)
    return MethodAdopted(**said, commissioned_from_us=since_us, technologies=tuple(asked.technologies))


def offset_of(asked: OffsetAsked, by: str) -> offset_use.Offset:
    """The offset that ``by`` asks for. Raises Invalid ``offset.unclear``."""
    if (asked.work is Work.ANSWER) != (asked.number is not None):
        hint = "An answer has a number; a rack and a model have none."
        raise Invalid("offset.unclear", "An offset is for a rack, an answer of a rack, or a model.", hint=hint)
    beneficiary = asked.beneficiary or asked.account
    return offset_use.Offset(asked.work, asked.name, beneficiary, asked.number or 0, asked.statement, by)


def filters_of(asked: OffsetAsked) -> Selection:
    """Which certificates an offset may take. Raises as `instant_us`, `stop_us_of`."""
    bounds = (instant_us(asked.start), stop_us_of(asked.start, asked.stop))
    return Selection(
        register=asked.register_, zone=asked.zone, technology=asked.technology, start_us=bounds[0], stop_us=bounds[1]
    )


def _text(file: IO[bytes]) -> str:
    """What came in, as text. Raises Invalid ``factors.csv``."""
    file.seek(0)
    try:
        return file.read().decode()
    except UnicodeDecodeError as error:
        raise Invalid("factors.csv", "The body is not text in UTF-8.") from error
