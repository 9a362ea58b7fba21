"""What a batch of moves would do to a title book: judged row by row, in row order, changing nothing.

Most rows touch a title that no other row of the batch touches; those are judged side by side. Where several land on one
title, it is cut into atoms and they are replayed on it in order (`title_moves`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.journal.segment import Columns, SegmentFormat
from penstock.journal.span_index import Rows, SpanIndex
from penstock.journal.title_moves import BEYOND, cut_atoms, replay
from penstock.journal.words import TITLE_STATES, TitleState

Ints = NDArray[Any]
Verdicts = NDArray[np.uint8]
Effect = tuple[Ints, Rows, Rows, Rows]
"""Handles, heads, tails and units of a `MovePlan`."""


class Verdict(IntEnum):
    """What became of one row."""

    OK = 0
    NO_TITLE = 1
    OTHER_HOLDER = 2
    NOT_ACTIVE = 3
    CROSSES_TITLE = 4
    MALFORMED = 5
    OVERLAP_OR_GAP = 6
    BEYOND_METER = 7
    EXPIRED = 8
    NOT_EXPIRED = 9


CHANGES: Final = {
    TitleState.HELD: tuple(TitleState),
    TitleState.RESERVED: (
        TitleState.HELD, TitleState.CLAIMED, TitleState.RETIRED, TitleState.WITHDRAWN, TitleState.EXPIRED,
    ),
    TitleState.LIFTED: (TitleState.HELD, TitleState.CLAIMED, TitleState.RETIRED),
    TitleState.CLAIMED: (TitleState.WITHDRAWN,),  # only where the books found that nobody uses it: `withdrawal`
    TitleState.RETIRED: (),
    TitleState.WITHDRAWN: (),
    TitleState.EXPIRED: (TitleState.WITHDRAWN,),
    TitleState.EXPORTED: (TitleState.HELD,),
}  # fmt: skip
"""From each state, the states a title may change into. Held to held is a transfer; retired and withdrawn are final,
and so is claimed, but for what a withdrawal undoes."""


ALLOWED: Final = np.array([[after in CHANGES[before] for after in TITLE_STATES] for before in TITLE_STATES])
"""`CHANGES` by the codes of both states."""


@dataclass(frozen=True, slots=True, eq=False)
class MovePlan:
    """What a batch of moves would do: each row's verdict, what the titles touched and new ones would be.

    ``found`` is the title in which each row starts, -1 for none. ``heads`` are the new stop, holder and state of the
    titles at ``handles``, ``tails`` the titles cut off them, and ``units`` what each (holder, state) would gain.
    """

    verdicts: Verdicts
    found: Ints
    handles: Ints
    heads: Rows
    tails: Rows
    units: Rows
    version: int


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The last batch judged against a book as it stands, copied, and what came of it: deciding on a fact and applying
    it are then one judgement."""

    asked: Rows
    version: int
    bounds: tuple[Any, ...]
    outcome: Any

    def of(self, columns: Columns, version: int, *bounds: Any) -> bool:
        """Whether it is of these very columns, this version of the book, and these bounds."""
        if self.version != version or self.asked.keys() != columns.keys():
            return False
        alike = [*zip(self.bounds, bounds, strict=True), *((self.asked[name], columns[name]) for name in self.asked)]
        return all(np.array_equal(one, other) for one, other in alike)


def judged(fmt: SegmentFormat, columns: Columns, version: int, bounds: tuple[Any, ...], outcome: Any) -> Judged:
    """Keep what came of columns of a format; copied, so that nobody changes them."""
    return Judged({name: np.array(columns[name]) for name, _ in fmt.fixed}, version, bounds, outcome)


def planned(titles: SpanIndex, moves: Columns, holders: int) -> MovePlan:
    """What moves (columns of ``move/1``) would do to titles, one after the other in row order; nothing changes."""
    register, start, stop, target, state = (moves[n] for n in ("register", "start", "stop", "target", "state"))
    malformed = (start < 0) | (stop <= start) | (target < 0) | (target >= holders) | (state >= len(TITLE_STATES))
    handle = titles.find(register, start)
    verdict = np.where(malformed, Verdict.MALFORMED, np.where(handle < 0, Verdict.NO_TITLE, 0)).astype(np.uint8)
    rows = np.flatnonzero(verdict == 0)
    rows = _ordered(rows, handle[rows])
    shared = _repeated(handle[rows])
    alone, together = rows[~shared], rows[shared]
    verdict[alone], effect = _moved_alone(titles, _picked(moves, alone), handle[alone])
    if len(together):
        touched = np.unique(handle[together])
        together = np.sort(together)
        title = np.searchsorted(touched, handle[together])
        verdict[together], others = _moved_together(titles, _picked(moves, together), touched, title)
        effect = _joined(effect, others)
    return MovePlan(verdict, handle, *effect, titles.version)


