"""Folding: each fact of capacity is worked out again from the books as they stood, and refused where it differs.

An act's facts come one right after the other. Titles and dollars that these acts alone may move are moved by no other.
"""

from __future__ import annotations

import numpy as np

from penstock.compute.backed import Backed
from penstock.compute.capacity import Capacity
from penstock.compute.collateral import windows_escrow
from penstock.compute.due import Act, Due
from penstock.compute.slash import reckon_slash
from penstock.errors import Conflict, Refused
from penstock.journal.fact import FactBody, Recorded
from penstock.journal.kinds.capacity import (
    CapacityLost,
    CapacityOpened,
    CollateralCause,
    CollateralMoved,
    ConversionPublished,
    CreditEnd,
    CreditsEnded,
    CreditsRequested,
    CreditsTransferred,
    ProviderRegistered,
    SkuPublished,
    WindowOffered,
    WindowPaid,
    WindowSettled,
    WindowSold,
)
from penstock.journal.kinds.compute import CreditsOffered, CreditsRedeemed, CreditsSold
from penstock.journal.kinds.energy import SpansLinked, TitlesIssued, TitlesMoved
from penstock.journal.kinds.work import ChallengeJudged
from penstock.journal.segment import Columns
from penstock.journal.words import LinkKind, Right


def fold(capacity: Capacity, recorded: Recorded, columns: Columns | None) -> None:
    """Fold one fact; facts of other rooms are passed over once it is sure that they move nothing of this one.

    Raises:
        Refused: ``compute.incomplete``, ``compute.changed``, ``compute.guarded``; as the act of the fact.
    """
    fact, rows, at_us = recorded.fact, columns or {}, recorded.at_us
    capacity.windows.faults.apply(recorded)
    if capacity.dues.take(fact, rows):
        _check_worked(capacity, fact, rows)
        return
    match fact:
        case ProviderRegistered() | SkuPublished() | ConversionPublished():
            _publish(capacity, fact)
        case CapacityOpened() | CapacityLost():
            _hours(capacity, fact, rows, at_us)
        case WindowOffered() | WindowSold() | WindowPaid() | WindowSettled():
            _window(capacity, fact, at_us)
        case CollateralMoved():
            if fact.cause is CollateralCause.SLASHED and fact != reckon_slash(capacity, fact.provider, fact.reason):
                raise Refused("compute.changed", "The fact is not what the act comes to by now.")
            capacity.providers.apply(fact)
        case CreditsOffered() if fact.backing_rack:
            _open_class(capacity, fact, at_us)
        case CreditsSold() | CreditsRedeemed() if fact.credit_class not in capacity.credits.classes:
            _check_guarded(capacity, fact, rows)
        case CreditsSold() | CreditsRedeemed() | CreditsTransferred() | CreditsRequested() | CreditsEnded():
            _credits(capacity, fact, at_us)
        case ChallengeJudged() if fact.failed:
            capacity.providers.proven_false.add(fact.provider)
        case _:
            _check_guarded(capacity, fact, rows)


def _publish(capacity: Capacity, fact: ProviderRegistered | SkuPublished | ConversionPublished) -> None:
    match fact:
        case ProviderRegistered():
            check_accounts(capacity, fact)
            capacity.providers.check(fact)
            capacity.providers.register(fact)
            capacity.guarded_accounts |= {fact.collateral_account, windows_escrow(fact.provider)}
        case SkuPublished():
            capacity.tables.check_sku(fact)
            capacity.tables.skus[fact.sku] = fact
        case ConversionPublished():
            capacity.tables.check_conversion(fact)
            capacity.tables.conversions[fact.conversion] = fact


def check_accounts(capacity: Capacity, fact: ProviderRegistered) -> None:
    """That a provider's accounts are there, its own ones empty and nobody else's.

    Raises:
        NotFound: ``account.unknown``. Conflict: ``provider.account``.
    """
    books = capacity.books
    for account in (fact.provider, fact.revenue_account):
        books.accounts.id_of(account)
    for account in (fact.collateral_account, windows_escrow(fact.provider)):
        number = books.accounts.id_of(account)
        if account in capacity.guarded_accounts or books.accounts.is_external(number) or books.ledger.balance(number):
            raise Conflict("provider.account", "Collateral and escrow are in new accounts.", account=account)


def _hours(capacity: Capacity, fact: CapacityOpened | CapacityLost, rows: Columns, at_us: int) -> None:
    if isinstance(fact, CapacityOpened):
        act = capacity.reckon_open(fact, at_us)
        capacity.opened.setdefault(fact.rack, []).append(fact)
        capacity.guarded_registers.add(capacity.calendar(fact.rack).register)
        capacity.dues.waiting = list(act.dues)
        return
    loss = capacity.reckon_loss(fact, rows, at_us)
    lost = loss.lost
    for offer, window in capacity.windows.offers.items():
        missing = lost.of(window.sold) if window.live else 0
        if missing:
            window.lost_ms += missing
            window.excused_ms += missing * window.excuses(lost.ahead_us)
            transfers = loss.windows[offer].transfers if offer in loss.windows else ()
            capacity.windows.take_remedy(window, window.lost_ms, transfers)
    for one in capacity.credits.classes.values():
        one.reserved_ms -= lost.of(one.number)
    for refund in loss.refunds:
        capacity.credits.take_end(refund.fact, refund.asked, newest=True)
    capacity.dues.waiting = loss.dues


