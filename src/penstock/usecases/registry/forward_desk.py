"""Acts on forwards as the doors ask for them: submitted under a key, told as rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from penstock.journal.fact import Entry
from penstock.journal.kinds.forward import ForwardIndexPublished
from penstock.usecases.registry.desk import Row, done
from penstock.usecases.registry.forward import (
    Offer,
    PassOn,
    Sell,
    deliver,
    offer,
    pass_on,
    publish_index,
    sell,
    settle,
)
from penstock.usecases.registry.forward_rows import forward_row
from penstock.usecases.registry.fund import Fund, fund
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True)
class Named:
    """An act on a forward that needs nothing else: a delivery, a settlement."""

    forward: str
    by: str = ""


def offer_on(workspace: Workspace, key: str, asked: Offer, at_us: int) -> Row:
    """Offer a forward; raises as `offer`."""
    return _told(workspace, key, asked, at_us, lambda world: offer(world, asked, at_us), asked.forward)


def sell_on(workspace: Workspace, key: str, asked: Sell, at_us: int) -> Row:
    """Sell of a forward; raises as `sell`."""
    return _told(workspace, key, asked, at_us, lambda world: sell(world, asked, at_us), asked.forward)


def pass_on_on(workspace: Workspace, key: str, asked: PassOn, at_us: int) -> Row:
    """Give a part of a promise to another; raises as `pass_on`."""
    return _told(workspace, key, asked, at_us, lambda world: pass_on(world, asked, at_us), asked.forward)


def deliver_on(workspace: Workspace, key: str, asked: Named, at_us: int) -> Row:
    """Deliver what is due; raises as `deliver`."""
    return _told(workspace, key, asked, at_us, lambda w: deliver(w, asked.forward, at_us, asked.by), asked.forward)


def settle_on(workspace: Workspace, key: str, asked: Named, at_us: int) -> Row:
    """Settle a forward; raises as `settle`."""
    return _told(workspace, key, asked, at_us, lambda w: settle(w, asked.forward, at_us, asked.by), asked.forward)


def publish_on(workspace: Workspace, key: str, asked: ForwardIndexPublished, at_us: int) -> Row:
    """Publish an index price; raises as `publish_index`."""
    return done(workspace, key, asked, at_us, lambda world: publish_index(world, asked)).to_json()


def fund_on(workspace: Workspace, key: str, asked: Fund, at_us: int) -> Row:
    """Book dollars from outside; raises as `fund`."""
    told = done(workspace, key, asked, at_us, lambda world: fund(world, asked)).to_json()
    return told | {"usdc_micro": workspace.read(lambda world: _balance(world, asked.account))}


def _told(
    workspace: Workspace, key: str, asked: Any, at_us: int, decide: Callable[[World], list[Entry]], forward: str
) -> Row:
    told = done(workspace, key, asked, at_us, decide).to_json()
    return told | {"forward": workspace.read(lambda world: forward_row(world, forward))}


def _balance(world: World, account: str) -> int:
    return world.books.ledger.balance(world.books.accounts.id_of(account))