def _moved_alone(book: SpanIndex, moves: Rows, handle: Ints) -> tuple[Verdicts, Effect]:
    """Moves of titles that no other row touches: each is moved whole, or cut into two or three."""
    titles = {name: book.take(name, handle) for name in ("start", "stop", "holder", "state")}
    verdict = np.zeros(len(handle), dtype=np.uint8)
    verdict[moves["stop"] > titles["stop"]] = Verdict.CROSSES_TITLE
    verdict[~ALLOWED[titles["state"], moves["state"]]] = Verdict.NOT_ACTIVE
    verdict[titles["holder"] != moves["source"]] = Verdict.OTHER_HOLDER
    if verdict.any():
        rows = np.flatnonzero(verdict == 0)
        moves, titles, handle = _picked(moves, rows), _picked(titles, rows), handle[rows]
    low, high = titles["start"] < moves["start"], moves["stop"] < titles["stop"]
    moved = {name: moves[name] for name in ("start", "stop", "state")} | {"holder": moves["target"]}
    heads = {
        "stop": np.where(low, moves["start"], moves["stop"]),
        "holder": np.where(low, titles["holder"], moved["holder"]),
        "state": np.where(low, titles["state"], moved["state"]),
    }
    units = _weights([(titles, moves["start"] - moves["stop"]), (moved, moves["stop"] - moves["start"])])
    return verdict, (handle, heads, _tails(book, handle, titles, moved, low, high), units)


def _tails(book: SpanIndex, handle: Ints, titles: Rows, moved: Rows, low: Ints, high: Ints) -> Rows:
    """What is cut off titles: what moved where something stays before it, and what stays behind it."""
    cut, rest = np.flatnonzero(low), np.flatnonzero(high)
    tails = {
        name: np.concatenate([moved[name][cut], titles[name][rest]]) for name in ("start", "stop", "holder", "state")
    }
    tails["start"][len(cut) :] = moved["stop"][rest]
    of = handle[np.concatenate([cut, rest])]
    return tails | {name: book.take(name, of) for name in ("register", "interval_us", "lot")}


def _moved_together(book: SpanIndex, moves: Rows, touched: Ints, title: Ints) -> tuple[Verdicts, Effect]:
    """Cut the touched titles into atoms, replay the moves on them, and gather atoms into titles again."""
    titles = book.rows(touched)
    start, stop, ends = moves["start"], moves["stop"], titles["stop"][title]
    inner, whole = np.flatnonzero(stop < ends), np.arange(len(touched))
    cut_title = np.concatenate([whole, title, title[inner]])
    cut_at = np.concatenate([titles["start"], start, stop[inner]])
    number, first_cut = cut_atoms(cut_title, cut_at)
    opening = number[: len(whole)]
    last = np.where(stop == ends, np.append(opening, len(first_cut))[title + 1], BEYOND)
    last[inner] = number[len(whole) + len(title) :]
    atom_title = cut_title[first_cut]
    begins = np.zeros(len(first_cut), dtype=bool)
    begins[opening] = True
    atom_holder, atom_state = titles["holder"][atom_title], titles["state"][atom_title]
    verdict = np.zeros(len(start), dtype=np.uint8)
    replay(len(start))(
        verdict, number[len(whole) : len(whole) + len(title)], last, moves["source"], moves["target"],
        moves["state"], ALLOWED, begins, atom_holder, atom_state,
    )  # fmt: skip
    pieces = _picked(titles, atom_title[begins])
    pieces |= {"start": cut_at[first_cut][begins], "holder": atom_holder[begins], "state": atom_state[begins]}
    heads = np.searchsorted(atom_title[begins], whole)
    pieces["stop"] = np.roll(pieces["start"], -1)
    pieces["stop"][np.append(heads[1:], len(pieces["start"]))[: len(whole)] - 1] = titles["stop"]
    tails = np.ones(len(pieces["start"]), dtype=bool)
    tails[heads] = False
    changed = {name: pieces[name][heads] for name in ("stop", "holder", "state")}
    units = _weights([(titles, titles["start"] - titles["stop"]), (pieces, pieces["stop"] - pieces["start"])])
    return verdict, (touched, changed, _picked(pieces, np.flatnonzero(tails)), units)


def _ordered(rows: Ints, value: Ints) -> Ints:
    """Rows by their values; themselves where they are so already."""
    if (value[1:] > value[:-1]).all():
        return rows
    ordered: Ints = rows[np.argsort(value, kind="stable")]
    return ordered


def _repeated(ordered: Ints) -> NDArray[np.bool_]:
    """Which values of an ordered column stand there more than once."""
    again = ordered[1:] == ordered[:-1]
    shared = np.zeros(len(ordered), dtype=np.bool_)
    shared[1:] |= again
    shared[:-1] |= again
    return shared


def _picked(rows: Columns, which: Ints) -> Rows:
    return {name: column[which] for name, column in rows.items()}


def _weights(parts: Sequence[tuple[Rows, Ints]]) -> Rows:
    """Units that (holder, state) would gain, one row a title."""
    weights = {name: np.concatenate([rows[name] for rows, _ in parts]) for name in ("holder", "state")}
    return weights | {"units": np.concatenate([units for _, units in parts])}


def _joined(one: Effect, other: Effect) -> Effect:
    handles = np.concatenate([one[0], other[0]])
    heads, tails, units = (
        {name: np.concatenate([left[name], right[name]]) for name in left}
        for left, right in zip(one[1:], other[1:], strict=True)
    )
    return handles, heads, tails, units