def _window(capacity: Capacity, fact: WindowOffered | WindowSold | WindowPaid | WindowSettled, at_us: int) -> None:
    windows = capacity.windows
    match fact:
        case WindowOffered():
            capacity.check_offer(fact, at_us)
            windows.offered(fact, capacity.calendar(fact.rack).register)
        case WindowSold():
            window = windows.named(fact.offer)
            if window.sold < 0:
                act = capacity.reckon_window_sale(fact.offer, fact.buyer, at_us)
            else:
                act = windows.reckon_resale(fact.offer, fact.seller, fact.buyer, fact.price_usdc_micro, at_us)
            _expect(capacity, fact, act)
            windows.sold(fact, act, capacity.next_sale())
        case WindowPaid():
            _expect(capacity, fact, windows.reckon_payment(fact.offer, at_us, fact.lapsed))
            windows.paid(fact)
        case WindowSettled():
            _expect(capacity, fact, windows.reckon_settlement(fact.offer, fact.delivered_ms, fact.proof, at_us))
            windows.settled(fact)


def _open_class(capacity: Capacity, fact: CreditsOffered, at_us: int) -> None:
    books, calendar = capacity.books, capacity.calendar(fact.backing_rack)
    act = capacity.reckon_credit_offer(fact, at_us)
    register = books.registers.id_of(fact.register)
    escrow = books.accounts.id_of(f"{fact.credit_class}/escrow")
    if books.titles[Right.USE].head(register) or register in capacity.guarded_registers or books.ledger.balance(escrow):
        raise Conflict("credit.offered_twice", "A class has a register and an escrow of its own.")
    start, stop = act.moves["start"], act.moves["stop"]
    table = capacity.tables.conversion(fact.conversion)
    reserved = int((stop - start).sum())
    one = Backed(fact, table, register, calendar.register, capacity.next_sale(), start, stop, reserved)
    capacity.credits.classes[fact.credit_class] = one
    capacity.guarded_registers.add(register)
    capacity.guarded_accounts.add(one.escrow)
    capacity.dues.waiting = list(act.dues)


def _credits(
    capacity: Capacity,
    fact: CreditsSold | CreditsRedeemed | CreditsTransferred | CreditsRequested | CreditsEnded,
    at_us: int,
) -> None:
    book = capacity.credits
    match fact:
        case CreditsSold():
            _expect(capacity, fact, book.reckon_sale(fact.credit_class, fact.buyer, fact.credits, at_us))
            book.sold(fact)
        case CreditsRedeemed():
            act = capacity.reckon_redemption(fact.credit_class, fact.buyer, fact.credits, fact.work_root, at_us)
            _expect(capacity, fact, act)
            book.redeemed(fact)
        case CreditsTransferred():
            act = book.reckon_transfer(fact.credit_class, fact.source, fact.target, fact.credits, at_us)
            _expect(capacity, fact, act)
        case CreditsRequested():
            _expect(capacity, fact, book.reckon_request(fact.credit_class, fact.holder, fact.credits, at_us))
            book.requested(fact, at_us)
        case CreditsEnded():
            _expect(capacity, fact, book.reckon_end(fact.credit_class, fact.holder, fact.end, at_us))
            book.take_end(fact, fact.credits if fact.end is CreditEnd.REFUNDED else 0)


def _expect(capacity: Capacity, fact: FactBody, act: Act) -> None:
    if fact != act.fact:
        raise Refused("compute.changed", "The fact is not what the act comes to by now.")
    waiting: list[Due] = list(act.dues)
    capacity.dues.waiting = waiting


def _check_worked(capacity: Capacity, fact: FactBody, rows: Columns) -> None:
    """Accelerator time that fills credits was worked in: energy went into every millisecond of it."""
    if not isinstance(fact, SpansLinked) or fact.link is not LinkKind.DELIVER or not len(rows["source"]):
        return
    register = int(rows["source"][0])
    if register not in capacity.calendars:
        return
    work = capacity.books.links[LinkKind.WORK]
    spans = zip(rows["source_start"].tolist(), rows["source_stop"].tolist(), strict=True)
    if any(work.linked("target", register, start, stop) != stop - start for start, stop in spans):
        raise Refused("credit.undelivered", "Credits are redeemed for accelerator time that was worked.")


def _check_guarded(capacity: Capacity, fact: FactBody, rows: Columns) -> None:
    """That a fact of another room moves no guarded titles, fills no promise and takes no guarded dollars."""
    touched: tuple[str, ...] = ()
    if isinstance(fact, TitlesIssued | TitlesMoved) and fact.right is Right.USE:
        touched = ("register",)
    elif isinstance(fact, SpansLinked) and fact.link is LinkKind.DELIVER:
        touched = ("target",)
    if any(np.isin(rows[name], list(capacity.guarded_registers)).any() for name in touched):
        raise Refused("compute.guarded", "Windows and credits move by their own acts alone.")
    if any(one.source in capacity.guarded_accounts for one in getattr(fact, "transfers", ())):
        raise Refused("compute.guarded", "Collateral and escrow pay out by their own acts alone.")
