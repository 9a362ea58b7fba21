"""Paths to sign in with a wallet: take something to sign, bring it signed, go on with a token, sign out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from penstock.api.gate import Credentials, Gate
from penstock.api.problem import WITH_A_KEY
from penstock.api.sign_in_forms import Nonce, SessionForm, SignInAsked
from penstock.period import iso
from penstock.usecases.trail import Trail
from penstock.usecases.workspace import Workspace


def routes(workspace: Workspace, gate: Gate, trail: Trail) -> APIRouter:
    """The paths under ``/session``."""
    router = APIRouter(prefix="/session", tags=["session"], responses=WITH_A_KEY)

    @router.get("/nonce")
    def nonce(request: Request) -> Nonce:
        """Something to sign, with the domain and the chain that the text has to name."""
        domain, chain_id = request.headers.get("host", ""), trail.chain_id()
        return Nonce(nonce=gate.sessions.nonce(gate.clock()), domain=domain, chain_id=chain_id)

    @router.post("", status_code=201)
    def sign_in(asked: SignInAsked, request: Request) -> SessionForm:
        """A session for the wallet that signed; it may do what its address may as a member of organisations."""
        signature = bytes.fromhex(asked.signature.removeprefix("0x"))
        host, now = request.headers.get("host", ""), gate.clock()
        opened = gate.sessions.open(asked.message, signature, host, trail.chain_id(), now)
        accounts = workspace.read(lambda world: sorted(world.participants.accounts_of(opened.address)))
        return SessionForm(
            token=opened.token, address=opened.address, expires=iso(opened.expires_us), accounts=accounts
        )

    @router.delete("", status_code=204)
    def sign_out(shown: Credentials) -> Response:
        """The token opens nothing from now on."""
        gate.sign_out(shown)
        return Response(status_code=204)

    return router
