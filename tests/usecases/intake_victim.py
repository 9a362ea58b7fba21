"""Takes a stream of batches in until it is killed: at the ``count``-th passing of ``point``, or from outside.

It begins with the first batch every time, as a connector does whose acknowledgements were lost. Says ``open`` first and
each batch's number once that is recorded; ends well when all are. Arguments: folder, seed, point, count.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from kill_victim import suicide
from small_plant import DAYS, ROOFS, producer, signed

from penstock.energy.forms.cose import FIRST
from penstock.journal.fact import Entry
from penstock.journal.kinds import KINDS
from penstock.journal.words import Form
from penstock.period import QUARTER_HOUR_US
from penstock.store.disk import no_point
from penstock.store.opening import open_store
from penstock.usecases import enrol
from penstock.usecases.intake import prepare, record
from penstock.usecases.sequencer import Sequencer
from penstock.usecases.workers import Workers
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

BATCHES = 20
HOURS = 30
Batch = list[tuple[Form, bytes]]


class AtPoints(Workspace):
    """A workspace that tells at which point of a commit it is."""

    def __init__(self, path: Path, at_point: Callable[[str], None] = no_point) -> None:
        self.path = path
        self.store = open_store(path, at_point=at_point)
        self.sequencer = Sequencer(self.store, World, KINDS)


def stream(seed: int) -> list[Batch]:
    """Batches of what devices send: in and out of order, repeated, garbled, and registers that go back."""
    dice = random.Random(seed)  # noqa: S311
    messages: list[tuple[float, bytes]] = []
    for name in ROOFS:
        at_us = [DAYS[0].start_us + quarter * QUARTER_HOUR_US for quarter in range(1, 4 * HOURS + 1)]
        wh = [40 * quarter - (quarter > 20 and dice.random() < 0.03) * 500 for quarter in range(len(at_us))]
        if name == "roof-d":
            wh[90:] = [40 * quarter for quarter in range(len(at_us) - 90)]
        for number, raw in enumerate(signed(name, at_us, wh, 0, FIRST)):
            late = dice.random() < 0.15
            messages.append((number + late * dice.uniform(0, 6), raw))
            if dice.random() < 0.1:
                messages.append((number + dice.uniform(0, 9), raw))
            if dice.random() < 0.05:
                messages.append((number, raw[:-3] + dice.randbytes(3)))
    raws = [(Form.COSE, raw) for _, raw in sorted(messages)]
    cuts = [len(raws) * number // BATCHES for number in range(BATCHES + 1)]
    return [raws[start:stop] for start, stop in pairwise(cuts)]


def enrolled(workspace: Workspace) -> None:
    """The roofs, once."""
    producers = [producer(name, watts) for name, watts in ROOFS.items()]

    def decide(world: World) -> list[Entry]:
        return enrol.enrol_producers(world, producers)

    workspace.submit("roofs", b"", DAYS[0].start_us, decide)


def take_all(workspace: Workspace, seed: int, said: Callable[[int], None] = lambda _number: None) -> None:
    """Every batch, in order."""
    enrolled(workspace)
    with Workers() as workers:
        for number, batch in enumerate(stream(seed)):
            record(workspace, prepare(workspace, batch, workers), DAYS[1].stop_us + number)
            said(number)


def main(folder: str, seed: str, point: str, count: str) -> None:
    with AtPoints(Path(folder), suicide(point, int(count))) as workspace:
        print("open", flush=True)
        take_all(workspace, int(seed), lambda number: print(number, flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
