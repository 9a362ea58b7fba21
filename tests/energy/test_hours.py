"""Readings to intervals, against reckoning row by row; parts that share no register add up to the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.energy import hours
from penstock.energy.hours import interval_totals, reading_order
from penstock.journal.segment import Column
from penstock.period import HOUR_US

NAMES = ("register", "interval_us", "position_wh", "counted_wh", "readings")
Rows = list[tuple[int, int, int]]


def columns(rows: Rows) -> tuple[Column, Column, Column]:
    register, at_us, position = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(register, np.int32), np.array(at_us, np.int64), np.array(position, np.int64)


def plainly(rows: Rows, interval_us: int) -> list[tuple[int, ...]]:
    """The same, one reading after the other."""
    found: dict[tuple[int, int], list[int]] = {}
    last: dict[int, int] = {}
    for register, at_us, position in sorted(rows):
        start = -(-at_us // interval_us) * interval_us - interval_us
        row = found.setdefault((register, start), [position, last.get(register, position), 0])
        row[0], row[2] = position, row[2] + 1
        last[register] = position
    return [(*key, position, position - before, count) for key, (position, before, count) in found.items()]


def totals(rows: Rows, interval_us: int = HOUR_US) -> list[tuple[int, ...]]:
    found = interval_totals(*columns(rows), interval_us)
    assert tuple(found) == NAMES
    return list(zip(*(found[name].tolist() for name in NAMES), strict=True))


@st.composite
def readings(draw: st.DrawFn) -> Rows:
    """Registers that only go up, in any order of arrival."""
    instants = draw(st.lists(st.tuples(st.integers(0, 70_000), st.integers(0, 40)), unique=True, max_size=60))
    rows: Rows = []
    stand: dict[int, int] = {}
    for register, at_us in sorted(instants):
        stand[register] = stand.get(register, 0) + draw(st.integers(0, 9))
        rows.append((register, at_us, stand[register]))
    return list(draw(st.permutations(rows)))


@given(readings(), st.integers(1, 15))
def test_any_readings_as_reckoned_row_by_row(rows: Rows, interval_us: int) -> None:
    assert totals(rows, interval_us) == plainly(rows, interval_us)


@pytest.mark.parametrize("block", [1, 2, 7, 64])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    rows = [(register, at, at * 3) for register in range(9) for at in range(1, 40)]
    monkeypatch.setattr(hours, "BLOCK_ROWS", block)
    assert totals(rows, 7) == plainly(rows, 7)


def test_a_reading_at_an_intervals_end_belongs_to_it() -> None:
    assert totals([(0, HOUR_US, 5), (0, HOUR_US + 1, 9)]) == [(0, 0, 5, 0, 1), (0, HOUR_US, 9, 4, 1)]


def test_a_gap_is_counted_where_it_ends() -> None:
    assert totals([(3, 1, 10), (3, 5 * HOUR_US, 60)]) == [(3, 0, 10, 0, 1), (3, 4 * HOUR_US, 60, 50, 1)]


def test_parts_without_a_common_register_stand_side_by_side() -> None:
    dice = np.random.default_rng(5)
    rows = [(int(each), at, at // 2) for at in range(200) for each in dice.permutation(20)]
    parts = [row for part in range(3) for row in totals([row for row in rows if row[0] % 3 == part], 11)]
    assert sorted(parts) == totals(rows, 11)


def test_rows_in_order_are_not_sorted_and_equal_ones_keep_their_order() -> None:
    assert reading_order(*columns([(0, 1, 0), (0, 1, 1), (2, 0, 0)])[:2]) is None
    order = reading_order(*columns([(70_000, 5, 0), (1, 5, 0), (70_000, 4, 0), (1, 5, 1)])[:2])
    assert order is not None
    assert order.tolist() == [1, 3, 2, 0]


def test_no_readings_no_intervals() -> None:
    assert totals([]) == []
