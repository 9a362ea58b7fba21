"""Ends of periods on business days, for the calendar of a deal."""

from __future__ import annotations

from dataclasses import replace

from penstock.capital.deal import Calendar
from penstock.capital.source import Place, Source
from penstock.errors import Invalid
from penstock.rates.calendar import period_ends_s

CONVENTION: str = "following"
"""What becomes of an end that is no business day where the deal does not say."""


def on_business_days(source: Source, place: Place, calendar: Calendar) -> Calendar:
    """The calendar with ``ends_s`` filled where ``business`` names a calendar; a mistake noted where that fails.

    Args:
        source: takes the mistake.
        place: of the deal's ``calendar``.
        calendar: as written: ``business``, ``convention`` and ``periods`` read, ``ends_s`` still empty.
    """
    if not calendar.business and not calendar.convention:
        return calendar
    if not calendar.business:
        source.wrong(place, "A convention needs a calendar of business days.", "Add `business_days: US`.")
        return calendar
    if not calendar.periods:
        source.wrong(place, "Business days need an end.", "Say how many periods there are: `periods: 240`.")
        return calendar
    try:
        return with_ends(calendar)
    except Invalid as error:
        source.wrong(place, error.message, error.hint)
        return calendar


def with_ends(calendar: Calendar) -> Calendar:
    """The calendar with ``ends_s`` on the business days it names. Raises as `period_ends_s`."""
    convention = calendar.convention or CONVENTION
    ends = period_ends_s(
        calendar.start_s, calendar.months, calendar.step_s, calendar.periods, calendar.business, convention
    )
    return replace(calendar, ends_s=ends, convention=convention)
