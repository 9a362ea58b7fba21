"""What links of *claim* must satisfy beside the rules of all links: titles on both sides, of one hour.

A claimed attribute has supplied what it is linked to and nothing else. Where the register that drew issues consumption
certificates, those are claimed with it, and both lie in one hour (UTC): no interval is longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Refused
from penstock.journal.finding import Finding, finding
from penstock.journal.segment import Columns
from penstock.journal.words import TITLE_STATES, LinkKind, Right, TitleState
from penstock.period import HOUR_US

if TYPE_CHECKING:
    from penstock.journal.state import Books

Ints = NDArray[Any]
Mask = NDArray[np.bool_]
RIGHT_OF: Final = {"source": Right.ATTRIBUTE, "target": Right.CONSUMPTION}
SENTENCES: Final = {
    "source": "What is claimed has no certificate, or not one that is claimed.",
    "target": "What was drawn has a consumption certificate, and it is not claimed.",
}
NO_HOUR: Final = 2**62
UNUSED: Final = [TITLE_STATES.index(one) for one in (TitleState.HELD, TitleState.RESERVED, TitleState.CLAIMED)]
"""A link comes right before the move that claims, or right behind it."""
_WITHDRAWN: Final = TITLE_STATES.index(TitleState.WITHDRAWN)


def check_claim(books: Books, links: Columns) -> None:
    """That nothing linked was used before, and every link joins an hour's certificates to the same hour's consumption.

    What was claimed on chain, retired or exported has no link yet, and must get none: it would be used twice.

    Raises:
        Refused: ``links.used``; ``links.hour``, also where a side has no title.
    """
    parts = books.titles[Right.ATTRIBUTE].parts(*(links[name] for name in ("source", "source_start", "source_stop")))
    used = ~np.isin(parts["state"], UNUSED)
    used |= books.vault.claimed.overlaps(*(parts[name] for name in ("register", "start", "stop")))
    if used.any():
        row = int(parts["query"][np.argmax(used)])
        raise Refused("links.used", "A certificate is claimed that was used, or is not here.", row=row)
    bad = other_hour(books, links, parts)
    if bad.any():
        row, hint = int(np.argmax(bad)), "Match certificates to consumption of the same hour."
        raise Refused("links.hour", "A certificate is claimed for what was drawn in another hour.", hint=hint, row=row)


def other_hour(books: Books, links: Columns, sources: Columns | None = None) -> Mask:
    """Links to registers that issue consumption certificates whose titles on both sides are not all of one hour.

    ``sources`` are the parts of titles under all sources, where they are known.
    """
    bad = np.zeros(len(links["source"]), dtype=bool)
    rows = np.flatnonzero(_drawn(books, links))
    if not len(rows):
        return bad
    drawn = {name: column[rows] for name, column in links.items()}
    known = {"source": sources} if len(rows) == len(bad) else {}
    hours = [_hours(books, drawn, side, known.get(side)) for side in RIGHT_OF]
    (low, high), (other_low, other_high) = hours
    bad[rows] = (low != high) | (other_low != other_high) | (low != other_low) | (low == NO_HOUR)
    return bad


def claims_hold(books: Books) -> Iterator[Finding]:
    """Claimed attributes are behind every link of claim, and claimed consumption certificates where there are such.

    A claim that a withdrawal undid leaves a withdrawn attribute behind.
    """
    links = books.links[LinkKind.CLAIM].columns()
    for side in RIGHT_OF:
        rows = np.arange(len(links["source"])) if side == "source" else np.flatnonzero(_drawn(books, links))
        bad = rows[_unclaimed(books, {name: column[rows] for name, column in links.items()}, side)]
        for row in bad.tolist():
            yield finding(2, f"law2.claim_{side}", SENTENCES[side], row=row, **{n: links[n][row] for n in links})
    for row in np.flatnonzero(other_hour(books, links)).tolist():
        sentence = "A certificate is claimed for what was drawn in another hour."
        yield finding(2, "law2.claim_hour", sentence, row=row, **{name: links[name][row] for name in links})


def _drawn(books: Books, links: Columns) -> Mask:
    issues = books.registers.issues(Right.CONSUMPTION)
    known = (links["target"] >= 0) & (links["target"] < len(issues))
    drawn: Mask = known & issues[np.where(known, links["target"], 0)] if len(issues) else known
    return drawn


def _hours(books: Books, links: Columns, side: str, parts: Columns | None = None) -> tuple[Ints, Ints]:
    """The first and the last hour of the titles under one side of each link [hours]; ``NO_HOUR`` first without them."""
    start, stop = links[f"{side}_start"], links[f"{side}_stop"]
    if parts is None:
        parts = books.titles[RIGHT_OF[side]].parts(links[side], start, stop)
    low, high = np.full(len(start), NO_HOUR), np.full(len(start), -NO_HOUR)
    hour = parts["interval_us"] // HOUR_US
    np.minimum.at(low, parts["query"], hour)
    np.maximum.at(high, parts["query"], hour)
    low[_units(parts, len(start)) != stop - start] = NO_HOUR
    return low, high


def _units(parts: Columns, links: int) -> Ints:
    """Units that each link's titles come to."""
    units = np.zeros(links, dtype=np.int64)
    np.add.at(units, parts["query"], parts["stop"] - parts["start"])
    return units


def _unclaimed(books: Books, links: Columns, side: str) -> Mask:
    """Links with units on one side that have no claimed title."""
    start, stop = links[f"{side}_start"], links[f"{side}_stop"]
    parts = books.titles[RIGHT_OF[side]].parts(links[side], start, stop)
    claimed = parts["state"] == TITLE_STATES.index(TitleState.CLAIMED)
    if side == "source":
        claimed |= (parts["state"] == _WITHDRAWN) & books.corrections.withdrawn.undone(parts)
    unclaimed: Mask = _units({name: column[claimed] for name, column in parts.items()}, len(start)) != stop - start
    return unclaimed
