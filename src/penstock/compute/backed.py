"""A class of credits backed by reserved capacity: what stands behind it, what it owes, whose turn it is.

A credit is so many tokens, accelerator-milliseconds or requests, as titles on the class's promised register. The
backing is whole accelerator-hours of one rack, spread evenly over the class's life and turned into units by a
published conversion; no more credits live than it yields.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from penstock.compute.calendar import picked
from penstock.compute.conversion import units_down
from penstock.compute.service import MS_PER_HOUR
from penstock.errors import Refused
from penstock.journal.kinds.capacity import ConversionPublished
from penstock.journal.kinds.compute import CreditsOffered
from penstock.journal.segment import Column, Columns
from penstock.journal.words import TITLE_STATES, Right, TitleState

if TYPE_CHECKING:
    from penstock.journal.state import Books


@dataclass(slots=True)
class Asked:
    """Credits that a holder asked work for, and when [us]."""

    credits: int
    at_us: int


@dataclass(slots=True)
class Backed:
    """One class: its terms, the conversion as it stood at the offer, and where it stands.

    ``start`` and ``stop`` are the calendar positions reserved; ``number`` its place in the order of sales;
    ``reserved_ms`` what of them was not lost.
    """

    terms: CreditsOffered
    conversion: ConversionPublished
    register: int
    calendar: int
    number: int
    start: Column
    stop: Column
    reserved_ms: int
    sold: int = 0
    redeemed: int = 0
    ended: int = 0
    asked: dict[str, list[Asked]] = field(default_factory=dict)

    @property
    def backing_credits(self) -> int:
        """Credits that the reserved accelerator-hours yield, and no more than were offered."""
        return self.backing_without(0)

    def backing_without(self, lost_ms: int) -> int:
        """The same, were so many more accelerator-milliseconds lost."""
        units = units_down(self.conversion, (self.reserved_ms - lost_ms) // MS_PER_HOUR)
        return min(self.terms.capacity_credits, units // self.terms.units_per_credit)

    @property
    def outstanding(self) -> int:
        """Credits that somebody holds."""
        return self.sold - self.redeemed - self.ended

    @property
    def left(self) -> int:
        """Credits that can still be sold."""
        return max(self.backing_credits - self.sold, 0)

    def uncovered(self, lost_ms: int = 0) -> int:
        """Credits that nothing would stand behind, were so many more accelerator-milliseconds lost."""
        return min(self.outstanding, max(self.sold - self.ended - self.backing_without(lost_ms), 0))

    @property
    def escrow(self) -> str:
        """The account where buyers' dollars wait."""
        return f"{self.terms.credit_class}/escrow"

    @property
    def escrow_usdc_micro(self) -> int:
        """What it holds."""
        return self.outstanding * self.terms.price_usdc_micro

    @property
    def last_us(self) -> int:
        """When the last work that was asked for in time is due; from then on what is left has expired."""
        return self.terms.expires_us + self.valid_us

    @property
    def valid_us(self) -> int:
        """How long a title stays valid after the class expires: as long as work may be due."""
        return max(self.terms.grace_us, 1)

    def overdue(self, holder: str, at_us: int) -> int:
        """Credits that a holder asked work for so long ago that they are refunded."""
        waiting = self.asked.get(holder, [])
        return sum(one.credits for one in waiting if at_us >= one.at_us + self.terms.grace_us)

    def ask(self, holder: str, credits: int, at_us: int) -> None:
        """A holder asks for work."""
        self.asked.setdefault(holder, []).append(Asked(credits, at_us))

    def answered(self, holder: str, count: int, newest: bool = False) -> None:
        """So many credits asked for are off the list: the oldest, or the newest."""
        waiting = self.asked.get(holder, [])
        while waiting and count:
            one = waiting[-1 if newest else 0]
            gone = min(one.credits, count)
            one.credits, count = one.credits - gone, count - gone
            if not one.credits:
                waiting.remove(one)

    def parts(self, books: Books, holder: int | None, *states: TitleState) -> dict[str, Column]:
        """A holder's titles to it, state after state, each in order; None: everybody's."""
        rows = books.titles[Right.USE].within(self.register, 0, books.titles[Right.USE].head(self.register))
        mine = np.ones(len(rows["start"]), dtype=np.bool_) if holder is None else rows["holder"] == holder
        codes = [TITLE_STATES.index(state) for state in states]
        which = [np.flatnonzero(mine & (rows["state"] == code)) for code in codes]
        return picked(rows, np.concatenate(which))

    def count(self, books: Books, holder: str, *states: TitleState) -> int:
        """A holder's credits in these states; raises NotFound ``account.unknown``."""
        parts = self.parts(books, books.accounts.id_of(holder), *states)
        return int((parts["stop"] - parts["start"]).sum()) // self.terms.units_per_credit

    def first(self, books: Books, holder: str, credits: int, *states: TitleState) -> dict[str, Column]:
        """A holder's first so many credits in these states.

        Raises:
            NotFound: ``account.unknown``. Refused: ``credit.quantity``, ``credit.not_held``.
        """
        held = self.count(books, holder, *states)
        if credits < 1:
            raise Refused("credit.quantity", "Credits are counted from one.", credits=credits)
        if credits > held:
            sentence = f"{holder} has {held} credits for this, not {credits}."
            raise Refused("credit.not_held", sentence, credit_class=self.terms.credit_class, holder=holder)
        parts = self.parts(books, books.accounts.id_of(holder), *states)
        return first_units(parts, credits * self.terms.units_per_credit)

    def newest(self, books: Books, credits: int) -> dict[str, Column]:
        """The credits sold last that are still held, from the top of the register down."""
        parts = self.parts(books, None, TitleState.HELD, TitleState.RESERVED)
        order = np.argsort(-parts["start"], kind="stable")
        return last_units(picked(parts, order), credits * self.terms.units_per_credit)


def first_units(parts: Columns, units: int) -> dict[str, Column]:
    """The first so many units of parts, the last one cut behind."""
    length = parts["stop"] - parts["start"]
    taken = np.clip(units - (np.cumsum(length) - length), 0, length)
    rows = np.flatnonzero(taken)
    return {**picked(parts, rows), "stop": parts["start"][rows] + taken[rows]}


def last_units(parts: Columns, units: int) -> dict[str, Column]:
    """The first so many units of parts that are in falling order, the last one cut in front."""
    length = parts["stop"] - parts["start"]
    taken = np.clip(units - (np.cumsum(length) - length), 0, length)
    rows = np.flatnonzero(taken)
    return {**picked(parts, rows), "start": parts["stop"][rows] - taken[rows]}
