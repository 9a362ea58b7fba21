"""Accelerator time of answers that overlap: shared equally, and never more than the machine has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.compute.busy_time import busy_ms
from penstock.compute.price import Price
from penstock.errors import Invalid


def test_one_after_the_other_and_together() -> None:
    alone = busy_ms(np.array([0, 10_000]), np.array([10_000, 30_000]), 1)
    assert alone.tolist() == [10, 20]
    together = busy_ms(np.array([0, 0]), np.array([10_000, 10_000]), 8)
    assert together.tolist() == [40, 40]
    assert busy_ms(np.empty(0, np.int64), np.empty(0, np.int64), 1).tolist() == []


@given(
    st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**6)), min_size=1, max_size=40),
    st.integers(1, 9),
)
def test_all_together_never_take_more_than_there_is(spans: list[tuple[int, int]], accelerators: int) -> None:
    started = np.array([start for start, _ in spans], dtype=np.int64)
    done = started + np.array([took for _, took in spans], dtype=np.int64)
    took_ms = busy_ms(started, done, accelerators)
    instants = np.unique(np.concatenate([started, done]))
    busy = [
        (after - before) * accelerators
        for before, after in zip(instants[:-1].tolist(), instants[1:].tolist(), strict=True)
        if ((started <= before) & (done >= after)).any()
    ]
    assert (took_ms >= 0).all()
    assert sum(busy) / 1_000 - len(spans) * len(instants) / 1_000 - 1 <= took_ms.sum() <= sum(busy) / 1_000


def test_a_part_of_a_micro_dollar_is_charged_whole() -> None:
    price = Price(20, 3)
    assert [price.cost_up(tokens) for tokens in (0, 1, 150, 151, 1_000)] == [3, 3, 3, 4, 20]
    with pytest.raises(Invalid, match=r"price\.figures"):
        Price(-1)
    with pytest.raises(Invalid, match=r"price\.figures"):
        Price(10**18).cost_up(10**6)
