"""What a carbon credit was made of is used up for it: a check of law 2, beside those of `laws`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from penstock.journal.finding import Finding, finding
from penstock.journal.state import Books
from penstock.journal.words import TITLE_STATES, LinkKind, Right, TitleState


def avoided_hold(books: Books) -> Iterator[Finding]:
    """Every unit that became grams of a carbon credit has a retired attribute, and supplied nothing."""
    links = books.links[LinkKind.AVOID].columns()
    if not len(links["source"]):
        return
    spans = (links["source"], links["source_start"], links["source_stop"])
    parts = books.titles[Right.ATTRIBUTE].parts(*spans)
    retired = parts["state"] == TITLE_STATES.index(TitleState.RETIRED)
    covered = np.zeros(len(links["source"]), dtype=np.int64)
    np.add.at(covered, parts["query"][retired], (parts["stop"] - parts["start"])[retired])
    claimed = np.isin(np.arange(len(covered)), books.links[LinkKind.CLAIM].forward(*spans).query)
    for row in np.flatnonzero((covered != spans[2] - spans[1]) | claimed).tolist():
        at = {name: int(column[row]) for name, column in links.items()}
        yield finding(2, "law2.credited_twice", "What became a carbon credit is not used up for it alone.", **at)
