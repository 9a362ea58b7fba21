"""Paths of standing orders: so much of each interval's certificates goes on, is retired or claimed, by itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from penstock.api.acts import command_key, instant_us, told
from penstock.api.forms import After, Form, Limit, Page
from penstock.api.gate import Credentials, Gate
from penstock.api.problem import WITH_A_KEY
from penstock.api.registry_forms import AccountName, Done, IdempotencyKey, Instant, Text
from penstock.api.state import following
from penstock.journal.kinds.account import OrderEnded, OrderPlaced, Recurring
from penstock.journal.words import Technology
from penstock.usecases.api_keys import OPERATE, READ, WRITE
from penstock.usecases.registry import recurring as use
from penstock.usecases.trail import OPERATOR
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

OrderInPath = Annotated[int, Path(ge=1, lt=2**31)]


class OrderAsked(Form):
    """Of each interval's new certificates of an account so many Wh, or a share in basis points, rounded down.

    ``target`` is the account of a transfer, the register that drew of a claim; ``register``, ``zone`` and
    ``technology`` narrow what it takes.
    """

    account: AccountName
    act: Recurring
    target: Annotated[str, Field(max_length=200)] = ""
    quantity_wh: Annotated[int, Field(ge=0, lt=2**63)] = 0
    share_basis_points: Annotated[int, Field(ge=0, le=10_000)] = 0
    start: Instant
    stop: Instant | None = None
    register_: str = Field("", alias="register", max_length=200)
    zone: str = Field("", max_length=64)
    technology: Technology | None = None
    beneficiary: Text = ""
    purpose: Text = ""
    statement: Text = ""


class OrderRow(Form):
    """A standing order, and what it has taken by now."""

    order: int
    account: str
    act: str
    target: str
    quantity_wh: int
    share_basis_points: int
    register_: str = Field(alias="register")
    zone: str
    technology: str
    from_: str = Field(alias="from")
    until: str
    state: str
    taken_wh: int


class OrderRows(Page):
    """Standing orders of the accounts that whoever asks may see."""

    orders: list[OrderRow]


def routes(workspace: Workspace, gate: Gate) -> APIRouter:
    """The paths under ``/orders``."""
    router = APIRouter(prefix="/orders", tags=["standing orders"], responses=WITH_A_KEY)

    @router.post("", status_code=201)
    def place(asked: OrderAsked, shown: Credentials, key: IdempotencyKey = None) -> OrderRow:
        """A standing order, from the next issue on."""
        by = gate.member(shown, WRITE)
        return OrderRow(
            **use.place_order_on(workspace, command_key(by, "order", key), order_of(asked, by), gate.clock())
        )

    @router.get("")
    def orders(shown: Credentials, after: After = 0, limit: Limit = 100) -> OrderRows:
        """Standing orders of the accounts that whoever asks may see."""
        by = gate.member(shown, READ)
        found = workspace.read(lambda world: _seen(world, by))
        rows = [OrderRow(**row) for row in found[after : after + limit]]
        return OrderRows(total=len(found), next_after=following(after, limit, len(found)), orders=rows)

    @router.post("/run", status_code=201)
    def run(shown: Credentials) -> Done:
        """Run all standing orders over what was issued since the last run. Needs the scope `registry:operate`."""
        gate.member(shown, OPERATE)
        return told(use.run_orders_on(workspace, gate.clock()))

    @router.delete("/{order}")
    def end(order: OrderInPath, shown: Credentials, key: IdempotencyKey = None) -> OrderRow:
        """The order does no more."""
        by = gate.member(shown, WRITE)
        named = command_key(by, f"end order {order}", key)
        return OrderRow(**use.end_order_on(workspace, named, OrderEnded(order, by), gate.clock()))

    return router


def order_of(asked: OrderAsked, by: str) -> OrderPlaced:
    """An order that ``by`` asks for; its number comes when it is recorded. Raises as `instant_us`."""
    said = asked.model_dump(exclude={"start", "stop", "register_"})
    start_us, stop_us = instant_us(asked.start), instant_us(asked.stop)
    return OrderPlaced(order=0, start_us=start_us, stop_us=stop_us, register=asked.register_, by=by, **said)


def _seen(world: World, by: str) -> list[use.Row]:
    seen = world.participants.accounts_of(by)
    return [row for row in use.order_rows(world) if by == OPERATOR or row["account"] in seen]
