"""Recurring: standing orders transfer, retire or claim certificates after each issue, so much of each interval."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from penstock.energy.membership import check
from penstock.energy.recurring import Order
from penstock.errors import Invalid, Refused
from penstock.journal.fact import Entry
from penstock.journal.kinds.account import OrderEnded, OrderPlaced, Recurring
from penstock.journal.words import Right, Technology
from penstock.period import iso
from penstock.usecases.registry.desk import Done, done
from penstock.usecases.registry.recurring_run import run_orders
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]


def place_order(world: World, asked: OrderPlaced, at_us: int) -> list[Entry]:
    """The fact of a standing order, with the next number.

    Raises:
        Refused: ``order.no_consumption`` for a claim where the register issues no consumption certificates.
        As `membership.check_order`.
    """
    fact = replace(asked, order=len(world.participants.orders.all) + 1)
    check(world.participants, fact, at_us)
    if fact.act is Recurring.CLAIM:
        register = world.books.registers.id_of(fact.target)
        if not world.books.registers.issues(Right.CONSUMPTION)[register]:
            raise Refused("order.no_consumption", "This register issues no consumption certificates.", id=fact.target)
    if fact.register:
        world.books.registers.id_of(fact.register)
    return [Entry(fact)]


def end_order(world: World, fact: OrderEnded, at_us: int) -> list[Entry]:
    """The fact that a standing order ends; raises as `membership.check_order_ended`."""
    check(world.participants, fact, at_us)
    return [Entry(fact)]


def read_act(text: str) -> Recurring:
    """What a standing order does, by its word; Invalid ``order.act``."""
    if text not in set(Recurring):
        raise Invalid("order.act", f"No standing order does {text}.", hint=f"Known are: {', '.join(Recurring)}.")
    return Recurring(text)


def read_technology(text: str) -> Technology | None:
    """A technology by its word, None for an empty one; Invalid ``order.technology``."""
    if text and text not in set(Technology):
        raise Invalid(
            "order.technology", f"There is no technology {text}.", hint=f"Known are: {', '.join(Technology)}."
        )
    return Technology(text) if text else None


def place_order_on(workspace: Workspace, key: str, asked: OrderPlaced, at_us: int) -> Row:
    """Record a standing order under a key, and tell where it stands. Raises as `place_order`."""
    receipt = workspace.submit(key, asked, at_us, lambda world: place_order(world, asked, at_us))
    (row,) = workspace.facts(receipt.first_seq, receipt.first_seq + 1)
    number = cast(OrderPlaced, row.recorded.fact).order
    return workspace.read(lambda world: order_rows(world)[number - 1])


def end_order_on(workspace: Workspace, key: str, fact: OrderEnded, at_us: int) -> Row:
    """Record that a standing order ends. Raises as `end_order`."""
    workspace.submit(key, fact, at_us, lambda world: end_order(world, fact, at_us))
    return workspace.read(lambda world: order_rows(world)[fact.order - 1])


def run_orders_on(workspace: Workspace, at_us: int) -> Done:
    """Run all standing orders over what was issued since; the issues that they begin at name the command."""
    first = workspace.read(lambda world: world.participants.orders.next_lot)
    return done(workspace, f"orders:{first}", b"", at_us, lambda world: run_orders(world, at_us))


def order_rows(world: World, account: str = "") -> list[Row]:
    """Every standing order, of one account or of all, with what it has taken [Wh]."""
    orders = world.participants.orders
    rows = [_row(orders.taken_wh(order.placed.order), order) for order in orders.all]
    return [row for row in rows if account in ("", row["account"])]


def _row(taken_wh: int, order: Order) -> Row:
    placed = order.placed
    return {
        "order": placed.order,
        "account": placed.account,
        "act": placed.act.value,
        "target": placed.target,
        "quantity_wh": placed.quantity_wh,
        "share_basis_points": placed.share_basis_points,
        "register": placed.register,
        "zone": placed.zone,
        "technology": placed.technology.value if placed.technology else "",
        "from": iso(placed.start_us),
        "until": iso(placed.stop_us) if placed.stop_us else "",
        "state": "ended" if order.ended else "standing",
        "taken_wh": taken_wh,
    }
