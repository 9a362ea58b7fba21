"""Debts: spans of a register that its issuer owes. What is issued there is withdrawn at once, to cover the debt.

A debt begins where the register's titles end, or where an earlier debt ends, so that what is issued next covers it.
Each right has debts of its own: a correction owes all rights of a unit, a withdrawn certificate the attribute alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.journal.segment import Columns
from penstock.journal.span_index import SpanIndex
from penstock.journal.words import Right

Ints = NDArray[Any]
Row = tuple[int, int, bool]
Piece = tuple[int, int, int]


class Debts:
    """Owed spans by right and register, in order; those behind the register's head are not covered yet."""

    def __init__(self) -> None:
        self._owed: dict[Right, dict[int, list[tuple[int, int]]]] = {right: {} for right in Right}
        self._found: dict[Right, SpanIndex] = {}

    def owe(self, right: Right, register: int, head: int, quantity: int) -> None:
        """A register issued up to ``head`` owes ``quantity`` units more."""
        if not quantity:
            return
        spans = self._owed[right].setdefault(register, [])
        start = max(head, spans[-1][1] if spans else 0)
        first = spans.pop()[0] if spans and spans[-1][1] == start else start
        spans.append((first, start + quantity))
        self._found.pop(right, None)

    def pass_on(self, right: Right, register: int, predecessor: int, head: int) -> None:
        """``register`` continues ``predecessor``, issued up to ``head``: what that has not covered goes along."""
        spans = self._owed[right].get(predecessor, [])
        covered = [(start, min(stop, head)) for start, stop in spans if start < head]
        left = sum(stop - start for start, stop in spans) - sum(stop - start for start, stop in covered)
        self._owed[right][predecessor] = covered
        self._found.pop(right, None)
        self.owe(right, register, 0, left)

    def of(self, right: Right, register: int) -> list[tuple[int, int]]:
        """A register's owed spans, in order."""
        return list(self._owed[right].get(register, ()))

    def covering(self, right: Right, issued: Columns) -> tuple[Ints, Ints, Ints]:
        """Of spans (register, start, stop) what is owed: the row, start and stop of each piece, in order."""
        if right not in self._found:
            self._found[right] = _index(self._owed[right])
        found = self._found[right]
        row, handle = found.join(issued["register"], issued["start"], issued["stop"])
        start = np.maximum(issued["start"][row], found.take("start", handle))
        return row, start, np.minimum(issued["stop"][row], found.take("stop", handle))

    def after(self, right: Right, register: int, rows: Iterable[Row]) -> tuple[list[Piece], list[tuple[int, int]]]:
        """What of rows to be issued next covers, and what is owed then: a unit that is worth nothing covers nothing.

        Args:
            rows: start and stop in order, and whether the row counts. Where one does not, the debt waits behind it.
        """
        spans, pieces = list(self._owed[right].get(register, ())), list[Piece]()
        for row, (start, stop, counts) in enumerate(rows):
            inside = [(max(start, low), min(stop, high)) for low, high in spans if low < stop and high > start]
            if counts:
                pieces += [(row, low, high) for low, high in inside]
            elif inside:
                spans = _postponed(spans, start, stop)
        return pieces, spans

    def postpone(self, right: Right, register: int, rows: Iterable[Row]) -> None:
        """Rows were issued, of which some do not count: see `after`."""
        if register in self._owed[right]:
            self._owed[right][register] = self.after(right, register, rows)[1]
            self._found.pop(right, None)

    def __iter__(self) -> Iterator[tuple[Right, int, int, int]]:
        """Every owed span: right, register, start, stop."""
        for right, registers in self._owed.items():
            for register, spans in sorted(registers.items()):
                yield from ((right, register, start, stop) for start, stop in spans)

    def digest(self) -> bytes:
        """sha256 over all of it."""
        return hashlib.sha256(repr([(str(right), *rest) for right, *rest in self]).encode()).digest()


def _postponed(spans: list[tuple[int, int]], start: int, stop: int) -> list[tuple[int, int]]:
    """Owed spans without ``[start, stop)``, and as much more behind them."""
    cut = [piece for low, high in spans for piece in ((low, min(high, start)), (max(low, stop), high))]
    left = [(low, high) for low, high in cut if low < high]
    gone = sum(high - low for low, high in spans) - sum(high - low for low, high in left)
    begin = max([stop, *(high for _, high in left)])
    if left and left[-1][1] == begin:
        return [*left[:-1], (left[-1][0], begin + gone)]
    return [*left, (begin, begin + gone)]


def _index(owed: dict[int, list[tuple[int, int]]]) -> SpanIndex:
    rows = np.array([(register, *span) for register, spans in owed.items() for span in spans], dtype=np.int64)
    rows = rows.reshape(-1, 3)
    made = SpanIndex({})
    made.insert({"register": rows[:, 0], "start": rows[:, 1], "stop": rows[:, 2]})
    return made
