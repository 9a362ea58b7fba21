"""Title books against a naive list, verdict by verdict and title by title."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from title_model import TitleList

from penstock.journal import span_index, title_moves
from penstock.journal.titles import Title, TitleBook
from penstock.journal.words import TITLE_STATES, TitleState

REGISTERS, HOLDERS, LIMIT = 3, 4, 60
Row = tuple[int, ...]

registers = st.integers(0, REGISTERS - 1)
holders = st.integers(0, HOLDERS - 1)
positions = st.integers(0, LIMIT)
issue_sizes = st.lists(st.tuples(registers, st.integers(1, 12), holders), max_size=6)
odd_issues = st.lists(
    st.tuples(st.integers(-1, 3), st.integers(-2, 30), st.integers(-2, 70), st.integers(-1, 4)), max_size=4
)
states = st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4, 5, 6])
moves = st.lists(
    st.tuples(st.integers(-1, 3), positions, st.integers(1, 9), holders, st.integers(-1, 4), states), max_size=30
)
steps = st.lists(st.one_of(issue_sizes.map(lambda x: ("issue", x)), odd_issues.map(lambda x: ("odd", x)),
                           moves.map(lambda x: ("move", x))), min_size=1, max_size=12)  # fmt: skip


def columns(rows: list[Row], names: str, dtypes: str) -> dict[str, NDArray[Any]]:
    table = list(zip(*rows, strict=True)) if rows else [()] * len(names.split())
    return {n: np.array(c, dtype=d) for n, c, d in zip(names.split(), table, dtypes.split(), strict=True)}


def issue_columns(rows: list[Row]) -> dict[str, NDArray[Any]]:
    issue = columns(rows, "register start stop holder", "int32 int64 int64 int32")
    return {**issue, "interval_us": issue["start"] // 10 * 10}


def move_columns(rows: list[Row]) -> dict[str, NDArray[Any]]:
    return columns(rows, "register start stop source target state", "int32 int64 int64 int32 int32 uint8")


def titles_of(book: TitleBook) -> list[Title]:
    names = ("register", "start", "stop", "holder", "state", "interval_us")
    rows = zip(*(book.columns()[name].tolist() for name in names), strict=True)
    return [Title(r, a, b, h, TITLE_STATES[s], us) for r, a, b, h, s, us in rows]


def at_heads(model: TitleList, sizes: list[tuple[int, int, int]]) -> list[Row]:
    """Rows that start where they should, so that most of them are accepted."""
    heads = {register: model.head(register) for register in range(REGISTERS)}
    rows: list[Row] = []
    for register, size, holder in sizes:
        rows.append((register, heads[register], heads[register] + size, holder))
        heads[register] += size
    return rows


@contextmanager
def small_runs(extra_rows: int, bulk_moves: int) -> Iterator[None]:
    """Merge runs often, or compile moves always: paths that only large books reach."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(span_index, "EXTRA_ROWS", extra_rows)
        patch.setattr(title_moves, "BULK_MOVES", bulk_moves)
        yield


def run_step(book: TitleBook, model: TitleList, act: str, rows: list[Any]) -> None:
    limit = [LIMIT, LIMIT // 2, LIMIT]
    if act == "move":
        rows = [(r, start, start + size, source, target, state) for r, start, size, source, target, state in rows]
        before = model.sorted()
        planned = book.plan_moves(move_columns(rows), HOLDERS).verdicts.tolist()
        assert titles_of(book) == before
        assert book.move(move_columns(rows), HOLDERS).tolist() == planned == model.move(rows, HOLDERS)
    else:
        rows = at_heads(model, rows) if act == "issue" else rows
        verdicts = book.issue(issue_columns(rows), np.array(limit), HOLDERS)
        assert verdicts.tolist() == model.issue(rows, limit, HOLDERS)


@settings(max_examples=150, deadline=None)
@given(steps, st.sampled_from([0, 3, 4096]), st.sampled_from([1, 512]))
def test_a_title_book_equals_a_list_of_titles(steps: list[tuple[str, list[Any]]], extra: int, bulk: int) -> None:
    book, model = TitleBook(), TitleList()
    with small_runs(extra, bulk):
        for act, rows in steps:
            run_step(book, model, act, rows)
            assert [book.at(r, p) for r in range(REGISTERS) for p in (0, 7, 25)] == [
                next((t for t in model.titles if t.register == r and t.start <= p < t.stop), None)
                for r in range(REGISTERS)
                for p in (0, 7, 25)
            ]
    assert titles_of(book) == model.sorted()
    for holder in range(HOLDERS):
        assert [book.balance(holder, s) for s in TitleState] == [model.balance(holder, s) for s in TitleState]
        assert_pages(book, model, holder)
    assert book.heads(REGISTERS).tolist() == [model.head(register) for register in range(REGISTERS)]


def assert_pages(book: TitleBook, model: TitleList, holder: int) -> None:
    """Pages of three, one after the other, are all titles of the holder, in order."""
    seen: list[Row] = []
    while True:
        page = book.page(holder, (seen[-1][0], seen[-1][1]) if seen else None, n=3)
        if not len(page["start"]):
            break
        seen += zip(page["register"].tolist(), page["start"].tolist(), strict=True)
    assert seen == [(t.register, t.start) for t in model.sorted() if t.holder == holder]


@settings(max_examples=60, deadline=None)
@given(moves)
def test_the_digest_tells_the_titles_not_the_way_to_them(rows: list[Any]) -> None:
    rows = [(r, start, start + size, source, target, state) for r, start, size, source, target, state in rows]
    one, other = TitleBook(), TitleBook()
    issue = issue_columns([(r, s, s + 10, r) for r in range(REGISTERS) for s in (0, 10, 20)])
    for book in (one, other):
        book.issue(issue, np.full(REGISTERS, LIMIT), HOLDERS)
    before = one.digest()
    verdicts = one.move(move_columns(rows), HOLDERS)
    for row in rows:
        other.move(move_columns([row]), HOLDERS)
    assert one.digest() == other.digest()
    assert (one.digest() == before) == (titles_of(one) == [Title(r, s, s + 10, r, TitleState.HELD, s)
                                                          for r in range(REGISTERS) for s in (0, 10, 20)])  # fmt: skip
    assert len(verdicts) == len(rows)
