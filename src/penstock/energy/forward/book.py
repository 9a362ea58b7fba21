"""The book of forwards, folded from facts; each is worked out again as it applies, and refused where it differs.

An act's facts come one right after the other: the book knows which are due, and takes no other between. Until a
delivery looked at an interval, what the seller holds of it goes nowhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import numpy as np

from penstock.energy.device import Devices
from penstock.energy.forward.delivery import Delivery, plan_delivery, rights_of
from penstock.energy.forward.dues import Due, dues_of_delivery, ended_moves, promised_title
from penstock.energy.forward.plant import Plants
from penstock.energy.forward.price import released_down
from penstock.energy.forward.promise import Promise, Sale, collateral_account, escrow_account, promised_register
from penstock.energy.forward.sale import check_ahead, reckon_sale
from penstock.energy.forward.settlement import Settlement, plan_settlement
from penstock.energy.forward.terms import check_terms
from penstock.energy.participants import Participants
from penstock.errors import Conflict, Invalid, NotFound, Refused
from penstock.journal.asset_rows import pledged_names, read_names
from penstock.journal.fact import FactBody, Recorded
from penstock.journal.kinds.capital import DealOriginated
from penstock.journal.kinds.energy import SpansLinked, TitlesIssued, TitlesMoved
from penstock.journal.kinds.forward import (
    ForwardDelivered,
    ForwardIndexPublished,
    ForwardOffered,
    ForwardSettled,
    ForwardSold,
    Remedy,
)
from penstock.journal.kinds.servicing import AssetsPooled, AssetsReleased
from penstock.journal.segment import Column, Columns
from penstock.journal.state import Books
from penstock.journal.words import TITLE_STATES, LinkKind, RegisterKind, Right, TitleState

TAKEN_BACK: Final = tuple(map(TITLE_STATES.index, (TitleState.WITHDRAWN, TitleState.EXPIRED)))
HELD: Final = TITLE_STATES.index(TitleState.HELD)
INDEX_PRICE_MAX: Final = 10**12


class Forwards:
    """Every forward by name, and index prices."""

    def __init__(self, books: Books, energy: Devices, participants: Participants) -> None:
        self._books, self._energy, self._participants = books, energy, participants
        self._plants = Plants(books, energy)
        self.promises: dict[str, Promise] = {}
        self.indices: dict[tuple[str, int, int], ForwardIndexPublished] = {}
        self._registers: list[int] = []
        self._due: list[Due] = []
        self._at_us = 0

    def named(self, forward: str) -> Promise:
        """A forward; NotFound ``forward.unknown``."""
        if forward not in self.promises:
            raise NotFound("forward.unknown", "No such forward is offered.", forward=forward)
        return self.promises[forward]

    def check_offer(self, terms: ForwardOffered, periods: Columns, at_us: int) -> None:
        """That output may be offered so.

        Raises:
            Conflict: ``forward.known``. NotFound: ``account.unknown``. Refused: ``forward.begun``. As `check_terms` and
            `Plants.check`.
        """
        check_terms(terms, periods)
        if terms.forward in self.promises:
            raise Conflict("forward.known", "A forward of this name is offered already.", forward=terms.forward)
        self._books.accounts.id_of(terms.seller)
        check_ahead(terms, at_us)
        self._plants.check(terms)

    def check_unsold(self, names: Iterable[str]) -> None:
        """That no forward still promises what the registers, devices or sites of these names give.

        Raises:
            Conflict: ``deal.sold_forward``.
        """
        promised = {root: one.name for one in self.promises.values() if one.wants for root in one.roots}
        for name in names if promised else ():
            sold = [promised[root] for root in self._plants.registers_named(name) if root in promised]
            if sold:
                hint = "Settle the forward first, or pledge another plant."
                sentence = f"The output of {name} is sold forward."
                raise Conflict("deal.sold_forward", sentence, hint=hint, asset=name, forward=sold[0])

    def registers_named(self, name: str) -> frozenset[int]:
        """The registers behind a name: see `Plants.registers_named`."""
        return self._plants.registers_named(name)

    def reckon_sale(
        self, forward: str, buyer: str, rank: int, quantity_wh: int, basis_points: int, at_us: int
    ) -> ForwardSold:
        """The fact of a sale, of a quantity or of a share.

        Raises:
            NotFound: ``account.unknown``, ``forward.unknown``. As `sale.reckon_sale` and `Plants.check_free`.
        """
        promise = self.named(forward)
        self._books.accounts.id_of(buyer)
        check_ahead(promise.offered, at_us)
        self._plants.check_free(promise.offered.registers)
        return reckon_sale(promise, buyer, rank, (quantity_wh, basis_points), list(self.promises.values()))

    def reckon_delivery(self, forward: str, at_us: int) -> Delivery:
        """What a delivery comes to now.

        Raises:
            Refused: ``forward.settled``, ``forward.unsold``, ``forward.nothing``, ``forward.senior_first`` where an
            older forward of the plant was not delivered yet. NotFound: ``forward.unknown``.
        """
        promise = self.named(forward)
        _check_open(promise)
        if not promise.sales:
            raise Refused("forward.unsold", "Nothing of this forward was sold.", forward=forward)
        made = plan_delivery(self._books, promise, at_us)
        if all(promise.reached.get(one, 0) == head for one, head in made.reached.items()):
            raise Refused("forward.nothing", "Nothing was certified since the last delivery.", forward=forward)
        self._check_older(promise, made.spans)
        return made

    def reckon_settlement(self, forward: str, at_us: int) -> tuple[Settlement, int]:
        """What settling comes to, and at which index price [micro-dollars per MWh].

        Raises:
            Refused: ``forward.settled``, ``forward.early``, ``forward.undelivered``, ``forward.unread`` while readings
            of the window may come. NotFound: ``forward.unknown``, ``forward.index_missing``.
        """
        promise = self.named(forward)
        _check_open(promise)
        makes_up = promise.makes_up and bool(promise.missing.any())
        end_us = promise.until_us if makes_up else promise.offered.stop_us
        if at_us < end_us:
            raise Refused("forward.early", "A forward is settled when its time is over.", forward=forward)
        if promise.wants:
            self._check_delivered(promise, end_us, at_us)
        index = self._index_price(promise)
        return plan_settlement(self._books, promise, index), index

    def check_index(self, fact: ForwardIndexPublished) -> None:
        """That an index price may be published; it is never changed.

        Raises:
            Conflict: ``forward.index_known``. Invalid: ``forward.index``.
        """
        texts = fact.index.strip() and fact.source.strip() and (fact.index + fact.source).isprintable()
        priced = 0 <= fact.price_usdc_micro_per_mwh <= INDEX_PRICE_MAX
        if not texts or not 0 <= fact.start_us < fact.stop_us or not priced:
            raise Invalid("forward.index", "An index price has a name, a period, a source, and is 0 or more.")
        if (fact.index, fact.start_us, fact.stop_us) in self.indices:
            raise Conflict("forward.index_known", "The price of this index and period is published.")

    def check_moves(self, right: Right, moves: Columns) -> None:
        """That moves (columns of ``move/1``) take nothing that a forward's buyers may be due, and end no promise.

        Raises:
            Refused: ``forward.bound``, ``forward.promise``.
        """
        if right is Right.USE:
            self._check_promises(moves)
            return
        for promise in self.promises.values():
            if promise.wants and right in rights_of(promise):
                self._check_bound(promise, right, moves)

    def spare(self, right: Right, titles: Columns) -> Column:
        """Which titles (rows with their holders) no forward binds: whoever picks by quantity passes over the others."""
        free = np.ones(len(titles["start"]), dtype=np.bool_)
        for promise in self.promises.values():
            if promise.wants and right in rights_of(promise):
                mine = np.flatnonzero(titles["holder"] == promise.seller)
                spans = {name: titles[name][mine] for name in ("register", "start", "stop")}
                free[mine[self._plants.bound(promise, right, spans)]] = False
        return free

    def check_issued(self, rows: Columns) -> None:
        """That what one act issues (columns of ``title/1``) and moves on is nobody's due.

        Raises:
            Refused: ``forward.bound``.
        """
        for promise in self.promises.values():
            if promise.wants and self._plants.issues_bound(promise, rows):
                raise _bound(promise)

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        """Fold one fact, held against what it must be.

        Raises:
            Refused: ``forward.incomplete``, ``forward.changed``. As the ``check_`` and ``reckon_`` of its act.
        """
        fact, rows, self._at_us = recorded.fact, columns or {}, recorded.at_us
        if self._due:
            self._due.pop(0).check(fact, rows)
            return
        match fact:
            case DealOriginated():
                self._plants.pledge(fact)
            case AssetsPooled() if rows:
                named = read_names(rows["named"])
                self.check_unsold(pledged_names(named))
                self._plants.pool(fact.deal, named)
            case AssetsReleased() if rows:
                self._plants.release(rows["asset"].tolist())
            case ForwardOffered():
                self._offer(fact, rows)
            case ForwardSold():
                self._sell(fact)
            case ForwardDelivered():
                self._deliver(fact)
            case ForwardSettled():
                self._settle(fact)
            case ForwardIndexPublished():
                self.check_index(fact)
                self.indices[fact.index, fact.start_us, fact.stop_us] = fact
            case TitlesMoved() if rows:
                self.check_moves(fact.right, rows)
            case TitlesIssued(right=Right.USE) if rows:
                self._check_not_promised(rows["register"])
            case SpansLinked(link=LinkKind.DELIVER) if rows:
                self._check_not_promised(rows["target"])

    def _offer(self, terms: ForwardOffered, periods: Columns) -> None:
        self.check_offer(terms, periods, self._at_us)
        self._participants.check_may(terms.by, terms.seller, "sell", int(periods["energy_wh"].sum()))
        register = self._books.registers.id_of(promised_register(terms.forward))
        for account in (escrow_account(terms.forward), collateral_account(terms.forward)):
            self._books.accounts.id_of(account)
        fresh = not self._books.titles[Right.USE].head(register) and register not in self._registers
        if not fresh or self._books.registers.kind(register) is not RegisterKind.PROMISED:
            raise Refused("forward.changed", "The promise of a forward has a register of its own.")
        roots, seller = self._plants.roots(terms.registers), self._books.accounts.id_of(terms.seller)
        self._registers.append(register)
        self.promises[terms.forward] = Promise(len(self.promises), terms, dict(periods), roots, seller, register)

    def _sell(self, fact: ForwardSold) -> None:
        asked = (0, fact.share_basis_points) if fact.share_basis_points else (fact.quantity_wh, 0)
        made = self.reckon_sale(fact.forward, fact.buyer, fact.rank, *asked, self._at_us)
        _check_same(fact, made, "quantity_wh", "cost_usdc_micro", "collateral_usdc_micro", "transfers")
        promise = self.named(fact.forward)
        self._participants.check_receives(promise.offered.seller, fact.buyer)
        self._participants.check_may(fact.by, fact.buyer, "buy", fact.quantity_wh)
        sale = Sale(fact, promise.sold_wh)
        promise.sales.append(sale)
        self._due = [Due(Right.USE, promised_title(promise, sale, self._books.accounts.id_of(fact.buyer)))]

    def _deliver(self, fact: ForwardDelivered) -> None:
        made, promise = self.reckon_delivery(fact.forward, self._at_us), self.named(fact.forward)
        _check_same(fact, made, "quantity_wh", "transfers")
        self._participants.check_may(fact.by, promise.offered.seller, "deliver", fact.quantity_wh)
        promise.reached |= made.reached
        promise.output_wh, promise.given = made.output_wh, made.given
        for sale, more in zip(promise.sales, made.by_sale.tolist(), strict=True):
            sale.delivered_wh += more
            cost, promised_wh = sale.sold.cost_usdc_micro, sale.sold.quantity_wh
            sale.released_usdc_micro = released_down(cost, sale.delivered_wh, promised_wh)
        self._due = dues_of_delivery(promise, made) if made.quantity_wh else []

    def _settle(self, fact: ForwardSettled) -> None:
        made, index = self.reckon_settlement(fact.forward, self._at_us)
        _check_same(fact, made, "missing_wh", "unpaid_usdc_micro", "transfers")
        if fact.index_usdc_micro_per_mwh != index:
            raise Refused("forward.changed", "The fact states another index price than was published.")
        promise = self.named(fact.forward)
        self._participants.check_may(fact.by, promise.offered.seller, "settle")
        promise.settled = True
        self._due = [Due(Right.USE, ended_moves(promise, made.ended))] if len(made.ended["start"]) else []

    def _check_older(self, promise: Promise, spans: Columns) -> None:
        """That older forwards of the plant have looked at what this one delivers."""
        for one in list(self.promises.values())[: promise.number]:
            shared = one.wants and one.roots & promise.roots
            if shared and len(self._plants.bound(one, Right.ATTRIBUTE, spans)):
                hint = f"Deliver {one.name} first."
                raise Refused("forward.senior_first", "An older forward of this plant comes first.", hint=hint)

    def _check_bound(self, promise: Promise, right: Right, moves: Columns) -> None:
        away = (moves["source"] == promise.seller) & ~np.isin(moves["state"], TAKEN_BACK)
        away &= (moves["source"] != moves["target"]) | (moves["state"] != HELD)
        away &= (moves["register"] >= 0) & (moves["register"] < len(self._books.registers))
        rows = np.flatnonzero(away & (moves["stop"] > moves["start"]))  # what is malformed the books refuse
        spans = {name: moves[name][rows] for name in ("register", "start", "stop")}
        if len(rows) and len(self._plants.bound(promise, right, spans)):
            raise _bound(promise)

    def _check_promises(self, moves: Columns) -> None:
        ours = np.isin(moves["register"], self._registers)
        if (moves["state"][ours] != HELD).any():
            raise Refused("forward.promise", "A promise ends when it is delivered or settled; until then it is held.")

    def _check_not_promised(self, registers: Column) -> None:
        if np.isin(registers, self._registers).any():
            raise Refused("forward.incomplete", "A promise is sold and delivered through its forward alone.")

    def _check_delivered(self, promise: Promise, end_us: int, at_us: int) -> None:
        made = plan_delivery(self._books, promise, at_us)
        if made.quantity_wh or made.output_wh != promise.output_wh:
            hint = f"Deliver first: penstock certificate forward deliver {promise.name}."
            raise Refused("forward.undelivered", "Output of the window waits to be delivered.", hint=hint)
        present = np.unique([self._books.corrections.heir(one) for one in promise.roots])
        if (self._energy.certified_at_us[present] < end_us).any() and at_us < end_us + promise.offered.grace_us:
            hint = "Certify first, or settle when the time of grace is over."
            raise Refused("forward.unread", "Readings of the window are not certified to its end.", hint=hint)

    def _index_price(self, promise: Promise) -> int:
        terms = promise.offered
        if terms.remedy is not Remedy.INDEX or not promise.missing.any():
            return 0
        found = self.indices.get((terms.index, terms.start_us, terms.stop_us))
        if found is None:
            hint = "Publish it: penstock certificate forward index."
            raise NotFound("forward.index_missing", f"{terms.index} has no price of this window.", hint=hint)
        return found.price_usdc_micro_per_mwh

    def digest(self) -> bytes:
        """sha256 over all of it."""
        told = hashlib.sha256(repr((sorted(self.indices), sorted(self._plants.pledged.items()))).encode())
        for one in self.promises.values():
            said = (one.name, one.offered, sorted(one.reached.items()), one.output_wh, one.settled)
            sales = [(sale.sold, sale.start, sale.delivered_wh, sale.released_usdc_micro) for sale in one.sales]
            told.update(repr((said, sales)).encode() + one.given.tobytes())
        return told.digest()


def _check_open(promise: Promise) -> None:
    if promise.settled:
        raise Refused("forward.settled", "This forward is settled: what comes late is the seller's.")


def _bound(promise: Promise) -> Refused:
    hint = f"Deliver first: penstock certificate forward deliver {promise.name}."
    sentence = f"{promise.offered.seller} sold this output forward, and it is not delivered yet."
    return Refused("forward.bound", sentence, hint=hint, forward=promise.name)


def _check_same(fact: FactBody, made: object, *names: str) -> None:
    if any(getattr(fact, name) != getattr(made, name) for name in names):
        raise Refused("forward.changed", "The fact is not what the act comes to by now.")
