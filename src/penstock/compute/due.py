"""Which facts follow an act's first one: titles issued or moved, links, or a fact as it must be, word by word.

An act's facts come one right after the other; a book that expects some takes no other between.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from penstock.errors import Refused
from penstock.journal.fact import FactBody
from penstock.journal.kinds.energy import SpansLinked, TitlesIssued, TitlesMoved
from penstock.journal.segment import Column, Columns
from penstock.journal.words import TITLE_STATES, LinkKind, Right, TitleState


@dataclass(frozen=True, slots=True, eq=False)
class Issue:
    """Titles to use come next: columns of ``title/1``, how long an interval is, and how long they stay valid [us]."""

    columns: Columns
    interval_us: int
    valid_us: int = 0

    def is_met(self, fact: FactBody, columns: Columns) -> bool:
        """Whether a fact is the one."""
        if not isinstance(fact, TitlesIssued) or (fact.interval_us, fact.valid_us) != (self.interval_us, self.valid_us):
            return False
        return fact.right is Right.USE and _same(self.columns, columns)


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """Titles to use move next, all of them into one state: columns of ``move/1``, and what for."""

    columns: Columns
    purpose: str

    @property
    def state(self) -> TitleState:
        """The state that they come to."""
        return TITLE_STATES[int(self.columns["state"][0])]

    def is_met(self, fact: FactBody, columns: Columns) -> bool:
        """Whether a fact is the one."""
        return isinstance(fact, TitlesMoved) and fact.right is Right.USE and _same(self.columns, columns)


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """Spans of a register are filled next from another's: which ones (start, stop), whatever the rows; from where is
    for the links' own laws."""

    kind: LinkKind
    source: int
    target: int
    spans: Columns

    def is_met(self, fact: FactBody, columns: Columns) -> bool:
        """Whether a fact is the one."""
        if not isinstance(fact, SpansLinked) or fact.link is not self.kind:
            return False
        if (columns["source"] != self.source).any() or (columns["target"] != self.target).any():
            return False
        found = joined(columns["target_start"], columns["target_stop"])
        return np.array_equal(found, joined(self.spans["start"], self.spans["stop"]))


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """This very fact comes next."""

    fact: FactBody

    def is_met(self, fact: FactBody, _: Columns) -> bool:
        """Whether a fact is the one."""
        return fact == self.fact


Due = Issue | Move | Link | Word


@dataclass(frozen=True, slots=True)
class Act:
    """What an act comes to: its fact, and those that follow."""

    fact: FactBody
    dues: tuple[Due, ...] = ()

    @property
    def moves(self) -> Columns:
        """The titles that move first: columns of ``move/1``."""
        return next(due.columns for due in self.dues if isinstance(due, Move))


@dataclass(slots=True)
class Dues:
    """The facts that are expected now, in order."""

    waiting: list[Due] = field(default_factory=list)

    def take(self, fact: FactBody, columns: Columns) -> bool:
        """Take a fact that is due; False where none is.

        Raises:
            Refused: ``compute.incomplete`` where another one is.
        """
        if not self.waiting:
            return False
        if not self.waiting.pop(0).is_met(fact, columns):
            raise Refused("compute.incomplete", "The facts of an act on compute come one right after the other.")
        return True


def moves_of(parts: Columns, state: TitleState, target: int | None = None) -> dict[str, Column]:
    """Columns of ``move/1`` for titles (rows of `TitleBook.parts`); without a target their holders keep them."""
    count = len(parts["start"])
    return {
        **{name: parts[name] for name in ("register", "start", "stop")},
        "source": parts["holder"],
        "target": parts["holder"] if target is None else np.full(count, target, dtype=np.int32),
        "state": np.full(count, TITLE_STATES.index(state), dtype=np.uint8),
    }


def joined(start: Column, stop: Column) -> Column:
    """Spans in order, those that touch as one: n rows of start and stop."""
    order = np.argsort(start, kind="stable")
    begin, end = start[order], stop[order]
    fresh = np.r_[True, begin[1:] != end[:-1]][: len(begin)]
    last = np.r_[fresh[1:], True][: len(begin)]
    return np.stack([begin[fresh], end[last]], axis=1)


def _same(expected: Columns, found: Columns) -> bool:
    return all(name in found and np.array_equal(found[name], column) for name, column in expected.items())
