"""Link books: exclusive on both sides, found from both sides."""

from __future__ import annotations

import numpy as np
import pytest
from journal_story import table

from penstock.errors import Conflict, Invalid
from penstock.journal.formats import LINKS
from penstock.journal.links import LinkBook


def book_of(*rows: tuple[int, ...]) -> LinkBook:
    book = LinkBook()
    book.add(table(LINKS, rows))
    return book


def test_a_link_is_found_from_both_sides() -> None:
    book = book_of((0, 0, 10, 5, 100, 110), (1, 0, 5, 5, 110, 115))
    ahead = book.forward(0, 3, 7)
    assert (ahead.row.tolist(), ahead.target_start.tolist(), ahead.target_stop.tolist()) == ([0], [103], [107])
    back = book.backward(5, 108, 112)
    assert (back.source.tolist(), back.source_start.tolist(), back.source_stop.tolist()) == ([0, 1], [8, 0], [10, 2])
    assert (len(book.forward(9, 0, 99)), len(book.backward(0, 0, 99))) == (0, 0)


def test_unlike_units_are_cut_in_proportion() -> None:
    book = book_of((0, 0, 1000, 1, 0, 3))
    assert [int(book.forward(0, 0, stop).target_stop[0]) for stop in (333, 334, 666, 667, 1000)] == [0, 1, 1, 2, 3]
    pieces = book.backward(1, np.arange(3), np.arange(1, 4))
    assert pieces.source_start.tolist() == [0, 333, 666]
    assert pieces.source_stop.tolist() == [333, 666, 1000]


def test_a_link_may_come_from_nothing_but_still_fills() -> None:
    book = book_of((0, 5, 5, 1, 0, 4), (0, 5, 5, 1, 4, 4))
    back = book.backward(1, 1, 3)
    assert (back.source_start.tolist(), back.source_stop.tolist(), back.target_start.tolist()) == ([5], [5], [1])
    assert (len(book.forward(0, 0, 10)), len(book), book.spent(0), book.filled(1)) == (0, 2, 0, 4)


def test_an_empty_span_inside_a_linked_one_takes_nothing() -> None:
    book = book_of((0, 0, 10, 1, 0, 10))
    book.add(table(LINKS, [(0, 5, 5, 1, 10, 12), (0, 10, 11, 1, 4, 4)]))
    assert len(book) == 3


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ((0, 9, 12, 6, 0, 3), "links.source_twice"),
        ((0, 2, 4, 6, 0, 2), "links.source_twice"),
        ((3, 0, 2, 5, 109, 111), "links.target_twice"),
    ],
)
def test_no_unit_is_linked_twice(row: tuple[int, ...], code: str) -> None:
    book = book_of((0, 0, 10, 5, 100, 110))
    before = book.digest()
    with pytest.raises(Conflict) as raised:
        book.add(table(LINKS, [(2, 0, 1, 7, 0, 1), row]))
    assert (raised.value.code, raised.value.ids["row"], book.digest()) == (code, "1", before)


@pytest.mark.parametrize("row", [(-1, 0, 1, 0, 0, 1), (0, -1, 1, 0, 0, 1), (0, 2, 1, 0, 0, 1), (0, 0, 1, 0, 3, 2)])
def test_a_span_runs_upwards(row: tuple[int, ...]) -> None:
    with pytest.raises(Invalid, match=r"links\.malformed"):
        LinkBook().add(table(LINKS, [row]))


def test_batches_and_order_are_kept() -> None:
    book = book_of((0, 5, 6, 1, 0, 1), (0, 0, 1, 1, 1, 2))
    book.add(table(LINKS, []))
    book.add(table(LINKS, [(0, 1, 2, 1, 2, 3)]))
    assert book.batches.tolist() == [0, 2, 2]
    assert book.columns()["source_start"].tolist() == [5, 0, 1]
    assert book.digest() != book_of((0, 0, 1, 1, 1, 2), (0, 5, 6, 1, 0, 1), (0, 1, 2, 1, 2, 3)).digest()


def test_offsets_near_the_largest_positions_are_exact() -> None:
    big = 2**62
    book = book_of((0, 0, big, 1, 0, big - 1))
    middle = book.forward(0, big // 3, big // 3 + 7)
    assert middle.target_start.tolist() == [(big // 3) * (big - 1) // big]
    assert middle.target_stop.tolist() == [(big // 3 + 7) * (big - 1) // big]
