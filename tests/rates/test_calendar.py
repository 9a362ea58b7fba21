"""Business days, and ends of periods on them, against known holidays and QuantLib's own schedules."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
import QuantLib as ql  # noqa: N813

from penstock.errors import Invalid
from penstock.rates.calendar import (
    CALENDARS,
    CONVENTIONS,
    add_months,
    adjusted,
    is_business_day,
    period_ends_s,
    plain_ends_s,
)

START_S = int(datetime(2026, 1, 15, 6, 30, tzinfo=UTC).timestamp())


def days_of(ends: tuple[int, ...]) -> list[date]:
    return [datetime.fromtimestamp(end, UTC).date() for end in ends]


@pytest.mark.parametrize(
    ("day", "calendar", "business"),
    [
        (date(2026, 7, 3), "US", False),  # Independence Day falls on a Saturday
        (date(2026, 7, 3), "TARGET", True),
        (date(2026, 1, 19), "US", False),  # Martin Luther King's
        (date(2026, 4, 3), "TARGET", False),  # Good Friday
        (date(2026, 4, 3), "US", True),  # banks are open, the exchange is not
        (date(2026, 4, 3), "NYSE", False),
        (date(2026, 8, 31), "UK", False),  # summer bank holiday
        (date(2026, 8, 29), "weekends", False),
        (date(2026, 8, 29), "none", True),
    ],
)
def test_holidays(day: date, calendar: str, business: bool) -> None:
    assert is_business_day(day, calendar) is business


@pytest.mark.parametrize(
    ("convention", "moved"),
    [
        ("following", date(2026, 11, 2)),
        ("modified following", date(2026, 10, 30)),  # the next one lies in another month
        ("preceding", date(2026, 10, 30)),
        ("modified preceding", date(2026, 10, 30)),
        ("unadjusted", date(2026, 10, 31)),
    ],
)
def test_a_saturday_that_ends_a_month(convention: str, moved: date) -> None:
    assert adjusted(date(2026, 10, 31), "US", convention) == moved


def test_ends_keep_their_second_of_the_day_and_are_counted_from_the_start() -> None:
    ends = period_ends_s(START_S, 1, 0, 240, "US", "modified following")
    assert {end % 86_400 for end in ends} == {START_S % 86_400}
    schedule = ql.Schedule(
        ql.Date(15, 1, 2026), ql.Date(15, 1, 2046), ql.Period(1, ql.Months), CALENDARS["US"], ql.ModifiedFollowing,
        ql.ModifiedFollowing, ql.DateGeneration.Forward, False,
    )  # fmt: skip
    dates: list[Any] = schedule.dates()
    theirs = [date(day.year(), day.month(), day.dayOfMonth()) for day in dates][1:]
    assert days_of(ends) == theirs


def test_plain_ends_follow_the_step_alone() -> None:
    assert days_of(plain_ends_s(START_S, 3, 0, 3)) == [date(2026, 4, 15), date(2026, 7, 15), date(2026, 10, 15)]
    assert plain_ends_s(START_S, 0, 3600, 2) == (START_S + 3600, START_S + 7200)


def test_a_month_without_the_day_ends_sooner() -> None:
    assert add_months(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert add_months(date(2026, 1, 31), -2) == date(2025, 11, 30)


def test_daily_periods_cannot_follow_business_days() -> None:
    with pytest.raises(Invalid) as caught:
        period_ends_s(START_S, 0, 86_400, 7, "US", "following")
    assert caught.value.code == "calendar.not_rising"


@pytest.mark.parametrize(("calendar", "convention"), [("MARS", "following"), ("US", "whenever")])
def test_unknown_names_are_refused_with_the_known_ones(calendar: str, convention: str) -> None:
    with pytest.raises(Invalid) as caught:
        adjusted(date(2026, 1, 1), calendar, convention)
    assert caught.value.code == "calendar.unknown"
    assert "following" in caught.value.hint or "TARGET" in caught.value.hint


def test_a_deal_that_outlives_the_calendar_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        period_ends_s(START_S, 12, 0, 200, "US", "following")
    assert caught.value.code == "calendar.too_late"
    with pytest.raises(Invalid) as caught:
        plain_ends_s(0, 12, 0, 300)
    assert caught.value.code == "calendar.too_late"
    with pytest.raises(Invalid) as caught:
        is_business_day(date(2200, 1, 1), "US")
    assert caught.value.code == "calendar.too_late"


def test_every_calendar_and_convention_answers() -> None:
    for calendar in CALENDARS:
        for convention in CONVENTIONS:
            moved = adjusted(date(2026, 12, 25), calendar, convention)
            assert convention == "unadjusted" or is_business_day(moved, calendar)
