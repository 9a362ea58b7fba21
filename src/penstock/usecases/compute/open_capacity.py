"""Open and lose capacity: hours of a rack become titles to their use, and cease to be any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penstock.errors import Invalid
from penstock.journal.fact import Entry
from penstock.journal.formats import SPANS
from penstock.journal.kinds.capacity import CapacityLost, CapacityOpened
from penstock.journal.segment import Segment
from penstock.usecases.compute.entries import entries_of, entry_of
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True)
class Lose:
    """So many accelerators of a rack will not be there in consecutive whole hours, and why."""

    rack: str
    start_us: int
    hours: int
    accelerators: int
    reason: str


def open_capacity(world: World, fact: CapacityOpened, at_us: int) -> list[Entry]:
    """The facts of hours opened; raises as `Capacity.reckon_open`."""
    return entries_of(world, world.capacity.reckon_open(fact, at_us))


def lose_capacity(world: World, asked: Lose, at_us: int) -> list[Entry]:
    """The facts of a loss: what was held of it is withdrawn, and its holders are paid.

    Raises:
        As `Capacity.plan_loss`; Invalid ``capacity.lost`` for nothing, or without a reason.
    """
    if asked.accelerators < 1 or not 0 < asked.hours < 2**31 or not asked.reason.strip():
        raise Invalid("capacity.lost", "A loss is of one accelerator or more, and has a reason.", rack=asked.rack)
    each = np.full(asked.hours, asked.accelerators, dtype=np.int64)
    lost = world.capacity.plan_loss(asked.rack, asked.start_us, each, at_us)
    segment = Segment(SPANS, {name: lost.parts[name] for name in ("register", "start", "stop")})
    loss = world.capacity.remedy_loss(lost)
    fact = CapacityLost(segment.ref(), asked.rack, asked.reason)
    return [Entry(fact, segment), *(entry_of(due) for due in loss.dues)]
