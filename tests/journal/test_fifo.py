"""First in, first out: tiles charge into discharge and loss, never above the efficiency, whatever the order of acts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import Invalid
from penstock.journal.cutting import positions_of, ratio_down, ratio_up
from penstock.journal.fifo import Charge, Draw, Standing, draw

sizes = st.lists(st.integers(1, 5_000), min_size=1, max_size=12)


def charge_of(charged: list[int]) -> Charge:
    return Charge(positions_of(np.array(charged)), np.arange(len(charged)))


def drawn(charged: list[int], standing: Standing, num: int, den: int, asked: list[int]) -> Draw:
    late = np.full(len(asked), len(charged))
    return draw(charge_of(charged), standing, num, den, np.array(asked), late)


def by_the_unit(charged: list[int], num: int, den: int, asked: list[int]) -> tuple[list[tuple[int, int]], int]:
    """The rule unit by unit, in plain integers: the record and discharge of each Wh given, and how much was drawn."""
    ends = np.cumsum(charged).tolist()
    row_of = [row for row, size in enumerate(asked) for _ in range(size)]
    given, used = [], 0
    for unit, row in enumerate(row_of):
        need = -(-(unit + 1) * den // num)
        if need > ends[-1]:
            break
        given.append((next(at for at, end in enumerate(ends) if need <= end), row))
        used = need
    return given, used


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=6),
    st.lists(st.integers(1, 60), min_size=1, max_size=6),
    st.data(),
)
def test_pieces_are_those_of_the_rule_unit_by_unit(charged: list[int], asked: list[int], data: st.DataObject) -> None:
    den = data.draw(st.integers(1, 50))
    num = data.draw(st.integers(1, den))
    found = drawn(charged, Standing(), num, den, asked)
    given, used = by_the_unit(charged, num, den, asked)
    listed = [
        (int(c), int(d)) for c, d, n in zip(found.charge, found.discharge, found.out, strict=True) for _ in range(n)
    ]
    assert listed == given
    assert found.standing == Standing(used, len(given), used - len(given))


@settings(max_examples=150, deadline=None)
@given(sizes, sizes, st.integers(1, 2**31), st.data())
def test_cut_into_acts_or_done_at_once_all_is_the_same(
    charged: list[int], asked: list[int], den: int, data: st.DataObject
) -> None:
    num = data.draw(st.integers(1, den))
    cut = data.draw(st.integers(0, len(asked)))
    whole = drawn(charged, Standing(), num, den, asked)
    standing = Standing()
    for part in (asked[:cut], asked[cut:]):
        standing = drawn(charged, standing, num, den, part).standing if part else standing
    assert standing == whole.standing
    assert standing.given + standing.lost == standing.drawn <= sum(charged)
    assert standing.given * den <= standing.drawn * num
    assert standing.drawn == -(-standing.given * den // num)


def test_discharges_rest_on_charge_of_their_time_or_before() -> None:
    found = draw(charge_of([10, 10]), Standing(), 1, 1, np.array([15, 15]), np.array([0, 1]))
    assert found.supported.tolist() == [10, 10]
    assert list(zip(found.charge.tolist(), found.discharge.tolist(), found.out.tolist(), strict=True)) == [
        (0, 0, 10),
        (1, 1, 10),
    ]


def test_nothing_charged_supports_nothing() -> None:
    found = draw(
        Charge(positions_of(np.zeros(0, np.int64)), np.zeros(0)), Standing(), 1, 2, np.array([5]), np.array([9])
    )
    assert (found.supported.tolist(), len(found.out), found.standing) == ([0], 0, Standing())


@given(st.integers(0, 2**40), st.integers(1, 2**20), st.integers(1, 2**20))
def test_up_is_the_ceiling(position: int, num: int, den: int) -> None:
    assert ratio_up(position, num, den).tolist() == [-(-position * num // den)]
    below = position * num // den
    assert ratio_down(position, num, den).tolist() == [below]


def test_products_of_128_bits_are_exact() -> None:
    position, num, den = 2**62 - 1, 2**31 - 1, 2**31
    assert ratio_up(position, num, den).tolist() == [-(-position * num // den)]
    found = drawn([2**61], Standing(), num, den, [2**60])
    assert found.standing.drawn == -(-(2**60) * den // num)
    with pytest.raises(Invalid, match=r"not over 0"):
        ratio_up(1, 1, 0)


def test_records_hold_the_last_unit_of_charge_that_a_discharge_used() -> None:
    found = drawn([3, 3, 3], Standing(), 2, 3, [6])
    assert found.out.tolist() == [2, 2, 2]
    ends = np.cumsum(found.drawn).tolist()
    assert all(b - a == 3 for a, b in pairwise([0, *ends]))
