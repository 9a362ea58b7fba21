"""Amounts as meters and files write them - decimals, never floats - to whole units, rounded down."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Final

from penstock.units import INT64_MAX

DIGITS_MAX: Final = 24
_CHARS_MAX: Final = 64
_DIGITS: Final = re.compile(r" *[0-9]+(\.[0-9]+)? *", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def whole_down(value: Any, power_of_ten: int) -> int:
    """``value`` - an int, a Decimal, or digits with blanks around - times the power of ten, rounded down to an int64.

    Raises:
        ValueError: for anything else, negative and infinite values, floats and NaN.
    """
    if type(value) is str and len(value) <= _CHARS_MAX and _DIGITS.fullmatch(value):
        value = Decimal(value.strip())
    if type(value) is int and abs(value) <= INT64_MAX:
        value = Decimal(value)
    if type(value) is not Decimal or not value.is_finite() or value < 0:
        raise ValueError("not an amount")
    if len(value.as_tuple().digits) > DIGITS_MAX or not -DIGITS_MAX < value.adjusted() < DIGITS_MAX:
        raise ValueError("too many digits")
    whole = int(value.scaleb(power_of_ten).to_integral_value(ROUND_FLOOR))
    if whole > INT64_MAX:
        raise ValueError("beyond 63 bits")
    return whole


def instant_us(at: datetime) -> int:
    """Microseconds since 1970 of an aware datetime; ValueError for a naive one, or an earlier one."""
    if at.tzinfo is None:
        raise ValueError("a time without its zone")
    if at < _EPOCH:
        raise ValueError("before 1970")
    return (at - _EPOCH) // timedelta(microseconds=1)
