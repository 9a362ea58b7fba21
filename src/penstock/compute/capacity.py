"""The book of capacity: providers, their accelerators by the hour, and what they sold of them.

Every act is worked out here from the books as they stand, both when it is decided and when its fact is folded; a fact
that says something else is refused, and so is any other that would move what these acts alone may move.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from penstock.compute.backed import Backed
from penstock.compute.calendar import Calendar, origin_us, whole_hours
from penstock.compute.collateral import Providers
from penstock.compute.conversion import Tables
from penstock.compute.credit_book import Credits
from penstock.compute.due import Act, Due, Dues, Issue, Move, moves_of
from penstock.compute.loss import Loss, Lost, plan_loss, remedy_loss
from penstock.compute.service import MS_PER_HOUR
from penstock.compute.window import Window, check_terms
from penstock.compute.window_book import Windows
from penstock.errors import Conflict, Invalid, NotFound, Refused
from penstock.journal.kinds.capacity import CapacityLost, CapacityOpened, WindowOffered
from penstock.journal.kinds.compute import CreditsOffered, RackRegistered
from penstock.journal.segment import Column, Columns
from penstock.journal.words import Right, TitleState
from penstock.period import HOUR_US

if TYPE_CHECKING:
    from penstock.journal.state import Books

NOT_OPENED = "before the first hour opened"


class Capacity:
    """Providers, tables, opened hours, windows and backed credits; racks and their age are asked for by name."""

    def __init__(self, books: Books, racks: dict[str, RackRegistered], commissioned_us: Callable[[str], int]) -> None:
        self.books, self._racks, self._commissioned_us = books, racks, commissioned_us
        self.providers, self.tables = Providers(), Tables()
        self.windows = Windows(books, self.providers)
        self.credits = Credits(books, self.providers, self.tables)
        self.opened: dict[str, list[CapacityOpened]] = {}
        self.dues, self._sales = Dues(), 0
        self.guarded_registers: set[int] = set()
        self.guarded_accounts: set[str] = set()

    def next_sale(self) -> int:
        """A number for a sale or a reservation, in order."""
        self._sales += 1
        return self._sales - 1

    @property
    def calendars(self) -> set[int]:
        """The registers of all calendars opened."""
        return {self.calendar(rack).register for rack in self.opened}

    def rack(self, name: str) -> RackRegistered:
        """A rack; NotFound ``rack.unknown``."""
        if name not in self._racks:
            raise NotFound("rack.unknown", "No such rack is registered.", rack=name)
        return self._racks[name]

    def calendar(self, rack: str) -> Calendar:
        """A rack's calendar; NotFound ``rack.unknown``."""
        known = self.rack(rack)
        number = self.books.registers.id_of(known.calendar_register)
        return Calendar(number, origin_us(self._commissioned_us(rack)), known.accelerators)

    def sku_of(self, rack: str, start_us: int, stop_us: int) -> str:
        """What accelerators a rack was opened with for all of a period; Refused ``capacity.not_opened``."""
        for one in self.opened.get(rack, []):
            if one.start_us <= start_us < one.stop_us and (stop_us <= one.stop_us):
                return one.sku
        hint = "Open it: penstock compute capacity open."
        raise Refused("capacity.not_opened", "These hours of the rack are not opened as one.", hint=hint, rack=rack)

    def reckon_open(self, fact: CapacityOpened, at_us: int) -> Act:
        """Hours of a rack become titles of its provider; what lies before the first ones is withdrawn.

        Raises:
            NotFound: ``rack.unknown``, ``provider.unknown``, ``sku.unknown``. Refused: ``capacity.operator``,
            ``capacity.past``. Conflict: ``capacity.opened``. Invalid: ``capacity.hours``.
        """
        self.providers.named(fact.provider)
        self.tables.sku(fact.sku)
        if self.rack(fact.rack).operator != fact.provider:
            raise Refused("capacity.operator", "A rack's operator opens its capacity.", rack=fact.rack)
        hours, calendar = whole_hours(fact.start_us, fact.stop_us), self.calendar(fact.rack)
        first, head = calendar.position(fact.start_us), self.books.titles[Right.USE].head(calendar.register)
        if fact.start_us < max(at_us // HOUR_US * HOUR_US, calendar.origin_us):
            raise Refused("capacity.past", "Capacity is opened before it comes.", rack=fact.rack)
        if first < head:
            raise Conflict("capacity.opened", "Capacity is opened hour after hour, each once.", rack=fact.rack)
        begins = calendar.begins(fact.start_us, hours)
        start = np.r_[[head] if first > head else [], begins].astype(np.int64)
        holder = self.books.accounts.id_of(fact.provider)
        issue: dict[str, Column] = {
            "register": np.full(len(start), calendar.register, dtype=np.int32),
            "start": start,
            "stop": np.r_[start[1:], begins[-1:] + calendar.hour_ms],
            "holder": np.full(len(start), holder, dtype=np.int32),
            "interval_us": fact.start_us + (start - first) // calendar.hour_ms * HOUR_US,
        }
        dues: tuple[Due, ...] = (Issue(issue, HOUR_US),)
        if first > head:
            before = {name: column[:1] for name, column in issue.items()}
            dues = (*dues, Move(moves_of(before, TitleState.WITHDRAWN), NOT_OPENED))
        return Act(fact, dues)

    def check_offer(self, fact: WindowOffered, at_us: int) -> None:
        """That a window may be offered.

        Raises:
            As `check_terms`, `sku_of`; NotFound ``provider.unknown``; Conflict ``window.known``; Refused
            ``capacity.operator``, ``window.sku``.
        """
        self.providers.named(fact.provider)
        self.windows.check_new(fact.offer)
        rack = self.rack(fact.rack)
        check_terms(fact, self.tables.sku(fact.sku), rack.accelerators, at_us)
        if rack.operator != fact.provider:
            raise Refused("capacity.operator", "A rack's operator sells its capacity.", rack=fact.rack)
        if self.sku_of(fact.rack, fact.start_us, fact.start_us + fact.hours * HOUR_US) != fact.sku:
            raise Refused("window.sku", "The rack was opened with other accelerators.", rack=fact.rack)

    def reckon_window_sale(self, offer: str, buyer: str, at_us: int) -> Act:
        """As `Windows.reckon_sale`."""
        return self.windows.reckon_sale(offer, buyer, self.calendar(self.windows.named(offer).terms.rack), at_us)

    def reckon_credit_offer(self, terms: CreditsOffered, at_us: int) -> Act:
        """As `Credits.reckon_offer`; Refused ``capacity.operator``, ``capacity.not_opened``."""
        if self.rack(terms.backing_rack).operator != terms.provider:
            raise Refused("capacity.operator", "A rack's operator promises its capacity.", rack=terms.backing_rack)
        start_us, stop_us = -(-at_us // HOUR_US) * HOUR_US, terms.expires_us // HOUR_US * HOUR_US
        sku = self.sku_of(terms.backing_rack, start_us, max(stop_us, start_us))
        return self.credits.reckon_offer(terms, sku, self.calendar(terms.backing_rack), at_us)

    def reckon_redemption(self, credit_class: str, holder: str, credits: int, work_root: bytes, at_us: int) -> Act:
        """As `Credits.reckon_redemption`, by the rack that stands behind the class."""
        rack = self.rack(self.credits.named(credit_class).terms.backing_rack)
        return self.credits.reckon_redemption(credit_class, holder, credits, work_root, rack, at_us)

    def plan_loss(self, rack: str, start_us: int, accelerators: Column, at_us: int) -> Lost:
        """Whose so many accelerators of consecutive hours are.

        Raises:
            NotFound: ``rack.unknown``. Refused: ``capacity.over`` for hours that are over, ``capacity.sold_out``.
            Invalid: ``capacity.hours``.
        """
        stop_us = start_us + len(accelerators) * HOUR_US
        whole_hours(start_us, stop_us)
        if start_us < at_us // HOUR_US * HOUR_US or start_us < self.calendar(rack).origin_us:
            hint = "Settle the window with what was delivered."
            raise Refused("capacity.over", "Only hours to come are lost in advance.", hint=hint, rack=rack)
        windows, classes = self.windows.offers.values(), self.credits.classes.values()
        titles = self.books.titles[Right.USE]
        return plan_loss(titles, self.calendar(rack), start_us, accelerators, windows, classes, start_us - at_us)

    def reckon_loss(self, fact: CapacityLost, spans: Columns, at_us: int) -> Loss:
        """What a loss brings, worked out again from the spans that its fact says are lost; raises as `plan_loss`."""
        calendar = self.calendar(fact.rack)
        hour = calendar.hour_of(spans["start"])
        if not len(hour):
            raise Invalid("capacity.hours", "Capacity comes in whole hours (UTC), at least one.")
        first, last = int(hour.min()), int(hour.max())
        ms = np.zeros(last - first + 1, dtype=np.int64)
        np.add.at(ms, hour - first, spans["stop"] - spans["start"])
        lost = self.plan_loss(fact.rack, calendar.begin_us(first), ms // MS_PER_HOUR, at_us)
        if any(not np.array_equal(lost.parts[name], spans[name]) for name in ("register", "start", "stop")):
            raise Refused("compute.changed", "The fact is not what the act comes to by now.")
        return self.remedy_loss(lost)

    def remedy_loss(self, lost: Lost) -> Loss:
        """Holders of windows are paid, credits that nothing stands behind any more are refunded, newest first."""
        return remedy_loss(self.books, self.windows, self.credits, lost)

    def digest(self) -> bytes:
        """sha256 over all of it."""
        windows = [(name, _plain(one)) for name, one in self.windows.offers.items()]
        classes = [(name, _plain(one)) for name, one in self.credits.classes.items()]
        said = (self.providers, self.tables, self.opened, windows, classes, self._sales)
        return hashlib.sha256(repr(said).encode()).digest()


def _plain(one: Window | Backed) -> list[object]:
    values = (getattr(one, name) for name in one.__slots__)
    return [value.tolist() if isinstance(value, np.ndarray) else value for value in values]
