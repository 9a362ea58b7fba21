"""The written quantities of a deal: dollars, rates, ratios, tariffs, times. Exact: text to integers and ratios.

Each parser gives None where the text is not of its form; the caller says what to write instead.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from fractions import Fraction
from typing import Final

MICRO: Final = 1_000_000
_NUMBER: Final = r"(\d[\d_]{0,20}(?:\.\d{1,12})?)"
_MONEY: Final = re.compile(_NUMBER + r"(?: USDC)?")
_PERCENT: Final = re.compile(_NUMBER + r" ?%")
_PLAIN: Final = re.compile(_NUMBER)
_TARIFF: Final = re.compile(_NUMBER + r" USDC per (\w+)")
_YEARLY: Final = re.compile(r"(.+%) a year")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME: Final = re.compile(r"(\d{1,6}) ?(s|min|h|d)")
_SCALES: Final = {"Wh": (1, "Wh"), "kWh": (10**3, "Wh"), "MWh": (10**6, "Wh"), "token": (1, "tokens")}
_SCALES_TOKEN: Final = {"ktoken": (10**3, "tokens"), "Mtoken": (10**6, "tokens")}
_SECONDS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86400}


def _number(text: str) -> Fraction:
    return Fraction(text.replace("_", ""))


def money(text: str) -> int | None:
    """``600 USDC`` or ``1_000.50`` [micro-dollars]; None for another form or parts of a micro-dollar."""
    found = _MONEY.fullmatch(text)
    amount = _number(found[1]) * MICRO if found else Fraction(1, 2)
    return int(amount) if amount.denominator == 1 else None


def percent(text: str) -> Fraction | None:
    """``5.75 %`` or ``0.0575`` as a ratio of at most 1; None for another form or more."""
    if found := _PERCENT.fullmatch(text):
        share = _number(found[1]) / 100
    elif found := _PLAIN.fullmatch(text):
        share = _number(found[1])
        return share if share < 1 else None  # a bare 1 or 8 is more likely meant in percent
    else:
        return None
    return share if share <= 1 else None


def ratio(text: str) -> Fraction | None:
    """``1.20`` exactly."""
    found = _PLAIN.fullmatch(text)
    return _number(found[1]) if found else None


def tariff(text: str) -> tuple[Fraction, str] | None:
    """``0.08 USDC per kWh``: micro-dollars per unit, and the unit's name."""
    found = _TARIFF.fullmatch(text)
    scale = (_SCALES | _SCALES_TOKEN).get(found[2]) if found else None
    return (_number(found[1]) * MICRO / scale[0], scale[1]) if found and scale else None


def duration(text: str) -> int | None:
    """``6 h`` [s]."""
    found = _TIME.fullmatch(text)
    return int(found[1]) * _SECONDS[found[2]] if found else None


def yearly(text: str) -> Fraction | None:
    """``0.25 % a year`` as a ratio."""
    found = _YEARLY.fullmatch(text)
    return percent(found[1].strip()) if found else None


def day(text: str) -> int | None:
    """The first instant of ``2046-06-20``, in UTC [s since 1970]."""
    try:
        when = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(when.timestamp()) if _DATE.fullmatch(text) and 1971 < when.year < 9998 else None
