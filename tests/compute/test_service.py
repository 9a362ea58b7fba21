"""Service: the requests a rack answers, compared with a loop; its meter never counts more than was matched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.compute.service import RackModel, Service, serve
from penstock.period import HOUR_US

MODEL = RackModel(idle_w=150, active_mj_per_token=3_600, accelerators=2, time_us_per_token=1_500)
Request = tuple[int, int]


def run(requests: list[Request], budgets: dict[int, int], model: RackModel = MODEL) -> Service:
    arrived = np.array([at for at, _ in requests], dtype=np.int64)
    tokens = np.array([count for _, count in requests], dtype=np.int64)
    hours = np.array([hour * HOUR_US for hour in budgets], dtype=np.int64)
    return serve(arrived, tokens, hours, np.array(list(budgets.values()), dtype=np.int64), model)


def by_loop(
    requests: list[Request], budgets: dict[int, int], model: RackModel
) -> tuple[list[bool], list[int], int, int]:
    """First come, first served; the first that does not fit ends the hour."""
    answered, drawn, no_energy, no_time = [False] * len(requests), [], 0, 0
    for hour, budget_wh in budgets.items():
        left_mj = budget_wh * 3_600_000 - model.idle_w * 3_600_000
        left_ms = model.accelerators * 3_600_000
        used_mj, energy_ends, time_ends = 0, False, False
        for row, (at, tokens) in enumerate(requests):
            if at // HOUR_US != hour:
                continue
            cost_mj, cost_ms = tokens * model.active_mj_per_token, -(-tokens * model.time_us_per_token // 1_000)
            energy_ends |= cost_mj > left_mj - used_mj if not energy_ends else True
            if energy_ends:
                no_energy += 1
                continue
            time_ends |= cost_ms > left_ms
            used_mj += cost_mj
            if time_ends:
                no_time += 1
                continue
            left_ms -= cost_ms
            answered[row] = True
        worked = sum(t for ok, (at, t) in zip(answered, requests, strict=True) if ok and at // HOUR_US == hour)
        total_mj = worked * model.active_mj_per_token + model.idle_w * 3_600_000
        drawn.append(-(-total_mj // 3_600_000) if worked else 0)
    elsewhere = sum(1 for at, _ in requests if at // HOUR_US not in budgets)
    return answered, drawn, no_energy + elsewhere, no_time


requests_of = st.lists(st.tuples(st.integers(0, 5 * HOUR_US - 1), st.integers(1, 2_500_000)), max_size=40).map(sorted)
budgets_of = st.dictionaries(st.integers(0, 4), st.sampled_from([0, 149, 150, 151, 1_000, 5_000, 10**6]), max_size=5)
models = st.builds(
    RackModel, st.just(150), st.sampled_from([1, 3_600]), st.integers(1, 3), st.sampled_from([1, 999, 1_500])
)


@settings(max_examples=200, deadline=None)
@given(requests_of, budgets_of.map(lambda found: dict(sorted(found.items()))), models)
def test_what_is_answered_is_what_a_loop_answers(
    requests: list[Request], budgets: dict[int, int], model: RackModel
) -> None:
    done = run(requests, budgets, model)
    answered, drawn, no_energy, no_time = by_loop(requests, budgets, model)
    assert done.answered.tolist() == answered
    assert done.import_wh.tolist() == drawn
    assert (done.refused_energy, done.refused_capacity) == (no_energy, no_time)
    assert sum(answered) + no_energy + no_time == len(requests)
    assert all(used <= budget for used, budget in zip(drawn, budgets.values(), strict=True))
    for hour in budgets:
        rows = [row for row, (at, _) in enumerate(requests) if at // HOUR_US == hour and answered[row]]
        busy_ms = sum(-(-requests[row][1] * model.time_us_per_token // 1_000) for row in rows)
        assert busy_ms <= model.accelerators * 3_600_000


@pytest.mark.parametrize(("budget_wh", "answers"), [(0, 0), (149, 0), (150, 0), (151, 1), (153, 3), (10**6, 5)])
def test_energy_is_the_limit(budget_wh: int, answers: int) -> None:
    """1,000 tokens take a Wh on top of 150 Wh of idling."""
    done = run([(i, 1_000) for i in range(5)], {0: budget_wh})
    assert done.answered.tolist() == [True] * answers + [False] * (5 - answers)
    assert done.import_wh.tolist() == [150 + answers if answers else 0]
    assert (done.refused_energy, done.refused_capacity) == (5 - answers, 0)


def test_time_is_the_limit() -> None:
    """Two accelerators have 7,200 s an hour; a request of 1,500,000 tokens takes 2,250 s."""
    done = run([(i, 1_500_000) for i in range(5)], {0: 10**6})
    assert done.answered.tolist() == [True] * 3 + [False] * 2
    assert (done.refused_energy, done.refused_capacity) == (0, 2)


@pytest.mark.parametrize(
    ("tokens", "answered"),
    [
        ([3_600_000], [True]),
        ([3_600_001], [False]),
        ([3_599_999, 1], [True, True]),
        ([3_599_999, 2], [True, False]),
        ([3_599_999, 2, 1], [True, False, False]),
    ],
)
def test_time_is_the_limit_to_the_millisecond(tokens: list[int], answered: list[bool]) -> None:
    """A token takes a millisecond of the one accelerator; the first request that does not fit ends the hour."""
    model = RackModel(idle_w=150, active_mj_per_token=1, accelerators=1, time_us_per_token=1_000)
    done = run([(i, count) for i, count in enumerate(tokens)], {0: 10**6}, model)
    assert done.answered.tolist() == answered
    assert done.refused_capacity == answered.count(False)


def test_answers_fit_an_hour_in_whole_milliseconds() -> None:
    """An answer of 1,000.001 ms takes 1,001: 3,596 of them fill an hour of one accelerator, not 3,599."""
    model = RackModel(idle_w=150, active_mj_per_token=1, accelerators=1, time_us_per_token=1)
    done = run([(i, 1_000_001) for i in range(3_600)], {0: 10**6}, model)
    assert int(done.answered.sum()) == 3_600_000 // 1_001
    assert int(model.time_ms(np.array([1_000_001]))[0]) == 1_001


def test_an_hour_without_energy_turns_all_away() -> None:
    done = run([(0, 10), (HOUR_US, 10), (2 * HOUR_US, 10)], {1: 10**6})
    assert done.answered.tolist() == [False, True, False]
    assert done.refused_energy == 2


def test_requests_belong_to_the_hour_they_arrive_in() -> None:
    done = run([(HOUR_US - 1, 10), (HOUR_US, 20), (2 * HOUR_US - 1, 30), (2 * HOUR_US, 40)], {1: 10**6})
    assert done.answered.tolist() == [False, True, True, False]


def test_no_requests_no_draw() -> None:
    done = run([], {0: 500, 1: 0})
    assert done.import_wh.tolist() == [0, 0]
    assert (len(done.answered), done.refused_energy, done.refused_capacity) == (0, 0, 0)
