"""Periods: half-open, in whole microseconds, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import Invalid
from penstock.period import DAY_US, HOUR_US, QUARTER_HOUR_US, Period, from_us, iso, parse_iso, to_us

instants_us = st.integers(-(10**15), 10**16)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(instants_us)
def test_an_instant_survives_its_text(at_us: int) -> None:
    assert iso(at_us).endswith("Z")
    assert parse_iso(iso(at_us)) == at_us
    assert to_us(from_us(at_us)) == at_us


@given(instants_us, offsets)
def test_an_offset_does_not_move_an_instant(at_us: int, offset: timezone) -> None:
    assert to_us(from_us(at_us).astimezone(offset)) == at_us
    assert parse_iso(from_us(at_us).astimezone(offset).isoformat()) == at_us


def test_the_deal_starts_at_midnight_in_golden() -> None:
    assert parse_iso("2016-08-22T00:00:00-07:00") == parse_iso("2016-08-22T07:00:00Z") == 1_471_849_200_000_000
    assert iso(1_471_849_200_000_000) == "2016-08-22T07:00:00Z"
    assert iso(1) == "1970-01-01T00:00:00.000001Z"


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(Invalid) as from_datetime:
        to_us(datetime(2016, 8, 22))  # noqa: DTZ001
    with pytest.raises(Invalid) as from_text:
        parse_iso("2016-08-22T00:00:00")
    assert from_datetime.value.code == from_text.value.code == "period.naive"


@pytest.mark.parametrize("text", ["", "today", "2016-13-01T00:00:00Z", "2016-08-22T25:00:00Z", "1471849200"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_iso(text)
    assert caught.value.code == "period.malformed"


def test_a_period_holds_its_start_and_not_its_stop() -> None:
    day = Period(0, DAY_US)
    assert [at in day for at in (-1, 0, DAY_US - 1, DAY_US)] == [False, True, True, False]


@pytest.mark.parametrize("stop_us", [5, 4])
def test_a_period_ends_after_it_starts(stop_us: int) -> None:
    with pytest.raises(Invalid) as caught:
        Period(5, stop_us)
    assert caught.value.code == "period.empty"


@given(st.integers(0, 10**6), st.integers(1, 10**4), st.integers(100, 10**4))
def test_steps_tile_a_period(start_us: int, length_us: int, step_us: int) -> None:
    steps = list(Period(start_us, start_us + length_us).steps(step_us))
    assert steps[0].start_us == start_us
    assert steps[-1].stop_us == start_us + length_us
    assert all(one.stop_us == other.start_us for one, other in pairwise(steps))
    assert all(one.stop_us - one.start_us == step_us for one in steps[:-1])
    assert 0 < steps[-1].stop_us - steps[-1].start_us <= step_us


def test_a_day_has_24_hours_and_96_quarters() -> None:
    day = Period(to_us(datetime(2016, 8, 22, tzinfo=UTC)), to_us(datetime(2016, 8, 23, tzinfo=UTC)))
    assert len(list(day.steps(HOUR_US))) == 24
    assert len(list(day.steps(QUARTER_HOUR_US))) == 96
    assert str(day) == "2016-08-22T00:00:00Z/2016-08-23T00:00:00Z"
