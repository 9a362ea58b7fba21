"""Day counts: how many days lie between two dates, and how many make a year. Whole days, so that money stays exact.

Standards: ISDA 2006 Definitions, section 4.16: (d) Actual/365 (Fixed), (e) Actual/360, (f) 30/360 Bond Basis,
(g) 30E/360 Eurobond Basis.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

BASIS_DAYS: Final = {"act/365": 365, "act/360": 360, "30/360": 360}


def days_30_360(start: date, end: date) -> int:
    """Days from ``start`` to ``end`` by 30/360 Bond Basis: months of 30 days; a 31st counts as the 30th where the
    start is one of both too."""
    first = min(start.day, 30)
    last = 30 if end.day == 31 and first == 30 else end.day
    return 360 * (end.year - start.year) + 30 * (end.month - start.month) + last - first


def days_30e_360(start: date, end: date) -> int:
    """Days from ``start`` to ``end`` by 30E/360: months of 30 days; a 31st is always a 30th."""
    months = 12 * (end.year - start.year) + end.month - start.month
    return 30 * months + min(end.day, 30) - min(start.day, 30)


def days(count: str, start: date, end: date) -> int:
    """Days by the count named: actual ones, or as `days_30_360`."""
    return days_30_360(start, end) if count == "30/360" else (end - start).days


def days_30_360_of(start_s: int, end_s: int) -> int:
    """`days_30_360` of the UTC dates of two instants [s since 1970]."""
    return days_30_360(datetime.fromtimestamp(start_s, UTC).date(), datetime.fromtimestamp(end_s, UTC).date())
