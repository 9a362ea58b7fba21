"""Compute credits: promised tokens at a fixed price, redeemed as answers are delivered.

A credit is a whole number of tokens. What is billed for tokens is the floor of
cumulative tokens at the credit's price, so that remainders carry over and cannot
pile up; whole credits are redeemed once their last token is delivered.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from penstock.errors import Conflict, NotFound, Refused
from penstock.journal.fact import Recorded
from penstock.journal.kinds.capacity import CreditsEnded
from penstock.journal.kinds.compute import AnswersServed, CreditsOffered, CreditsRedeemed, CreditsSold, RackRegistered
from penstock.journal.segment import Column, Columns


@dataclass(slots=True)
class CreditBook:
    """One class of credits: its terms and how many were sold and redeemed."""

    terms: CreditsOffered
    sold: int = 0
    redeemed: int = 0
    ended: int = 0

    @property
    def outstanding(self) -> int:
        """Credits sold and not yet redeemed, expired or refunded."""
        return self.sold - self.redeemed - self.ended


@dataclass(slots=True)
class Compute:
    """The compute wing's state: racks, credit classes, tokens and answers served, each by name."""

    racks: dict[str, RackRegistered] = field(default_factory=dict)
    credits: dict[str, CreditBook] = field(default_factory=dict)
    tokens_served: dict[str, int] = field(default_factory=dict)
    answers_served: dict[str, int] = field(default_factory=dict)

    def apply(self, recorded: Recorded, _columns: Columns | None) -> None:
        """Fold one fact; facts of other wings are passed over."""
        match recorded.fact:
            case RackRegistered() as rack:
                self.racks[rack.rack] = rack
            case CreditsOffered() as terms:
                self.credits[terms.credit_class] = CreditBook(terms)
            case CreditsSold() as sale:
                self.credits[sale.credit_class].sold += sale.credits
            case CreditsRedeemed() as redemption:
                self.credits[redemption.credit_class].redeemed += redemption.credits
            case CreditsEnded() as end:
                self.credits[end.credit_class].ended += end.credits
            case AnswersServed() as served:
                self.tokens_served[served.rack] = self.tokens_served.get(served.rack, 0) + served.tokens
                self.answers_served[served.rack] = self.answers_served.get(served.rack, 0) + served.answers

    def book(self, credit_class: str) -> CreditBook:
        """The book of a class. Raises NotFound ``credit.unknown_class``."""
        if credit_class not in self.credits:
            raise NotFound("credit.unknown_class", "No such class of credits is offered.", credit_class=credit_class)
        return self.credits[credit_class]

    def check_offer(self, terms: CreditsOffered) -> None:
        """Raises Conflict ``credit.offered_twice``, Refused ``credit.terms`` for a price or size below 1."""
        if terms.credit_class in self.credits:
            raise Conflict("credit.offered_twice", "This class is already offered.", credit_class=terms.credit_class)
        if min(terms.price_usdc_micro, terms.units_per_credit, terms.capacity_credits) < 1:
            raise Refused("credit.terms", "Price, tokens and capacity of a credit are at least 1.")

    def check_sale(self, credit_class: str, credits: int, at_us: int) -> int:
        """What ``credits`` cost [micro-dollars].

        Raises:
            Refused: ``credit.oversold`` beyond the registered capacity, ``credit.expired``, ``credit.quantity``.
        """
        book = self.book(credit_class)
        if credits < 1:
            raise Refused("credit.quantity", "Credits are sold one or more at a time.", credits=credits)
        if at_us >= book.terms.expires_us:
            raise Refused("credit.expired", "This class has expired.", credit_class=credit_class)
        if book.sold + credits > book.terms.capacity_credits:
            raise Refused("credit.oversold", "No more credits than capacity are sold.", credits=credits)
        return credits * book.terms.price_usdc_micro

    def check_redemption(self, credit_class: str, credits: int) -> int:
        """The dollars that redeeming releases [micro-dollars]. Raises Refused ``credit.not_outstanding``."""
        book = self.book(credit_class)
        if not 0 < credits <= book.outstanding:
            raise Refused("credit.not_outstanding", "Only credits sold and not yet redeemed can be.", credits=credits)
        return credits * book.terms.price_usdc_micro


def whole_credits(tokens_total: int, units_per_credit: int) -> int:
    """Credits whose last token is delivered, of all tokens ever served."""
    return tokens_total // units_per_credit


def billed_positions(token_positions: Column, terms: CreditsOffered) -> Column:
    """Cumulative micro-dollars billed at cumulative token positions: floors, int64.

    Exact while ``tokens * price`` stays below 2**63; beyond that Python integers are used.
    """
    if len(token_positions) and int(token_positions[-1]) * terms.price_usdc_micro >= 2**63:
        exact = [int(position) * terms.price_usdc_micro // terms.units_per_credit for position in token_positions]
        return np.array(exact, dtype=np.int64)
    return token_positions * np.int64(terms.price_usdc_micro) // np.int64(terms.units_per_credit)
