"""Corrections: what of a register's titles lies above its true position, and what the issuer owes for it.

A unit above the true position was never counted. Where nobody has used it - no right in it claimed, retired or
lifted, no link made of it - its titles are withdrawn. Where somebody has, it stands, with whatever other right is in
it: the issuer owes a unit, and the first units that the epochs after it issue are withdrawn to cover it (`debt`). So in
each right what was issued less what was withdrawn is what was truly counted, plus what is owed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict, Refused
from penstock.journal.debt import Debts
from penstock.journal.links import LinkBook
from penstock.journal.titles import TitleBook
from penstock.journal.withdrawal import Withdrawn
from penstock.journal.words import TITLE_STATES, LinkKind, Right, TitleState

Ints = NDArray[Any]
Spans = tuple[Ints, Ints]

PRODUCED_RIGHTS: Final = (Right.ATTRIBUTE, Right.ENERGY)
"""What is owned in energy that a register counted as generated."""
COUNTED_RIGHTS: Final = (*PRODUCED_RIGHTS, Right.CONSUMPTION)
"""What is owned in energy that a register counted, generated or drawn."""
_USED: Final = [
    TITLE_STATES.index(state)
    for state in (TitleState.CLAIMED, TitleState.RETIRED, TitleState.LIFTED, TitleState.EXPORTED)
]
_LIVE: Final = [TITLE_STATES.index(state) for state in (TitleState.HELD, TitleState.RESERVED, TitleState.EXPIRED)]


class Corrections:
    """Which registers were corrected, to where, what continues each; what issuers owe, and what they withdrew."""

    def __init__(self) -> None:
        self._true_wh: dict[int, int] = {}
        self._left_wh: dict[int, int] = {}
        self._next: dict[int, int] = {}
        self._before: dict[int, int] = {}
        self.debts = Debts()
        self.withdrawn = Withdrawn()

    def correct(self, register: int, true_wh: int) -> None:
        """A register is corrected, and issues no more; raises Conflict ``register.corrected`` where it was before."""
        if register in self._true_wh:
            raise Conflict("register.corrected", "The register was corrected before, and has ended.")
        self._true_wh[register] = true_wh

    def true_wh(self, register: int) -> int:
        """Where a corrected register truly stood [Wh]; Refused ``epoch.correction`` where no correction was told."""
        if register not in self._true_wh:
            raise Refused("epoch.correction", "No correction of the register before was told.")
        return self._true_wh[register]

    @staticmethod
    def check_debt(debt_wh: int, used_wh: int) -> None:
        """That an epoch takes on what was used above the true position, no more; raises Refused ``epoch.debt``."""
        if debt_wh != used_wh:
            raise Refused("epoch.debt", f"The correction leaves a debt of {used_wh} Wh, not of {debt_wh}.")

    def follow(self, register: int, predecessor: int, heads: Mapping[Right, int], debt_wh: int) -> None:
        """``register`` continues ``predecessor``, whose rights were issued up to ``heads``; it owes ``debt_wh`` too.

        The debt that its predecessor had not covered goes along.
        """
        self._next[predecessor], self._before[register] = register, predecessor
        for right, head in heads.items():
            self.debts.pass_on(right, register, predecessor, head)
            self.debts.owe(right, register, 0, debt_wh)
        if predecessor in self._true_wh:
            self._left_wh[predecessor] = debt_wh

    def heir(self, register: int) -> int:
        """The register that is counted now where this one was."""
        while register in self._next:
            register = self._next[register]
        return register

    def before(self) -> Mapping[int, int]:
        """The register that each one continues."""
        return self._before

    def ended(self, registers: int) -> NDArray[np.bool_]:
        """Which registers issue no more, by number."""
        mask = np.zeros(registers, dtype=np.bool_)
        mask[list(self._true_wh)] = True
        return mask

    def corrected(self) -> Iterator[tuple[int, int, int]]:
        """Registers that were corrected, their true position [Wh], and what was used above it [Wh]."""
        yield from ((number, true_wh, self._left_wh.get(number, 0)) for number, true_wh in self._true_wh.items())

    def digest(self) -> bytes:
        """sha256 over all corrections and debts."""
        told = sorted(self._true_wh.items()), sorted(self._left_wh.items()), sorted(self._next.items())
        return hashlib.sha256(repr(told).encode() + self.debts.digest() + self.withdrawn.digest()).digest()


def used_above(
    titles: Mapping[Right, TitleBook], links: Mapping[LinkKind, LinkBook], debts: Debts, register: int, true_wh: int
) -> Spans:
    """Spans above ``true_wh`` in which a right is used, and what covers a debt there, in order."""
    head = max(titles[right].head(register) for right in COUNTED_RIGHTS)
    starts, stops = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for right in COUNTED_RIGHTS:
        covering = [(start, min(stop, head)) for start, stop in debts.of(right, register)]
        starts.append(np.array([start for start, _ in covering], dtype=np.int64))
        stops.append(np.array([stop for _, stop in covering], dtype=np.int64))
        rows = titles[right].within(register, true_wh, head)
        used = np.isin(rows["state"], _USED)
        starts, stops = [*starts, rows["start"][used]], [*stops, rows["stop"][used]]
    for book in links.values():
        pieces = book.forward(register, true_wh, head)
        starts, stops = [*starts, pieces.source_start], [*stops, pieces.source_stop]
    start, stop = np.maximum(np.concatenate(starts), true_wh), np.concatenate(stops)
    return _union(start[stop > start], stop[stop > start])


def live_above(book: TitleBook, register: int, true_wh: int, used: Spans) -> dict[str, Ints]:
    """The live spans above ``true_wh`` that nobody used, newest first: register, start, stop and holder."""
    rows = book.within(register, true_wh, book.head(register))
    live = np.isin(rows["state"], _LIVE)
    start, stop, holder = np.maximum(rows["start"][live], true_wh), rows["stop"][live], rows["holder"][live]
    cuts = np.unique(np.concatenate([start, stop, *used]))
    low, high = cuts[:-1], cuts[1:]
    title, inside = _within((start, stop), low)
    kept = np.flatnonzero(inside & ~_within(used, low)[1])[::-1]
    numbers = np.full(len(kept), register, dtype=np.int32)
    return {"register": numbers, "start": low[kept], "stop": high[kept], "holder": holder[title[kept]]}


def _within(spans: Spans, position: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """The span, of ordered ones, that each position could lie in, and whether it does."""
    start, stop = spans
    if not len(start):
        return np.zeros(len(position), dtype=np.int64), np.zeros(len(position), dtype=np.bool_)
    at = np.searchsorted(start, position, side="right") - 1
    return np.maximum(at, 0), (at >= 0) & (position < stop[np.maximum(at, 0)])


def _union(start: Ints, stop: Ints) -> Spans:
    order = np.argsort(start, kind="stable")
    start, stop = start[order], stop[order]
    reach = np.maximum.accumulate(stop)
    begins = np.flatnonzero(np.r_[True, start[1:] > reach[:-1]][: len(start)])
    return start[begins], reach[np.r_[begins[1:], len(start)][: len(begins)] - 1]
