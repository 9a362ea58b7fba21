"""Idle draw and overhead: bounded by what was drawn, exact over any pace of the meter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.compute.idle import idle_mj_down, observed_idle_mw
from penstock.compute.pue import facility_shares, it_mj_down
from penstock.errors import Invalid

S_US = 1_000_000


def test_idle_is_rounded_down_and_never_above_what_was_drawn() -> None:
    it_mj, us = np.array([90, 100, 0]), np.array([S_US, S_US // 3, S_US])
    assert idle_mj_down(it_mj, us, 100).tolist() == [90, 33, 0]
    with pytest.raises(Invalid) as caught:
        idle_mj_down(it_mj, us, -1)
    assert caught.value.code == "idle.draw"


def test_idle_is_what_empty_samples_show() -> None:
    it_mj, us = np.array([95, 700, 96, 97, 500]), np.full(5, S_US)
    empty = np.array([S_US, 0, S_US, S_US * 995 // 1_000, S_US // 2])
    assert observed_idle_mw(it_mj, us, empty) == 96
    assert observed_idle_mw(it_mj, us, np.zeros(5, np.int64)) is None


@given(st.lists(st.integers(0, 10**9), max_size=40), st.integers(10_000, 100_000))
def test_it_is_the_same_by_pieces_as_whole(meter_mj: list[int], pue_bp: int) -> None:
    pieces = it_mj_down(np.array(meter_mj, dtype=np.int64), pue_bp)
    assert int(pieces.sum()) == sum(meter_mj) * 10_000 // pue_bp
    assert all(0 <= it <= mj for it, mj in zip(pieces.tolist(), meter_mj, strict=True))


@pytest.mark.parametrize("pue_bp", [9_999, 100_001])
def test_a_pue_out_of_range_is_refused(pue_bp: int) -> None:
    with pytest.raises(Invalid) as caught:
        it_mj_down(np.array([1]), pue_bp)
    assert caught.value.code == "pue.range"


def test_a_facility_is_shared_over_its_racks_whole() -> None:
    assert facility_shares(1_000, np.array([300, 100, 200])).tolist() == [500, 166, 334]
    with pytest.raises(Invalid) as caught:
        facility_shares(599, np.array([300, 100, 200]))
    assert caught.value.code == "pue.below_it"
