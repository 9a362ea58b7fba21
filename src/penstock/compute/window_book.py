"""The book of windows: offered, sold, passed on, paid for, lapsed, settled.

A sale moves the titles of whole hours, so a unit has one holder whatever is offered; the price waits in the provider's
escrow. What is missing at the end costs its share of price and collateral.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from penstock.compute.calendar import Calendar, free_parts, take_of_hours
from penstock.compute.collateral import Providers, windows_escrow
from penstock.compute.due import Act, Move, moves_of
from penstock.compute.faults import Faults
from penstock.compute.window import Window
from penstock.errors import Conflict, Invalid, NotFound, Refused
from penstock.journal.kinds.capacity import WindowOffered, WindowPaid, WindowSettled, WindowSold
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.segment import Column
from penstock.journal.words import TITLE_STATES, Right, TitleState

if TYPE_CHECKING:
    from penstock.journal.state import Books

PROOF_BYTES = 32


@dataclass(slots=True)
class Windows:
    """Every window by its offer's name."""

    books: Books
    providers: Providers
    offers: dict[str, Window] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def named(self, offer: str) -> Window:
        """An offer; NotFound ``window.unknown``."""
        if offer not in self.offers:
            raise NotFound("window.unknown", "No such window is offered.", offer=offer)
        return self.offers[offer]

    def check_new(self, offer: str) -> None:
        """Raises Conflict ``window.known``."""
        if offer in self.offers:
            raise Conflict("window.known", "A window of this name is offered already.", offer=offer)

    def reckon_sale(self, offer: str, buyer: str, calendar: Calendar, at_us: int) -> Act:
        """The provider sells a window.

        Raises:
            NotFound: ``window.unknown``, ``account.unknown``. Refused: ``window.sold``, ``window.expired``,
            ``window.own``, ``capacity.sold_out``, ``collateral.short``.
        """
        window = self.named(offer)
        terms = window.terms
        if window.sold >= 0:
            raise Refused("window.sold", "This window is sold.", hint="Ask for other offers of it.", offer=offer)
        if at_us >= terms.expires_us:
            raise Refused("window.expired", "This offer has expired.", offer=offer)
        target, source = (self.books.accounts.id_of(one) for one in (buyer, terms.provider))
        if target == source:
            raise Refused("window.own", "Who holds a window does not buy it.", offer=offer)
        self.providers.check_covers(terms.provider, terms.collateral_usdc_micro)
        free = free_parts(self.books.titles[Right.USE], calendar, source, terms.start_us, terms.hours)
        wanted = np.full(terms.hours, terms.accelerators)
        parts = take_of_hours(free, calendar, calendar.begins(terms.start_us, terms.hours), wanted)
        escrow = windows_escrow(terms.provider)
        paid = (Transfer(buyer, escrow, window.deposit_usdc_micro, "window bought"),)
        sold = WindowSold(offer, terms.provider, buyer, terms.price_usdc_micro, paid)
        return Act(sold, (Move(moves_of(parts, TitleState.HELD, target), "window sold"),))

    def reckon_resale(self, offer: str, seller: str, buyer: str, price_usdc_micro: int, at_us: int) -> Act:
        """A holder passes a window on, with what is still to be paid for it.

        Raises:
            NotFound: ``window.unknown``, ``account.unknown``. Refused: ``window.not_held``, ``window.begun``,
            ``window.own``. Invalid: ``window.price``.
        """
        window = self._live(offer)
        if window.holder != seller:
            raise Refused("window.not_held", f"{seller} does not hold this window.", offer=offer)
        if at_us >= window.terms.start_us:
            raise Refused("window.begun", "A window changes hands before it begins.", offer=offer)
        if not 0 <= price_usdc_micro < 2**62:
            raise Invalid("window.price", "A price is 0 or more.", offer=offer)
        target = self.books.accounts.id_of(buyer)
        if buyer == seller or buyer == window.terms.provider:
            raise Refused("window.own", "A window is passed on to somebody else than its holder and provider.")
        paid = (Transfer(buyer, seller, price_usdc_micro, "window bought"),) if price_usdc_micro else ()
        sold = WindowSold(offer, seller, buyer, price_usdc_micro, paid)
        return Act(sold, self._moved(window, TitleState.HELD, "window sold", target))

    def reckon_payment(self, offer: str, at_us: int, lapsed: bool) -> Act:
        """The rest of a price, in time; or that it did not come, and the window lapses to its provider.

        Raises:
            NotFound: ``window.unknown``. Refused: ``window.paid``, ``window.late``, ``window.not_due``.
        """
        window = self._live(offer)
        terms, holder = window.terms, window.holder
        if window.unpaid_usdc_micro <= 0:
            raise Refused("window.paid", "This window is paid for.", offer=offer)
        escrow = windows_escrow(terms.provider)
        if not lapsed:
            if at_us > terms.balance_due_us:
                raise Refused("window.late", "The rest of the price was due before.", offer=offer)
            paid = Transfer(holder, escrow, window.unpaid_usdc_micro, "window paid")
            return Act(WindowPaid(offer, holder, False, (paid,)))
        if at_us <= terms.balance_due_us:
            raise Refused("window.not_due", "The rest of the price may still come.", offer=offer)
        kept = self._out_of(window, self._revenue(window), window.escrow_usdc_micro, "deposit kept")
        provider = self.books.accounts.id_of(terms.provider)
        return Act(
            WindowPaid(offer, holder, True, kept), self._moved(window, TitleState.HELD, "window lapsed", provider)
        )

    def reckon_settlement(self, offer: str, delivered_ms: int, proof: bytes, at_us: int) -> Act:
        """A window is over: the provider gets what was delivered of the price, its holder the rest and the penalty.

        Raises:
            NotFound: ``window.unknown``. Refused: ``window.early``, ``window.unpaid``, ``window.delivered`` for more
            than is there, ``window.disproven`` for more than judged challenges leave.
            Invalid: ``window.proof`` for a delivery without a digest of what shows it.
        """
        window = self._live(offer)
        if at_us < window.stop_us:
            raise Refused("window.early", "A window is settled when it is over.", offer=offer)
        if window.unpaid_usdc_micro > 0:
            raise Refused("window.unpaid", "The rest of its price did not come: it lapses.", offer=offer)
        if not 0 <= delivered_ms <= window.contracted_ms - window.lost_ms:
            raise Refused("window.delivered", "No more is delivered than was sold and not lost.", offer=offer)
        left_ms = window.contracted_ms - self.faults.missing_ms(window)
        if delivered_ms > left_ms:
            sentence = f"Judged challenges leave {left_ms} accelerator-milliseconds of this window."
            raise Refused("window.disproven", sentence, offer=offer)
        if len(proof) != PROOF_BYTES and (delivered_ms or proof):
            raise Invalid("window.proof", "What shows a delivery is named by its sha256.", offer=offer)
        back, penalty = self.remedy(window, window.contracted_ms - delivered_ms, window.excused_ms)
        earned = window.escrow_usdc_micro - sum(one.usdc_micro for one in back)
        transfers = (*back, *penalty, *self._out_of(window, self._revenue(window), earned, "window delivered"))
        fact = WindowSettled(offer, window.holder, window.contracted_ms, delivered_ms, proof, transfers)
        return Act(fact, self._moved(window, TitleState.RETIRED, "window over"))

    def remedy(
        self, window: Window, missing_ms: int, excused_ms: int, spent_usdc_micro: int = 0
    ) -> tuple[tuple[Transfer, ...], tuple[Transfer, ...]]:
        """What missing milliseconds bring a holder beyond what they brought before: of escrow, and of collateral.

        ``excused_ms`` of them cost no penalty. What of the price has not been paid yet is let off first;
        ``spent_usdc_micro`` of the collateral the same act pays to others.
        """
        price, penalty = window.owed(missing_ms, excused_ms)
        due = max(price - window.back_usdc_micro, 0)
        back = due - min(due, window.unpaid_usdc_micro)
        more = self.providers.payable(
            window.terms.provider, max(penalty - window.penalty_usdc_micro, 0), spent_usdc_micro
        )
        collateral = self.providers.named(window.terms.provider).collateral_account
        paid = (Transfer(collateral, window.holder, more, "window missing"),) if more else ()
        return self._out_of(window, window.holder, back, "window missing"), paid

    def take_remedy(self, window: Window, missing_ms: int, transfers: tuple[Transfer, ...]) -> None:
        """Fold what `remedy` came to, as its transfers say."""
        provider = window.terms.provider
        price, penalty = window.owed(missing_ms, window.excused_ms)
        before, escrow = window.collateral_usdc_micro, windows_escrow(provider)
        back = sum(one.usdc_micro for one in transfers if one.source == escrow)
        window.back_usdc_micro = max(window.back_usdc_micro, price)
        window.returned_usdc_micro += back
        window.penalty_usdc_micro = max(window.penalty_usdc_micro, penalty)
        self.providers.posted[provider] -= sum(one.usdc_micro for one in transfers) - back
        self.providers.need(provider, window.collateral_usdc_micro - before)

    def offered(self, terms: WindowOffered, register: int) -> None:
        """Take an offer in."""
        self.offers[terms.offer] = Window(terms, register)

    def sold(self, fact: WindowSold, act: Act, number: int) -> None:
        """Fold a sale or resale."""
        window = self.offers[fact.offer]
        if window.sold < 0:
            window.start, window.stop = act.moves["start"], act.moves["stop"]
            window.sold, window.paid_usdc_micro = number, window.deposit_usdc_micro
            self.providers.need(window.terms.provider, window.terms.collateral_usdc_micro)
        window.holder, window.price_usdc_micro = fact.buyer, fact.price_usdc_micro

    def paid(self, fact: WindowPaid) -> None:
        """Fold a payment or a lapse."""
        window = self.offers[fact.offer]
        if fact.lapsed:
            self._end(window, "lapsed")
        else:
            window.paid_usdc_micro += window.unpaid_usdc_micro

    def settled(self, fact: WindowSettled) -> None:
        """Fold a settlement."""
        window = self.offers[fact.offer]
        collateral = self.providers.named(window.terms.provider).collateral_account
        paid = sum(one.usdc_micro for one in fact.transfers if one.source == collateral)
        self.providers.posted[window.terms.provider] -= paid
        self._end(window, "settled")

    def _end(self, window: Window, state: str) -> None:
        self.providers.need(window.terms.provider, -window.collateral_usdc_micro)
        window.ended = state

    def _live(self, offer: str) -> Window:
        window = self.named(offer)
        if not window.live:
            raise Refused("window.not_held", f"This window is {window.state}.", offer=offer)
        return window

    def _revenue(self, window: Window) -> str:
        return self.providers.named(window.terms.provider).revenue_account

    def _out_of(self, window: Window, target: str, usdc_micro: int, purpose: str) -> tuple[Transfer, ...]:
        escrow = windows_escrow(window.terms.provider)
        return (Transfer(escrow, target, usdc_micro, purpose),) if usdc_micro > 0 else ()

    def _moved(self, window: Window, state: TitleState, purpose: str, target: int | None = None) -> tuple[Move, ...]:
        """What is left of a window moves; nothing where all of it was lost."""
        parts = live_parts(self.books, window)
        return (Move(moves_of(parts, state, target), purpose),) if len(parts["start"]) else ()


def live_parts(books: Books, window: Window) -> dict[str, Column]:
    """The titles to a window that were not lost, in order."""
    register = np.full(len(window.start), window.register, dtype=np.int64)
    parts = books.titles[Right.USE].parts(register, window.start, window.stop)
    kept = np.flatnonzero(parts["state"] == TITLE_STATES.index(TitleState.HELD))
    return {name: column[kept] for name, column in parts.items()}
