"""Paths of certificates: all of them, one of them - for programs and for people - and the acts on them."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from penstock.api.act_forms import ReleaseAsked, ReserveAsked, RetireAsked, SplitAsked, TransferAsked
from penstock.api.acts import (
    FOREVER_US,
    command_key,
    instant_us,
    release_of,
    reserve_of,
    retirement_of,
    split_of,
    told,
    transfer_of,
)
from penstock.api.forms import After, Limit, Name
from penstock.api.gate import Credentials, Gate
from penstock.api.problem import WITH_A_KEY, Described
from penstock.api.registry_forms import (
    STATES,
    CertificateInPath,
    CertificateLife,
    CertificateRow,
    CertificateRows,
    Done,
    IdempotencyKey,
)
from penstock.api.registry_pages import certificate_page
from penstock.api.state import following
from penstock.journal.words import TITLE_STATES, Technology, TitleState
from penstock.usecases.api_keys import OPERATE, WRITE
from penstock.usecases.registry.certificate_life import life_of
from penstock.usecases.registry.certificate_rows import find
from penstock.usecases.registry.expire import expire_on
from penstock.usecases.registry.reserve import release_on, reserve_on
from penstock.usecases.registry.retire import retire_on
from penstock.usecases.registry.selection import Selection
from penstock.usecases.registry.split import split_on
from penstock.usecases.registry.transfer import transfer_on
from penstock.usecases.trail import Trail
from penstock.usecases.workspace import Workspace

AS_PAGE: Final[Described] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}


def routes(workspace: Workspace, trail: Trail) -> APIRouter:
    """The paths that read; free to whoever reaches the door, as the record is."""
    router = APIRouter(prefix="/certificates", tags=["certificates"])

    @router.get("")
    def certificates(
        holder: Name = "",
        state: STATES | None = None,
        register: Name = "",
        zone: Annotated[str, Query(max_length=64)] = "",
        technology: Technology | None = None,
        start: Annotated[str, Query(max_length=40)] = "",
        stop: Annotated[str, Query(max_length=40)] = "",
        after: After = 0,
        limit: Limit = 100,
    ) -> CertificateRows:
        """Certificates of one holder or of all that suit, by register and position."""
        states = (TitleState(state),) if state else TITLE_STATES
        start_us, stop_us = instant_us(start), instant_us(stop) or (FOREVER_US if start else 0)
        asked = Selection(register=register, zone=zone, technology=technology, start_us=start_us, stop_us=stop_us)
        total, found = find(workspace, holder, asked, states, after, limit)
        rows = [CertificateRow(**row) for row in found]
        return CertificateRows(total=total, next_after=following(after, limit, total), certificates=rows)

    @router.get("/{certificate:path}", response_model=CertificateLife, responses=AS_PAGE)
    def one(certificate: CertificateInPath, request: Request) -> Response | CertificateLife:
        """One certificate, by its name: its parts, origin, life, what it was used for, and how to check it.

        With ``Accept: text/html`` a page for people.
        """
        life = life_of(workspace, trail, certificate)
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(certificate_page(workspace, life))
        return CertificateLife(**life)

    return router


def acts(workspace: Workspace, gate: Gate) -> APIRouter:
    """The acts that a member does for an account; all need the scope `registry:write`."""
    router = APIRouter(prefix="/certificates", tags=["certificates"], responses=WITH_A_KEY)

    @router.post("/transfer", status_code=201)
    def transfer(asked: TransferAsked, shown: Credentials, key: IdempotencyKey = None) -> Done:
        """Certificates go to another account."""
        by = gate.member(shown, WRITE)
        return told(transfer_on(workspace, command_key(by, "transfer", key), transfer_of(asked, by), gate.clock()))

    @router.post("/retire", status_code=201)
    def retire(asked: RetireAsked, shown: Credentials, key: IdempotencyKey = None) -> Done:
        """Certificates are used up for a stated reason, or for the customers of a green tariff."""
        by = gate.member(shown, WRITE)
        return told(retire_on(workspace, command_key(by, "retire", key), retirement_of(asked, by), gate.clock()))

    @router.post("/reserve", status_code=201)
    def reserve(asked: ReserveAsked, shown: Credentials, key: IdempotencyKey = None) -> Done:
        """Certificates are kept for somebody."""
        by = gate.member(shown, WRITE)
        return told(reserve_on(workspace, command_key(by, "reserve", key), reserve_of(asked, by), gate.clock()))

    @router.post("/release", status_code=201)
    def release(asked: ReleaseAsked, shown: Credentials, key: IdempotencyKey = None) -> Done:
        """Reserved certificates are free again."""
        by = gate.member(shown, WRITE)
        return told(release_on(workspace, command_key(by, "release", key), release_of(asked, by), gate.clock()))

    @router.post("/split", status_code=201)
    def split(asked: SplitAsked, shown: Credentials, key: IdempotencyKey = None) -> Done:
        """A certificate is cut into several of the same holder."""
        by = gate.member(shown, WRITE)
        return told(split_on(workspace, command_key(by, "split", key), split_of(asked, by), gate.clock()))

    @router.post("/expire", status_code=201)
    def expire(shown: Credentials, key: IdempotencyKey = None) -> Done:
        """What is past its validity says so from now on. Needs the scope `registry:operate`."""
        by = gate.member(shown, OPERATE)
        return told(expire_on(workspace, command_key(by, "expire", key), gate.clock()))

    return router
