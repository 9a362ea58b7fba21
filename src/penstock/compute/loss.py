"""Capacity that will not be there: whose it was, and what that brings them.

Accelerators of an hour are alike, so a provider says how many of which hours are lost, and the rule says whose: first
what it still holds itself, then what was sold or reserved last. Older contracts stand before newer ones, as with
certificates that are withdrawn; and a window fails whole rather than all of them a little, for seven accelerators of
eight are no use to a job that needs eight.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from penstock.compute.backed import Backed
from penstock.compute.calendar import Calendar, parts_in, picked, take_of_hours
from penstock.compute.credit_book import Credits
from penstock.compute.due import Due, Move, Word, moves_of
from penstock.compute.window import Window
from penstock.compute.window_book import Windows
from penstock.journal.kinds.capacity import CollateralCause, CollateralMoved, CreditEnd, CreditsEnded
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.segment import Column, Columns
from penstock.journal.titles import TitleBook
from penstock.journal.words import TitleState

if TYPE_CHECKING:
    from penstock.journal.state import Books

LOST: Final = "capacity lost"


@dataclass(frozen=True, slots=True, eq=False)
class Lost:
    """Titles that are lost (rows of `TitleBook.parts`), and from which sale each is: its number, -1 for none.

    ``ahead_us`` is how long before the first of these hours it was said.
    """

    parts: Columns
    sale: Column
    ahead_us: int

    def of(self, number: int) -> int:
        """Accelerator-milliseconds that a sale lost."""
        rows = self.sale == number
        return int((self.parts["stop"] - self.parts["start"])[rows].sum())


@dataclass(frozen=True, slots=True)
class Refund:
    """Credits of one holder that end, how many of them had been asked for, and the facts of it."""

    fact: CreditsEnded
    moves: Move
    asked: int

    @property
    def penalty_usdc_micro(self) -> int:
        """What collateral pays: all but the first transfer, which gives the price back."""
        return sum(one.usdc_micro for one in self.fact.transfers[1:])


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """What a loss comes to: the titles withdrawn, what windows' holders get, and credits refunded."""

    lost: Lost
    windows: dict[str, CollateralMoved]
    refunds: tuple[Refund, ...]

    @property
    def dues(self) -> list[Due]:
        """The facts behind that of the loss, in order."""
        first: list[Due] = [Move(moves_of(self.lost.parts, TitleState.WITHDRAWN), LOST)]
        first += [Word(fact) for fact in self.windows.values()]
        for one in self.refunds:
            first += [Word(one.fact), one.moves]
        return first


def remedy_loss(books: Books, windows: Windows, credits: Credits, lost: Lost) -> Loss:
    """Holders of windows are paid, and credits that nothing stands behind any more refunded, newest first.

    All of it is of one provider, whose collateral is spent in this order.
    """
    spent = 0
    paid: dict[str, CollateralMoved] = {}
    refunds: list[Refund] = []
    for offer, window in windows.offers.items():
        missing = lost.of(window.sold) if window.live else 0
        if missing:
            excused_ms = window.excused_ms + missing * window.excuses(lost.ahead_us)
            back, penalty = windows.remedy(window, window.lost_ms + missing, excused_ms, spent)
            spent += sum(one.usdc_micro for one in penalty)
            if back or penalty:
                paid[offer] = _paid(window, (*back, *penalty))
    for one in credits.classes.values():
        for refund in _refunds(books, credits, one, lost.of(one.number), spent):
            refunds.append(refund)
            spent += refund.penalty_usdc_micro
    return Loss(lost, paid, tuple(refunds))


def _paid(window: Window, transfers: tuple[Transfer, ...]) -> CollateralMoved:
    reason = f"{LOST}: {window.terms.offer}"
    return CollateralMoved(window.terms.provider, CollateralCause.REFUNDED, reason, transfers)


def _refunds(books: Books, credits: Credits, one: Backed, lost_ms: int, spent: int) -> Iterator[Refund]:
    newest = one.newest(books, one.uncovered(lost_ms)) if lost_ms else None
    if newest is None:
        return
    for holder in np.unique(newest["holder"]).tolist():
        parts = picked(newest, np.flatnonzero(newest["holder"] == holder))
        fact, moves = credits.ended(one, books.accounts.name(holder), parts, CreditEnd.REFUNDED, spent)
        refund = Refund(fact, moves, credits.asked_of(one, parts))
        spent += refund.penalty_usdc_micro
        yield refund


def plan_loss(
    titles: TitleBook,
    calendar: Calendar,
    start_us: int,
    accelerators: Column,
    windows: Iterable[Window],
    classes: Iterable[Backed],
    ahead_us: int,
) -> Lost:
    """Whose the lost accelerators are, so many in each of consecutive hours.

    Raises:
        Refused: ``capacity.sold_out`` where an hour has fewer that are not lost or over.
    """
    begins = calendar.begins(start_us, len(accelerators))
    stop = int(begins[0]) + len(begins) * calendar.hour_ms
    parts = parts_in(titles, calendar.register, int(begins[0]), stop, TitleState.HELD, TitleState.RESERVED)
    sale = _sales(parts, calendar.register, windows, classes)
    newest_first = np.where(sale < 0, np.iinfo(np.int64).min, -sale)
    order = np.lexsort((parts["start"], newest_first, calendar.hour_of(parts["start"])))
    parts = picked(parts, order)
    taken = take_of_hours(parts, calendar, begins, accelerators)
    rows = np.searchsorted(_sorted_starts(parts), taken["start"])
    return Lost(taken, sale[order][np.argsort(parts["start"], kind="stable")][rows], ahead_us)


def _sorted_starts(parts: Columns) -> Column:
    return np.sort(parts["start"], kind="stable")


def _sales(parts: Columns, register: int, windows: Iterable[Window], classes: Iterable[Backed]) -> Column:
    """Which sale each title is of: that whose span it begins in."""
    spans = [(one.start, one.stop, one.sold) for one in windows if one.live and one.register == register]
    spans += [(one.start, one.stop, one.number) for one in classes if one.calendar == register]
    if not spans:
        return np.full(len(parts["start"]), -1, dtype=np.int64)
    start = np.concatenate([one[0] for one in spans])
    stop = np.concatenate([one[1] for one in spans])
    number = np.concatenate([np.full(len(one[0]), one[2], dtype=np.int64) for one in spans])
    order = np.argsort(start, kind="stable")
    start, stop, number = start[order], stop[order], number[order]
    row = np.maximum(np.searchsorted(start, parts["start"], side="right") - 1, 0)
    inside = (start[row] <= parts["start"]) & (parts["start"] < stop[row])
    return np.where(inside, number[row], -1)
