"""Lineage: a span as a tree, back to the meters it came from or forward to the money it became.

The sums close at every node, in whole units: the parts of its children, what is folded away and the gap, which no
link accounts for, are the node. The notes say what a figure rests on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import NotFound
from penstock.journal.fact import Recorded
from penstock.journal.kinds.compute import AnswersServed, RackRegistered
from penstock.journal.state import Books
from penstock.journal.words import TITLE_STATES, LinkKind, RegisterKind, Right, TitleState, Unit
from penstock.span import Span
from penstock.trace.walk import HOPS_MOST, LINK_KINDS, Level, Walk, walk
from penstock.units import MJ_PER_WH

Ints = NDArray[Any]
Notes = tuple[str, ...]

CHILDREN_MOST: Final = 200
FIRST_IN_FIRST_OUT: Final = "first in, first out by convention"
_OPEN_ENDS: Final = {
    Unit.WH: "unsold",
    Unit.MJ: "no work yet",
    Unit.MS: "idle",
    Unit.TOKENS: "not billed yet",
    Unit.USDC_MICRO: "not paid onward",
    Unit.G_CO2E: "not emitted: a carbon credit",
}


@dataclass(frozen=True, slots=True)
class Node:
    """A span and what it came from or became.

    ``part`` is what it accounts for of its parent [the parent's unit]; ``gap`` what no child accounts for, and
    ``folded_part`` what the ``folded`` children not shown do [its own unit]. ``links`` counts the links joined here.
    ``state`` is the state of the title over the span, where one is issued.
    """

    register: str
    unit: Unit
    start: int
    stop: int
    part: int
    link: LinkKind | None = None
    links: int = 1
    state: str = ""
    notes: Notes = ()
    children: tuple[Node, ...] = ()
    gap: int = 0
    folded: int = 0
    folded_part: int = 0

    @property
    def quantity(self) -> int:
        """Units of the span."""
        return self.stop - self.start

    @property
    def closes(self) -> bool:
        """Whether the parts are the node, here and everywhere below."""
        parts = sum(child.part for child in self.children) + self.folded_part + self.gap
        return (not self.children or parts == self.quantity) and all(child.closes for child in self.children)


def back(
    books: Books,
    register: str,
    span: Span,
    *,
    notes: Mapping[str, str] | None = None,
    joined: bool = False,
    children_most: int = CHILDREN_MOST,
    hops_most: int = HOPS_MOST,
) -> Node:
    """Everything the units of ``span`` came from.

    Args:
        notes: words to print beside every node of a register, as `notes_of` gathers them.
        joined: neighbouring links that continue each other are shown as one.

    Raises:
        NotFound: ``register.unknown``.
    """
    found = walk(books, books.registers.id_of(register), span, is_back=True, joined=joined, hops_most=hops_most)
    return tree_of(books, found, notes or {}, children_most)


def forward(
    books: Books,
    register: str,
    span: Span,
    *,
    notes: Mapping[str, str] | None = None,
    joined: bool = False,
    children_most: int = CHILDREN_MOST,
    hops_most: int = HOPS_MOST,
) -> Node:
    """Everything the units of ``span`` became; arguments and errors as `back`."""
    found = walk(books, books.registers.id_of(register), span, is_back=False, joined=joined, hops_most=hops_most)
    return tree_of(books, found, notes or {}, children_most)


def answer_span(books: Books, rack: RackRegistered, number: int) -> Span:
    """The tokens of a rack's answer, by request number, on its token register.

    Raises:
        NotFound: ``trace.no_answer``.
    """
    served = books.links[LinkKind.SERVE].columns()
    rows = np.flatnonzero(served["target"] == books.registers.id_of(rack.token_register))
    if not 0 <= number < len(rows):
        raise NotFound(
            "trace.no_answer", f"{rack.rack} gave {len(rows)} answers; none has number {number}.", rack=rack.rack
        )
    return Span(int(served["target_start"][rows[number]]), int(served["target_stop"][rows[number]]))


def notes_of(facts: Iterable[Recorded], racks: Mapping[str, RackRegistered]) -> dict[str, str]:
    """What facts say of how far to trust whole registers: ``modelled`` where a rack's answers are."""
    found: dict[str, str] = {}
    for recorded in facts:
        if isinstance(recorded.fact, AnswersServed) and recorded.fact.modelled:
            rack = racks[recorded.fact.rack]
            found |= dict.fromkeys((rack.calendar_register, rack.token_register), "modelled")
    return found


def tree_of(books: Books, found: Walk, notes: Mapping[str, str], children_most: int = CHILDREN_MOST) -> Node:
    """A walk's pieces as a tree of nodes; children beyond ``children_most`` are folded into a sum."""
    return trees_of(books, found, notes, children_most)[0]


def trees_of(
    books: Books, found: Walk, notes: Mapping[str, str], children_most: int = CHILDREN_MOST
) -> tuple[Node, ...]:
    """As `tree_of`, one tree for each span of the walk's first level."""
    builder = _Builder(books, found, notes, children_most)
    return tuple(builder.node(0, row) for row in range(len(found.levels[0]["row"])))


class _Builder:
    """Nodes from columns, and what needs all rows of a level at once."""

    def __init__(self, books: Books, found: Walk, notes: Mapping[str, str], children_most: int) -> None:
        self._books, self._walk, self._notes, self._most = books, found, notes, children_most
        self._metered = books.enrolled.metered()
        self._states = [_states(books, level) for level in found.levels]
        self._bounds = [
            np.searchsorted(after["parent"], np.arange(len(level["row"]) + 1))
            for level, after in zip(found.levels, found.levels[1:], strict=False)
        ]

    def node(self, depth: int, row: int) -> Node:
        level = self._walk.levels[depth]
        register, kind, links, start, stop, part_start, part_stop = (
            int(level[name][row]) for name in ("register", "kind", "links", "start", "stop", "part_start", "part_stop")
        )
        children, gap, folded, folded_part = self._below(depth, row, stop - start)
        state, urn = self._states[depth][row], self._books.registers.urn(register)
        return Node(
            register=urn,
            unit=self._books.registers.unit(register),
            start=start,
            stop=stop,
            part=part_stop - part_start,
            link=LINK_KINDS[kind] if depth else None,
            links=links,
            state=state,
            notes=self._notes_for(urn, register, state, not children, depth)
            + _edges(LINK_KINDS[kind], self._walk.is_back, stop - start, part_stop - part_start),
            children=children,
            gap=gap,
            folded=folded,
            folded_part=folded_part,
        )

    def _below(self, depth: int, row: int, quantity: int) -> tuple[tuple[Node, ...], int, int, int]:
        if depth >= len(self._bounds):
            return (), 0, 0, 0
        first, stop = (int(bound) for bound in self._bounds[depth][row : row + 2])
        if first == stop:
            return (), 0, 0, 0
        shown = min(stop, first + self._most)
        after = self._walk.levels[depth + 1]
        parts = after["part_stop"][first:stop] - after["part_start"][first:stop]
        children = tuple(self.node(depth + 1, child) for child in range(first, shown))
        folded_part = int(parts[shown - first :].sum())
        return children, quantity - int(parts.sum()), stop - shown, folded_part

    def _notes_for(self, urn: str, register: int, state: str, is_end: bool, depth: int) -> Notes:
        said = [self._notes[urn]] if urn in self._notes else []
        if self._books.registers.kind(register) is RegisterKind.LOSS:
            said.append(f"loss: {urn.rpartition('/')[2]}")
        elif is_end:
            said.append(self._end(urn, register, depth))
        if "/account/" in urn:
            said.append(FIRST_IN_FIRST_OUT)
        if state == TitleState.LIFTED:
            said.append("pool")
        return tuple(said)

    def _end(self, urn: str, register: int, depth: int) -> str:
        if not self._walk.whole and depth == len(self._walk.levels) - 1:
            return "not followed further"
        if not self._walk.is_back:
            paid = urn.endswith("/tariff") or "/paid/" in urn
            return "paid" if paid else _OPEN_ENDS[self._books.registers.unit(register)]
        return "metered" if self._metered[register] else "origin not linked"


def _edges(kind: LinkKind, is_back: bool, quantity_wh: int, part_mj: int) -> Notes:
    """Says so where whole Wh were taken that are only touched."""
    if kind is LinkKind.CONVERT and is_back and quantity_wh * MJ_PER_WH != part_mj:
        return (f"whole Wh around {part_mj:,} mJ; neighbours share the edges",)
    return ()


def _states(books: Books, level: Level) -> list[str]:
    """The state of the attribute titles over each span: one state, ``mixed``, or nothing where none is issued."""
    titles = books.titles[Right.ATTRIBUTE].columns()
    if not len(titles["start"]) or not books.registers.issues(Right.ATTRIBUTE)[level["register"]].any():
        return [""] * len(level["row"])
    first = _title_at(titles, level["register"], level["start"])
    last = _title_at(titles, level["register"], level["stop"] - 1)
    changes = np.append(0, np.cumsum(np.diff(titles["state"].astype(np.int64)) != 0))
    held = (first >= 0) & (last >= 0)
    one = held & (changes[first] == changes[last])
    return [
        TITLE_STATES[code].value if is_one else "mixed" if is_held else ""
        for code, is_one, is_held in zip(titles["state"][first].tolist(), one.tolist(), held.tolist(), strict=True)
    ]


def _title_at(titles: Mapping[str, Ints], register: Ints, position: Ints) -> Ints:
    """The row of the title that contains each position, or -1."""
    keys = np.rec.fromarrays([titles["register"].astype(np.int64), titles["start"]])
    row = np.searchsorted(keys, np.rec.fromarrays([register, position]), side="right") - 1
    inside = (row >= 0) & (titles["register"][row] == register) & (position < titles["stop"][row])
    return np.where(inside, row, -1)
