"""A run of the standing orders over the issues since the run before, in the order they were placed.

The run records both how far it looked and what it took: however often it is called, or killed, each issue is looked at
once. An order whose receiver is not willing takes nothing of those issues.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from penstock.energy.recurring import Order, by_order
from penstock.errors import PenstockError
from penstock.journal.cutting import positions_of
from penstock.journal.fact import Entry
from penstock.journal.formats import ORDERS
from penstock.journal.kinds.account import OrderPlaced, OrdersRun, Recurring
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.words import Right, TitleState
from penstock.period import Period
from penstock.usecases.claim import Claim, claim, moved
from penstock.usecases.registry.selection import Selection, suits
from penstock.usecases.world import World

PURPOSE: Final = "standing order"


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What an order found [Wh] of its intervals, and the parts that it takes."""

    interval_us: Column
    found_wh: Column
    taken_wh: Column
    entries: list[Entry]


def run_orders(world: World, at_us: int) -> list[Entry]:
    """Facts of a run over all new issues: how far it looked and what it found, then each order's moves.

    No facts where nothing was issued since, or no order stands.
    """
    orders = world.participants.orders
    living = [order for order in orders.all if not order.ended]
    if not living or orders.next_lot == orders.lots:
        return []
    pool = _Pool(world, at_us, min(_looks_from(world, order) for order in living))
    taken = [(order.placed.order, _take(world, pool, order, at_us)) for order in living]
    columns: dict[str, Column] = {
        "order": np.concatenate([np.full(len(one.interval_us), number, np.int32) for number, one in taken]),
        "interval_us": np.concatenate([one.interval_us for _, one in taken]),
        "found_wh": np.concatenate([one.found_wh for _, one in taken]),
        "taken_wh": np.concatenate([one.taken_wh for _, one in taken]),
    }
    segment = Segment(ORDERS, columns)
    fact = OrdersRun(segment.ref(), orders.next_lot, orders.lots)
    orders.check_run(fact, columns)
    return [Entry(fact, segment), *(entry for _, one in taken for entry in one.entries)]


class _Pool:
    """Certificates and consumption that orders may take from, each unit once; sorted by holder, interval, place."""

    def __init__(self, world: World, at_us: int, lot: int) -> None:
        self._rows = {right: _rows(world, right, at_us, lot) for right in (Right.ATTRIBUTE, Right.CONSUMPTION)}

    def of(self, right: Right, holder: int) -> tuple[slice, Columns]:
        """Where a holder's titles lie, and what is left of them."""
        rows = self._rows[right]
        low, high = np.searchsorted(rows["holder"], [holder, holder + 1]).tolist()
        return slice(low, high), {name: column[low:high] for name, column in rows.items()}

    def use(self, right: Right, place: slice, rows: Column, slot: Column, taken_wh: Column) -> dict[str, Column]:
        """Parts: of ``rows`` (numbers within ``place``) of each slot the first ``taken_wh``; left to nobody else."""
        mine = {name: column[place][rows] for name, column in self._rows[right].items()}
        had_wh = mine["stop"] - mine["start"]
        reach = np.cumsum(had_wh)
        before = reach - had_wh
        begins = np.searchsorted(slot, np.arange(len(taken_wh)))
        offset = np.append(before, 0)[begins][slot]
        gone_wh = np.clip(taken_wh[slot] - (before - offset), 0, had_wh)
        self._rows[right]["start"][place.start + rows] += gone_wh
        parts = {name: column[gone_wh > 0] for name, column in mine.items()}
        return parts | {"stop": parts["start"] + gone_wh[gone_wh > 0]}


def _rows(world: World, right: Right, at_us: int, lot: int) -> dict[str, Column]:
    rows = world.books.titles[right].since(lot, (TitleState.HELD,))
    valid = ~world.books.expired(rows["lot"], rows["interval_us"], at_us) & world.forwards.spare(right, rows)
    rows = {name: column[valid] for name, column in rows.items()}
    order = np.lexsort((rows["start"], rows["register"], rows["interval_us"], rows["holder"]))
    sorted_rows = {name: column[order] for name, column in rows.items()}
    return sorted_rows | {"issued_wh": sorted_rows["stop"] - sorted_rows["start"]}


def _looks_from(world: World, order: Order) -> int:
    """The first issue that an order looks at: a claim also at earlier ones, for consumption that came later."""
    return order.first_lot if order.placed.act is Recurring.CLAIM else world.participants.orders.next_lot


def _take(world: World, pool: _Pool, order: Order, at_us: int) -> Taken:
    placed, orders = order.placed, world.participants.orders
    place, rows = pool.of(Right.ATTRIBUTE, world.books.accounts.id_of(placed.account))
    drawn = _Drawn(world, pool, placed) if placed.act is Recurring.CLAIM else None
    fits = _fits(world, placed, rows) & (rows["lot"] >= max(_looks_from(world, order), order.first_lot))
    if drawn is not None:
        fits &= drawn.suits(rows)
    interval_us, slot = np.unique(rows["interval_us"][fits], return_inverse=True)
    new_wh = np.where(rows["lot"][fits] >= orders.next_lot, rows["issued_wh"][fits], 0)
    found_wh = _by_slot(slot, new_wh, len(interval_us))
    before_wh, had_wh = orders.served(placed.order, interval_us)
    due_wh = orders.due_wh(placed, before_wh + found_wh) - had_wh
    left_wh = _by_slot(slot, (rows["stop"] - rows["start"])[fits], len(interval_us))
    taken_wh = np.minimum(due_wh, left_wh if _willing(world, placed) else 0)
    if drawn is not None:
        taken_wh = np.minimum(taken_wh, drawn.left_wh(interval_us))
    parts = pool.use(Right.ATTRIBUTE, place, np.flatnonzero(fits), slot, taken_wh)
    if not len(parts["start"]):
        entries = []
    elif drawn is not None:
        entries = drawn.claim(interval_us, taken_wh, parts, at_us)
    else:
        entries = [_moved(world, placed, parts, at_us)]
    return Taken(interval_us, found_wh, taken_wh, entries)


