"""Consecutive small moves taken into the books as one batch: what each costs alone is mostly the asking.

Only what comes to the very same as one fact after the other. Where that is not plain - a row is refused, expires or was
lifted - nothing is done here, and whoever asks applies them one by one, which says what is wrong with which.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.journal.fact import Recorded
from penstock.journal.formats import MOVES
from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.segment import Columns
from penstock.journal.state import Books
from penstock.journal.title_rules import late
from penstock.journal.words import TITLE_STATES, Right, TitleState

_SIMPLE: Final = (TitleState.HELD, TitleState.RESERVED, TitleState.CLAIMED, TitleState.RETIRED, TitleState.EXPORTED)
_LIFTED: Final = TITLE_STATES.index(TitleState.LIFTED)


def right_moved(recorded: Recorded) -> Right | None:
    """The right that a fact moves titles of, in a way that may go into a batch; None for all other facts."""
    fact = recorded.fact
    return fact.right if isinstance(fact, TitlesMoved) and fact.state in _SIMPLE else None


def take_together(books: Books, told: Sequence[tuple[Recorded, Columns | None]]) -> bool:
    """Apply consecutive facts for which `right_moved` is the same; False where nothing was done."""
    columns = [part for _, part in told if part is not None]
    right = right_moved(told[0][0])
    if right is None or len(told) == 1 or len(columns) != len(told) or books.vault.expected is not None:
        return False
    rows = np.array([len(part["start"]) for part in columns])
    moves = {name: np.concatenate([part[name] for part in columns]) for name, _ in MOVES.fixed}
    if not _in_order(books, told) or not _as_told(told, rows, moves):
        return False
    book = books.titles[right]
    plan = book.plan_moves(moves, len(books.accounts))
    at_us = np.repeat([recorded.at_us for recorded, _ in told], rows)
    if plan.verdicts.any() or late(books, right, plan, at_us).any():
        return False
    if books.vault.lifts and (book.take("state", plan.handles) == _LIFTED).any():
        return False
    book.apply_moves(plan)
    books.size, books.at_us = told[-1][0].seq + 1, told[-1][0].at_us
    return True


def _in_order(books: Books, told: Sequence[tuple[Recorded, Columns | None]]) -> bool:
    return [recorded.seq for recorded, _ in told] == list(range(books.size, books.size + len(told)))


def _as_told(told: Sequence[tuple[Recorded, Columns | None]], rows: NDArray[Any], moves: Columns) -> bool:
    """Whether each fact's rows are as many, come to as much, and into the state, as it says."""
    facts = [recorded.fact for recorded, _ in told if isinstance(recorded.fact, TitlesMoved)]
    units = moves["stop"] - moves["start"]
    if (rows == 0).any() or rows.tolist() != [fact.segment.rows for fact in facts]:
        return False
    if float(np.abs(units).sum(dtype=np.float64)) >= 2.0**62:
        return False
    quantity = np.add.reduceat(units, np.cumsum(rows) - rows)
    states = np.repeat([TITLE_STATES.index(fact.state) for fact in facts], rows)
    return quantity.tolist() == [fact.quantity for fact in facts] and bool((moves["state"] == states).all())
