"""Titles: who holds which span of a right, and in what state. One `TitleBook` for each right.

Overlap and over-issue cannot happen: an issue begins where its register's titles end and ends where the register
stands; a move only cuts one title into pieces that together are that title. Each act is judged first, row by row,
without changing anything; only what was judged sound is applied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict, Refused
from penstock.journal.formats import MOVES, TITLES
from penstock.journal.register import grown
from penstock.journal.segment import Columns
from penstock.journal.span_index import Rows, SpanIndex
from penstock.journal.stretches import Place, stretch
from penstock.journal.title_plan import ALLOWED, CHANGES, Judged, MovePlan, Verdict, Verdicts, judged, planned
from penstock.journal.words import TITLE_STATES, TitleState

__all__ = ["ALLOWED", "CHANGES", "PAYLOAD", "UNITS_MAX", "MovePlan", "Title", "TitleBook", "Verdict", "Verdicts"]

Ints = NDArray[Any]

PAYLOAD: Final = {"holder": "int32", "state": "uint8", "interval_us": "int64", "lot": "int32"}
PAGE_ROWS: Final = 1 << 17
UNITS_MAX: Final = 2**62
"""Most units that a book can hold over all registers, so that no sum of spans overflows."""


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
        self._judged = judged(TITLES, issue, version, (limit.copy(), holders), verdict)
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
        plan = planned(self._titles, moves, holders)
        self._judged = judged(MOVES, moves, version, (holders,), plan)
        return plan

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
        return self._titles.rows(handle)

    def take(self, name: str, handle: Ints) -> Ints:
        """Values of one column at handles."""
        return self._titles.take(name, handle)

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
        return self._those(
            states, lambda rows: slice(None) if holder is None else np.flatnonzero(rows["holder"] == holder)
        )

    def since(self, lot: int, states: Sequence[TitleState]) -> Rows:
        """Every title in one of ``states`` of the issues from number ``lot`` on, in no order."""
        return self._those(states, lambda rows: np.flatnonzero(rows["lot"] >= lot))

    def begun(self, start_us: int, stop_us: int, states: Sequence[TitleState]) -> Rows:
        """Every title in one of ``states`` whose interval begins in ``[start_us, stop_us)``, in no order."""
        return self._those(
            states,
            lambda rows: np.flatnonzero((rows["interval_us"] >= start_us) & (rows["interval_us"] < stop_us)),
        )

    def _those(self, states: Sequence[TitleState], which: Callable[[Rows], Ints | slice]) -> Rows:
        """Titles in one of ``states`` that ``which`` finds in each run; the book stays as it is."""
        wanted = np.zeros(len(TITLE_STATES), dtype=bool)
        wanted[[TITLE_STATES.index(state) for state in states]] = True
        found = []
        for offset, run in self._titles.runs:
            rows = np.arange(len(run))[which(run.columns)]
            found.append(rows[wanted[run.columns["state"][rows]]] + offset)
        return self.rows(np.concatenate(found))

    def containing(self, register: Ints, position: Ints) -> Rows:
        """The title, whole, that contains each unit; the caller knows that there is one."""
        return self.rows(self._titles.find(register, position))

    def at(self, register: int, position: int) -> Title | None:
        """The title that contains one unit, or None."""
        handle = self._titles.find(np.array([register]), np.array([position]))
        return _titles(self.rows(handle))[0] if handle[0] >= 0 else None

    def page(self, holder: int | None, after: tuple[int, int] | None = None, n: int = 100) -> Rows:
        """Up to ``n`` titles of a holder (None: all), in any state, after ``(register, start)``, in that order."""
        register, start = (np.array([value]) for value in (after or (-1, 0)))
        found = []
        for offset, run in self._titles.runs:
            row = int(run.after(register, start)[0])
            every = np.arange(row, min(row + n, len(run)))
            found.append((every if holder is None else _first(run.columns["holder"], holder, row, n)) + offset)
        rows = self.rows(np.concatenate(found))
        order = np.lexsort((rows["start"], rows["register"]))[:n]
        return {name: column[order] for name, column in rows.items()}

    def stretch(self, after: Place, n: int) -> tuple[Rows, Place | None]:
        """The titles that come after a place (register, start), as `stretches.stretch`."""
        return stretch([run for _, run in self._titles.runs], after, n)

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


def _first(column: Ints, value: int, row: int, n: int) -> Ints:
    """The first ``n`` rows from ``row`` on that have a value; what lies behind them is not looked at."""
    found, left = [np.zeros(0, dtype=np.int64)], n
    while row < len(column) and left > 0:
        rows = np.flatnonzero(column[row : row + PAGE_ROWS] == value)[:left]
        found, left, row = [*found, rows + row], left - len(rows), row + PAGE_ROWS
    return np.concatenate(found)
