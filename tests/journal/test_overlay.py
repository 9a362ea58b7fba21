"""Overlay: both sides laid against each other, cell by cell; the compiled kernel and its twin give the same edges."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import Invalid
from penstock.journal import overlay as module
from penstock.journal.overlay import Edges, Laid, lay, overlay, plain_lay, plain_overlay, share_down

CELLS = 5
Rows = list[tuple[int, int]]
rows = st.lists(st.tuples(st.integers(-1, CELLS - 1), st.one_of(st.integers(0, 9), st.just(2**33))), max_size=30)


def laid(side: Rows, order: list[int] | None = None) -> Laid:
    cell, units = (np.array([row[n] for row in side], dtype=np.int64) for n in (0, 1))
    return lay(cell, units, CELLS, None if order is None else np.array(order, dtype=np.int64))


def by_hand(left: Rows, right: Rows, limit: list[int] | None = None) -> Iterator[tuple[int, int, int, int, int]]:
    """One unit after the other, as a reader would do it."""
    for cell in range(CELLS):
        mine = [[n, 0, units] for n, (c, units) in enumerate(left) if c == cell and units]
        other = [[n, 0, units] for n, (c, units) in enumerate(right) if c == cell and units]
        rest = 2**62 if limit is None else limit[cell]
        while mine and other and rest:
            (i, i_at, i_units), (j, j_at, j_units) = mine[0], other[0]
            units = min(i_units, j_units, rest)
            yield i, j, i_at, j_at, units
            rest -= units
            for queue in (mine, other):
                queue[0][1] += units
                queue[0][2] -= units
                if not queue[0][2]:
                    queue.pop(0)


def told(edges: Edges) -> list[tuple[int, ...]]:
    return list(zip(*(getattr(edges, name).tolist() for name in Edges.__slots__), strict=True))


def test_units_meet_in_order_within_a_cell() -> None:
    left, right = [(0, 5), (1, 4), (0, 3)], [(0, 6), (0, 1), (1, 9), (2, 2)]
    assert told(overlay(laid(left), laid(right))) == [
        (0, 0, 0, 0, 5),
        (2, 0, 0, 5, 1),
        (2, 1, 1, 0, 1),
        (1, 2, 0, 0, 4),
    ]


def test_an_order_says_who_goes_first() -> None:
    left, right = [(0, 5), (0, 4)], [(0, 6)]
    assert told(overlay(laid(left, [1, 0]), laid(right))) == [(1, 0, 0, 0, 4), (0, 0, 0, 4, 2)]


def test_a_limit_ends_a_cell() -> None:
    left, right, limit = [(0, 5), (1, 5)], [(0, 5), (1, 5)], np.array([0, 3, 9, 9, 9])
    assert told(overlay(laid(left), laid(right), limit)) == [(1, 1, 0, 0, 3)]


@given(rows, rows, st.one_of(st.none(), st.lists(st.integers(0, 12), min_size=CELLS, max_size=CELLS)))
def test_edges_are_those_of_one_unit_after_the_other(left: Rows, right: Rows, limit: list[int] | None) -> None:
    bound = None if limit is None else np.array(limit)
    assert told(overlay(laid(left), laid(right), bound)) == list(by_hand(left, right, limit))


@settings(max_examples=40, deadline=None)  # the first example compiles
@given(rows, rows, st.randoms(use_true_random=False))
def test_the_kernel_equals_its_twin(left: Rows, right: Rows, dice: object) -> None:
    order = list(range(len(left)))
    dice.shuffle(order)  # type: ignore[attr-defined]
    cell, units = (np.array([row[n] for row in left], dtype=np.int64) for n in (0, 1))
    picked, most = np.array(order, dtype=np.int64), int(units.max(initial=0))
    twin, kernel = plain_lay(cell, units, CELLS, picked), module._compiled_lay(cell, units, CELLS, picked, most)
    assert all(np.array_equal(getattr(twin, name), getattr(kernel, name)) for name in Laid.__slots__)
    other = laid(right)
    met = np.minimum(np.minimum(twin.totals, other.totals), 40)
    assert told(plain_overlay(twin, other, met)) == told(module._compiled_overlay(kernel, other, met))


@given(rows, st.lists(st.integers(0, 10_000), min_size=CELLS, max_size=CELLS))
def test_shares_sum_to_the_whole_and_are_within_one_of_their_due(side: Rows, parts: list[int]) -> None:
    whole = laid(side)
    wanted = np.array([t * part // 10_000 for t, part in zip(whole.totals.tolist(), parts, strict=True)])
    shared = share_down(whole, wanted)
    assert np.array_equal(shared.totals, wanted)
    due = dict(zip(shared.row.tolist(), shared.units.tolist(), strict=True))
    for number, (cell, units) in enumerate(side):
        got = due.get(number, 0)
        if cell >= 0 and units:
            assert got <= units
            assert abs(got * int(whole.totals[cell]) - units * int(wanted[cell])) < int(whole.totals[cell])
        else:
            assert got == 0


def test_nothing_meets_nothing() -> None:
    assert told(overlay(laid([]), laid([(0, 5)]))) == []


@pytest.mark.parametrize("units", [[-1], [2**61, 2**61, 1]])
def test_units_that_no_book_can_hold_are_refused(units: list[int]) -> None:
    with pytest.raises(Invalid) as caught:
        lay(np.zeros(len(units), dtype=np.int64), np.array(units), 1)
    assert caught.value.code == "overlay.units"


def test_more_rows_than_numbers_are_refused() -> None:
    endless = np.broadcast_to(np.int64(0), 2**31)
    with pytest.raises(Invalid) as caught:
        lay(endless, endless, 1)
    assert caught.value.code == "overlay.rows"


def test_few_rows_load_no_compiler() -> None:
    script = (
        "import sys, numpy as np\n"
        "from penstock.journal.overlay import lay, overlay\n"
        "side = lay(np.zeros(2000, dtype=np.int64), np.ones(2000, dtype=np.int64), 1)\n"
        "assert len(overlay(side, side)) == 2000\n"
        "sys.exit('numba' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
