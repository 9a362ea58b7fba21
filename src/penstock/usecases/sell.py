"""Sell and redeem: credits are promised tokens; delivered tokens fill them, and their dollars move on to the deal."""

from __future__ import annotations

import numpy as np

from penstock.compute.credit import whole_credits
from penstock.errors import Refused
from penstock.journal.fact import Entry
from penstock.journal.formats import MOVES, TITLES
from penstock.journal.kinds.compute import CreditsOffered, CreditsRedeemed, CreditsSold, RackRegistered
from penstock.journal.kinds.energy import TitlesIssued, TitlesMoved
from penstock.journal.kinds.ledger import AccountOpened, RegisterOpened, Transfer
from penstock.journal.segment import Column, Segment
from penstock.journal.words import (
    TITLE_STATES,
    Assurance,
    LinkKind,
    RegisterKind,
    Right,
    Technology,
    TitleState,
    Unit,
)
from penstock.period import Period
from penstock.usecases.match import link_entry
from penstock.usecases.serve import billed_register, tile_spans
from penstock.usecases.world import World


def escrow_account(credit_class: str) -> str:
    """Where buyers' dollars wait until answers are delivered."""
    return f"{credit_class}/escrow"


def offer(world: World, terms: CreditsOffered) -> list[Entry]:
    """Open a class of credits without backing: its promised register, its billed register, its escrow.

    Raises as `check_offer`; Refused ``credit.backed`` for one with capacity behind it (`trade_credits`).
    """
    world.compute.check_offer(terms)
    _check_unbacked(terms)
    promised = RegisterOpened(terms.register, Unit.TOKENS, RegisterKind.PROMISED, (Right.USE,))
    billed = RegisterOpened(billed_register(terms.credit_class), Unit.USDC_MICRO, RegisterKind.COUNTED)
    return [Entry(promised), Entry(billed), Entry(AccountOpened(escrow_account(terms.credit_class))), Entry(terms)]


def sell(world: World, credit_class: str, buyer: str, count: int, at_us: int) -> list[Entry]:
    """A buyer's dollars go to escrow; it holds titles to the promised tokens.

    Raises as `check_sale`; Refused ``credit.backed``.
    """
    _check_unbacked(world.compute.book(credit_class).terms)
    cost = world.compute.check_sale(credit_class, count, at_us)
    terms = world.compute.book(credit_class).terms
    sold = CreditsSold(
        credit_class, buyer, count, (Transfer(buyer, escrow_account(credit_class), cost, "credits bought"),)
    )
    world.books.check_transfers(sold.transfers)
    return [Entry(sold), _promise(world, terms, buyer, count * terms.units_per_credit, at_us)]


def _promise(world: World, terms: CreditsOffered, buyer: str, tokens: int, at_us: int) -> Entry:
    register = world.books.registers.id_of(terms.register)
    head = world.books.titles[Right.USE].head(register)
    columns: dict[str, Column] = {
        "register": np.array([register], dtype=np.int32),
        "start": np.array([head], dtype=np.int64),
        "stop": np.array([head + tokens], dtype=np.int64),
        "holder": np.array([world.books.accounts.id_of(buyer)], dtype=np.int32),
        "interval_us": np.array([at_us], dtype=np.int64),
    }
    world.books.check_issue(Right.USE, columns)
    segment = Segment(TITLES, columns)
    issued = TitlesIssued(
        segment.ref(), Right.USE, "", Technology.RACK, Assurance.DECLARED, terms.expires_us - at_us, tokens
    )
    return Entry(issued, segment)


def redeemable(world: World, credit_class: str, rack: RackRegistered) -> int:
    """Whole credits that served tokens fill and that are not redeemed yet."""
    book = world.compute.book(credit_class)
    served = world.compute.tokens_served.get(rack.rack, 0)
    return min(whole_credits(served, book.terms.units_per_credit) - book.redeemed, book.outstanding)


def redeem(
    world: World,
    credit_class: str,
    rack: RackRegistered,
    buyer: str,
    count: int,
    work_root: bytes,
    collect: str,
    period: Period,
) -> list[Entry]:
    """Delivered tokens fill ``count`` promised credits, which are retired; their dollars reach ``collect``.

    Raises:
        Refused: ``credit.undelivered`` beyond what was served, ``credit.backed``; as `check_redemption`; what the books
        refuse.
    """
    _check_unbacked(world.compute.book(credit_class).terms)
    if count > redeemable(world, credit_class, rack):
        raise Refused("credit.undelivered", "Credits are redeemed for tokens that were served.", credits=count)
    value = world.compute.check_redemption(credit_class, count)
    book = world.compute.book(credit_class)
    terms, per = book.terms, book.terms.units_per_credit
    start, stop = book.redeemed * per, (book.redeemed + count) * per
    release = Transfer(escrow_account(credit_class), collect, value, "answers delivered")
    deliver = tile_spans(world, rack.token_register, _one(start, stop), terms.register, _one(start, stop))
    return [
        Entry(CreditsRedeemed(credit_class, buyer, count, work_root, (release,))),
        link_entry(world, LinkKind.DELIVER, deliver, period),
        _retire(world, terms, buyer, start, stop),
        _pay_on(world, terms, collect, value, period),
    ]


def _check_unbacked(terms: CreditsOffered) -> None:
    if terms.backing_rack:
        hint = "These are acts on credits with capacity behind them: penstock compute credit."
        sentence = "This class has capacity behind it."
        raise Refused("credit.backed", sentence, hint=hint, credit_class=terms.credit_class)


def _one(start: int, stop: int) -> tuple[Column, Column]:
    return np.array([start], dtype=np.int64), np.array([stop], dtype=np.int64)


def _retire(world: World, terms: CreditsOffered, buyer: str, start: int, stop: int) -> Entry:
    """The buyer's titles to the delivered tokens are used up, title by title."""
    register = world.books.registers.id_of(terms.register)
    held = world.books.titles[Right.USE].within(register, start, stop)
    holder = world.books.accounts.id_of(buyer)
    begin, end = np.maximum(held["start"], start), np.minimum(held["stop"], stop)
    columns: dict[str, Column] = {
        "register": held["register"],
        "start": begin,
        "stop": end,
        "source": np.full(len(begin), holder, dtype=np.int32),
        "target": np.full(len(begin), holder, dtype=np.int32),
        "state": np.full(len(begin), TITLE_STATES.index(TitleState.RETIRED), dtype=np.uint8),
    }
    world.books.check_moves(Right.USE, columns)
    segment = Segment(MOVES, columns)
    moved = TitlesMoved(segment.ref(), Right.USE, TitleState.RETIRED, "answers delivered", buyer, stop - start)
    return Entry(moved, segment)


def _pay_on(world: World, terms: CreditsOffered, collect: str, value: int, period: Period) -> Entry:
    """What was billed for the delivered tokens becomes what the deal collected, dollar for dollar."""
    billed = billed_register(terms.credit_class)
    start = world.books.links[LinkKind.PAY].spent(world.books.registers.id_of(billed))
    reached = int(world.books.registers.read[world.books.registers.id_of(collect)])
    pay = tile_spans(world, billed, _one(start, start + value), collect, _one(reached, reached + value))
    return link_entry(world, LinkKind.PAY, pay, period)
