"""The book of forwards, folded from facts; each is worked out again as it applies, and refused where it differs.

An act's facts come one right after the other: the book knows which are due, and takes no other between. Until a
delivery looked at an interval, what the seller holds of it goes nowhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from penstock.energy.device import Devices
from penstock.energy.forward.delivery import Delivery, plan_delivery, plant_registers, rights_of
from penstock.energy.forward.headroom import check_headroom
from penstock.energy.forward.price import collateral_up, cost_up
from penstock.energy.forward.promise import (
    Promise,
    Sale,
    collateral_account,
    escrow_account,
    promised_register,
    share_wh,
)
from penstock.energy.forward.settlement import Settlement, plan_settlement
from penstock.energy.forward.terms import check_terms
from penstock.errors import Conflict, Invalid, NotFound, Refused
from penstock.journal.fact import FactBody, Recorded
from penstock.journal.kinds.capital import DealOriginated
from penstock.journal.kinds.energy import SpansLinked, TitlesIssued, TitlesMoved
from penstock.journal.kinds.forward import (
    Form,
    ForwardDelivered,
    ForwardIndexPublished,
    ForwardOffered,
    ForwardSettled,
    ForwardSold,
    Remedy,
)
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.segment import Column, Columns
from penstock.journal.state import Books
from penstock.journal.words import TITLE_STATES, LinkKind, RegisterKind, Right, TitleState

TAKEN_BACK: Final = tuple(map(TITLE_STATES.index, (TitleState.WITHDRAWN, TitleState.EXPIRED)))
SALES_MAX: Final = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Due:
    """A fact that has to come next: what it is about (a right or a kind of link), and columns it must have."""

    about: Right | LinkKind
    columns: Columns


class Forwards:
    """Every forward by name, index prices, and what deals pledge."""

    def __init__(self, books: Books, energy: Devices) -> None:
        self._books, self._energy = books, energy
        self.promises: dict[str, Promise] = {}
        self.indices: dict[tuple[str, int, int], ForwardIndexPublished] = {}
        self._pledged: dict[str, str] = {}
        self._promised: dict[int, Promise] = {}
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
            Conflict: ``forward.known``. NotFound: ``account.unknown``, ``register.unknown``.
            Refused: ``forward.begun``, ``forward.plant``, ``forward.pledged``. As `check_terms`.
        """
        check_terms(terms, periods)
        if terms.forward in self.promises:
            raise Conflict("forward.known", "A forward of this name is offered already.", forward=terms.forward)
        self._books.accounts.id_of(terms.seller)
        self._check_ahead(terms, at_us)
        self._check_plant(terms)
        self._check_free(terms.registers)

    def reckon_sale(
        self, forward: str, buyer: str, rank: int, quantity_wh: int, basis_points: int, at_us: int
    ) -> ForwardSold:
        """The fact of a sale, of a quantity or of a share.

        Raises:
            Invalid: ``forward.quantity``, ``forward.rank``. NotFound: ``account.unknown``, ``forward.unknown``.
            Refused: ``forward.begun``, ``forward.pledged``, ``forward.oversold``, ``forward.same_account``.
        """
        promise = self.named(forward)
        terms = promise.offered
        self._books.accounts.id_of(buyer)
        if buyer == terms.seller:
            raise Refused("forward.same_account", "A seller does not buy its own output.")
        if not 1 <= rank <= len(terms.prices_usdc_micro_per_mwh):
            raise Invalid("forward.rank", f"There are ranks 1 to {len(terms.prices_usdc_micro_per_mwh)}.")
        self._check_ahead(terms, at_us)
        self._check_free(terms.registers)
        wh = _asked_wh(promise, quantity_wh, basis_points)
        before = check_headroom(promise, wh, basis_points, list(self.promises.values()))
        price = terms.prices_usdc_micro_per_mwh[rank - 1]
        rates = terms.collateral_basis_points, terms.collateral_above_basis_points
        cost, stake = cost_up(wh, price), collateral_up(before, wh, terms.p90_wh, price, rates)
        paid = [Transfer(buyer, escrow_account(forward), cost, f"forward {forward}")]
        if stake:
            paid.append(Transfer(terms.seller, collateral_account(forward), stake, f"collateral of {forward}"))
        return ForwardSold(forward, buyer, rank, wh, basis_points, cost, stake, tuple(paid))

    def reckon_delivery(self, forward: str, at_us: int) -> Delivery:
        """What a delivery comes to now.

        Raises:
            Refused: ``forward.settled``, ``forward.unsold``, ``forward.nothing``, ``forward.senior_first`` where an
            older forward of the plant was not delivered yet. NotFound: ``forward.unknown``.
        """
        promise = self.named(forward)
        self._check_open(promise)
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
        self._check_open(promise)
        makes_up = promise.makes_up and bool(promise.missing.any())
        end_us = promise.until_us if makes_up else promise.offered.stop_us
        if at_us < end_us:
            raise Refused("forward.early", "A forward is settled when its time is over.", forward=forward)
        if promise.wants:
            self._check_delivered(promise, end_us, at_us)
        index = self._index_price(promise)
        return plan_settlement(self._books, promise, index), index

    def check_index(self, fact: ForwardIndexPublished) -> None:
        """That an index price may be published.

        Raises:
            Conflict: ``forward.index_known``. Invalid: ``forward.index``.
        """
        texts = fact.index.strip() and fact.source.strip() and (fact.index + fact.source).isprintable()
        if not texts or not 0 <= fact.start_us < fact.stop_us or not 0 <= fact.price_usdc_micro_per_mwh <= 10**12:
            raise Invalid("forward.index", "An index price has a name, a period, a source, and is 0 or more.")
        if (fact.index, fact.start_us, fact.stop_us) in self.indices:
            raise Conflict("forward.index_known", "This index price is published; it is never changed.")

    def check_moves(self, right: Right, moves: Columns) -> None:
        """That moves (columns of ``move/1``) take nothing that a forward's buyers may be due.

        Raises:
            Refused: ``forward.bound``, ``forward.promise`` where a promise would end in another way than by delivery.
        """
        if right is Right.USE:
            self._check_promises(moves)
            return
        for promise in self.promises.values():
            if promise.wants and right in rights_of(promise):
                self._check_bound(promise, right, moves)

    def check_issued(self, rows: Columns) -> None:
        """That what is about to be issued (columns of ``title/1``) and moved on in one act is nobody's due.

        Raises:
            Refused: ``forward.bound``.
        """
        for promise in self.promises.values():
            if not promise.wants:
                continue
            bound = np.isin(rows["register"], plant_registers(self._books, promise.roots))
            bound &= (rows["holder"] == promise.seller) & (rows["interval_us"] >= promise.offered.start_us)
            if (bound & (rows["interval_us"] < promise.until_us)).any():
                raise self._refusal(promise)

    @staticmethod
    def _refusal(promise: Promise) -> Refused:
        hint = f"Deliver first: penstock certificate forward deliver {promise.name}."
        sentence = f"{promise.offered.seller} sold this output forward, and it is not delivered yet."
        return Refused("forward.bound", sentence, hint=hint, forward=promise.name)

    def bound(self, promise: Promise, right: Right, spans: Columns) -> Column:
        """Which spans (rows) have units of the forward's time that no delivery has looked at."""
        reached = np.full(len(self._books.registers), np.iinfo(np.int64).max, dtype=np.int64)
        for register in plant_registers(self._books, promise.roots):
            reached[register] = promise.reached.get(register, 0)
        rows = np.flatnonzero(spans["stop"] > reached[spans["register"]])
        if not len(rows):
            return rows
        low = np.maximum(spans["start"][rows], reached[spans["register"][rows]])
        titles = self._books.titles[right].parts(spans["register"][rows], low, spans["stop"][rows])
        ours = (titles["interval_us"] >= promise.offered.start_us) & (titles["interval_us"] < promise.until_us)
        found: Column = rows[np.unique(titles["query"][ours])]
        return found

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        """Fold one fact, held against what it must be.

        Raises:
            Refused: ``forward.incomplete``, ``forward.changed``. As the ``check_`` and ``reckon_`` of its act.
        """
        fact, self._at_us = recorded.fact, recorded.at_us
        if self._due:
            self._take_due(fact, columns or {})
            return
        match fact:
            case DealOriginated():
                self._pledged |= dict.fromkeys(fact.assets, fact.deal)
            case ForwardOffered():
                self._offer(fact, columns or {})
            case ForwardSold():
                self._sell(fact)
            case ForwardDelivered():
                self._deliver(fact)
            case ForwardSettled():
                self._settle(fact)
            case ForwardIndexPublished():
                self.check_index(fact)
                self.indices[fact.index, fact.start_us, fact.stop_us] = fact
            case TitlesMoved():
                self.check_moves(fact.right, columns or {})
            case TitlesIssued(right=Right.USE) if columns is not None:
                self._check_not_promised(columns["register"])
            case SpansLinked(link=LinkKind.DELIVER) if columns is not None:
                self._check_not_promised(columns["target"])

    def _offer(self, terms: ForwardOffered, periods: Columns) -> None:
        self.check_offer(terms, periods, self._at_us)
        register = self._books.registers.id_of(promised_register(terms.forward))
        for account in (escrow_account(terms.forward), collateral_account(terms.forward)):
            self._books.accounts.id_of(account)
        fresh = not self._books.titles[Right.USE].head(register) and register not in self._promised
        if not fresh or self._books.registers.kind(register) is not RegisterKind.PROMISED:
            raise Refused("forward.changed", "The promise of a forward has a register of its own.")
        roots = frozenset(self._root(self._books.registers.id_of(urn)) for urn in terms.registers)
        seller = self._books.accounts.id_of(terms.seller)
        made = Promise(len(self.promises), terms, dict(periods), roots, seller, register)
        self.promises[terms.forward] = self._promised[register] = made

    def _sell(self, fact: ForwardSold) -> None:
        asked = (0, fact.share_basis_points) if fact.share_basis_points else (fact.quantity_wh, 0)
        made = self.reckon_sale(fact.forward, fact.buyer, fact.rank, *asked, self._at_us)
        _check_same(fact, made, "quantity_wh", "cost_usdc_micro", "collateral_usdc_micro", "transfers")
        promise = self.named(fact.forward)
        sale = Sale(fact, promise.sold_wh)
        promise.sales.append(sale)
        self._due = [Due(Right.USE, promised_title(self._books, promise, sale))]

    def _deliver(self, fact: ForwardDelivered) -> None:
        made, promise = self.reckon_delivery(fact.forward, self._at_us), self.named(fact.forward)
        _check_same(fact, made, "quantity_wh", "transfers")
        promise.reached |= made.reached
        promise.output_wh, promise.given = made.output_wh, made.given
        earned = sum(one.usdc_micro for one in made.transfers)
        for sale, more in zip(promise.sales, made.by_sale.tolist(), strict=True):
            sale.delivered_wh += more
            reach = sale.sold.cost_usdc_micro * sale.delivered_wh // sale.sold.quantity_wh
            sale.released_usdc_micro, earned = reach, earned - (reach - sale.released_usdc_micro)
        if earned:
            raise Refused("forward.changed", "What leaves escrow is not what was earned.")
        if made.quantity_wh:
            self._due = dues_of_delivery(promise, made)

    def _settle(self, fact: ForwardSettled) -> None:
        made, index = self.reckon_settlement(fact.forward, self._at_us)
        _check_same(fact, made, "missing_wh", "unpaid_usdc_micro", "transfers")
        if fact.index_usdc_micro_per_mwh != index:
            raise Refused("forward.changed", "The fact states another index price than was published.")
        promise = self.named(fact.forward)
        promise.settled = True
        if len(made.ended["start"]):
            self._due = [Due(Right.USE, ended_moves(promise, made.ended))]

    def _take_due(self, fact: FactBody, columns: Columns) -> None:
        due = self._due.pop(0)
        about: Right | LinkKind | None = None
        if isinstance(fact, TitlesIssued | TitlesMoved):
            about = fact.right
        elif isinstance(fact, SpansLinked):
            about = fact.link
        same = all(name in columns and np.array_equal(columns[name], due.columns[name]) for name in due.columns)
        if about is not due.about or not same:
            raise Refused("forward.incomplete", "A forward's facts come one right after the other.")

    def _root(self, register: int) -> int:
        before = self._books.corrections.before()
        while register in before:
            register = before[register]
        return register

    @staticmethod
    def _check_open(promise: Promise) -> None:
        if promise.settled:
            raise Refused("forward.settled", "This forward is settled: what comes late is the seller's.")

    @staticmethod
    def _check_ahead(terms: ForwardOffered, at_us: int) -> None:
        if at_us >= terms.start_us:
            raise Refused("forward.begun", "Output is sold forward before its window begins.", forward=terms.forward)

    def _check_plant(self, terms: ForwardOffered) -> None:
        """That the registers are there, once each, issue what is promised, and are the seller's."""
        numbers = [self._books.registers.id_of(urn) for urn in terms.registers]
        rights = (Right.ATTRIBUTE, Right.ENERGY) if terms.energy else (Right.ATTRIBUTE,)
        ended = self._books.corrections.ended(len(self._books.registers))
        for number, urn in zip(numbers, terms.registers, strict=True):
            issues = all(self._books.registers.issues(right)[number] for right in rights)
            if not issues or self._energy.device_of[number] < 0 or ended[number]:
                raise Refused("forward.plant", f"{urn} issues no certificates of what is promised.", register=urn)
            self._check_owned(terms, number)
        if not numbers or len({self._root(one) for one in numbers}) < len(numbers):
            raise Refused("forward.plant", "A plant is one or more registers, each named once.")

    def _check_owned(self, terms: ForwardOffered, register: int) -> None:
        device = np.full(2, self._energy.device_of[register])
        at_us = np.array([terms.start_us, terms.stop_us - 1], dtype=np.int64)
        ownership = self._energy.ownership
        owners = ownership.owner_at(device, self._energy.site[device], at_us)
        if any(ownership.owners.name(one) != terms.seller for one in owners.tolist()):
            raise Refused("forward.plant", f"{terms.seller} does not own all of this plant's output.")

    def _check_free(self, registers: Iterable[str]) -> None:
        """That no deal pledges the plant: its registers, devices or sites by name."""
        for urn in registers:
            device = int(self._energy.device_of[self._books.registers.id_of(urn)])
            site = self._energy.sites[self._energy.site[device]]
            for name in (urn, self._energy.name(device), site):
                if name in self._pledged:
                    sentence = f"{name} is pledged to {self._pledged[name]}; its output is not sold forward."
                    raise Refused("forward.pledged", sentence, asset=name, deal=self._pledged[name])

    def _check_older(self, promise: Promise, spans: Columns) -> None:
        """That older forwards of the plant have looked at what this one delivers."""
        for one in list(self.promises.values())[: promise.number]:
            if one.wants and one.roots & promise.roots and len(self.bound(one, Right.ATTRIBUTE, spans)):
                hint = f"Deliver {one.name} first."
                raise Refused("forward.senior_first", "An older forward of this plant comes first.", hint=hint)

    def _check_bound(self, promise: Promise, right: Right, moves: Columns) -> None:
        away = (moves["source"] == promise.seller) & ~np.isin(moves["state"], TAKEN_BACK)
        held = TITLE_STATES.index(TitleState.HELD)
        away &= (moves["source"] != moves["target"]) | (moves["state"] != held)
        away &= (moves["register"] >= 0) & (moves["register"] < len(self._books.registers))
        rows = np.flatnonzero(away & (moves["stop"] > moves["start"]))  # what is malformed the books refuse
        spans = {name: moves[name][rows] for name in ("register", "start", "stop")}
        if len(rows) and len(self.bound(promise, right, spans)):
            raise self._refusal(promise)

    def _check_promises(self, moves: Columns) -> None:
        if not self._promised:
            return
        ours = np.isin(moves["register"], list(self._promised))
        if (moves["state"][ours] != TITLE_STATES.index(TitleState.HELD)).any():
            raise Refused("forward.promise", "A promise ends when it is delivered or settled; until then it is held.")

    def _check_not_promised(self, registers: Column) -> None:
        if np.isin(registers, list(self._promised)).any():
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
        told = hashlib.sha256(repr((sorted(self.indices), sorted(self._pledged.items()))).encode())
        for one in self.promises.values():
            said = (one.name, one.offered, sorted(one.reached.items()), one.output_wh, one.settled)
            sales = [(sale.sold, sale.start, sale.delivered_wh, sale.released_usdc_micro) for sale in one.sales]
            told.update(repr((said, sales)).encode() + one.given.tobytes())
        return told.digest()


