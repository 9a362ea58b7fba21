"""What must hold of capacity beside the five laws of the books: promises are backed, and their dollars are there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np

from penstock.compute.backed import Backed
from penstock.compute.capacity import Capacity
from penstock.compute.collateral import windows_escrow
from penstock.compute.window import Window
from penstock.compute.window_book import live_parts
from penstock.journal.finding import Finding, finding
from penstock.journal.words import TITLE_STATES, Right, TitleState

Found = Iterator[Finding]


def capacity_holds(capacity: Capacity) -> tuple[Finding, ...]:
    """Windows are with their holders, credits with what stands behind them, dollars where they wait."""
    windows = capacity.windows.offers.values()
    parts = (
        chain.from_iterable(_window(capacity, one) for one in windows if one.live),
        chain.from_iterable(_class(capacity, one) for one in capacity.credits.classes.values()),
        chain.from_iterable(_provider(capacity, name) for name in capacity.providers.registered),
    )
    return tuple(chain.from_iterable(parts))


def _window(capacity: Capacity, window: Window) -> Found:
    """A window's holder has every millisecond of it that was not lost."""
    parts, holder = live_parts(capacity.books, window), capacity.books.accounts.id_of(window.holder)
    held = int((parts["stop"] - parts["start"])[parts["holder"] == holder].sum())
    if held != window.contracted_ms - window.lost_ms:
        sentence = f"{window.holder} holds {held} ms of a window of {window.contracted_ms - window.lost_ms}."
        yield finding(2, "law2.window", sentence, offer=window.terms.offer)


def _class(capacity: Capacity, one: Backed) -> Found:
    """Credits that live are held, and no more than the reserved hours yield; their price waits in escrow."""
    name, per = one.terms.credit_class, one.terms.units_per_credit
    live = one.parts(capacity.books, None, TitleState.HELD, TitleState.RESERVED)
    units = int((live["stop"] - live["start"]).sum())
    if units != one.outstanding * per:
        yield finding(2, "law2.credits", f"{units} units are held of {one.outstanding} credits.", credit_class=name)
    titles = capacity.books.titles[Right.USE]
    register = np.full(len(one.start), one.calendar, dtype=np.int64)
    rows = titles.parts(register, one.start, one.stop)
    backing = rows["state"] == TITLE_STATES.index(TitleState.RESERVED)
    reserved = int((rows["stop"] - rows["start"])[backing].sum())
    if reserved != one.reserved_ms or one.uncovered():
        sentence = f"{one.outstanding} credits stand on {reserved} reserved ms, which yield {one.backing_credits}."
        yield finding(4, "law4.unbacked", sentence, credit_class=name)
    yield from _holds(capacity, one.escrow, one.escrow_usdc_micro)


def _provider(capacity: Capacity, provider: str) -> Found:
    known, windows = capacity.providers.named(provider), capacity.windows.offers.values()
    mine = [one for one in windows if one.terms.provider == provider]
    yield from _holds(capacity, windows_escrow(provider), sum(one.escrow_usdc_micro for one in mine))
    yield from _holds(capacity, known.collateral_account, capacity.providers.posted[provider])


def _holds(capacity: Capacity, account: str, usdc_micro: int) -> Found:
    """An account holds what waits there; more, where somebody sent more."""
    held = capacity.books.ledger.balance(capacity.books.accounts.id_of(account))
    if held < usdc_micro:
        yield finding(5, "law5.escrow", f"{account} holds {held} micro-dollars of {usdc_micro}.", account=account)
