"""Transfer: certificates go to another holder, who has to be willing to receive from this one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from penstock.errors import Refused
from penstock.journal.fact import Entry
from penstock.journal.words import Right, TitleState
from penstock.usecases.claim import Claim, moved
from penstock.usecases.registry.desk import Done, done
from penstock.usecases.registry.selection import Selection, Use, quantity_of, usable
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

PURPOSE: Final = "transfer"


@dataclass(frozen=True, slots=True)
class Transfer:
    """Certificates of ``account`` go to ``target``; ``by`` asks for it."""

    account: str
    target: str
    selection: Selection
    statement: str = ""
    by: str = ""


def transfer(world: World, asked: Transfer, at_us: int) -> list[Entry]:
    """The fact of a transfer.

    Raises:
        Refused: ``transfer.same_account``, ``account.not_whitelisted``; as `check_may` and `usable`.
        NotFound: ``account.unknown``.
    """
    target = check_receiver(world, asked.account, asked.target)
    parts = usable(world, asked.account, asked.selection, Use(TitleState.HELD, asked.target), at_us)
    world.participants.check_may(asked.by, asked.account, "transfer", quantity_of(parts))
    told = Claim(asked.target, PURPOSE, None, asked.statement, asked.by)
    targets = np.full(len(parts["start"]), target, dtype=np.int32)
    return [moved(world, Right.ATTRIBUTE, parts, TitleState.HELD, told, targets, at_us)]


def check_receiver(world: World, source: str, target: str) -> int:
    """The number of an account that receives from ``source``; raises as `transfer`."""
    number = world.books.accounts.id_of(target)
    if source == target:
        raise Refused("transfer.same_account", "A transfer goes to another account.", account=target)
    world.participants.check_receives(source, target)
    return number


def transfer_on(workspace: Workspace, key: str, asked: Transfer, at_us: int) -> Done:
    """Record a transfer under a key; the same key again tells what it did. Raises as `transfer`."""
    return done(workspace, key, asked, at_us, lambda world: transfer(world, asked, at_us))
