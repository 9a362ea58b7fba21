"""Who sees what is about one account: the operator, and the members of the organisation that it belongs to."""

from __future__ import annotations

from penstock.errors import Refused
from penstock.usecases.trail import OPERATOR
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World


def check_sees(workspace: Workspace, by: str, account: str) -> None:
    """That ``by`` may see an account's affairs.

    Raises:
        NotFound: ``account.unknown``. Refused: ``account.not_member``.
    """
    workspace.read(lambda world: _check(world, by, account))


def _check(world: World, by: str, account: str) -> None:
    world.books.accounts.id_of(account)
    if by != OPERATOR and account not in world.participants.accounts_of(by):
        raise Refused("account.not_member", "Only members of its organisation see what an account did.", by=by)
