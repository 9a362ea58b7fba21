"""The title book: what a list model does not show - states, bulk, pages, plans and limits."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from journal_story import table

from penstock.errors import Conflict, Refused
from penstock.journal.formats import MOVES, TITLES
from penstock.journal.title_moves import BULK_MOVES, compiled_replay, cut_atoms, replay, replay_moves
from penstock.journal.titles import Title, TitleBook, Verdict
from penstock.journal.words import TITLE_STATES, TitleState

HELD = 0


def book_of(*rows: tuple[int, ...], holders: int = 3, limit: int = 10_000) -> TitleBook:
    book = TitleBook()
    assert not book.issue(table(TITLES, rows), np.full(8, limit), holders).any()
    return book


def move(book: TitleBook, *rows: tuple[int, ...], holders: int = 3) -> list[int]:
    return [int(verdict) for verdict in book.move(table(MOVES, rows), holders)]


LIVE = {
    "held": {"held", "reserved", "lifted", "claimed", "retired", "withdrawn", "expired", "exported"},
    "reserved": {"held", "claimed", "retired", "withdrawn", "expired"},
    "lifted": {"held", "claimed", "retired"},
    "claimed": {"withdrawn"},  # as far as a withdrawal undoes the claim: the books see to that
    "expired": {"withdrawn"},
    "exported": {"held"},
}


@pytest.mark.parametrize(("before", "after"), list(product(TITLE_STATES, TITLE_STATES)))
def test_states_change_only_as_the_table_says(before: TitleState, after: TitleState) -> None:
    book = book_of((0, 0, 10, 1, 0))
    move(book, (0, 0, 10, 1, 1, TITLE_STATES.index(before)))
    allowed = after in LIVE.get(before, set())
    assert move(book, (0, 0, 10, 1, 2, TITLE_STATES.index(after))) == [0 if allowed else Verdict.NOT_ACTIVE]
    assert book.balance(2, after) == (10 if allowed else 0)


def test_a_title_is_cut_in_three_and_keeps_its_interval() -> None:
    book = book_of((2, 0, 10, 1, 900))
    assert move(book, (2, 3, 7, 1, 2, HELD)) == [0]
    assert [book.at(2, position) for position in (0, 3, 9, 10)] == [
        Title(2, 0, 3, 1, TitleState.HELD, 900),
        Title(2, 3, 7, 2, TitleState.HELD, 900),
        Title(2, 7, 10, 1, TitleState.HELD, 900),
        None,
    ]
    assert book.within(2, 2, 8)["start"].tolist() == [0, 3, 7]
    assert book.within(2, 3, 7)["holder"].tolist() == [2]
    assert (len(book), book.head(2), book.head(7), book.head(99)) == (3, 10, 0, 0)


def test_order_is_meaning() -> None:
    rows = [(0, 2, 5, 1, 2, HELD), (0, 3, 4, 2, 0, HELD), (0, 2, 5, 2, 1, HELD), (0, 4, 5, 2, 1, HELD)]
    assert move(book_of((0, 0, 9, 1, 0)), *rows) == [0, 0, Verdict.CROSSES_TITLE, 0]
    assert move(book_of((0, 0, 9, 1, 0)), *reversed(rows)) == [2, 2, 2, 0]


def test_issues_are_all_or_nothing() -> None:
    book = book_of((0, 0, 10, 1, 0))
    before = book.digest()
    for row, verdict in (
        ((0, 15, 20, 1, 0), 6),
        ((0, 12, 30, 1, 0), 7),
        ((0, 12, 12, 1, 0), 5),
        ((0, 12, 15, 3, 0), 5),
    ):
        verdicts = book.issue(table(TITLES, [(0, 10, 12, 1, 0), row, (1, 0, 4, 1, 0)]), np.full(8, 20), 3)
        assert verdicts.tolist() == [0, verdict, 0]
        assert (book.digest(), book.head(0), book.balance(1)) == (before, 10, 10)


def test_a_row_that_names_no_register_spoils_no_other() -> None:
    book = book_of((0, 0, 10, 1, 0))
    rows = [(-1, 0, 3, 1, 0), (0, 0, 2, 1, 0), (9, 2, 3, 1, 0), (0, 2, 4, 1, 0), (0, 10, 11, 1, 0)]
    assert book.plan_issue(table(TITLES, rows), np.full(8, 20), 3).tolist() == [5, 6, 5, 0, 6]


def test_a_book_holds_so_many_units_that_no_sum_overflows() -> None:
    book = book_of((0, 0, 2**61, 1, 0), limit=2**62)
    with pytest.raises(Refused, match=r"titles\.book_full"):
        book.issue(table(TITLES, [(1, 0, 2**61, 1, 0), (2, 0, 2**20, 1, 0)]), np.full(8, 2**62), 3)
    assert (len(book), book.balance(1)) == (1, 2**61)


def test_a_plan_holds_only_for_the_book_it_was_made_for() -> None:
    book = book_of((0, 0, 10, 1, 0))
    plan = book.plan_moves(table(MOVES, [(0, 0, 5, 1, 2, HELD)]), 3)
    move(book, (0, 0, 5, 1, 0, HELD))
    with pytest.raises(Conflict, match=r"titles\.stale_plan"):
        book.apply_moves(plan)
    assert (book.balance(0), book.balance(1), book.balance(2)) == (5, 5, 0)


def test_a_judgement_holds_for_the_very_same_rows_and_book() -> None:
    book = book_of((0, 0, 10, 1, 0), (0, 10, 20, 1, 0))
    rows = table(MOVES, [(0, 0, 5, 1, 2, HELD)])
    plan = book.plan_moves(rows, 3)
    assert book.plan_moves({name: column.copy() for name, column in rows.items()}, 3) is plan
    rows["source"][0] = 0
    assert book.plan_moves(rows, 3).verdicts.tolist() == [Verdict.OTHER_HOLDER]
    rows["source"][0] = 1
    assert book.plan_moves(rows, 2).verdicts.tolist() == [Verdict.MALFORMED]
    assert move(book, (0, 0, 5, 1, 0, HELD)) == [0]
    assert book.plan_moves(rows, 3).verdicts.tolist() == [Verdict.OTHER_HOLDER]
    issue, limit = table(TITLES, [(0, 20, 30, 1, 0)]), np.full(8, 30)
    assert book.plan_issue(issue, limit, 3).tolist() == [0]
    limit[0] = 25
    assert book.plan_issue(issue, limit, 3).tolist() == [Verdict.BEYOND_METER]
    assert book.plan_issue(table(TITLES, [(0, 20, 25, 1, 0)]), limit, 3).tolist() == [0]


def test_a_book_never_writes_into_the_columns_it_was_given() -> None:
    issue: dict[str, Any] = table(TITLES, [(0, 0, 10, 1, 0), (1, 0, 10, 1, 0)])
    for column in issue.values():
        column.flags.writeable = False
    book = TitleBook()
    book.issue(issue, np.full(8, 99), 3)
    assert move(book, (0, 2, 4, 1, 2, HELD), (1, 0, 10, 1, 2, HELD)) == [0, 0]
    assert issue["stop"].tolist() == [10, 10]


def random_moves(rng: np.random.Generator, count: int) -> dict[str, Any]:
    start = rng.integers(0, 4000, count)
    rows = [rng.integers(0, 4, count), start, start + rng.integers(1, 40, count), *rng.integers(0, 3, (2, count))]
    return table(MOVES, list(zip(*rows, rng.choice([0, 0, 0, 0, 1, 2], count), strict=True)))


def test_the_compiled_loop_equals_its_plain_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(register, start, start + 100, 1, 0) for register in range(4) for start in range(0, 4000, 100)]
    moves = random_moves(np.random.default_rng(7), 2000)
    bulk, plain = book_of(*rows), book_of(*rows)
    assert replay(BULK_MOVES) is compiled_replay()
    verdicts = bulk.move(moves, 3)
    monkeypatch.setattr("penstock.journal.title_moves.BULK_MOVES", 10**9)
    assert replay(2000) is replay_moves
    assert verdicts.tolist() == plain.move(moves, 3).tolist()
    assert bulk.digest() == plain.digest()
    assert set(verdicts.tolist()) == {0, 2, 3, 4}


def test_atoms_are_numbered_by_title_and_position() -> None:
    number, first = cut_atoms(np.array([1, 0, 1, 0, 1]), np.array([5, 9, 2, 9, 5]))
    assert (number.tolist(), first.tolist()) == ([2, 0, 1, 0, 2], [1, 2, 0])


def test_a_page_follows_a_page() -> None:
    book = book_of(*[(register, start, start + 1, start % 2, 0) for register in range(3) for start in range(10)])
    move(book, (1, 4, 5, 0, 1, HELD))
    first = book.page(1, n=7)
    assert list(zip(first["register"].tolist(), first["start"].tolist(), strict=True)) == [
        *((0, start) for start in (1, 3, 5, 7, 9)),
        *((1, start) for start in (1, 3)),
    ]
    assert book.page(1, after=(1, 3), n=2)["start"].tolist() == [4, 5]
    assert len(book.page(1, after=(2, 9))["start"]) == 0
    assert len(book.page(2)["start"]) == 0


def test_a_page_goes_on_where_a_stretch_of_rows_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    book = book_of(*[(0, start, start + 1, start % 3, 0) for start in range(40)])
    monkeypatch.setattr("penstock.journal.titles.PAGE_ROWS", 4)
    assert book.page(1, n=5)["start"].tolist() == [1, 4, 7, 10, 13]
    assert book.page(1, after=(0, 31), n=5)["start"].tolist() == [34, 37]


def test_balances_by_holder_and_state() -> None:
    book = book_of((0, 0, 10, 1, 0), (0, 10, 14, 2, 0))
    move(book, (0, 0, 4, 1, 1, 3))
    assert book.balances(4).tolist() == [[0] * 8, [6, 0, 0, 4, 0, 0, 0, 0], [4, *[0] * 7], [0] * 8]
    assert (book.balance(1), book.balance(1, TitleState.CLAIMED), book.balance(-1), book.balance(99)) == (6, 4, 0, 0)


def test_nothing_is_moved_by_no_moves() -> None:
    book = TitleBook()
    assert move(book) == []
    assert not book.issue(table(TITLES, []), np.zeros(0, dtype=np.int64), 0).any()
    assert move(book, (0, 0, 1, 0, 0, HELD)) == [Verdict.NO_TITLE]
    assert (len(book), book.at(0, 0)) == (0, None)


def test_titles_are_found_by_time_and_paged_without_rewriting_the_book() -> None:
    book = TitleBook()
    rows = [(register, 0, 10, register % 3, register) for register in range(8)]
    book.issue(table(TITLES, rows), np.full(8, 30), 3)
    move(book, (2, 0, 4, 2, 1, HELD))
    version = book._titles.version
    begun = book.begun(2, 5, (TitleState.HELD,))
    assert sorted(zip(begun["register"].tolist(), begun["start"].tolist(), strict=True)) == [
        (2, 0),
        (2, 4),
        (3, 0),
        (4, 0),
    ]
    assert book.begun(2, 5, (TitleState.RETIRED,))["start"].tolist() == []
    page = book.page(None, (2, 0), n=3)
    assert list(zip(page["register"].tolist(), page["start"].tolist(), strict=True)) == [(2, 4), (3, 0), (4, 0)]
    assert book.page(None, (7, 0))["start"].tolist() == []
    assert book._titles.version == version
