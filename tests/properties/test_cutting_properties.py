"""Cutting and sharing against Python's unbounded integers."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from penstock.errors import Invalid, Refused
from penstock.journal.links import (
    allocate,
    convert_exact,
    cut_at_rate,
    cut_down,
    cut_unlike,
    positions_of,
    ratio_down,
    tile_links,
)

BIG = 2**62
magnitudes = st.one_of(st.integers(0, 50), st.integers(0, 2**51), st.integers(BIG - 3, BIG), st.integers(0, BIG))
divisors = st.one_of(
    st.integers(1, 50), st.integers(2**49, 2**51), st.integers(2**59, 2**61), st.integers(BIG - 3, 2 * BIG - 1)
)
weights = st.lists(st.one_of(st.integers(0, 9), st.integers(0, 2**40), st.integers(0, BIG // 8)), max_size=8)


@settings(deadline=None, max_examples=400)
@given(st.lists(st.tuples(magnitudes, magnitudes, divisors), min_size=1, max_size=6))
@example([(2**50, 2**50, 2**50 + 1), (BIG, BIG, BIG), (BIG, 1, 1), (3, 3, 2)])
def test_a_ratio_is_exact(rows: list[tuple[int, int, int]]) -> None:
    exact = [position * num // den for position, num, den in rows]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    if max(exact) >= 2**63:
        with pytest.raises(Invalid, match=r"cut\.too_large"):
            ratio_down(*columns)
    else:
        assert ratio_down(*columns).tolist() == exact


@pytest.mark.parametrize("bad", [(-1, 1, 1), (1, -1, 1), (1, 1, 0), (1, 1, -1)])
def test_a_ratio_is_of_whole_numbers(bad: tuple[int, int, int]) -> None:
    with pytest.raises(Invalid, match=r"cut\.ratio"):
        ratio_down(*bad)


@settings(deadline=None, max_examples=300)
@given(magnitudes, weights)
def test_shares_are_floors_of_cumulative_weights(total: int, parts: list[int]) -> None:
    column = np.array(parts, dtype=np.int64)
    whole = sum(parts)
    if whole == 0 and total > 0:
        with pytest.raises(Invalid, match=r"cut\.no_weight"):
            cut_down(total, column)
        return
    positions = cut_down(total, column).tolist()
    assert positions == [done * total // max(whole, 1) for done in accumulate(parts, initial=0)]
    assert positions[-1] == total if whole else positions[-1] == 0
    for low, high, weight in zip(positions[:-1], positions[1:], parts, strict=True):
        assert abs((high - low) * max(whole, 1) - weight * total) < max(whole, 1)


def test_sizes_that_sum_beyond_63_bits_are_refused() -> None:
    for sizes in ([BIG, BIG], [BIG, BIG, BIG, BIG, 1], [2**63 - 1] * 3):
        with pytest.raises(Invalid, match=r"cut\.too_large"):
            positions_of(np.array(sizes))
    with pytest.raises(Invalid, match=r"cut\.too_large"):
        positions_of(np.array([BIG - 1]), start=BIG + 1)
    assert positions_of(np.array([BIG - 1]), start=BIG).tolist() == [BIG, 2**63 - 1]
    for negative in (np.array([-1]), np.array([5, -2])):
        with pytest.raises(Invalid, match=r"cut\.negative"):
            positions_of(negative)
    with pytest.raises(Invalid, match=r"cut\.negative"):
        cut_down(-1, np.array([1]))


sources = st.lists(st.tuples(st.integers(0, 2**40), st.one_of(st.integers(0, 9), st.integers(0, 2**50))), max_size=8)


@settings(deadline=None, max_examples=300)
@given(sources, st.integers(0, 2**40), st.floats(0, 1))
def test_an_allocation_conserves(spans: list[tuple[int, int]], target_start: int, part: float) -> None:
    start = np.array([low for low, _ in spans], dtype=np.int64)
    size = np.array([length for _, length in spans], dtype=np.int64)
    register, whole = np.arange(len(spans), dtype=np.int32), int(size.sum())
    quantity = min(whole, int(whole * part))
    links = allocate(register, start, start + size, 99, target_start, quantity)
    given_up = links["source_stop"] - links["source_start"]
    assert (given_up > 0).all()
    assert given_up.tolist() == (links["target_stop"] - links["target_start"]).tolist()
    assert int(given_up.sum()) == quantity
    assert links["source_start"].tolist() == start[links["source"]].tolist()
    assert (given_up <= size[links["source"]]).all()
    ends = [target_start, *links["target_stop"].tolist()]
    assert [*links["target_start"].tolist(), target_start + quantity] == ends
    shares = dict(zip(links["source"].tolist(), given_up.tolist(), strict=True))
    for number, length in enumerate(size.tolist()):
        assert abs(shares.get(number, 0) * max(whole, 1) - length * quantity) < max(whole, 1)
    with pytest.raises(Refused, match=r"allocate\.short"):
        allocate(register, start, start + size, 99, target_start, whole + 1)


@settings(deadline=None)
@given(st.integers(0, 2**50), st.integers(0, 2**50), st.lists(st.integers(1, 2**30), min_size=1, max_size=8))
def test_unlike_units_tile_in_order(start: int, total: int, sizes: list[int]) -> None:
    links = cut_unlike(1, start, total, 2, 7, np.array(sizes))
    assert links["source_start"][0] == start
    assert links["source_stop"][-1] == start + total
    assert (links["target_start"][0], links["target_stop"][-1]) == (7, 7 + sum(sizes))
    assert (links["target_stop"] - links["target_start"]).tolist() == sizes
    for side in ("source", "target"):
        assert links[f"{side}_stop"][:-1].tolist() == links[f"{side}_start"][1:].tolist()
    one = [0, *accumulate(sizes)]
    assert links["source_stop"].tolist() == [start + done * total // one[-1] for done in one[1:]]


@settings(deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=9), st.integers(1, 10**9), st.integers(1, 10**9))
def test_a_rate_leaves_no_remainder_between_batches(sizes: list[int], num: int, den: int) -> None:
    positions = positions_of(np.array(sizes), start=3)
    whole = cut_at_rate(1, positions, 2, num, den)
    middle = len(positions) // 2
    parts = [cut_at_rate(1, part, 2, num, den) for part in (positions[: middle + 1], positions[middle:])]
    for name, column in whole.items():
        assert column.tolist() == [value for part in parts for value in part[name].tolist()]
    assert whole["target_stop"][-1] == int(positions[-1]) * num // den


def test_a_conversion_keeps_each_unit_in_its_place() -> None:
    links = tile_links(np.array([4, 5]), np.array([0, 3, 9]), np.array([6, 7]), np.array([10, 13, 19]))
    converted = convert_exact(6, 8, links, 3_600_000)
    assert {name: column.tolist() for name, column in converted.items()} == {
        "source": [6],
        "source_start": [10],
        "source_stop": [13],
        "target": [8],
        "target_start": [36_000_000],
        "target_stop": [46_800_000],
    }
    with pytest.raises(Invalid, match=r"cut\.too_large"):
        convert_exact(6, 8, {**links, "target_stop": np.array([2**60, 0])}, 3_600_000)
