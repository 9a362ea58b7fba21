"""Claim: certificates are used, once and for good, for what somebody drew - and the links say for which Wh of it.

Where the register that drew issues consumption certificates, those are used up by the same claim.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from penstock.errors import Invalid, Refused
from penstock.journal.fact import Entry
from penstock.journal.formats import MOVES
from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.words import TITLE_STATES, LinkKind, Right, TitleState
from penstock.period import Period
from penstock.usecases.match import link_entry
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True)
class Claim:
    """For whom, for what, of which time, and who asked; ``statement`` is for the public.

    A claim has a ``period``; what else `moved` records need have none.
    """

    beneficiary: str
    purpose: str
    period: Period | None
    statement: str = ""
    by: str = ""


def claim(world: World, links: Columns, asked: Claim, at_us: int | None = None) -> list[Entry]:
    """Facts that use attributes (the sources of ``links``, columns of link/1) for what registers drew (the targets).

    Whoever holds a title keeps it, claimed. The caller has seen to it that they may be claimed for this: that the
    asker holds them, that intervals and zones suit. ``at_us`` is when it will be recorded, as for `moved`.

    Raises:
        Invalid: ``claim.period`` where none is stated. Refused: ``claim.no_certificate`` where a unit has no title;
        what books refuse of links and moves.
    """
    if asked.period is None:
        raise Invalid("claim.period", "A claim states the time of what it is for.")
    entries = [link_entry(world, LinkKind.CLAIM, links, asked.period)]
    entries.append(_used(world, Right.ATTRIBUTE, links, "source", asked, at_us))
    drawn = world.books.registers.issues(Right.CONSUMPTION)[links["target"]]
    if drawn.any():
        rows = {name: column[drawn] for name, column in links.items()}
        entries.append(_used(world, Right.CONSUMPTION, rows, "target", asked, at_us))
    return entries


def _used(world: World, right: Right, links: Columns, side: str, asked: Claim, at_us: int | None) -> Entry:
    parts = world.books.titles[right].parts(links[side], links[f"{side}_start"], links[f"{side}_stop"])
    quantity = int(np.sum(parts["stop"] - parts["start"]))
    if quantity != int(np.sum(links[f"{side}_stop"] - links[f"{side}_start"])):
        raise Refused("claim.no_certificate", "Some of these units have no certificate.", right=right.value)
    return moved(world, right, parts, TitleState.CLAIMED, asked, at_us=at_us)


def moved(
    world: World,
    right: Right,
    parts: Columns,
    state: TitleState,
    asked: Claim,
    target: Column | None = None,
    at_us: int | None = None,
) -> Entry:
    """The fact that brings titles (rows of `TitleBook.parts`) into a state, to ``target`` or with their holders.

    With ``at_us``, when it will be recorded, what has expired by then is refused here already.

    Raises as `Books.check_moves` and `Forwards.check_moves`.
    """
    entry = move_entry(right, parts, state, asked, target)
    world.books.check_moves(right, cast(Segment, entry.segment).columns, at_us)
    world.forwards.check_moves(right, cast(Segment, entry.segment).columns)
    return entry


def move_entry(right: Right, parts: Columns, state: TitleState, asked: Claim, target: Column | None = None) -> Entry:
    """As `moved`, unchecked: for titles that an earlier fact of the same command issues or moves."""
    columns = {name: parts[name] for name in ("register", "start", "stop")}
    columns |= {"source": parts["holder"], "target": parts["holder"] if target is None else target}
    columns["state"] = np.full(len(parts["start"]), TITLE_STATES.index(state), dtype=np.uint8)
    segment = Segment(MOVES, columns)
    quantity = int(np.sum(parts["stop"] - parts["start"]))
    start_us, stop_us = (asked.period.start_us, asked.period.stop_us) if asked.period else (0, 0)
    fact = TitlesMoved(
        segment.ref(), right, state, asked.purpose, asked.beneficiary, quantity, asked.statement,
        start_us, stop_us, asked.by,
    )  # fmt: skip
    return Entry(fact, segment)
