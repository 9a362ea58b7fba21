"""Certificates: spans of whole intervals, compared with a loop in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from energy_kit import START_US, column
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.energy.certificate import interval_spans
from penstock.errors import Invalid
from penstock.journal.segment import Column
from penstock.period import DAY_US, HOUR_US, QUARTER_HOUR_US

Row = tuple[int, int, int, int]
Readings = dict[int, list[tuple[int, int]]]


class Standing(NamedTuple):
    """How far a register's certificates reach: instant [us] and position [Wh]."""

    at_us: int
    position_wh: int


def spans(readings: Readings, standings: dict[int, Standing], interval_us: int = HOUR_US) -> list[Row]:
    rows = [(register, at, wh) for register, series in readings.items() for at, wh in series]
    register, at_us, position_wh = (column([row[i] for row in rows], "int64" if i else "int32") for i in range(3))
    certified = np.zeros((max(standings, default=0) + 1, 2), dtype=np.int64)
    certified[list(standings)] = np.array(list(standings.values()), dtype=np.int64).reshape(-1, 2)
    found = interval_spans(register, at_us, position_wh, certified[:, 0], certified[:, 1], interval_us)
    return list(zip(*(found[name].tolist() for name in ("register", "start", "stop", "interval_us")), strict=True))


def position_at(series: list[tuple[int, int]], at_us: int) -> int:
    """Whole Wh completed at an instant: even power between readings, rounded down."""
    for (at0, wh0), (at1, wh1) in pairwise(series):
        if at0 <= at_us <= at1:
            return wh0 + int(Fraction((wh1 - wh0) * (at_us - at0), at1 - at0))
    raise AssertionError(at_us)


def by_loop(readings: Readings, standings: dict[int, Standing], interval_us: int) -> list[Row]:
    found = []
    for register in sorted(readings):
        standing = standings[register]
        series = [(standing.at_us, standing.position_wh), *readings[register]]
        start = standing.position_wh
        begin = standing.at_us // interval_us * interval_us
        while begin + interval_us <= series[-1][0]:
            stop = position_at(series, begin + interval_us)
            if stop > start:
                found.append((register, start, stop, begin))
            begin, start = begin + interval_us, stop
    return found