def promised_title(books: Books, promise: Promise, sale: Sale) -> dict[str, Column]:
    """Columns of ``title/1`` for what a sale promises."""
    return {
        "register": np.array([promise.register], dtype=np.int32),
        "start": np.array([sale.start], dtype=np.int64),
        "stop": np.array([sale.stop], dtype=np.int64),
        "holder": np.array([books.accounts.id_of(sale.sold.buyer)], dtype=np.int32),
        "interval_us": np.array([promise.offered.start_us], dtype=np.int64),
    }


def dues_of_delivery(promise: Promise, made: Delivery) -> list[Due]:
    """The facts of a delivery by their columns, in order: links, certificates, energy, promises."""
    spans = made.spans
    length = spans["stop"] - spans["start"]
    register = np.full(len(length), promise.register, dtype=np.int32)
    promised = {"start": spans["promised_start"], "stop": spans["promised_start"] + length}
    links = {
        "source": spans["register"],
        "source_start": spans["start"],
        "source_stop": spans["stop"],
        "target": register,
        "target_start": promised["start"],
        "target_stop": promised["stop"],
    }
    moves = {name: spans[name] for name in ("register", "start", "stop")}
    moves |= {"source": np.full(len(length), promise.seller, dtype=np.int32), "target": spans["holder"]}
    moves["state"] = np.full(len(length), TITLE_STATES.index(TitleState.HELD), dtype=np.uint8)
    ended = ended_moves(promise, {**promised, "holder": spans["holder"]})
    moved = [Due(right, moves) for right in rights_of(promise)]
    return [Due(LinkKind.DELIVER, links), *moved, Due(Right.USE, ended)]


