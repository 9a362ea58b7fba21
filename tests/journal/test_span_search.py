"""Search in stretches: the ways for few, more and many queries agree; runs stay few, whatever is added."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from penstock.journal import span_search
from penstock.journal.span_index import EXTRA_ROWS, SHORTER, SpanIndex, run_of
from penstock.journal.span_search import FEW_QUERIES, abreast, compiled_search, one_by_one, rows_after


def stretches(queries: int) -> tuple[np.ndarray, ...]:
    """A column sorted within 50 stretches, some empty, and queries of any position in any of them."""
    dice = np.random.default_rng(queries)
    ends = np.sort(np.r_[0, dice.integers(0, 3_000, 48), 3_000])
    start = np.concatenate([np.sort(dice.integers(-40, 40, high - low)) for low, high in pairwise(ends)])
    which = dice.integers(0, len(ends) - 1, queries)
    return start, ends[which], ends[which + 1], dice.integers(-50, 50, queries)


@pytest.mark.parametrize("queries", [0, 1, FEW_QUERIES, FEW_QUERIES + 1, 20_000])
def test_every_way_finds_the_same_rows(queries: int) -> None:
    start, low, high, position = stretches(queries)
    expected = [a + int((start[a:b] <= at).sum()) for a, b, at in zip(low, high, position, strict=True)]
    after = np.empty(queries, np.int64)
    compiled_search()(start, low, high, position, after)
    plain = np.empty(queries, np.int64)
    span_search.search_each(start, low, high, position, plain)
    for found in (rows_after(start, low, high, position), abreast(start, low, high, position), after, plain):
        assert found.tolist() == expected
    assert one_by_one(start, low, high, position).tolist() == expected


def test_what_is_not_there_is_after_nothing() -> None:
    empty = np.zeros(0, np.int64)
    assert rows_after(empty, np.zeros(60, int), np.zeros(60, int), np.zeros(60, int)).tolist() == [0] * 60
    run = run_of({"register": np.array([4]), "start": np.array([5]), "stop": np.array([9])})
    assert run.containing(np.array([-1, 3, 4, 4, 4, 99]), np.array([5, 5, 4, 5, 9, 5])).tolist() == [
        -1,
        -1,
        -1,
        0,
        -1,
        -1,
    ]


def test_a_run_of_few_rows_in_many_registers_has_no_index_and_finds_the_same() -> None:
    rows = {"register": np.array([3, 3, 900]), "start": np.array([0, 10, 5]), "stop": np.array([10, 20, 6])}
    run = run_of(rows)
    assert run.first_row is None
    register, position = np.array([2, 3, 3, 900, 901]), np.array([0, 0, 19, 5, 5])
    assert run.containing(register, position).tolist() == [-1, 0, 1, 2, -1]


def test_runs_stay_few_and_each_much_shorter_than_the_one_before() -> None:
    index, dice, spans = SpanIndex({}), np.random.default_rng(3), 0
    for size in [60_000, *dice.integers(1, 9_000, 30).tolist(), *[1] * 50]:
        start = 10 * np.arange(spans, spans + size)
        index.insert({"register": (start // 10 % 7).astype(np.int32), "start": start, "stop": start + 10})
        spans += size
        sizes = [len(run) for _, run in index.runs]
        assert all(before > max(EXTRA_ROWS, SHORTER * after) for before, after in pairwise(sizes))
        assert len(sizes) <= 8
    start = 10 * np.arange(spans)
    handle = index.find(start // 10 % 7, start + 3)
    assert np.array_equal(index.take("start", handle), start)
    assert len(np.unique(handle)) == spans == len(index)
    assert np.array_equal(np.sort(index.columns()["start"]), start)
