"""Which readings stand, against a dictionary; any number of runs, any order of arrival."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.energy.checks.seen import NOT_SEEN
from penstock.energy.standing_readings import StandingReadings, first_of_each, run_of
from penstock.journal.segment import Column

Batch = list[tuple[int, int]]
BATCHES = st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 12)), max_size=25), max_size=12)


def columns(batch: Batch) -> tuple[Column, Column]:
    register, at_us = zip(*batch, strict=True) if batch else ((), ())
    return np.array(register, np.int32), np.array(at_us, np.int64)


@given(BATCHES)
def test_as_a_dictionary_says(batches: list[Batch]) -> None:
    standing = StandingReadings()
    known: dict[tuple[int, int], int] = {}
    for number, batch in enumerate(batches):
        register, at_us = columns(batch)
        new = standing.new(register, at_us)
        fresh = list(dict.fromkeys(pair for pair in batch if pair not in known))
        assert [pair for pair, is_new in zip(batch, new, strict=True) if is_new] == fresh
        position = np.arange(len(batch), dtype=np.int64) + 100 * number
        standing.add(register[new], at_us[new], position[new])
        known |= dict(zip(fresh, position[new].tolist(), strict=True))
        assert len(standing) == len(known)
        every = [(each, at) for each in range(-1, 8) for at in range(-4, 14)]
        assert standing.positions(*columns(every)).tolist() == [known.get(pair, NOT_SEEN) for pair in every]


def test_runs_stay_few() -> None:
    standing = StandingReadings()
    for turn in range(1_000):
        standing.add(np.zeros(3, np.int32), 3 * turn + np.arange(3), np.zeros(3, np.int64))
    assert len(standing) == 3_000
    assert len(standing._runs) <= 12
    assert all(len(older) >= 2 * len(newer) for older, newer in pairwise(standing._runs))


def test_nothing_stands_yet() -> None:
    register, at_us = columns([(0, 5), (0, 5), (1, 5)])
    assert StandingReadings().new(register, at_us).tolist() == [True, False, True]
    assert first_of_each(*columns([])).tolist() == []


@pytest.mark.parametrize("writeable", [True, False])
def test_a_run_may_be_a_mapped_file(writeable: bool) -> None:
    register, at_us = columns([(1, 4), (0, 9), (1, 2)])
    run = run_of(register, at_us, np.array([7, 8, 9]))
    run.at_us.flags.writeable = run.position_wh.flags.writeable = writeable
    standing = StandingReadings((run,))
    assert standing.positions(*columns([(1, 2), (1, 3), (0, 9)])).tolist() == [9, NOT_SEEN, 8]
