"""The cells of an asset table: what each column says, how a cell is read, and what to write instead.

A cell is text; a parser gives its whole number of the smallest units, or None where the text is not of its form.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from penstock.journal.kinds.servicing import AssetKind
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, Assurance
from penstock.period import to_us

NO_TECHNOLOGY: Final = 255
NONE: Final = "none"
BALANCE_MAX: Final = 2**52  # 4.5 billion dollars: products of an asset's flows stay within 64 bits
TERM_MAX: Final = 1_200
_DECIMAL: Final = re.compile(r"(\d{1,3}(?:,\d{3})+|\d{1,12})(?:\.(\d{1,6}))?")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")


class Repayment(StrEnum):
    """How an asset pays."""

    LEVEL = "level"  # equal payments of interest and principal
    STRAIGHT = "straight"  # equal parts of principal, and interest
    BULLET = "bullet"  # interest, and all principal in the last payment
    FIXED = "fixed"  # a price a period, which may rise or wear off; no principal


ASSET_KINDS: Final = tuple(AssetKind)
REPAYMENTS: Final = tuple(Repayment)
COUNTS: Final = ("30/360", "act/365", "act/360")
LENDING: Final = frozenset({AssetKind.LOAN, AssetKind.INTERCONNECTION})
"""Kinds that repay level unless they say otherwise; all others are paid a fixed price."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column of numbers: its parser, its default (None: required), and what to write where a cell cannot be read."""

    read: Callable[[str], int | None]
    default: str | None
    remedy: str


def micro(text: str) -> int | None:
    """``1,234.567891`` dollars [micro-dollars], at most 4.5 billion dollars."""
    found = _DECIMAL.fullmatch(text)
    if not found:
        return None
    amount = int(found[1].replace(",", "")) * 10**6 + int((found[2] or "").ljust(6, "0"))
    return amount if amount <= BALANCE_MAX else None


def percent_e8(text: str) -> int | None:
    """``8.125`` (or ``8.125 %``) percent [hundred-millionths], at most 100 %."""
    found = _DECIMAL.fullmatch(text.removesuffix("%").rstrip())
    if not found:
        return None
    rate = int(found[1].replace(",", "")) * 10**6 + int((found[2] or "").ljust(6, "0"))
    return rate if rate <= 10**8 else None


def instant_us(text: str) -> int | None:
    """``2026-01-15`` (midnight UTC) or an instant with its offset [us since 1970]."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    if _DATE.fullmatch(text[:10]) and when.tzinfo is None and when.time().isoformat() == "00:00:00":
        when = when.replace(tzinfo=UTC)
    return to_us(when) if when.tzinfo is not None and 1970 < when.year < 2200 else None


def whole(most: int, least: int = 0) -> Callable[[str], int | None]:
    """A parser of whole numbers from ``least`` to ``most``."""

    def read(text: str) -> int | None:
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1
        return number if least <= number <= most else None

    return read


def code(words: tuple[str, ...]) -> Callable[[str], int | None]:
    """A parser of words to their place in ``words``."""
    places = {str(word): place for place, word in enumerate(words)}
    return lambda text: places.get(text.lower().replace(" ", "_"))


def technology(text: str) -> int | None:
    """The code of a technology; 255 for ``none``."""
    return NO_TECHNOLOGY if text == NONE else code(TECHNOLOGIES)(text)


def yes(text: str) -> int | None:
    """1 for ``yes``, 0 for ``no``."""
    return {"yes": 1, "true": 1, "1": 1, "no": 0, "false": 0, "0": 0}.get(text.lower())


_DOLLARS: Final = "Write dollars with at most six decimals, as 12,345.67."
_PERCENT: Final = "Write percent a year, as 5.75."
_WHEN: Final = "Write a date, as 2026-01-15."
FIELDS: Final[dict[str, Field]] = {
    "kind": Field(code(ASSET_KINDS), None, f"Write one of: {', '.join(ASSET_KINDS)}."),
    "balance_usdc": Field(micro, None, _DOLLARS),
    "rate_percent": Field(percent_e8, None, _PERCENT),
    "starts": Field(instant_us, None, _WHEN),
    "ends": Field(instant_us, None, _WHEN),
    "first_due": Field(instant_us, None, _WHEN),
    "term_periods": Field(whole(TERM_MAX, 1), None, f"Write how many payments are left, 1 to {TERM_MAX:,}."),
    "technology": Field(technology, NONE, f"Write one of: {', '.join(TECHNOLOGIES)}; or leave it empty."),
    "assurance": Field(code(ASSURANCES), Assurance.DECLARED, f"Write one of: {', '.join(ASSURANCES)}."),
    "related": Field(yes, "no", "Write yes or no."),
    "value_usdc": Field(micro, "", _DOLLARS),
    "payment_usdc": Field(micro, "", _DOLLARS),
    "repays": Field(code(REPAYMENTS), "", f"Write one of: {', '.join(REPAYMENTS)}."),
    "count": Field(code(COUNTS), "30/360", f"Write one of: {', '.join(COUNTS)}."),
    "every_months": Field(whole(12, 1), "1", "Write how many months lie between payments, 1 to 12."),
    "escalation_percent": Field(percent_e8, "0", _PERCENT),
    "degradation_percent": Field(percent_e8, "0", _PERCENT),
}
NAMES: Final = ("asset", "contract", "offtaker", "obligor", "region")
"""Columns of names; all required."""
REGISTERS: Final = "registers"