def _by_slot(slot: Column, wh: Column, slots: int) -> Column:
    sums = np.zeros(slots, dtype=np.int64)
    np.add.at(sums, slot, wh)
    return sums


def _fits(world: World, placed: OrderPlaced, rows: Columns) -> Column:
    kind = Selection(register=placed.register, zone=placed.zone, technology=placed.technology)
    fits = suits(world, kind, rows) & (rows["interval_us"] >= placed.start_us)
    return fits & (rows["interval_us"] < placed.stop_us) if placed.stop_us else fits


def _willing(world: World, placed: OrderPlaced) -> bool:
    """Whether the receiver of a transfer receives from this account now; other acts have none."""
    if placed.act is not Recurring.TRANSFER:
        return True
    try:
        world.participants.check_receives(placed.account, placed.target)
    except PenstockError:
        return False
    return True


def _moved(world: World, placed: OrderPlaced, parts: Columns, at_us: int) -> Entry:
    asked, target = _told(placed, None), None
    if placed.act is Recurring.TRANSFER:
        target = np.full(len(parts["start"]), world.books.accounts.id_of(placed.target), dtype=np.int32)
    state = TitleState.HELD if placed.act is Recurring.TRANSFER else TitleState.RETIRED
    return moved(world, Right.ATTRIBUTE, parts, state, asked, target, at_us)


def _told(placed: OrderPlaced, period: Period | None) -> Claim:
    beneficiary = placed.beneficiary or placed.target or placed.account
    return Claim(beneficiary, placed.purpose or PURPOSE, period, placed.statement, by_order(placed.order))


class _Drawn:
    """What a register drew and an account holds consumption certificates of: what a standing claim is for."""

    def __init__(self, world: World, pool: _Pool, placed: OrderPlaced) -> None:
        self._world, self._pool, self._placed = world, pool, placed
        self._place, self._rows = pool.of(Right.CONSUMPTION, world.books.accounts.id_of(placed.account))
        self._mine = self._rows["register"] == world.books.registers.id_of(placed.target)
        lots = self._rows["lot"][self._mine]
        self._lot = world.books.lots[int(lots[-1])] if len(lots) else None
        if self._lot is not None:
            self._mine &= world.books.lots.column("interval_us")[self._rows["lot"]] == self._lot.interval_us

    def suits(self, rows: Columns) -> Column:
        """Which certificates are of the zone and of intervals as long as what was drawn is measured in."""
        lots = self._world.books.lots
        if self._lot is None:
            return np.ones(len(rows["start"]), dtype=bool)
        alike = (lots.column("zone") == lots.text(self._lot.zone)) & (
            lots.column("interval_us") == self._lot.interval_us
        )
        found: Column = alike[rows["lot"]]
        return found

    def left_wh(self, interval_us: Column) -> Column:
        """What was drawn in each interval and nothing was claimed for yet [Wh]."""
        rows, mine = self._rows, self._mine
        place = np.searchsorted(interval_us, rows["interval_us"][mine])
        known = np.append(interval_us, -1)[place] == rows["interval_us"][mine]
        return _by_slot(place[known], (rows["stop"] - rows["start"])[mine][known], len(interval_us))

    def claim(self, interval_us: Column, taken_wh: Column, parts: Columns, at_us: int) -> list[Entry]:
        """Facts that use ``parts`` for what was drawn, first come first served within each interval."""
        rows = np.flatnonzero(self._mine & np.isin(self._rows["interval_us"], interval_us))
        slot = np.searchsorted(interval_us, self._rows["interval_us"][rows])
        drawn = self._pool.use(Right.CONSUMPTION, self._place, rows, slot, taken_wh)
        length_us = self._lot.interval_us if self._lot else 0
        period = Period(int(drawn["interval_us"].min()), int(drawn["interval_us"].max()) + length_us)
        return claim(self._world, side_by_side(parts, drawn), _told(self._placed, period), at_us)


def side_by_side(sources: Columns, targets: Columns) -> Columns:
    """Columns of link/1 that lay two rows of spans, as long together, along each other in their order."""
    at = [positions_of(spans["stop"] - spans["start"]) for spans in (sources, targets)]
    cuts = np.union1d(*at)
    links: dict[str, Column] = {}
    for side, spans, begins in zip(("source", "target"), (sources, targets), at, strict=True):
        row = np.searchsorted(begins, cuts[:-1], side="right") - 1
        links[side] = spans["register"][row]
        links[f"{side}_start"] = spans["start"][row] + cuts[:-1] - begins[row]
        links[f"{side}_stop"] = links[f"{side}_start"] + np.diff(cuts)
    return links
