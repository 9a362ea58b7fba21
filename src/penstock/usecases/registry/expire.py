"""Expire: what is past its validity cannot be used, whether swept or not; the sweep says so in each title's state."""

from __future__ import annotations

from typing import Final

import numpy as np

from penstock.errors import Refused
from penstock.journal.fact import Entry
from penstock.journal.words import Right, TitleState
from penstock.usecases.claim import Claim, moved
from penstock.usecases.registry.desk import Done, done
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

PURPOSE: Final = "expired"
SWEEP_MAX: Final = 1_000_000
"""A sweep takes no more titles at once, so that others have their turn; the next takes the rest."""


def expire(world: World, at_us: int, titles_max: int = SWEEP_MAX) -> list[Entry]:
    """The fact that certificates have expired by ``at_us``.

    Raises:
        Refused: ``expire.nothing`` where none has.
    """
    rows = {}
    if world.books.lots.column("valid_us").any():
        rows = world.books.titles[Right.ATTRIBUTE].owned(None, (TitleState.HELD, TitleState.RESERVED))
        late = np.flatnonzero(world.books.expired(rows["lot"], rows["interval_us"], at_us))[:titles_max]
        rows = {name: column[late] for name, column in rows.items()}
    if not rows or not len(rows["start"]):
        raise Refused("expire.nothing", "No certificate has expired since the last sweep.")
    return [moved(world, Right.ATTRIBUTE, rows, TitleState.EXPIRED, Claim("", PURPOSE, None), at_us=at_us)]


def expire_on(workspace: Workspace, key: str, at_us: int) -> Done:
    """Record what has expired, under a key. Raises as `expire`."""
    return done(workspace, key, b"", at_us, lambda world: expire(world, at_us))
