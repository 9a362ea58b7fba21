"""Shares of energy: answers and idle add up to the meter, to the millijoule."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.compute.energy_share import EnergyShare, share_metered
from penstock.errors import Invalid
from penstock.period import HOUR_US

IDLE_MJ = 150 * 3_600_000


def share(hours: list[tuple[int, list[int]]], idle_mj: int = IDLE_MJ, start_mj: int = 0) -> EnergyShare:
    """Hours as (metered Wh, tokens of each answer)."""
    arrived = [number * HOUR_US + row for number, (_, tokens) in enumerate(hours) for row in range(len(tokens))]
    return share_metered(
        start_mj,
        np.arange(len(hours), dtype=np.int64) * HOUR_US,
        np.array([energy for energy, _ in hours], dtype=np.int64),
        idle_mj,
        np.array(arrived, dtype=np.int64),
        np.array([count for _, tokens in hours for count in tokens], dtype=np.int64),
    )


def refused(hours: list[tuple[int, list[int]]]) -> None:
    with pytest.raises(Invalid) as caught:
        share(hours)
    assert caught.value.code == "energy_share.no_answers"


def tiles(done: EnergyShare) -> list[tuple[int, int]]:
    starts = np.r_[done.answer_start, done.idle_start].tolist()
    return sorted(zip(starts, np.r_[done.answer_stop, done.idle_stop].tolist(), strict=True))


hours_of = st.lists(
    st.tuples(
        st.integers(151, 10**4) | st.integers(10**8, 10**9),
        st.lists(st.integers(1, 10**6) | st.integers(10**12, 10**13), min_size=1, max_size=8),
    )
    | st.just((0, [])),
    max_size=6,
)


@settings(max_examples=200, deadline=None)
@given(hours_of, st.integers(0, 2**60))
def test_answers_and_idle_are_the_meter(hours: list[tuple[int, list[int]]], start_mj: int) -> None:
    done = share(hours, start_mj=start_mj)
    spans = tiles(done)
    metered_mj = sum(energy for energy, _ in hours) * 3_600_000
    assert sum(stop - start for start, stop in spans) == metered_mj
    assert all(one[1] == other[0] for one, other in pairwise(spans))
    assert not spans or (spans[0][0], spans[-1][1]) == (start_mj, start_mj + metered_mj)
    ran = [(energy, tokens) for energy, tokens in hours if energy]
    assert (done.idle_stop - done.idle_start).tolist() == [IDLE_MJ] * len(ran)
    row = 0
    for energy, tokens in ran:
        work_mj, total = energy * 3_600_000 - IDLE_MJ, sum(tokens)
        cuts = [sum(tokens[:i]) * work_mj // total for i in range(len(tokens) + 1)]
        mine = (done.answer_stop - done.answer_start)[row : row + len(tokens)].tolist()
        assert mine == [stop - start for start, stop in pairwise(cuts)]
        row += len(tokens)


def test_an_hour_written_out() -> None:
    """151 Wh metered, 150 idle: 3,600,000 mJ for 1 + 2 + 4 tokens, cut at floors of 3,600,000 * n / 7."""
    done = share([(151, [1, 2, 4])], start_mj=1_000)
    work = 1_000 + IDLE_MJ
    assert (done.idle_start.tolist(), done.idle_stop.tolist()) == ([1_000], [work])
    assert (done.answer_start - work).tolist() == [0, 514_285, 1_542_857]
    assert (done.answer_stop - work).tolist() == [514_285, 1_542_857, 3_600_000]


def test_energy_without_answers_is_refused() -> None:
    refused([(151, [])])
    refused([(151, [5]), (200, [])])


def test_answers_in_an_hour_without_energy_are_refused() -> None:
    refused([(0, [5])])
    refused([(151, [5]), (0, [5])])


def test_less_than_idle_is_refused() -> None:
    refused([(149, [5])])
    assert (share([(150, [5])]).answer_stop - share([(150, [5])]).answer_start).tolist() == [0]


def test_nothing_ran() -> None:
    assert tiles(share([(0, []), (0, [])])) == []
