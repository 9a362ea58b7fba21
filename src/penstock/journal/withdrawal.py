"""Withdrawals: an issuer takes certificates back, with what was built on them.

What nobody used is withdrawn. What somebody used stands, and is owed by the issuer (`debt`). A certificate that was
claimed for the charge of a storage is used as far as what came of it is: where a certificate of the discharge is live,
it is withdrawn and so is its origin; what was used, lost in the storage, or is not discharged yet, stands and is owed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict
from penstock.journal.links import LinkBook, overlapping
from penstock.journal.segment import Columns
from penstock.journal.span_index import Rows, SpanIndex
from penstock.journal.titles import TitleBook
from penstock.journal.words import TITLE_STATES, LinkKind, TitleState

Ints = NDArray[Any]
LIVE: Final = [TITLE_STATES.index(state) for state in (TitleState.HELD, TitleState.RESERVED, TitleState.EXPIRED)]
_CLAIMED: Final = TITLE_STATES.index(TitleState.CLAIMED)
_SPAN: Final = ("register", "start", "stop")


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """What a withdrawal comes to: titles to withdraw (register, start, stop, holder, and whether they are claimed),
    and for each span asked for how much of it is owed.
    """

    titles: Rows
    claimed: NDArray[np.bool_]
    owed: Ints


def reach(titles: TitleBook, links: Mapping[LinkKind, LinkBook], spans: Columns) -> Reach:
    """What withdrawing spans (register, start, stop), all titled, comes to."""
    parts = titles.parts(*(spans[name] for name in _SPAN))
    live, claimed = np.isin(parts["state"], LIVE), parts["state"] == _CLAIMED
    freed, beyond = _freed(titles, links, _pick(parts, claimed))
    taken = _joined([_pick(parts, live), freed])
    owed = (spans["stop"] - spans["start"]).astype(np.int64)
    np.subtract.at(owed, taken["query"], taken["stop"] - taken["start"])
    everything = _joined([taken, *beyond])
    was_claimed = everything["state"] == _CLAIMED
    return Reach({name: everything[name] for name in (*_SPAN, "holder")}, was_claimed, owed)


def _freed(titles: TitleBook, links: Mapping[LinkKind, LinkBook], used: Rows) -> tuple[Rows, list[Rows]]:
    """Which parts of claimed titles nobody uses once live certificates of discharges are withdrawn; and those."""
    if not len(used["start"]):
        return used, []
    claim = links[LinkKind.CLAIM].forward(used["register"], used["start"], used["stop"])
    store = links[LinkKind.STORE].forward(claim.target, claim.target_start, claim.target_stop)
    origin = claim.source_start[store.query] + (store.source_start - claim.target_start[store.query])
    row = claim.query[store.query]
    parts = titles.parts(store.target, store.target_start, store.target_stop)
    origin = origin[parts["query"]] + (parts["start"] - store.target_start[parts["query"]])
    row = row[parts["query"]]
    live = np.isin(parts["state"], LIVE)
    deeper = _pick({**parts, "query": np.arange(len(row))}, parts["state"] == _CLAIMED)
    freed, beyond = _freed(titles, links, deeper)
    gone = _joined([_pick({**parts, "query": np.arange(len(row))}, live), freed])
    start = origin[gone["query"]] + (gone["start"] - parts["start"][gone["query"]])
    whose = row[gone["query"]]
    back = {name: column[whose] for name, column in used.items()}
    return {**back, "start": start, "stop": start + (gone["stop"] - gone["start"])}, [gone, *beyond]


class Withdrawn:
    """Spans that issuers withdrew, each with how much of it stands and is owed; and claims that were undone with it."""

    def __init__(self) -> None:
        self.spans = SpanIndex({"owed": "int64"})
        self._undone = SpanIndex({})

    def check_new(self, spans: Columns) -> None:
        """That spans were not withdrawn before; raises Conflict ``withdraw.twice``."""
        columns = [spans[name] for name in _SPAN]
        if self.spans.overlaps(*columns).any() or overlapping(*columns).any():
            raise Conflict("withdraw.twice", "Some of this was withdrawn before, or is named twice.")

    def add(self, spans: Columns, found: Reach) -> None:
        """Spans are withdrawn; raises as `check_new`."""
        self.check_new(spans)
        self.spans.insert({**{name: spans[name] for name in _SPAN}, "owed": found.owed})
        self._undone.insert({name: found.titles[name][found.claimed] for name in _SPAN})

    def undone(self, spans: Columns) -> NDArray[np.bool_]:
        """Which spans lie all in claims that were undone."""
        query, handle = self._undone.join(*(spans[name] for name in _SPAN))
        low = np.maximum(spans["start"][query], self._undone.take("start", handle))
        high = np.minimum(spans["stop"][query], self._undone.take("stop", handle))
        inside = np.zeros(len(spans["start"]), dtype=np.int64)
        np.add.at(inside, query, high - low)
        covered: NDArray[np.bool_] = inside == spans["stop"] - spans["start"]
        return covered

    def digest(self) -> bytes:
        """sha256 over all of it."""
        digest = hashlib.sha256()
        for index in (self.spans, self._undone):
            for name, column in sorted(index.columns().items()):
                digest.update(name.encode() + column.tobytes())
        return digest.digest()


def _pick(rows: Rows, mask: NDArray[np.bool_]) -> Rows:
    return {name: column[mask] for name, column in rows.items()}


def _joined(tables: list[Rows]) -> Rows:
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
