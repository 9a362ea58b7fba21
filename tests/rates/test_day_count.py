"""Day counts against QuantLib's, over dates that include every end of a month."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import QuantLib as ql  # noqa: N813

from penstock.rates.day_count import days, days_30_360, days_30_360_of, days_30e_360


def ql_date(day: date) -> ql.Date:
    return ql.Date(day.day, day.month, day.year)


def pairs() -> list[tuple[date, date]]:
    start = date(2027, 12, 27)  # runs through a leap year's February
    return [(start + timedelta(a), start + timedelta(a + b)) for a in range(75) for b in range(0, 430, 7)]


def test_30_360_is_the_bond_basis() -> None:
    theirs = ql.Thirty360(ql.Thirty360.BondBasis)
    assert all(days_30_360(a, b) == theirs.dayCount(ql_date(a), ql_date(b)) for a, b in pairs())


def test_30e_360_is_the_eurobond_basis() -> None:
    theirs = ql.Thirty360(ql.Thirty360.EurobondBasis)
    assert all(days_30e_360(a, b) == theirs.dayCount(ql_date(a), ql_date(b)) for a, b in pairs())


def test_the_two_differ_at_the_end_of_a_month() -> None:
    assert (days_30_360(date(2026, 2, 28), date(2026, 3, 31)), days_30e_360(date(2026, 2, 28), date(2026, 3, 31))) == (
        33,
        32,
    )


def test_actual_days() -> None:
    assert days("act/360", date(2028, 2, 1), date(2028, 3, 1)) == 29
    assert days("30/360", date(2028, 2, 1), date(2028, 3, 1)) == 30


def test_instants_count_by_their_utc_dates() -> None:
    start, end = (int(datetime(2026, month, 15, 23, 59, tzinfo=UTC).timestamp()) for month in (1, 4))
    assert days_30_360_of(start, end) == 90
