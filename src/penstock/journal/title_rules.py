"""What moves and issues of titles must satisfy beside the title book's own rules.

Certificates are used before they expire and issued interval after interval; the vault alone lifts them and moves what
is lifted, and a claim that somebody uses is not withdrawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict
from penstock.journal.correction import COUNTED_RIGHTS
from penstock.journal.kinds.energy import TitlesIssued
from penstock.journal.segment import Columns
from penstock.journal.titles import MovePlan, Verdict
from penstock.journal.words import TITLE_STATES, Right, TitleState

if TYPE_CHECKING:
    from penstock.journal.state import Books

Ints = NDArray[Any]
Mask = NDArray[np.bool_]
_HELD, _RESERVED, _LIFTED, _CLAIMED, _WITHDRAWN, _EXPIRED = map(
    TITLE_STATES.index,
    (
        *(TitleState.HELD, TitleState.RESERVED, TitleState.LIFTED),
        *(TitleState.CLAIMED, TitleState.WITHDRAWN, TitleState.EXPIRED),
    ),
)


def expired(books: Books, lot: Ints, interval_us: Ints, at_us: int | Ints) -> Mask:
    """Which titles, by their lot and the start of their interval [us], were valid no more at ``at_us``."""
    lots = books.lots
    valid_us = lots.column("valid_us")[lot]
    ends_us = interval_us + lots.column("interval_us")[lot]
    late: Mask = (valid_us > 0) & (at_us - ends_us >= valid_us)
    return late


def late(books: Books, right: Right, plan: MovePlan, at_us: int | Ints) -> Mask:
    """Rows that start in a title that was valid no more at ``at_us``, one instant or one for each row."""
    rows = np.zeros(len(plan.found), dtype=np.bool_)
    if books.lots.expire:
        book, asked = books.titles[right], np.flatnonzero(plan.found >= 0)
        lot, interval_us = (book.take(name, plan.found[asked]) for name in ("lot", "interval_us"))
        rows[asked] = expired(books, lot, interval_us, np.broadcast_to(at_us, rows.shape)[asked])
    return rows


def untimely(books: Books, right: Right, moves: Columns, plan: MovePlan, at_us: int | None) -> NDArray[np.uint8]:
    """Rows that come too late, of what has expired, or that expire what is valid. Release and withdrawal may.

    ``plan`` is of these moves: it has found the titles.
    """
    verdicts = np.zeros(len(moves["start"]), dtype=np.uint8)
    expires = (moves["state"] == _EXPIRED) & (plan.found >= 0)
    if at_us is None or not (books.lots.expire or expires.any()):
        return verdicts
    too_late = late(books, right, plan, at_us)
    verdicts[expires & ~too_late] = Verdict.NOT_EXPIRED
    asked = np.flatnonzero(too_late & ~np.isin(moves["state"], (_EXPIRED, _WITHDRAWN)))
    state = books.titles[right].take("state", plan.found[asked])
    released = (state == _RESERVED) & (moves["state"][asked] == _HELD)
    released &= moves["source"][asked] == moves["target"][asked]
    verdicts[asked[np.isin(state, (_HELD, _RESERVED)) & ~released]] = Verdict.EXPIRED
    return verdicts


def by_vault(books: Books, right: Right, moves: Columns, plan: MovePlan) -> Mask:
    """Rows that lift titles or move lifted ones: only what the vault lets out or gives back moves so."""
    rows: Mask = moves["state"] == _LIFTED
    if books.vault.lifts and not rows.all():
        asked = np.flatnonzero((plan.found >= 0) & _whole(moves))
        rows[asked[books.titles[right].take("state", plan.found[asked]) == _LIFTED]] = True
    return rows


def in_use(books: Books, right: Right, moves: Columns) -> Mask:
    """Rows that withdraw a claimed certificate of which somebody makes use: no withdrawal reached its claim."""
    rows = np.zeros(len(moves["start"]), dtype=np.bool_)
    asked = np.flatnonzero((moves["state"] == _WITHDRAWN) & _whole(moves))
    if len(asked):
        parts = books.titles[right].parts(*(moves[name][asked] for name in ("register", "start", "stop")))
        claimed = np.flatnonzero(parts["state"] == _CLAIMED)
        parts = {name: column[claimed] for name, column in parts.items()}
        undone = books.corrections.withdrawn.undone(parts) & (right is Right.ATTRIBUTE)
        rows[asked[parts["query"][~undone]]] = True
    return rows


def _whole(moves: Columns) -> Mask:
    """Rows that are spans at all."""
    rows: Mask = (moves["start"] >= 0) & (moves["start"] < moves["stop"])
    return rows


def last_interval(books: Books, right: Right, register: Ints) -> tuple[Ints, Ints]:
    """Start and stop of the interval of each register's last title [us], or of the one it continues; 0 for none."""
    book, before = books.titles[right], books.corrections.before()
    present, place = np.unique(register, return_inverse=True)
    issuing = np.array([_first(book.head, one, before) for one in present.tolist()], dtype=np.int64)
    start, stop = (np.zeros(len(present), dtype=np.int64) for _ in range(2))
    rows = np.flatnonzero(issuing >= 0)
    heads = book.heads(len(books.registers))
    last = book.containing(issuing[rows], heads[issuing[rows]] - 1)
    start[rows] = last["interval_us"]
    stop[rows] = last["interval_us"] + books.lots.column("interval_us")[last["lot"]]
    return start[place], stop[place]


def check_times(books: Books, fact: TitlesIssued, issue: Columns) -> None:
    """That intervals of what a meter counted follow on each other: the same one goes on, or one that comes after.

    Raises:
        Conflict: ``titles.interval``.
    """
    metered = np.flatnonzero(books.enrolled.metered()[issue["register"]])
    if fact.right not in COUNTED_RIGHTS or not len(metered):
        return
    order = metered[np.argsort(issue["register"][metered], kind="stable")]
    register, start_us = issue["register"][order], issue["interval_us"][order]
    first = np.r_[True, register[1:] != register[:-1]][: len(register)]
    step_us = np.diff(start_us)
    early = ~first[1:] & ((step_us < 0) | ((step_us > 0) & (step_us < fact.interval_us)))
    begun_us, reach_us = last_interval(books, fact.right, register[first])
    begins_us = start_us[first]
    again = (begins_us == begun_us) & (begins_us + fact.interval_us == reach_us)
    if early.any() or ((begins_us < reach_us) & ~again).any():
        raise Conflict("titles.interval", "A register has titles within this interval already.")


def _first(head: Callable[[int], int], register: int, before: Mapping[int, int]) -> int:
    """The first of a register and those it continues that has a title; -1 where none has."""
    while register >= 0 and not head(register):
        register = before.get(register, -1)
    return register
