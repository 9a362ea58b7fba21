"""Stretches: any index, walked in stretches of any length, gives each of its rows once and in order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.journal.span_index import SpanIndex
from penstock.journal.stretches import FIRST, Place, stretch


def index_of(batches: list[list[tuple[int, int]]]) -> SpanIndex:
    """An index with a run for most batches; a row is a register and a start, one unit long."""
    made, known = SpanIndex({"holder": "int32"}), set[tuple[int, int]]()
    for batch in batches:
        rows = sorted(set(batch) - known)
        known |= set(rows)
        register, start = np.array(rows, dtype=np.int64).reshape(-1, 2).T
        made.insert({"register": register, "start": start, "stop": start + 1, "holder": start * 7})
    return made


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60)), max_size=60), max_size=6), st.integers(1, 40)
)
def test_every_row_once_in_order(batches: list[list[tuple[int, int]]], n: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("penstock.journal.span_index.EXTRA_ROWS", 0)
        made = index_of(batches)
    found: list[tuple[int, int]] = []
    runs = [run for _, run in made.runs]
    at: Place | None = FIRST
    while at is not None:
        rows, after = stretch(runs, at, n)
        assert len(rows["start"]) <= n * len(runs) and (after is None or len(rows["start"]))
        assert (rows["holder"] == rows["start"] * 7).all()
        found += zip(rows["register"].tolist(), rows["start"].tolist(), strict=True)
        at = after
    assert found == sorted({row for batch in batches for row in batch})


def test_runs_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.journal.span_index.EXTRA_ROWS", 0)
    made = index_of([[(0, 2 * n) for n in range(99)], [(0, 1), (0, 51), (7, 3)]])
    runs = [run for _, run in made.runs]
    assert len(runs) == 2
    rows, after = stretch(runs, FIRST, 30)
    assert rows["start"].tolist() == sorted([*range(0, 60, 2), 1, 51]) and after == (0, 58)


def test_a_walk_may_begin_anywhere() -> None:
    made = index_of([[(1, 5), (1, 9), (3, 0)]])
    runs = [run for _, run in made.runs]
    assert stretch(runs, (1, 5), 9)[0]["start"].tolist() == [9, 0]
    assert stretch(runs, (2, -1), 9)[0]["register"].tolist() == [3]
    assert len(stretch(runs, (9, 0), 9)[0]["start"]) == 0