def ended_moves(promise: Promise, spans: Columns) -> dict[str, Column]:
    """Columns of ``move/1`` that use up titles to a promise (start, stop, holder)."""
    count = len(spans["start"])
    return {
        "register": np.full(count, promise.register, dtype=np.int32),
        "start": spans["start"],
        "stop": spans["stop"],
        "source": spans["holder"],
        "target": spans["holder"],
        "state": np.full(count, TITLE_STATES.index(TitleState.RETIRED), dtype=np.uint8),
    }


def _asked_wh(promise: Promise, quantity_wh: int, basis_points: int) -> int:
    """What is asked for [Wh]; raises as `Forwards.reckon_sale`."""
    shared = promise.offered.form is Form.SHARE
    if shared != (basis_points > 0) or shared == (quantity_wh > 0) or min(quantity_wh, basis_points) < 0:
        hint = "Of a share so many basis points are sold, of the others so many Wh."
        raise Invalid("forward.quantity", "Say how much, above 0.", hint=hint)
    if len(promise.sales) >= SALES_MAX:
        raise Refused("forward.oversold", f"A forward has at most {SALES_MAX} sales.")
    over_share = promise.sold_basis_points + basis_points > promise.offered.share_basis_points
    wh = share_wh(promise, basis_points) if shared else quantity_wh
    if (shared and over_share) or promise.sold_wh + wh > promise.offered_wh:
        left = promise.offered_wh - promise.sold_wh
        raise Refused("forward.oversold", "No more is sold than is on offer.", left_wh=left)
    if wh < 1:
        raise Invalid("forward.quantity", "This share comes to no whole Wh.")
    return wh


def _check_same(fact: FactBody, made: object, *names: str) -> None:
    if any(getattr(fact, name) != getattr(made, name) for name in names):
        raise Refused("forward.changed", "The fact is not what the act comes to by now.")
