"""Link books against a unit-by-unit model, and what goes forward comes back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from penstock.errors import PenstockError
from penstock.journal import span_index
from penstock.journal.formats import LINKS
from penstock.journal.links import LinkBook, Pieces, cut_unlike, overlapping, positions_of, tile_links

Row = tuple[int, int, int, int, int, int]
REGISTERS = 3


def table(rows: list[Row]) -> dict[str, NDArray[Any]]:
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    return {name: np.array(part, dtype=dtype) for (name, dtype), part in zip(LINKS.fixed, columns, strict=True)}


@dataclass
class UnitLinks:
    """Every unit of every link, one by one."""

    rows: list[Row] = field(default_factory=list)

    @staticmethod
    def units(rows: list[Row], side: int) -> Counter[tuple[int, int]]:
        return Counter((row[side], unit) for row in rows for unit in range(row[side + 1], row[side + 2]))

    def add(self, rows: list[Row]) -> bool:
        both = self.rows + rows
        well = all(0 <= row[1] <= row[2] and 0 <= row[4] <= row[5] for row in rows)
        if not well or any(count > 1 for side in (0, 3) for count in self.units(both, side).values()):
            return False
        self.rows = both
        return True

    def pieces(self, side: int, register: int, start: int, stop: int) -> list[tuple[int, ...]]:
        """(row, near start, near stop, far register, far start, far stop) by position."""
        found = []
        for number, row in enumerate(self.rows):
            near, far = row[side : side + 3], row[3 - side : 6 - side]
            low, high = max(start, near[1]), min(stop, near[2])
            if near[0] == register and low < high:
                size, other = near[2] - near[1], far[2] - far[1]
                cut = [far[1] + (end - near[1]) * other // size for end in (low, high)]
                found.append((number, low, high, far[0], *cut))
        return sorted(found, key=lambda piece: piece[1])


def told(pieces: Pieces, near: str, far: str) -> list[tuple[int, ...]]:
    names = ("row", f"{near}_start", f"{near}_stop", far, f"{far}_start", f"{far}_stop")
    return list(zip(*(getattr(pieces, name).tolist() for name in names), strict=True))


register = st.integers(0, REGISTERS - 1)
place = st.integers(0, 60)
size = st.integers(0, 7)
rows = st.tuples(register, place, size, register, place, size).map(
    lambda t: (t[0], t[1], t[1] + t[2], t[3], t[4], t[4] + t[5])
)
odd_rows = st.tuples(register, place, place, register, place, place)
batches = st.lists(st.one_of(st.lists(rows, max_size=3), st.lists(odd_rows, max_size=1)), max_size=25)


@settings(max_examples=200, deadline=None)
@given(batches, st.sampled_from([0, 2, 4096]))
def test_a_link_book_equals_its_units_one_by_one(batches: list[list[Row]], extra: int) -> None:
    book, model = LinkBook(), UnitLinks()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(span_index, "EXTRA_ROWS", extra)
        for batch in batches:
            before = book.digest()
            try:
                book.add(table(batch))
                accepted = True
            except PenstockError:
                accepted = False
                assert book.digest() == before
            assert accepted == model.add(batch)
    assert list(zip(*(book.columns()[name].tolist() for name, _ in LINKS.fixed), strict=True)) == model.rows
    for number in range(REGISTERS):
        for start, stop in ((0, 70), (5, 20), (33, 34), (40, 40)):
            ahead = model.pieces(0, number, start, stop)
            assert told(book.forward(number, start, stop), "source", "target") == ahead
            back = model.pieces(3, number, start, stop)
            assert told(book.backward(number, start, stop), "target", "source") == back
            assert book.linked("source", number, start, stop) == sum(piece[2] - piece[1] for piece in ahead)
        spent = [row[2] for row in model.rows if row[0] == number and row[2] > row[1]]
        filled = [row[5] for row in model.rows if row[3] == number and row[5] > row[4]]
        assert (book.spent(number), book.filled(number)) == (max(spent, default=0), max(filled, default=0))


@settings(max_examples=60, deadline=None)
@given(st.lists(rows, max_size=30))
def test_many_queries_at_once_are_each_query_alone(links: list[Row]) -> None:
    book = LinkBook()
    for row in links:
        try:
            book.add(table([row]))
        except PenstockError:
            continue
    asked = [(number, start, start + 17) for number in range(REGISTERS) for start in (0, 9, 31, 50)]
    together = book.forward(*(np.array(column) for column in zip(*asked, strict=True)))
    alone = [book.forward(*query) for query in asked]
    assert together.query.tolist() == [number for number, pieces in enumerate(alone) for _ in range(len(pieces))]
    assert told(together, "source", "target") == [
        piece for pieces in alone for piece in told(pieces, "source", "target")
    ]


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 400),
    st.lists(st.integers(0, 60), min_size=1, max_size=10),
    st.lists(st.integers(0, 400), min_size=1, max_size=6),
)
def test_neighbours_stay_neighbours_and_nothing_is_lost(total: int, sizes: list[int], cuts: list[int]) -> None:
    assume(sum(sizes) > 0)
    book = LinkBook()
    book.add(cut_unlike(0, 10, total, 1, 5, np.array(sizes)))
    ends = sorted({0, total, *(min(cut, total) for cut in cuts)})
    covered = 0
    for low, high in pairwise(ends):
        pieces = book.forward(0, 10 + low, 10 + high)
        assert int((pieces.source_stop - pieces.source_start).sum()) == high - low
        covered += int((pieces.target_stop - pieces.target_start).sum())
    with_source = book.forward(0, 10, 10 + total)
    assert covered == int((with_source.target_stop - with_source.target_start).sum())
    back = book.backward(1, 5, 5 + sum(sizes))
    assert int((back.source_stop - back.source_start).sum()) <= total
    assert sum(high - low for low, high in zip(back.target_start, back.target_stop, strict=True)) == sum(sizes)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=10), st.integers(0, 500), st.integers(1, 200), st.integers(1, 9)
)
def test_forward_then_backward_is_the_way_back(sizes: list[int], start: int, length: int, finer: int) -> None:
    """Exactly, where the target counts in units as fine or finer by a whole ratio."""
    book, positions = LinkBook(), positions_of(np.array(sizes))
    book.add(tile_links(0, positions, 1, positions * finer + 40))
    stop = min(start + length, sum(sizes))
    assume(start < stop)
    ahead = book.forward(0, start, stop)
    back = book.backward(ahead.target, ahead.target_start, ahead.target_stop)
    assert told(back, "source", "target") == told(ahead, "source", "target")
    assert int((back.source_stop - back.source_start).sum()) == stop - start


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(register, st.integers(0, 14), st.integers(0, 9)), max_size=9))
def test_overlapping_finds_a_span_if_and_only_if_a_unit_is_twice(spans: list[tuple[int, int, int]]) -> None:
    register, start, size = (np.array(column, dtype=np.int64) for column in zip(*spans, strict=True)) if spans else (
        np.zeros((3, 0), dtype=np.int64)
    )  # fmt: skip
    units = Counter((number, unit) for number, low, length in spans for unit in range(low, low + length))
    assert overlapping(register, start, start + size).any() == any(count > 1 for count in units.values())
    marked = overlapping(register, start, start + size)
    kept = Counter(
        (number, unit)
        for (number, low, length), bad in zip(spans, marked, strict=True)
        if not bad
        for unit in range(low, low + length)
    )
    assert all(count == 1 for count in kept.values())
