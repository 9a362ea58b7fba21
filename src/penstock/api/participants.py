"""Paths of participants: organisations, their members and rules, their accounts, wallets and whitelists."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from penstock.api.acts import command_key
from penstock.api.forms import After, Limit
from penstock.api.gate import Credentials, Gate
from penstock.api.participant_forms import (
    ApprovalAsked,
    AssignAsked,
    Consent,
    MemberInPath,
    OrganisationAsked,
    OrganisationInPath,
    OrganisationRow,
    OrganisationRows,
    RolesAsked,
    Said,
    WalletAsked,
    WalletInPath,
    WhitelistAsked,
)
from penstock.api.problem import WITH_A_KEY
from penstock.api.registry_forms import AccountInPath, IdempotencyKey
from penstock.api.seen import check_sees
from penstock.api.state import following
from penstock.journal.kinds.account import (
    AccountAssigned,
    ApprovalRuled,
    MemberPlaced,
    OrganisationRegistered,
    WalletBound,
    WalletReleased,
    WhitelistStated,
)
from penstock.usecases.api_keys import OPERATE, READ, WRITE
from penstock.usecases.registry import account as use
from penstock.usecases.trail import OPERATOR
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Wallet = Annotated[str, Query(pattern="^0x[0-9a-fA-F]{40}$")]


def routes(workspace: Workspace, gate: Gate) -> APIRouter:
    """The paths under ``/organisations``, and those that change an account."""
    router = APIRouter(tags=["participants"], responses=WITH_A_KEY)
    _add_organisations(router, workspace, gate)
    _add_accounts(router, workspace, gate)
    return router


def _say(workspace: Workspace, gate: Gate, fact: use.Said, by: str, key: str | None) -> Said:
    """Record what ``by`` says; without a name of its own for it, saying the same twice is two facts."""
    named = command_key(by, fact.KIND, key) if key else use.said_key(workspace, fact)
    return Said(**use.say_on(workspace, fact, gate.clock(), named))


def _add_organisations(router: APIRouter, workspace: Workspace, gate: Gate) -> None:
    @router.get("/organisations")
    def organisations(shown: Credentials, after: After = 0, limit: Limit = 100) -> OrganisationRows:
        """Organisations with their members, accounts and rules: the operator sees all, a member its own."""
        by = gate.member(shown, READ)
        found = workspace.read(lambda world: _seen(world, by))
        rows = [OrganisationRow(**row) for row in found[after : after + limit]]
        return OrganisationRows(total=len(found), next_after=following(after, limit, len(found)), organisations=rows)

    @router.post("/organisations", status_code=201)
    def register(asked: OrganisationAsked, shown: Credentials, key: IdempotencyKey = None) -> Said:
        """An organisation takes part. Needs the scope `registry:operate`."""
        by = gate.member(shown, OPERATE)
        return _say(workspace, gate, OrganisationRegistered(asked.organisation, by), by, key)

    @router.put("/organisations/{organisation}/members/{member}")
    def place(
        organisation: OrganisationInPath, member: MemberInPath, asked: RolesAsked, shown: Credentials,
        key: IdempotencyKey = None,
    ) -> Said:  # fmt: skip
        """A member has these roles from now on. By an administrator of the organisation."""
        by = gate.member(shown, WRITE)
        return _say(workspace, gate, MemberPlaced(organisation, member, tuple(asked.roles), by), by, key)

    @router.put("/organisations/{organisation}/approval")
    def rule(
        organisation: OrganisationInPath, asked: ApprovalAsked, shown: Credentials, key: IdempotencyKey = None
    ) -> Said:
        """Which acts need two persons from now on. By an administrator of the organisation."""
        by = gate.member(shown, WRITE)
        return _say(workspace, gate, ApprovalRuled(organisation, tuple(asked.acts), asked.from_wh, by), by, key)


def _add_accounts(router: APIRouter, workspace: Workspace, gate: Gate) -> None:
    @router.post("/accounts", status_code=201)
    def assign(asked: AssignAsked, shown: Credentials, key: IdempotencyKey = None) -> Said:
        """An account is an organisation's, and opened where it is new. Needs the scope `registry:operate`."""
        by = gate.member(shown, OPERATE)
        return _say(workspace, gate, AccountAssigned(asked.account, asked.organisation, by), by, key)

    @router.put("/accounts/{account}/whitelist")
    def whitelist(
        account: AccountInPath, asked: WhitelistAsked, shown: Credentials, key: IdempotencyKey = None
    ) -> Said:
        """Whom the account receives from, from now on. By an administrator of its organisation."""
        by = gate.member(shown, WRITE)
        return _say(workspace, gate, WhitelistStated(account, tuple(asked.sources), asked.everyone, by), by, key)

    @router.get("/accounts/{account}/consent")
    def consent(account: AccountInPath, wallet: Wallet, shown: Credentials) -> Consent:
        """The text that a wallet signs to stand for the account."""
        check_sees(workspace, gate.member(shown, READ), account)
        return Consent(text=use.consent_on(workspace, account, _bytes(wallet)))

    @router.post("/accounts/{account}/wallets", status_code=201)
    def bind(account: AccountInPath, asked: WalletAsked, shown: Credentials, key: IdempotencyKey = None) -> Said:
        """A wallet stands for the account, by its own consent. By an administrator of its organisation."""
        by = gate.member(shown, WRITE)
        fact = WalletBound(account, _bytes(asked.wallet), _bytes(asked.signature), by)
        return _say(workspace, gate, fact, by, key)

    @router.delete("/accounts/{account}/wallets/{wallet}")
    def release(account: AccountInPath, wallet: WalletInPath, shown: Credentials, key: IdempotencyKey = None) -> Said:
        """The wallet stands for the account no more. By an administrator of its organisation."""
        by = gate.member(shown, WRITE)
        return _say(workspace, gate, WalletReleased(account, _bytes(wallet), by), by, key)


def _seen(world: World, by: str) -> list[use.Row]:
    """The organisations that ``by`` may see."""
    people = world.participants
    return [row for row in use.organisations(world) if by == OPERATOR or people.roles(by, row["organisation"])]


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