@st.composite
def series(draw: st.DrawFn) -> tuple[Standing, list[tuple[int, int]]]:
    """A standing anywhere in its hour, and readings after it: on ends, off them, with gaps, fractions of a second."""
    at_us = START_US + draw(st.sampled_from([0, 1, QUARTER_HOUR_US, HOUR_US - 1, 7_000_001]))
    position = draw(st.sampled_from([0, 1, 1_000, 2**40]))
    standing, rows = Standing(at_us, position), []
    for _ in range(draw(st.integers(1, 12))):
        step = draw(
            st.sampled_from([QUARTER_HOUR_US, HOUR_US, 1, 499_999, 61_000_001, 3 * HOUR_US + 5, DAY_US])
            | st.just((at_us // HOUR_US + 1) * HOUR_US - at_us)
        )
        at_us, position = at_us + step, position + draw(st.sampled_from([0, 0, 1, 2, 250, 99_991, 10**9]))
        rows.append((at_us, position))
    return standing, rows


@settings(max_examples=150, deadline=None)
@given(st.lists(series(), min_size=1, max_size=4), st.sampled_from([HOUR_US, HOUR_US // 2, QUARTER_HOUR_US]))
def test_spans_are_those_of_a_loop_in_exact_fractions(
    drawn: list[tuple[Standing, list[tuple[int, int]]]], interval_us: int
) -> None:
    numbers = [7, 3, 40, 12][: len(drawn)]
    standings = {number: standing for number, (standing, _) in zip(numbers, drawn, strict=True)}
    readings = {number: rows for number, (_, rows) in zip(numbers, drawn, strict=True)}
    found = spans(readings, standings, interval_us)
    assert found == by_loop(readings, standings, interval_us)
    for register in numbers:
        mine = [row for row in found if row[0] == register]
        assert all(one[2] == other[1] for one, other in pairwise(mine)), "spans tile"
        assert all(start < stop for _, start, stop, _ in mine)
        assert not mine or mine[0][1] == standings[register].position_wh
        last_at, last_wh = readings[register][-1]
        assert all(begin + interval_us <= last_at and stop <= last_wh for _, _, stop, begin in mine)


@pytest.mark.parametrize("start_us", [START_US + 1, START_US + HOUR_US // 3, START_US + HOUR_US - 1])
def test_a_meter_that_starts_within_an_hour_is_certified_from_its_first_wh(start_us: int) -> None:
    end = START_US + HOUR_US
    found = spans({1: [(end, 100), (end + HOUR_US, 300)]}, {1: Standing(start_us, 0)})
    assert found == [(1, 0, 100, START_US), (1, 100, 300, end)]


def test_energy_between_readings_is_spread_evenly_and_rounded_down() -> None:
    found = spans({1: [(START_US + 3 * HOUR_US, 100)]}, {1: Standing(START_US, 0)})
    assert [row[1:3] for row in found] == [(0, 33), (33, 66), (66, 100)]


def test_a_great_plant_after_a_long_gap_loses_no_digit() -> None:
    years_us, energy_wh = 4 * 365 * DAY_US, 10**15
    found = spans({1: [(START_US + years_us, energy_wh)]}, {1: Standing(START_US, 0)})
    hours = years_us // HOUR_US
    assert [row[2] for row in found] == [energy_wh * hour // hours for hour in range(1, hours + 1)]


@pytest.mark.parametrize("past_us", [0, 1, QUARTER_HOUR_US, HOUR_US - 1])
def test_nothing_is_certified_beyond_the_last_whole_interval(past_us: int) -> None:
    last = START_US + 2 * HOUR_US
    readings = [(START_US + HOUR_US, 10), (last, 20), (last + past_us, 29)][: 3 if past_us else 2]
    assert spans({1: readings}, {1: Standing(START_US, 0)})[-1][1:] == (10, 20, START_US + HOUR_US)


def test_an_hour_that_has_not_ended_has_no_certificate() -> None:
    assert spans({1: [(START_US + HOUR_US - 1, 500)]}, {1: Standing(START_US, 0)}) == []


def sunny_week(registers: tuple[int, ...]) -> Readings:
    """A week of quarter-hours with sun from 6 to 18."""
    quarters = np.arange(1, 7 * 96 + 1)
    sun = np.clip(np.sin((quarters % 96 - 24) / 48 * np.pi), 0, None)
    at_us = START_US + quarters * QUARTER_HOUR_US
    return {
        register: list(
            zip(at_us.tolist(), np.floor(np.cumsum(sun * (40 + register))).astype(int).tolist(), strict=True)
        )
        for register in registers
    }


def test_only_daylight_hours_have_certificates() -> None:
    found = spans(sunny_week((1, 2)), {1: Standing(START_US, 0), 2: Standing(START_US, 0)})
    hours = {(begin - START_US) // HOUR_US % 24 for _, _, _, begin in found}
    assert hours == set(range(6, 18))
    assert len(found) == 2 * 7 * 12


@pytest.mark.parametrize("step_us", [HOUR_US, 5 * HOUR_US, DAY_US, 2 * DAY_US])
def test_day_by_day_or_all_at_once_certificates_are_the_same(step_us: int) -> None:
    week = sunny_week((1, 2, 9))
    standings = dict.fromkeys(week, Standing(START_US, 0))
    whole = spans(week, standings)
    found: list[Row] = []
    for start in range(START_US, START_US + 7 * DAY_US, step_us):
        part = {n: [row for row in rows if start < row[0] <= start + step_us] for n, rows in week.items()}
        fresh = spans({n: rows for n, rows in part.items() if rows}, standings)
        standings |= {register: Standing(begin + HOUR_US, stop) for register, _, stop, begin in fresh}
        for (
            register,
            rows,
        ) in part.items():  # a register at rest is certified up to where it rested, as `Devices` keeps it
            at_rest = [at for at, wh in rows if wh == standings[register].position_wh]
            standings[register] = Standing(max([standings[register].at_us, *at_rest]), standings[register].position_wh)
        found += fresh
    assert sorted(found) == whole


def test_readings_that_are_certified_already_do_no_harm() -> None:
    week = sunny_week((1, 2))
    day = {register: rows[:96] for register, rows in week.items()}
    standings = dict.fromkeys(week, Standing(START_US, 0))
    first = spans(day, standings)
    standings |= {register: Standing(begin + HOUR_US, stop) for register, _, stop, begin in first}
    assert sorted(first + spans(week, standings)) == spans(week, dict.fromkeys(week, Standing(START_US, 0)))


def test_no_readings_no_certificates() -> None:
    none: Column = column([])
    assert all(len(one) == 0 for one in interval_spans(column([], "int32"), none, none, none, none).values())


@pytest.mark.parametrize("interval_us", [0, -1, HOUR_US + 1, 2 * HOUR_US, 7 * 60 * 1_000_000])
def test_intervals_are_an_hour_or_a_whole_part_of_one(interval_us: int) -> None:
    with pytest.raises(Invalid) as caught:
        spans({1: [(START_US + HOUR_US, 5)]}, {1: Standing(START_US, 0)}, interval_us)
    assert caught.value.code == "certificate.interval"
