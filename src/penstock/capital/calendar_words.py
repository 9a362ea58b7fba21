"""``calendar:`` when periods start and end, and by which business days; and what dates say in periods."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from penstock.capital.deal import Calendar
from penstock.capital.reader import Reader
from penstock.capital.source import Place

PAYS: Final = {
    "hourly": (3600, 0), "daily": (86400, 0), "weekly": (604800, 0), "monthly": (0, 1), "quarterly": (0, 3),
    "semiannual": (0, 6), "yearly": (0, 12),
}  # fmt: skip
PERIODS_MAX: Final = 1200
WORDS: Final = ("grace", "periods", "business_days", "convention")


def read_calendar(reader: Reader, place: Place) -> Calendar:
    """The calendar of a deal; business days need ``periods``."""
    at = reader.source.mapping(place, WORDS, ("pays", "starts"))
    step_s, months = 86400, 0
    if "pays" in at and reader.source.known(at["pays"], at["pays"].text, PAYS, "rhythm"):
        step_s, months = PAYS[at["pays"].text]
    calendar = Calendar(
        _instant(reader, at["starts"], months) if "starts" in at else 0,
        step_s,
        months,
        reader.duration(at["grace"]) if "grace" in at else 0,
        reader.whole(at["periods"], 1, PERIODS_MAX, "number of periods") if "periods" in at else 0,
        business=at["business_days"].text if "business_days" in at else "",
        convention=at["convention"].text if "convention" in at else "",
    )
    return _on_business_days(reader, place, calendar)


def _on_business_days(reader: Reader, place: Place, calendar: Calendar) -> Calendar:
    if not calendar.business and not calendar.convention:
        return calendar
    from penstock.capital.business_days import on_business_days  # brings QuantLib, which few deals need

    return on_business_days(reader.source, place, calendar)


def _instant(reader: Reader, place: Place, months: int) -> int:
    try:
        when = datetime.fromisoformat(place.text)
    except ValueError:
        when = datetime(1, 1, 1)  # noqa: DTZ001 - refused below
    whole = when.tzinfo is not None and when.microsecond == 0
    seconds = int(when.timestamp()) if whole and 1971 < when.year < 9998 else -1
    if seconds < 0:
        remedy = "Write a time with its offset, as `2016-08-22T00:00:00-07:00`."
        reader.source.wrong(place, "This is no instant.", remedy)
    elif months and datetime.fromtimestamp(seconds, tz=UTC).day > 28:
        reader.source.wrong(place, "Months do not all have this day (in UTC).", "Start on the 28th or before.")
    return max(seconds, 0)


def period_from(calendar: Calendar, at_s: int) -> int:
    """The first period, counting from 1, that starts at ``at_s`` [s since 1970] or later, by unadjusted dates."""
    if not calendar.months:
        return max(-(-(at_s - calendar.start_s) // calendar.step_s), 0) + 1
    start, at = (datetime.fromtimestamp(second, tz=UTC) for second in (calendar.start_s, at_s))
    months = (at.year - start.year) * 12 + at.month - start.month
    within = (at.day, at.time()) > (start.day, start.time())
    return max(-(-(months + within) // calendar.months), 0) + 1
