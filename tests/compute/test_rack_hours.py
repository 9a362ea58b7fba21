"""Hours of a rack: which accelerators are taken of them, against a count by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.compute.calendar import Calendar, origin_us, take_of_hours, whole_hours
from penstock.compute.deliver import fill
from penstock.compute.due import joined
from penstock.compute.service import MS_PER_HOUR
from penstock.errors import Invalid, Refused
from penstock.journal.segment import Columns
from penstock.period import HOUR_US

CALENDAR = Calendar(0, 5 * HOUR_US, 8)


def parts(hours: list[list[int]]) -> Columns:
    """Accelerators free in each hour, by number."""
    start = [hour * CALENDAR.hour_ms + one * MS_PER_HOUR for hour, free in enumerate(hours) for one in sorted(free)]
    begin = np.array(start, dtype=np.int64)
    return {"start": begin, "stop": begin + MS_PER_HOUR}


FREE = st.lists(st.lists(st.integers(0, 7), unique=True, max_size=8), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(FREE, st.data())
def test_each_hour_gives_its_first_free_accelerators(hours: list[list[int]], data: st.DataObject) -> None:
    wanted = [data.draw(st.integers(0, min(len(free) + 1, 8))) for free in hours]
    begins = CALENDAR.begins(5 * HOUR_US, len(hours))
    if any(want > len(free) for want, free in zip(wanted, hours, strict=True)):
        with pytest.raises(Refused) as caught:
            take_of_hours(parts(hours), CALENDAR, begins, np.array(wanted))
        assert caught.value.code == "capacity.sold_out"
        return
    taken = take_of_hours(parts(hours), CALENDAR, begins, np.array(wanted))
    expected = parts([sorted(free)[:want] for free, want in zip(hours, wanted, strict=True)])
    assert taken["start"].tolist() == expected["start"].tolist()
    assert taken["stop"].tolist() == expected["stop"].tolist()


def test_positions_count_from_the_first_whole_hour() -> None:
    commissioned_us = 5 * HOUR_US - 1
    assert [origin_us(at) for at in (commissioned_us, 5 * HOUR_US, 5 * HOUR_US + 1)] == [5 * HOUR_US] * 2 + [
        6 * HOUR_US
    ]
    calendar = Calendar(0, origin_us(commissioned_us), 8)
    hours = np.arange(5, 9, dtype=np.int64) * HOUR_US
    assert calendar.positions(hours).tolist() == [calendar.position(int(one)) for one in hours]
    assert calendar.positions(hours).tolist() == calendar.begins(5 * HOUR_US, 4).tolist()
    assert [calendar.begin_us(one) for one in range(4)] == hours.tolist()
    assert calendar.position(6 * HOUR_US + HOUR_US // 2) == 3 * calendar.hour_ms // 2
    assert calendar.position(5 * HOUR_US - 1) < 0


def test_hours_are_whole() -> None:
    assert whole_hours(HOUR_US, 3 * HOUR_US) == 2
    for start_us, stop_us in (
        (1, HOUR_US),
        (HOUR_US, HOUR_US),
        (0, HOUR_US + 1),
        (0, 200_000 * HOUR_US),
        (-HOUR_US, 0),
    ):
        with pytest.raises(Invalid):
            whole_hours(start_us, stop_us)


SPANS = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=1, max_size=6)


def spans(steps: list[tuple[int, int]]) -> tuple[Columns, list[int]]:
    """Spans from gaps and lengths, and every unit in them."""
    at, rows = 0, []
    units: list[int] = []
    for gap, length in steps:
        at += gap
        rows.append((at, at + length))
        units += range(at, at + length)
        at += length
    array = np.array(rows, dtype=np.int64)
    return {"start": array[:, 0], "stop": array[:, 1]}, units


@settings(max_examples=60, deadline=None)
@given(SPANS, SPANS)
def test_unit_fills_unit_in_order(source: list[tuple[int, int]], target: list[tuple[int, int]]) -> None:
    (left, left_units), (right, right_units) = spans(source), spans(target)
    if len(left_units) != len(right_units):
        with pytest.raises(Refused) as caught:
            fill(1, left, 2, right)
        assert caught.value.code == "credit.undelivered"
        return
    links = fill(1, left, 2, right)
    pairs = [
        pair
        for row in range(len(links["source"]))
        for pair in zip(
            range(links["source_start"][row], links["source_stop"][row]),
            range(links["target_start"][row], links["target_stop"][row]),
            strict=True,
        )
    ]
    assert pairs == list(zip(left_units, right_units, strict=True))


@settings(max_examples=60, deadline=None)
@given(SPANS, st.randoms())
def test_joined_spans_are_the_same_units(steps: list[tuple[int, int]], dice: object) -> None:
    rows, units = spans(steps)
    order = np.array(sorted(range(len(steps)), key=lambda _: dice.random()))  # type: ignore[attr-defined]
    found = joined(rows["start"][order], rows["stop"][order])
    assert [unit for start, stop in found.tolist() for unit in range(start, stop)] == units
    assert (found[1:, 0] > found[:-1, 1]).all()
