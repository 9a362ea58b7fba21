"""The book of backed credits: offered, sold, passed on, asked for, redeemed, ended.

Dollars wait in the class's escrow until work is delivered. Work asked for and not delivered within the grace costs its
provider price and collateral; what nobody asked for expires and brings its price back, without collateral.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from penstock.compute.backed import Backed
from penstock.compute.calendar import Calendar, free_parts, take_of_hours, whole_hours
from penstock.compute.collateral import Providers
from penstock.compute.conversion import Tables, accelerator_hours_up
from penstock.compute.due import Act, Due, Issue, Link, Move, moves_of
from penstock.errors import Invalid, NotFound, Refused
from penstock.journal.cutting import ratio_down
from penstock.journal.kinds.capacity import CreditEnd, CreditsEnded, CreditsRequested, CreditsTransferred
from penstock.journal.kinds.compute import CreditsOffered, CreditsRedeemed, CreditsSold, RackRegistered
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.segment import Column, Columns
from penstock.journal.words import TITLE_STATES, LinkKind, Right, TitleState, Unit
from penstock.period import HOUR_US

if TYPE_CHECKING:
    from penstock.journal.state import Books

ENDS = {CreditEnd.EXPIRED: TitleState.EXPIRED, CreditEnd.REFUNDED: TitleState.WITHDRAWN}


def answered_register(credit_class: str) -> str:
    """The register that counts an application's requests as they are answered."""
    return f"{credit_class}/answered"


