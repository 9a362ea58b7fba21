"""Sharing output out over buyers: whole numbers that add up, whatever they are."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.energy.forward.price import collateral_up, cost_up, cut, pay_by_rank, released_down
from penstock.energy.forward.share_out import due_of_shape, due_of_share, fill, lay, serve

sizes = st.lists(st.integers(0, 10**12), min_size=1, max_size=8)
small = st.lists(st.integers(0, 50), min_size=1, max_size=6)


def ints(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@settings(max_examples=60, deadline=None)
@given(sizes, st.lists(st.tuples(st.integers(0, 10**12), st.integers(1, 3)), min_size=1, max_size=6))
def test_what_fills_a_promise_is_all_that_comes_until_it_is_full_seniors_first(
    available: list[int], sales: list[tuple[int, int]]
) -> None:
    remaining, rank = ints([one[0] for one in sales]), ints([one[1] for one in sales])
    give = fill(ints(available), remaining, rank)
    assert (give >= 0).all() and (give.sum(axis=0) <= remaining).all()
    taken = np.minimum(np.cumsum(ints(available)), remaining.sum())
    assert np.array_equal(np.cumsum(give.sum(axis=1)), taken)
    for level in np.unique(rank):
        served = np.cumsum(give[:, rank <= level].sum(axis=1))
        assert np.array_equal(served, np.minimum(taken, remaining[rank <= level].sum()))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=8), st.lists(st.integers(1, 10**6), min_size=1, max_size=5))
def test_within_a_rank_nobody_is_ahead_by_more_than_a_unit_for_each_sale(available: list[int], sold: list[int]) -> None:
    remaining = ints(sold)
    give = np.cumsum(fill(ints(available), remaining, np.ones(len(sold), dtype=np.int64)), axis=0)
    for reached, row in zip(give.sum(axis=1).tolist(), give.tolist(), strict=True):
        for one, size in zip(row, sold, strict=True):
            assert abs(one * sum(sold) - reached * size) <= len(sold) * sum(sold)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_due_is_served_as_far_as_there_is_seniors_first(data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.lists(st.integers(0, 10**9), min_size=3, max_size=3), min_size=1, max_size=6))
    available = ints(data.draw(st.lists(st.integers(0, 3 * 10**9), min_size=len(rows), max_size=len(rows))))
    due, rank = np.array(rows, dtype=np.int64), ints(data.draw(st.permutations([1, 1, 2])))
    give = serve(available, due, rank)
    assert (give >= 0).all() and (give <= due).all()
    assert np.array_equal(give.sum(axis=1), np.minimum(available, due.sum(axis=1)))
    senior = rank == 1
    assert np.array_equal(give[:, senior].sum(axis=1), np.minimum(available, due[:, senior].sum(axis=1)))


@settings(max_examples=60, deadline=None)
@given(small, st.integers(1, 5), st.lists(st.integers(0, 5_000), min_size=1, max_size=2))
def test_a_share_in_parts_is_the_share_of_the_whole(output: list[int], at: int, shares: list[int]) -> None:
    bp, promised = ints(shares), ints([10**9] * len(shares))
    whole = due_of_share(0, ints(output), bp, promised).sum(axis=0)
    before, after = ints(output[:at]), ints(output[at:])
    parts = due_of_share(0, before, bp, promised).sum(axis=0)
    parts = parts + due_of_share(int(before.sum()), after, bp, promised).sum(axis=0)
    assert np.array_equal(parts, whole)
    assert whole.tolist() == [sum(output) * one // 10_000 for one in shares]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=6), st.data())
def test_a_shape_promises_each_sale_all_it_bought(energy: list[int], data: st.DataObject) -> None:
    sold = ints(data.draw(st.lists(st.integers(0, sum(energy)), min_size=1, max_size=4)))
    due = due_of_shape(ints(energy), sold)
    assert (due >= 0).all() and np.array_equal(due.sum(axis=0), sold)
    assert (due <= ints(energy)[:, None]).all()


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_output_is_laid_along_promises_to_the_unit(data: st.DataObject) -> None:
    buckets = data.draw(st.integers(1, 4))
    rows = [(one, data.draw(st.integers(1, 20))) for one in range(buckets) for _ in range(data.draw(st.integers(0, 3)))]
    start = np.cumsum([0, *(size for _, size in rows)])[:-1] * 2
    spans = {"register": np.zeros(len(rows), np.int32), "start": start, "stop": start + ints([one for _, one in rows])}
    whole = [sum(size for one, size in rows if one == bucket) for bucket in range(buckets)]
    give = np.array([[a := data.draw(st.integers(0, wh)), data.draw(st.integers(0, wh - a))] for wh in whole])
    laid = lay(spans, ints([one for one, _ in rows]), give.reshape(buckets, 2), ints([100, 1_000]))
    sizes_ = laid["stop"] - laid["start"]
    assert (sizes_ > 0).all()
    for sale, base in enumerate((100, 1_000)):
        mine = laid["sale"] == sale
        units = [
            p + k
            for p, n in zip(laid["promised_start"][mine].tolist(), sizes_[mine].tolist(), strict=True)
            for k in range(n)
        ]
        assert units == list(range(base, base + int(give.reshape(buckets, 2)[:, sale].sum())))
    taken = [a + k for a, n in zip(laid["start"].tolist(), sizes_.tolist(), strict=True) for k in range(n)]
    heads = [
        unit
        for bucket in range(buckets)
        for unit in [int(a) + k for (one, n), a in zip(rows, start, strict=True) if one == bucket for k in range(n)][
            : int(give.reshape(buckets, 2)[bucket].sum())
        ]
    ]
    assert taken == heads


@given(st.integers(0, 10**18), st.lists(st.integers(0, 10**15), min_size=1, max_size=6))
def test_what_is_cut_sums_to_the_whole(total: int, weights: list[int]) -> None:
    parts = cut(total, weights)
    assert min(parts) >= 0 and sum(parts) == (total if sum(weights) else 0)


@given(st.integers(0, 10**9), st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 3)), min_size=1, max_size=6))
def test_a_fund_pays_seniors_first_and_no_more_than_it_has(fund: int, claims: list[tuple[int, int]]) -> None:
    owed, rank = [one[0] for one in claims], [one[1] for one in claims]
    paid = pay_by_rank(fund, owed, rank)
    assert all(0 <= one <= other for one, other in zip(paid, owed, strict=True))
    for level in set(rank):
        senior = [number for number, one in enumerate(rank) if one <= level]
        assert sum(paid[one] for one in senior) == min(fund, sum(owed[one] for one in senior))


def test_prices_say_which_way_they_are_rounded() -> None:
    assert (cost_up(1, 1), cost_up(1_000_000, 3), cost_up(3, 500_000)) == (1, 3, 2)
    assert released_down(10, 1, 3) == 3 and released_down(10, 3, 3) == 10
    assert collateral_up(0, 100, 40, 1_000_000, (1_000, 5_000)) == 4 + 30
    assert collateral_up(50, 100, 40, 1_000_000, (1_000, 5_000)) == 50
    assert collateral_up(0, 1, 1, 1, (1, 1)) == 1
