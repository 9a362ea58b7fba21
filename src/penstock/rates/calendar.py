"""Business days by country, and the ends of periods that follow them. Holidays as QuantLib 1.44 keeps them.

Dates are UTC dates, and an adjusted instant keeps its second of the day: a calendar moves days, never hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

import QuantLib as ql  # noqa: N813 - as its own documentation writes it

from penstock.errors import Invalid

CALENDARS: Final[dict[str, ql.Calendar]] = {
    "US": ql.UnitedStates(ql.UnitedStates.Settlement),
    "US_FED": ql.UnitedStates(ql.UnitedStates.FederalReserve),
    "US_BONDS": ql.UnitedStates(ql.UnitedStates.GovernmentBond),
    "US_SOFR": ql.UnitedStates(ql.UnitedStates.SOFR),
    "NYSE": ql.UnitedStates(ql.UnitedStates.NYSE),
    "TARGET": ql.TARGET(),
    "UK": ql.UnitedKingdom(),
    "CH": ql.Switzerland(),
    "DE": ql.Germany(),
    "FR": ql.France(),
    "CA": ql.Canada(),
    "JP": ql.Japan(),
    "SG": ql.Singapore(),
    "AU": ql.Australia(),
    "weekends": ql.WeekendsOnly(),
    "none": ql.NullCalendar(),
}
"""Calendars by name. ``weekends`` knows no holidays, ``none`` not even weekends."""
CONVENTIONS: Final[dict[str, int]] = {
    "following": ql.Following,
    "modified following": ql.ModifiedFollowing,
    "preceding": ql.Preceding,
    "modified preceding": ql.ModifiedPreceding,
    "nearest": ql.Nearest,
    "unadjusted": ql.Unadjusted,
}
YEAR_LAST: Final = 2199  # of QuantLib's dates
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


def is_business_day(day: date, calendar: str) -> bool:
    """Whether ``day`` is one in the calendar named. Raises as `adjusted`."""
    return bool(_calendar(calendar, day.year).isBusinessDay(_ql(day)))


def adjusted(day: date, calendar: str, convention: str) -> date:
    """The business day that stands for ``day``.

    Raises:
        Invalid: ``calendar.unknown`` for a calendar or convention not listed here, ``calendar.too_late`` after 2199.
    """
    if convention not in CONVENTIONS:
        raise _unknown("convention", convention, CONVENTIONS)
    moved = _calendar(calendar, day.year).adjust(_ql(day), CONVENTIONS[convention])
    return date(moved.year(), moved.month(), moved.dayOfMonth())


def add_months(day: date, months: int) -> date:
    """The same day ``months`` later, or the month's last where it has no such day."""
    years, month = divmod(day.month - 1 + months, 12)
    first = date(day.year + years, month + 1, 1)
    last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return first.replace(day=min(day.day, last.day))


def is_month_end(day: date) -> bool:
    """Whether ``day`` is its month's last."""
    return (day + timedelta(days=1)).day == 1


def period_ends_s(
    start_s: int, months: int, step_s: int, periods: int, calendar: str, convention: str
) -> tuple[int, ...]:
    """The ends of ``periods`` periods [s since 1970]: every ``months`` (or ``step_s`` [s]) from the start, adjusted.

    Each is counted from the start, so that an adjustment moves no later end.

    Raises:
        Invalid: as `adjusted`, and ``calendar.not_rising`` where two ends fall on one day.
    """
    plain = _plain_ends(start_s, months, step_s, periods)
    moved = [datetime.combine(adjusted(at.date(), calendar, convention), at.timetz()) for at in plain]
    ends = tuple((at - _EPOCH) // _SECOND for at in moved)
    if any(later <= earlier for earlier, later in zip((start_s, *ends), ends, strict=False)):
        hint = "Let periods be a month or longer, or leave business days out."
        raise Invalid("calendar.not_rising", "Two periods end on the same business day.", hint=hint)
    return ends


def plain_ends_s(start_s: int, months: int, step_s: int, periods: int) -> tuple[int, ...]:
    """The ends of periods as the step says it, whatever the day [s since 1970]. Raises ``calendar.too_late``."""
    return tuple((at - _EPOCH) // _SECOND for at in _plain_ends(start_s, months, step_s, periods))


def _plain_ends(start_s: int, months: int, step_s: int, periods: int) -> list[datetime]:
    start = _EPOCH + timedelta(seconds=start_s)
    if start.year + (months * periods) // 12 + step_s * periods // (365 * 86_400) > YEAR_LAST:
        raise _too_late(YEAR_LAST + 1)
    return [_later(start, months * k, step_s * k) for k in range(1, periods + 1)]


def _later(start: datetime, months: int, seconds: int) -> datetime:
    return datetime.combine(add_months(start.date(), months), start.timetz()) + timedelta(seconds=seconds)


def _calendar(name: str, year: int) -> ql.Calendar:
    if name not in CALENDARS:
        raise _unknown("calendar", name, CALENDARS)
    if year > YEAR_LAST:
        raise _too_late(year)
    return CALENDARS[name]


def _ql(day: date) -> ql.Date:
    return ql.Date(day.day, day.month, day.year)


def _unknown(what: str, name: str, known: Mapping[str, object]) -> Invalid:
    return Invalid("calendar.unknown", f"There is no {what} `{name}`.", hint=f"Choose one of: {', '.join(known)}.")


def _too_late(year: int) -> Invalid:
    return Invalid("calendar.too_late", f"Business days are known up to {YEAR_LAST}.", hint="End earlier.", year=year)
