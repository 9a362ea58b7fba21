"""Titles: who holds which span of a right, and in what state. One `TitleBook` for each right.

Overlap and over-issue cannot happen: an issue begins where its register's titles end and ends where the register
stands; a move only cuts one title into pieces that together are that title. Each act is judged first, row by row,
without changing anything; only what was judged sound is applied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict, Refused
from penstock.journal.formats import MOVES, TITLES
from penstock.journal.register import grown
from penstock.journal.segment import Columns, SegmentFormat
from penstock.journal.span_index import Rows, SpanIndex
from penstock.journal.title_moves import BEYOND, cut_atoms, replay
from penstock.journal.words import TITLE_STATES, TitleState

Ints = NDArray[Any]
Verdicts = NDArray[np.uint8]

PAYLOAD: Final = {"holder": "int32", "state": "uint8", "interval_us": "int64", "lot": "int32"}
Effect = tuple[Ints, Rows, Rows, Rows]
"""Handles, heads, tails and units of a `MovePlan`."""
UNITS_MAX: Final = 2**62
"""Most units that a book can hold over all registers, so that no sum of spans overflows."""


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


@dataclass(frozen=True, slots=True)
class Title:
    """One title: ``[start, stop)`` of a register, inside the interval that begins at ``interval_us`` [us].

    ``lot`` is the number of the issue it comes from, which says what all its units share (`lots`).
    """

    register: int
    start: int
    stop: int
    holder: int
    state: TitleState
    interval_us: int
    lot: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class MovePlan:
    """What a batch of moves would do: each row's verdict, what the titles touched and new ones would be.

    ``heads`` are the new stop, holder and state of the titles at ``handles``, ``tails`` the titles cut off them, and
    ``units`` what each (holder, state) would gain.
    """

    verdicts: Verdicts
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


class TitleBook:
    """All titles to one right."""

    def __init__(self) -> None:
        self._titles = SpanIndex(PAYLOAD)
        self._head = np.zeros(16, dtype=np.int64)
        self._balance = np.zeros((16, len(TITLE_STATES)), dtype=np.int64)
        self._issued = 0
        self._judged: Judged | None = None

    def __len__(self) -> int:
        return len(self._titles)

    def plan_issue(self, issue: Columns, limit: Ints, holders: int) -> Verdicts:
        """Judge an issue, columns of ``title/1``: no register beyond its ``limit``, no holder from ``holders`` on.

        Within a register each row starts where the one before it stops, the first at the head.

        Raises:
            Refused: ``titles.book_full`` beyond ``UNITS_MAX``.
        """
        version = self._titles.version
        if self._judged and self._judged.of(issue, version, limit, holders):
            known: Verdicts = self._judged.outcome
            return known
        verdict = self._judge_issue(issue, limit, holders)
        self._judged = Judged(_copied(issue, TITLES), version, (limit.copy(), holders), verdict)
        return verdict

    def _judge_issue(self, issue: Columns, limit: Ints, holders: int) -> Verdicts:
        register, start, stop = issue["register"], issue["start"], issue["stop"]
        known = (register >= 0) & (register < len(limit))
        held = (issue["holder"] >= 0) & (issue["holder"] < holders)
        slot = np.where(known, register, len(limit))
        verdict = np.zeros(len(register), dtype=np.uint8)
        verdict[stop > np.append(limit, 0)[slot]] = Verdict.BEYOND_METER
        verdict[start != self._expected(slot, stop, len(limit))] = Verdict.OVERLAP_OR_GAP
        verdict[~known | ~held | (start < 0) | (stop <= start)] = Verdict.MALFORMED
        if not verdict.any() and float((stop - start).sum(dtype=np.float64)) + self._issued > UNITS_MAX:
            raise Refused("titles.book_full", "A title book holds at most 2**62 units.")
        return verdict

    def _expected(self, register: Ints, stop: Ints, registers: int) -> Ints:
        order = np.argsort(register, kind="stable")
        ordered = register[order]
        before = self.heads(registers + 1)[ordered]
        again = ordered[1:] == ordered[:-1]
        before[1:][again] = stop[order][:-1][again]
        expected = np.empty(len(order), dtype=np.int64)
        expected[order] = before
        return expected

    def issue(self, issue: Columns, limit: Ints, holders: int, lot: int = 0) -> Verdicts:
        """Issue all rows, held by their holders, or - where any verdict is not 0 - none. Raises as `plan_issue`."""
        verdicts = self.plan_issue(issue, limit, holders)
        if not verdicts.any():
            self._judged = None
            self._issue(issue, lot)
        return verdicts

    def _issue(self, issue: Columns, lot: int) -> None:
        units = issue["stop"] - issue["start"]
        self._issued += int(units.sum(dtype=np.int64))
        state = np.full(len(units), TITLE_STATES.index(TitleState.HELD), dtype=np.uint8)
        self._titles.insert({**issue, "state": state, "lot": np.full(len(units), lot, dtype=np.int32)})
        self._head = grown(self._head, int(issue["register"].max(initial=-1)) + 1)
        np.maximum.at(self._head, issue["register"], issue["stop"])
        self._weigh(issue["holder"], state, units)

    def plan_moves(self, moves: Columns, holders: int) -> MovePlan:
        """Judge moves, columns of ``move/1``, one after the other in row order; nothing changes yet.

        A row fails alone; the rows after it see the titles as the accepted ones before it left them.
        """
        version = self._titles.version
        if self._judged and self._judged.of(moves, version, holders):
            found: MovePlan = self._judged.outcome
            return found
        plan = self._plan_moves(moves, holders)
        self._judged = Judged(_copied(moves, MOVES), version, (holders,), plan)
        return plan

    def _plan_moves(self, moves: Columns, holders: int) -> MovePlan:
        register, start, stop, target, state = (moves[n] for n in ("register", "start", "stop", "target", "state"))
        malformed = (start < 0) | (stop <= start) | (target < 0) | (target >= holders) | (state >= len(TITLE_STATES))
        handle = self._titles.find(register, start)
        verdict = np.where(malformed, Verdict.MALFORMED, np.where(handle < 0, Verdict.NO_TITLE, 0)).astype(np.uint8)
        rows = np.flatnonzero(verdict == 0)
        rows = _ordered(rows, handle[rows])
        shared = _repeated(handle[rows])
        alone, together = rows[~shared], rows[shared]
        verdict[alone], effect = self._moved_alone(_picked(moves, alone), handle[alone])
        if len(together):
            touched = np.unique(handle[together])
            together = np.sort(together)
            title = np.searchsorted(touched, handle[together])
            verdict[together], others = self._moved_together(_picked(moves, together), touched, title)
            effect = _joined(effect, others)
        return MovePlan(verdict, *effect, self._titles.version)

    def _moved_alone(self, moves: Rows, handle: Ints) -> tuple[Verdicts, Effect]:
        """Moves of titles that no other row touches: each is moved whole, or cut into two or three."""
        titles = {name: self._titles.take(name, handle) for name in ("start", "stop", "holder", "state")}
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
        return verdict, (handle, heads, self._tails(handle, titles, moved, low, high), units)

    def _tails(self, handle: Ints, titles: Rows, moved: Rows, low: Ints, high: Ints) -> Rows:
        """What is cut off titles: what moved where something stays before it, and what stays behind it."""
        cut, rest = np.flatnonzero(low), np.flatnonzero(high)
        tails = {
            name: np.concatenate([moved[name][cut], titles[name][rest]])
            for name in ("start", "stop", "holder", "state")
        }
        tails["start"][len(cut) :] = moved["stop"][rest]
        of = handle[np.concatenate([cut, rest])]
        return tails | {name: self._titles.take(name, of) for name in ("register", "interval_us", "lot")}

    def _moved_together(self, moves: Rows, touched: Ints, title: Ints) -> tuple[Verdicts, Effect]:
        """Cut the touched titles into atoms, replay the moves on them, and gather atoms into titles again."""
        titles = self.rows(touched)
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

    def apply_moves(self, plan: MovePlan) -> None:
        """Do what was planned.

        Raises:
            Conflict: ``titles.stale_plan`` where the book has changed since.
        """
        if plan.version != self._titles.version:
            raise Conflict("titles.stale_plan", "The title book changed after these moves were planned.")
        self._judged = None
        self._weigh(plan.units["holder"], plan.units["state"], plan.units["units"])
        for name, values in plan.heads.items():
            self._titles.put(name, plan.handles, values)
        self._titles.insert(plan.tails)

    def move(self, moves: Columns, holders: int) -> Verdicts:
        """Plan and apply: each accepted row is done, each refused one leaves no trace."""
        plan = self.plan_moves(moves, holders)
        self.apply_moves(plan)
        return plan.verdicts

    def _weigh(self, holder: Ints, state: Ints, units: Ints) -> None:
        self._balance = grown(self._balance, int(holder.max(initial=-1)) + 1)
        np.add.at(self._balance.reshape(-1), holder.astype(np.int64) * len(TITLE_STATES) + state, units)

    def rows(self, handle: Ints) -> Rows:
        """The titles at handles, as columns."""
        return {name: self._titles.take(name, handle) for name in ("register", "start", "stop", *PAYLOAD)}

    def columns(self) -> Rows:
        """Every title, sorted by (register, start). Not copies: do not change them."""
        return self._titles.columns()

    def within(self, register: int, start: int, stop: int) -> Rows:
        """The titles that share a unit with ``[start, stop)``, in order of position."""
        _, handle = self._titles.join(*(np.array([value]) for value in (register, start, stop)))
        return self.rows(handle)

    def parts(self, register: Ints, start: Ints, stop: Ints) -> Rows:
        """What of each span has a title: ``query`` (its row) and the title's columns, cut to the span, in order."""
        query, handle = self._titles.join(register, start, stop)
        rows = self.rows(handle)
        low, high = np.maximum(rows["start"], start[query]), np.minimum(rows["stop"], stop[query])
        return {**rows, "start": low, "stop": high, "query": query}

    def owned(self, holder: int | None, states: Sequence[TitleState]) -> Rows:
        """Every title of a holder (None: anybody's) in one of ``states``, in no order."""
        wanted = np.zeros(len(TITLE_STATES), dtype=bool)
        wanted[[TITLE_STATES.index(state) for state in states]] = True
        found = []
        for offset, run in self._titles.runs:
            rows = np.arange(len(run)) if holder is None else np.flatnonzero(run.columns["holder"] == holder)
            found.append(rows[wanted[run.columns["state"][rows]]] + offset)
        return self.rows(np.concatenate(found))

    def since(self, lot: int, states: Sequence[TitleState]) -> Rows:
        """Every title in one of ``states`` of the issues from number ``lot`` on, in no order."""
        wanted = np.zeros(len(TITLE_STATES), dtype=bool)
        wanted[[TITLE_STATES.index(state) for state in states]] = True
        found = []
        for offset, run in self._titles.runs:
            rows = np.flatnonzero(run.columns["lot"] >= lot)
            found.append(rows[wanted[run.columns["state"][rows]]] + offset)
        return self.rows(np.concatenate(found))

    def containing(self, register: Ints, position: Ints) -> Rows:
        """The title, whole, that contains each unit; the caller knows that there is one."""
        return self.rows(self._titles.find(register, position))

    def at(self, register: int, position: int) -> Title | None:
        """The title that contains one unit, or None."""
        handle = self._titles.find(np.array([register]), np.array([position]))
        return _titles(self.rows(handle))[0] if handle[0] >= 0 else None

    def page(self, holder: int, after: tuple[int, int] | None = None, n: int = 100) -> Rows:
        """Up to ``n`` titles of a holder, in any state, that come after ``(register, start)``, in that order."""
        register, start = (np.array([value]) for value in (after or (-1, 0)))
        found = []
        for offset, run in self._titles.runs:
            row = int(run.after(register, start)[0])
            found.append(np.flatnonzero(run.columns["holder"][row:] == holder)[:n] + row + offset)
        rows = self.rows(np.concatenate(found))
        order = np.lexsort((rows["start"], rows["register"]))[:n]
        return {name: column[order] for name, column in rows.items()}

    def balance(self, holder: int, state: TitleState = TitleState.HELD) -> int:
        """Units that a holder has in a state, over all registers."""
        return int(self._balance[holder, TITLE_STATES.index(state)]) if 0 <= holder < len(self._balance) else 0

    def balances(self, holders: int) -> NDArray[np.int64]:
        """Units by holder and state code: int64 of shape (holders, states). A copy."""
        return grown(self._balance, holders)[:holders].copy()

    def head(self, register: int) -> int:
        """The position up to which the register is issued."""
        return int(self._head[register]) if 0 <= register < len(self._head) else 0

    def heads(self, registers: int) -> NDArray[np.int64]:
        """The heads of the first ``registers`` registers. A copy."""
        return grown(self._head, registers)[:registers].copy()

    def digest(self) -> bytes:
        """sha256 over every title; equal for equal titles, however the book came to them."""
        digest = hashlib.sha256()
        for name, column in sorted(self.columns().items()):
            digest.update(name.encode() + column.astype(column.dtype.newbyteorder("<"), copy=False).tobytes())
        return digest.digest()


def _titles(rows: Rows) -> list[Title]:
    columns = [rows[name].tolist() for name in ("register", "start", "stop", *PAYLOAD)]
    return [Title(r, a, b, h, TITLE_STATES[s], us, lot) for r, a, b, h, s, us, lot in zip(*columns, strict=True)]


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


def _copied(columns: Columns, fmt: SegmentFormat) -> Rows:
    return {name: np.array(columns[name]) for name, _ in fmt.fixed}


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