@dataclass(slots=True)
class Credits:
    """Every backed class by name."""

    books: Books
    providers: Providers
    tables: Tables
    classes: dict[str, Backed] = field(default_factory=dict)

    def named(self, credit_class: str) -> Backed:
        """A backed class; NotFound ``credit.unknown_class``."""
        if credit_class not in self.classes:
            raise NotFound("credit.unknown_class", "No such class of credits is offered.", credit_class=credit_class)
        return self.classes[credit_class]

    def reckon_offer(self, terms: CreditsOffered, sku: str, calendar: Calendar, at_us: int) -> Act:
        """A class is opened, its accelerator-hours reserved: evenly over its whole hours to come.

        Raises:
            NotFound: ``provider.unknown``, ``conversion.unknown``. Invalid: ``credit.unit``, ``credit.backing``.
            Refused: ``credit.expired``, ``capacity.sold_out``.
        """
        known = self.providers.named(terms.provider)
        table = self.tables.conversion(terms.conversion)
        if terms.unit is not table.unit or bool(terms.application.strip()) != (terms.unit is Unit.REQUESTS):
            hint = "Requests are of a named application; tokens and ms name none."
            raise Invalid("credit.unit", "A credit and its conversion are in one unit.", hint=hint)
        if (terms.model, sku) != (table.model, table.sku) or terms.revenue_account != known.revenue_account:
            sentence = "Model, accelerator and revenue account are the conversion's and the provider's own."
            raise Invalid("credit.backing", sentence, credit_class=terms.credit_class)
        if terms.collateral_usdc_micro < 0 or terms.grace_us < 1:
            raise Invalid("credit.backing", "A credit has a grace, and collateral of 0 or more.")
        start_us, stop_us = -(-at_us // HOUR_US) * HOUR_US, terms.expires_us // HOUR_US * HOUR_US
        if stop_us <= start_us:
            raise Refused("credit.expired", "A class lives for at least one whole hour to come.")
        hours = whole_hours(start_us, stop_us)
        need = accelerator_hours_up(table, terms.capacity_credits * terms.units_per_credit)
        each = np.diff(ratio_down(np.arange(hours + 1, dtype=np.int64), need, hours))
        source = self.books.accounts.id_of(terms.provider)
        free = free_parts(self.books.titles[Right.USE], calendar, source, start_us, hours)
        parts = take_of_hours(free, calendar, calendar.begins(start_us, hours), each)
        return Act(terms, (Move(moves_of(parts, TitleState.RESERVED), "reserved for credits"),))

    def reckon_sale(self, credit_class: str, buyer: str, credits: int, at_us: int) -> Act:
        """A buyer's dollars go to escrow, and it holds the next credits.

        Raises:
            NotFound: ``credit.unknown_class``, ``account.unknown``. Refused: ``credit.quantity``, ``credit.expired``,
            ``credit.oversold``, ``collateral.short``.
        """
        one = self.named(credit_class)
        terms, holder = one.terms, self.books.accounts.id_of(buyer)
        if credits < 1:
            raise Refused("credit.quantity", "Credits are sold one or more at a time.", credits=credits)
        if at_us >= terms.expires_us:
            raise Refused("credit.expired", "This class has expired.", credit_class=credit_class)
        if credits > one.left:
            raise Refused("credit.oversold", "No more credits than capacity are sold.", credits=credits, left=one.left)
        self.providers.check_covers(terms.provider, credits * terms.collateral_usdc_micro)
        paid = Transfer(buyer, one.escrow, credits * terms.price_usdc_micro, "credits bought")
        head = self.books.titles[Right.USE].head(one.register)
        issue: dict[str, Column] = {
            "register": np.array([one.register], dtype=np.int32),
            "start": np.array([head], dtype=np.int64),
            "stop": np.array([head + credits * terms.units_per_credit], dtype=np.int64),
            "holder": np.array([holder], dtype=np.int32),
            "interval_us": np.array([at_us], dtype=np.int64),
        }
        due = Issue(issue, terms.expires_us - at_us, one.valid_us)
        return Act(CreditsSold(credit_class, buyer, credits, (paid,)), (due,))

    def reckon_transfer(self, credit_class: str, source: str, target: str, credits: int, at_us: int) -> Act:
        """Credits that no work was asked for change hands, the oldest first.

        Raises:
            As `Backed.first`; NotFound ``account.unknown``; Refused ``credit.expired``; Invalid ``credit.holder``.
        """
        one = self._live(credit_class, at_us)
        receiver = self.books.accounts.id_of(target)
        if source == target:
            raise Invalid("credit.holder", "Credits change hands between two accounts.", holder=source)
        parts = one.first(self.books, source, credits, TitleState.HELD)
        moved = Move(moves_of(parts, TitleState.HELD, receiver), "credits passed on")
        return Act(CreditsTransferred(credit_class, source, target, credits), (moved,))

    def reckon_request(self, credit_class: str, holder: str, credits: int, at_us: int) -> Act:
        """A holder asks for the work of its credits. Raises as `Backed.first`; Refused ``credit.expired``."""
        one = self._live(credit_class, at_us)
        parts = one.first(self.books, holder, credits, TitleState.HELD)
        moved = Move(moves_of(parts, TitleState.RESERVED), "work asked for")
        return Act(CreditsRequested(credit_class, holder, credits), (moved,))

    def reckon_redemption(
        self, credit_class: str, holder: str, credits: int, work_root: bytes, rack: RackRegistered, at_us: int
    ) -> Act:
        """Work was delivered: credits end, asked ones first, and their dollars reach the provider's revenue.

        Raises:
            As `Backed.first`; Refused ``credit.expired`` for what was not asked for in time, ``credit.rack`` for work
            of another rack than stands behind the class.
        """
        one = self.named(credit_class)
        if rack.rack != one.terms.backing_rack:
            raise Refused("credit.rack", "The rack that was reserved does the work.", rack=rack.rack)
        states = (TitleState.RESERVED,) if at_us >= one.terms.expires_us else (TitleState.RESERVED, TitleState.HELD)
        if at_us >= one.last_us:
            raise Refused("credit.expired", "This class has expired.", credit_class=credit_class)
        parts = one.first(self.books, holder, credits, *states)
        paid = Transfer(one.escrow, one.terms.revenue_account, credits * one.terms.price_usdc_micro, "work delivered")
        source = self.books.registers.id_of(self.source_register(one, rack))
        link = Link(LinkKind.DELIVER, source, one.register, parts)
        dues: tuple[Due, ...] = (link, Move(moves_of(parts, TitleState.RETIRED), "work delivered"))
        return Act(CreditsRedeemed(credit_class, holder, credits, work_root, (paid,)), dues)

    def reckon_end(self, credit_class: str, holder: str, end: CreditEnd, at_us: int) -> Act:
        """All of a holder's credits that are overdue are refunded, or all that are left after their time expire.

        Once a provider's work was shown to be false, all credits are refunded, asked for or not.

        Raises:
            NotFound: ``credit.unknown_class``, ``account.unknown``. Refused: ``credit.not_over``, ``credit.not_held``.
        """
        one = self.named(credit_class)
        states: tuple[TitleState, ...] = (TitleState.HELD,)
        if end is CreditEnd.EXPIRED:
            if at_us < one.last_us:
                sentence = "Credits expire when the last work may no longer be due."
                raise Refused("credit.not_over", sentence, credit_class=credit_class, until_us=one.last_us)
            count = one.count(self.books, holder, *states)
        elif one.terms.provider in self.providers.proven_false:
            states = (TitleState.RESERVED, TitleState.HELD)
            count = one.count(self.books, holder, *states)
        else:
            states, count = (TitleState.RESERVED,), one.overdue(holder, at_us)
            if not count:
                sentence = "No work that this holder asked for is overdue."
                raise Refused("credit.not_over", sentence, credit_class=credit_class, holder=holder)
        fact, moves = self.ended(one, holder, one.first(self.books, holder, max(count, 1), *states), end)
        return Act(fact, (moves,))

    def ended(
        self, one: Backed, holder: str, parts: Columns, end: CreditEnd, spent: int = 0
    ) -> tuple[CreditsEnded, Move]:
        """What ending a holder's titles comes to, where ``spent`` of the collateral goes elsewhere by the same act."""
        terms = one.terms
        count = int((parts["stop"] - parts["start"]).sum()) // terms.units_per_credit
        paid = [Transfer(one.escrow, holder, count * terms.price_usdc_micro, f"credits {end}")]
        owed = count * terms.collateral_usdc_micro if end is CreditEnd.REFUNDED else 0
        penalty = self.providers.payable(terms.provider, owed, spent)
        if penalty:
            collateral = self.providers.named(terms.provider).collateral_account
            paid.append(Transfer(collateral, holder, penalty, "work not delivered"))
        fact = CreditsEnded(terms.credit_class, holder, count, end, tuple(paid))
        return fact, Move(moves_of(parts, ENDS[end]), f"credits {end}")

    def source_register(self, one: Backed, rack: RackRegistered) -> str:
        """The register that counts delivered work in the class's unit."""
        if one.terms.unit is Unit.REQUESTS:
            return answered_register(one.terms.credit_class)
        return rack.calendar_register if one.terms.unit is Unit.MS else rack.token_register

    def sold(self, fact: CreditsSold) -> None:
        """Fold a sale."""
        one = self.classes[fact.credit_class]
        one.sold += fact.credits
        self.providers.need(one.terms.provider, fact.credits * one.terms.collateral_usdc_micro)

    def requested(self, fact: CreditsRequested, at_us: int) -> None:
        """Fold a request."""
        self.classes[fact.credit_class].ask(fact.holder, fact.credits, at_us)

    def redeemed(self, fact: CreditsRedeemed) -> None:
        """Fold a redemption."""
        one = self.classes[fact.credit_class]
        one.redeemed += fact.credits
        one.answered(fact.buyer, fact.credits)
        self.providers.need(one.terms.provider, -fact.credits * one.terms.collateral_usdc_micro)

    def asked_of(self, one: Backed, parts: Columns) -> int:
        """How many credits among titles had been asked for."""
        rows = parts["state"] == TITLE_STATES.index(TitleState.RESERVED)
        return int((parts["stop"] - parts["start"])[rows].sum()) // one.terms.units_per_credit

    def take_end(self, fact: CreditsEnded, asked: int, newest: bool = False) -> None:
        """Fold an end; ``asked`` of the credits had been asked for."""
        one = self.classes[fact.credit_class]
        collateral = self.providers.named(one.terms.provider).collateral_account
        self.providers.posted[one.terms.provider] -= sum(t.usdc_micro for t in fact.transfers if t.source == collateral)
        one.ended += fact.credits
        one.answered(fact.holder, asked, newest)
        self.providers.need(one.terms.provider, -fact.credits * one.terms.collateral_usdc_micro)

    def _live(self, credit_class: str, at_us: int) -> Backed:
        one = self.named(credit_class)
        if at_us >= one.terms.expires_us:
            raise Refused("credit.expired", "This class has expired.", credit_class=credit_class)
        return one
