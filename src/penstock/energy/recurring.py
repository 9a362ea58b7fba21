"""Standing orders: what each has found and taken of every interval, so that none is served twice.

An order looks at each issue of certificates once, in order. What an interval's later issues add is taken up to the
order's due of the whole interval: running after every issue or once for many comes to the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Invalid, NotFound, Refused
from penstock.journal.cutting import ratio_down
from penstock.journal.fact import Recorded
from penstock.journal.kinds.account import AccountAssigned, OrderEnded, OrderPlaced, OrdersRun, Recurring
from penstock.journal.kinds.energy import TitlesIssued
from penstock.journal.links import overlapping
from penstock.journal.segment import Columns
from penstock.journal.span_index import SpanIndex
from penstock.units import INT64_MAX

Ints = NDArray[Any]
WHOLE: Final = 10_000
"""Basis points of a whole."""
_BY: Final = "order:"


@dataclass(frozen=True, slots=True)
class Order:
    """A standing order, the first issue that it looks at, and whether it has ended."""

    placed: OrderPlaced
    first_lot: int
    ended: bool = False


def by_order(number: int) -> str:
    """How what a standing order did says who asked for it."""
    return f"{_BY}{number}"


class Orders:
    """Every standing order, how far the issues were looked at, and what was found and taken [Wh] by interval."""

    def __init__(self) -> None:
        self.all: list[Order] = []
        self.lots = 0
        self.next_lot = 0
        self._running_us = -1
        self._served = SpanIndex({"found_wh": "int64", "taken_wh": "int64"})

    def check_placed(self, fact: OrderPlaced) -> None:
        """That an order says what it needs to.

        Raises:
            Invalid: ``order.form`` for a wrong number, a negative quantity, a share above the whole or both of them,
                a time that does not end after it starts, a target that is none.
        """
        one_way = (fact.quantity_wh > 0) != (fact.share_basis_points > 0)
        bounded = 0 <= fact.quantity_wh <= INT64_MAX and 0 <= fact.share_basis_points <= WHOLE
        timed = 0 <= fact.start_us <= INT64_MAX and (fact.stop_us == 0 or fact.start_us < fact.stop_us <= INT64_MAX)
        aimed = bool(fact.target) != (fact.act is Recurring.RETIRE) and fact.target != fact.account
        if not (one_way and bounded and timed and aimed and fact.order == len(self.all) + 1):
            hint = "Say a quantity or a share, from when, and - except to retire - for which other account or register."
            raise Invalid("order.form", "A standing order is not complete.", hint=hint)

    def living(self, number: int) -> OrderPlaced:
        """An order that has not ended; NotFound ``order.unknown``, Refused ``order.ended``."""
        if not 1 <= number <= len(self.all):
            raise NotFound("order.unknown", f"There is no standing order {number}.", order=number)
        if self.all[number - 1].ended:
            raise Refused("order.ended", f"Standing order {number} has ended.", order=number)
        return self.all[number - 1].placed

    def carries_out(self, by: str, account: str, act: str) -> bool:
        """Whether ``by`` is an order of this account's that is being run, and this is what it does."""
        number = by.removeprefix(_BY)
        if self._running_us < 0 or by == number or not number.isdecimal() or not 1 <= int(number) <= len(self.all):
            return False
        placed = self.all[int(number) - 1].placed
        return (placed.account, placed.act.value) == (account, act)

    def served(self, order: int, interval_us: Ints) -> tuple[Ints, Ints]:
        """What an order has found, and taken, of intervals [Wh]; 0 of those it never looked at."""
        handle = self._served.find(np.full(len(interval_us), order), interval_us)
        known = np.flatnonzero(handle >= 0)
        found, taken = np.zeros((2, len(interval_us)), dtype=np.int64)
        found[known] = self._served.take("found_wh", handle[known])
        taken[known] = self._served.take("taken_wh", handle[known])
        return found, taken

    def taken_wh(self, order: int) -> int:
        """All that an order has taken [Wh]."""
        return sum(int(run.columns["taken_wh"][run.columns["register"] == order].sum()) for _, run in self._served.runs)

    def due_wh(self, placed: OrderPlaced, found_wh: Ints) -> Ints:
        """What is due to an order of intervals in which so much was found, all in all."""
        if placed.quantity_wh:
            return np.minimum(placed.quantity_wh, found_wh)
        return ratio_down(found_wh, placed.share_basis_points, WHOLE)

    def begin(self, at_us: int) -> None:
        """The next fact is of this instant [us]: what orders did is of the instant they were run at."""
        if at_us != self._running_us:
            self._running_us = -1

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        """Fold one fact."""
        fact = recorded.fact
        if isinstance(fact, TitlesIssued):
            self.lots += 1
        elif isinstance(fact, OrderPlaced):
            self.all.append(Order(fact, self.lots))
        elif isinstance(fact, OrderEnded):
            self.all[fact.order - 1] = replace(self.all[fact.order - 1], ended=True)
        elif isinstance(fact, AccountAssigned):
            self._end_all(fact.account)
        elif isinstance(fact, OrdersRun) and columns is not None:
            self._run(fact, columns)
            self._running_us = recorded.at_us

    def _end_all(self, account: str) -> None:
        """An account became another organisation's: what its members before ordered is over."""
        self.all = [replace(one, ended=True) if one.placed.account == account else one for one in self.all]

    def check_run(self, fact: OrdersRun, columns: Columns) -> None:
        """That a run begins where the one before ended and takes of no interval more than is due.

        Raises:
            Refused: ``order.looked_already``, ``order.beyond_due``. Invalid: ``order.form``.
        """
        if fact.from_lot != self.next_lot or not fact.from_lot < fact.to_lot <= self.lots:
            raise Refused("order.looked_already", f"Standing orders stand at issue {self.next_lot} of {self.lots}.")
        if overlapping(columns["order"], columns["interval_us"], columns["interval_us"] + 1).any():
            raise Invalid("order.form", "A run names each interval of an order once.")
        for number in np.unique(columns["order"]).tolist():
            placed, rows = self.living(number), np.flatnonzero(columns["order"] == number)
            found, taken = self.served(number, columns["interval_us"][rows])
            due = self.due_wh(placed, found + columns["found_wh"][rows])
            if (columns["taken_wh"][rows] < 0).any() or (taken + columns["taken_wh"][rows] > due).any():
                raise Refused("order.beyond_due", f"Standing order {number} takes more than is due to it.")

    def _run(self, fact: OrdersRun, columns: Columns) -> None:
        self.check_run(fact, columns)
        order, interval_us = columns["order"], columns["interval_us"]
        handle = self._served.find(order, interval_us)
        known, new = np.flatnonzero(handle >= 0), np.flatnonzero(handle < 0)
        for name in ("found_wh", "taken_wh"):
            self._served.put(name, handle[known], self._served.take(name, handle[known]) + columns[name][known])
        keys = {"register": order[new], "start": interval_us[new], "stop": interval_us[new] + 1}
        self._served.insert({**keys, **{name: columns[name][new] for name in ("found_wh", "taken_wh")}})
        self.next_lot = fact.to_lot

    def digest(self) -> bytes:
        """sha256 over all of it."""
        digest = hashlib.sha256(repr((self.all, self.lots, self.next_lot)).encode())
        for name, column in sorted(self._served.columns().items()):
            digest.update(name.encode() + column.tobytes())
        return digest.digest()
