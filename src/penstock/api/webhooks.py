"""Paths of subscriptions: who is told of which account's facts, and where."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from penstock.api.gate import Credentials, Gate
from penstock.api.problem import WITH_A_KEY
from penstock.api.seen import check_sees
from penstock.api.sign_in_forms import WebhookAsked, WebhookMade, WebhookRow, WebhookRows
from penstock.usecases.api_keys import READ
from penstock.usecases.webhook import Webhooks
from penstock.usecases.workspace import Workspace

WebhookId = Annotated[str, Path(max_length=16)]


def routes(workspace: Workspace, gate: Gate, hooks: Webhooks) -> APIRouter:
    """The paths under ``/webhooks``; all need the scope `registry:read`."""
    router = APIRouter(prefix="/webhooks", tags=["webhooks"], responses=WITH_A_KEY)

    @router.post("", status_code=201)
    def subscribe(asked: WebhookAsked, shown: Credentials) -> WebhookMade:
        """Tell an address of each fact that concerns an account, in order, until it is taken (docs/api.md)."""
        by = gate.member(shown, READ)
        check_sees(workspace, by, asked.account)
        start = workspace.store.size() if asked.start is None else asked.start
        return WebhookMade(**hooks.subscribe(by, asked.account, asked.url, start, gate.clock()))

    @router.get("")
    def subscriptions(shown: Credentials) -> WebhookRows:
        """The subscriptions of whoever asks, and how far each was told."""
        return WebhookRows(webhooks=[WebhookRow(**row) for row in hooks.of(gate.member(shown, READ))])

    @router.delete("/{id}", status_code=204)
    def unsubscribe(id: WebhookId, shown: Credentials) -> Response:
        """Nothing is told from now on."""
        hooks.unsubscribe(gate.member(shown, READ), id)
        return Response(status_code=204)

    return router
