"""A walk over all titles of a right that does not make writers wait: a stretch at a time, and they go first.

Every stretch is of a committed state; what is written meanwhile shows where the walk has not been yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, TypeVar

from penstock.journal.segment import Columns
from penstock.journal.stretches import FIRST, Place
from penstock.journal.words import Right
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

T = TypeVar("T")
Look = Callable[[World, Columns], T]
STRETCH: Final = 1 << 17
"""Rows looked at before anybody else is asked for: a writer waits for these, a millisecond or two."""
AT_ONCE: Final = 2
"""Stretches looked at while nobody waits, before other readers may pass."""
_PASS_S: Final = 0.000_2


def walk(workspace: Workspace, look: Look[T], right: Right = Right.ATTRIBUTE, register: int = -1) -> Iterator[T]:
    """What ``look`` finds in each stretch, in order of register and position; of one register, or of all (-1).

    ``look`` keeps copies, never the columns it is shown.
    """
    place: Place | None = FIRST if register < 0 else (register, -1)
    while place is not None:
        found, place = workspace.read(partial(_some, workspace, look, right, register, place))
        yield from found
        if workspace.sequencer.waiting:
            time.sleep(_PASS_S)  # a lock is not fair: whoever waits would see it taken again


def _some(
    workspace: Workspace, look: Look[T], right: Right, register: int, at: Place, world: World
) -> tuple[list[T], Place | None]:
    found: list[T] = []
    place: Place | None = at
    while place is not None and len(found) < AT_ONCE:
        rows, place = world.books.titles[right].stretch(place, STRETCH)
        if register >= 0:
            rows = {name: column[: rows["register"].searchsorted(register, "right")] for name, column in rows.items()}
            place = place if place and place[0] == register else None
        found.append(look(world, rows))
        if workspace.sequencer.waiting:
            break
    return found, place
