"""Reservations: certificates kept for somebody, until a time. The holder keeps them and cannot use them otherwise.

Before its time has come a reserved span moves only for whom it is reserved (the fact's beneficiary says so), unless
it is withdrawn or expires; afterwards its holder may release it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from penstock.errors import Refused
from penstock.journal.fact import Recorded
from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.links import furthest
from penstock.journal.segment import Column, Columns
from penstock.journal.span_index import SpanIndex
from penstock.journal.words import Right, TitleState

ANYBODY = (TitleState.WITHDRAWN, TitleState.EXPIRED)
"""States that a reserved certificate may come to whoever asks."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """For whom, and until when [us]; 0 for as long as that one wants."""

    beneficiary: str
    until_us: int


class Reservations:
    """What is reserved: spans, each with the number of its reservation; folded from the facts."""

    def __init__(self) -> None:
        self._spans = SpanIndex({"number": "int32"})
        self._told: list[Reservation] = []

    def __len__(self) -> int:
        return len(self._spans)

    def told(self, number: int) -> Reservation:
        """A reservation, by number."""
        return self._told[number]

    def over(self, spans: Columns) -> tuple[Column, Column]:
        """Which spans (rows) are reserved, and by which number; a span may be so in parts."""
        query, handle = self._spans.join(spans["register"], spans["start"], spans["stop"])
        return query, self._spans.take("number", handle)

    def lapsed(self, at_us: int) -> dict[str, Column]:
        """Spans whose time has come: register, start, stop."""
        until_us = np.array([one.until_us for one in self._told], dtype=np.int64)
        columns = self._spans.columns()
        late = ((until_us > 0) & (until_us <= at_us))[columns["number"]]
        return {name: columns[name][late] for name in ("register", "start", "stop")}

    def check(self, spans: Columns, state: TitleState, beneficiary: str, at_us: int) -> None:
        """That spans may come into ``state`` for ``beneficiary``; raises Refused ``reserve.for_another``."""
        if not len(self) or state in ANYBODY:
            return
        barred = self.barred(spans, beneficiary, at_us)
        if len(barred):
            row = int(barred[0])
            span = {name: int(spans[name][row]) for name in ("start", "stop")}
            hint = "It is free again when it is released, or when its time has come."
            raise Refused("reserve.for_another", "This is reserved for somebody else.", hint=hint, **span)

    def barred(self, spans: Columns, beneficiary: str, at_us: int) -> Column:
        """Rows with units that are kept for another, in order; a row may come more than once."""
        query, number = self.over(spans)
        present, place = np.unique(number, return_inverse=True)
        mask = np.array([self._barred(self._told[one], beneficiary, at_us) for one in present.tolist()], dtype=bool)
        found: Column = query[mask[place]]
        return found

    @staticmethod
    def _barred(one: Reservation, beneficiary: str, at_us: int) -> bool:
        over = one.until_us and at_us >= one.until_us
        return not over and one.beneficiary != beneficiary

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        """Fold one fact; raises as `check`."""
        fact = recorded.fact
        if not isinstance(fact, TitlesMoved) or fact.right is not Right.ATTRIBUTE or columns is None:
            return
        if fact.state is TitleState.RESERVED:
            self._reserve(columns, Reservation(fact.beneficiary, fact.stop_us))
        elif len(self):
            self.check(columns, fact.state, fact.beneficiary, recorded.at_us)
            self._free(columns)

    def _reserve(self, spans: Columns, made: Reservation) -> None:
        number = np.full(len(spans["start"]), len(self._told), dtype=np.int32)
        self._told.append(made)
        self._spans.insert({**{name: spans[name] for name in ("register", "start", "stop")}, "number": number})

    def _free(self, spans: Columns) -> None:
        """Take spans out; what is left of a row that they cut stays reserved."""
        columns = self._spans.columns()
        query, row = self._spans.join(spans["register"], spans["start"], spans["stop"])
        if not len(row):
            return
        kept = np.ones(len(columns["start"]), dtype=bool)
        kept[row] = False
        left = _rest(columns, row, spans["start"][query], spans["stop"][query])
        self._spans = SpanIndex({"number": "int32"})
        self._spans.insert({name: np.concatenate([columns[name][kept], left[name]]) for name in columns})

    def digest(self) -> bytes:
        """sha256 over all of it."""
        digest = hashlib.sha256(repr(self._told).encode())
        for name, column in sorted(self._spans.columns().items()):
            digest.update(name.encode() + column.tobytes())
        return digest.digest()


def _rest(columns: Columns, row: Column, start: Column, stop: Column) -> dict[str, Column]:
    """What is left of rows when spans are taken out of them."""
    order = np.lexsort((start, row))
    row, start, stop = row[order], start[order], stop[order]
    reach = furthest(row, stop)
    first = np.r_[True, row[1:] != row[:-1]]
    last = np.r_[first[1:], True]
    low = np.r_[np.where(first, columns["start"][row], np.roll(reach, 1)), reach[last]]
    high = np.r_[start, columns["stop"][row[last]]]
    whose = np.r_[row, row[last]]
    left = high > low
    return {**{name: columns[name][whose[left]] for name in columns}, "start": low[left], "stop": high[left]}
