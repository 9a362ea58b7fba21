"""The facts of an act, ready to be recorded: its own, and the titles and links that follow it."""

from __future__ import annotations

from penstock.compute.due import Act, Due, Issue, Link, Move
from penstock.errors import Corrupt
from penstock.journal.fact import Entry
from penstock.journal.formats import MOVES, TITLES
from penstock.journal.kinds.energy import TitlesIssued, TitlesMoved
from penstock.journal.segment import Segment
from penstock.journal.words import Assurance, Right, Technology
from penstock.usecases.world import World


def entries_of(world: World, act: Act, *others: Entry) -> list[Entry]:
    """The facts of an act; ``others`` are its links, in order. Raises as the books' `check_transfers`."""
    world.books.check_transfers(getattr(act.fact, "transfers", ()))
    links = list(others)
    return [Entry(act.fact), *(links.pop(0) if isinstance(due, Link) else entry_of(due) for due in act.dues)]


def entry_of(due: Due) -> Entry:
    """The fact that is due, word by word; Corrupt ``state.columns`` for links, whose sources nobody said."""
    match due:
        case Issue():
            return _issued(due)
        case Move():
            segment = Segment(MOVES, due.columns)
            quantity = int((due.columns["stop"] - due.columns["start"]).sum())
            return Entry(TitlesMoved(segment.ref(), Right.USE, due.state, due.purpose, "", quantity), segment)
        case Link():
            raise Corrupt("state.columns", "A link's sources are for its act to say.")
    return Entry(due.fact)


def _issued(due: Issue) -> Entry:
    segment = Segment(TITLES, due.columns)
    quantity = int((due.columns["stop"] - due.columns["start"]).sum())
    issued = TitlesIssued(
        segment.ref(),
        Right.USE,
        "",
        Technology.ACCELERATOR,
        Assurance.DECLARED,
        due.interval_us,
        quantity,
        valid_us=due.valid_us,
    )
    return Entry(issued, segment)
