"""What was delivered of a promise is used up: a check of law 2, beside those of `laws`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from penstock.journal.finding import Finding, finding
from penstock.journal.state import Books
from penstock.journal.words import TITLE_STATES, LinkKind, RegisterKind, Right, TitleState


def promises_hold(books: Books) -> Iterator[Finding]:
    """Every promised unit that a counted one filled has a retired title: nobody can ask for it again."""
    links = books.links[LinkKind.DELIVER].columns()
    spans = (links["target"], links["target_start"], links["target_stop"])
    known = (spans[0] >= 0) & (spans[0] < len(books.registers))
    parts = books.titles[Right.USE].parts(*spans)
    retired = parts["state"] == TITLE_STATES.index(TitleState.RETIRED)
    ended = np.zeros(len(known), dtype=np.int64)
    np.add.at(ended, parts["query"][retired], (parts["stop"] - parts["start"])[retired])
    known[known] = books.registers.are(RegisterKind.PROMISED)[spans[0][known]]
    for row in np.flatnonzero(known & (ended != spans[2] - spans[1])).tolist():
        at = {name: int(column[row]) for name, column in links.items()}
        yield finding(2, "law2.promise_live", "What was delivered of a promise is not used up.", **at)
