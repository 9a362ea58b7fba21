"""Paths of accounts: what each holds, and the audit trail of who did what."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from penstock.api.forms import After, Form, Limit, Page
from penstock.api.gate import Credentials, Gate
from penstock.api.problem import WITH_A_KEY
from penstock.api.registry_forms import AccountInPath, TrailRow, TrailRows
from penstock.api.seen import check_sees
from penstock.api.state import following
from penstock.usecases.api_keys import READ
from penstock.usecases.registry.portfolio import balances
from penstock.usecases.trail import OPERATOR, Trail
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World


class AccountRow(Form):
    """An account: its number here, its organisation where it has one, Wh of certificates by state.

    ``wallets`` are its addresses on chain; ``receives_from`` is null until it states whom it receives from.
    """

    account: str
    number: int
    organisation: str
    by_state_wh: dict[str, int]
    wallets: list[str]
    receives_from: list[str] | None


class AccountRows(Page):
    """The accounts that whoever asks may see, in order of opening."""

    accounts: list[AccountRow]


def routes(workspace: Workspace, gate: Gate, trail: Trail) -> APIRouter:
    """The paths under ``/accounts`` that read; all need the scope `registry:read`."""
    router = APIRouter(prefix="/accounts", tags=["accounts"], responses=WITH_A_KEY)

    @router.get("")
    def accounts(shown: Credentials, after: After = 0, limit: Limit = 100) -> AccountRows:
        """The accounts that whoever asks may see: the operator all, a member those of its organisations."""
        by = gate.member(shown, READ)
        total, rows = workspace.read(lambda world: _page(world, by, after, limit))
        return AccountRows(total=total, next_after=following(after, limit, total), accounts=rows)

    @router.get("/{account}")
    def one(account: AccountInPath, shown: Credentials) -> AccountRow:
        """One account."""
        check_sees(workspace, gate.member(shown, READ), account)
        return workspace.read(lambda world: account_row(world, account))

    @router.get("/{account}/trail")
    def who_did_what(account: AccountInPath, shown: Credentials, after: After = 0, limit: Limit = 100) -> TrailRows:
        """The audit trail: every fact that concerns the account, who asked for it and when, newest first."""
        check_sees(workspace, gate.member(shown, READ), account)
        total, found = trail.page(account, after, limit)
        rows = [TrailRow(**row) for row in found]
        return TrailRows(total=total, next_after=following(after, limit, total), facts=rows)

    return router


def account_row(world: World, account: str) -> AccountRow:
    """One account. Raises NotFound ``account.unknown``."""
    people, listed = world.participants, world.participants.whitelists.get(account)
    said: dict[str, Any] = {
        "account": account,
        "number": world.books.accounts.id_of(account),
        "organisation": people.organisation_of.get(account, ""),
        "by_state_wh": balances(world, account),
        "wallets": [f"0x{wallet.hex()}" for wallet in people.wallets_of(account)],
        "receives_from": None if listed is None else sorted(listed),
    }
    return AccountRow(**said)


def _page(world: World, by: str, after: int, limit: int) -> tuple[int, list[AccountRow]]:
    names = world.books.accounts
    if by == OPERATOR:
        shown = range(after, min(after + limit, len(names)))
        return len(names), [account_row(world, names.name(number)) for number in shown]
    seen = sorted(world.participants.accounts_of(by))
    return len(seen), [account_row(world, name) for name in seen[after : after + limit]]
