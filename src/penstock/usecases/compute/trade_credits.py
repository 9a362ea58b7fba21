"""Credits backed by capacity: offered, sold, passed on, asked for, ended."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.compute.credit_book import answered_register
from penstock.journal.fact import Entry
from penstock.journal.kinds.capacity import CreditEnd
from penstock.journal.kinds.compute import CreditsOffered
from penstock.journal.kinds.ledger import AccountOpened, RegisterOpened
from penstock.journal.words import RegisterKind, Right, Unit
from penstock.usecases.compute.entries import entries_of
from penstock.usecases.sell import escrow_account
from penstock.usecases.serve import billed_register
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True)
class BuyCredits:
    """A buyer takes credits of a class."""

    credit_class: str
    buyer: str
    credits: int


@dataclass(frozen=True, slots=True)
class PassCredits:
    """A holder gives credits to another."""

    credit_class: str
    source: str
    target: str
    credits: int


@dataclass(frozen=True, slots=True)
class AskWork:
    """A holder asks for the work of its credits."""

    credit_class: str
    holder: str
    credits: int


@dataclass(frozen=True, slots=True)
class EndCredits:
    """A holder's credits end: all that are overdue are refunded, or all that are left expire."""

    credit_class: str
    holder: str
    end: CreditEnd


def offer_credits(world: World, terms: CreditsOffered, at_us: int) -> list[Entry]:
    """The facts of a class: its registers, its escrow, its terms, and the capacity reserved for it.

    Raises:
        As `Compute.check_offer`, `Capacity.reckon_credit_offer`.
    """
    world.compute.check_offer(terms)
    act = world.capacity.reckon_credit_offer(terms, at_us)
    opened = [
        RegisterOpened(terms.register, terms.unit, RegisterKind.PROMISED, (Right.USE,)),
        RegisterOpened(billed_register(terms.credit_class), Unit.USDC_MICRO, RegisterKind.COUNTED),
    ]
    if terms.unit is Unit.REQUESTS:
        opened.append(RegisterOpened(answered_register(terms.credit_class), Unit.REQUESTS, RegisterKind.COUNTED))
    escrow = AccountOpened(escrow_account(terms.credit_class))
    for register in opened:
        world.books.registers.check_open(register)
    world.books.accounts.check_open(escrow)
    return [*map(Entry, opened), Entry(escrow), *entries_of(world, act)]


def sell_credits(world: World, asked: BuyCredits, at_us: int) -> list[Entry]:
    """The facts of a sale; raises as `Credits.reckon_sale`, and Refused ``ledger.overdrawn``."""
    return entries_of(world, world.capacity.credits.reckon_sale(asked.credit_class, asked.buyer, asked.credits, at_us))


def pass_credits(world: World, asked: PassCredits, at_us: int) -> list[Entry]:
    """The facts of a transfer; raises as `Credits.reckon_transfer`."""
    book = world.capacity.credits
    return entries_of(world, book.reckon_transfer(asked.credit_class, asked.source, asked.target, asked.credits, at_us))


def ask_work(world: World, asked: AskWork, at_us: int) -> list[Entry]:
    """The facts of a request; raises as `Credits.reckon_request`."""
    book = world.capacity.credits
    return entries_of(world, book.reckon_request(asked.credit_class, asked.holder, asked.credits, at_us))


def end_credits(world: World, asked: EndCredits, at_us: int) -> list[Entry]:
    """The facts of a refund or an expiry; raises as `Credits.reckon_end`."""
    return entries_of(world, world.capacity.credits.reckon_end(asked.credit_class, asked.holder, asked.end, at_us))
