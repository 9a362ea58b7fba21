"""What stands in a schedule: amounts, rates, counts, speeds, and schedules named before; what is wrong is noted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from penstock.capital import quantity
from penstock.capital.deal import Calendar, Column
from penstock.capital.source import Place, Source

PERIODS_MAX: Final = 1_200  # a hundred years of months
LIMIT: Final = 2**62 - 1
YEAR_S: Final = 365 * 86_400
RATE_ONE: Final = 10**8
VALUE_REMEDY: Final = "Write `100 USDC`, `5 %`, `1_200 kWh` or a whole number."
_WHOLE: Final = re.compile(r"\d[\d_]{0,18}")
_PSA: Final = re.compile(r"(\d{1,4}) ?PSA")
_ENERGY: Final = re.compile(r"(\d[\d_]{0,20}(?:\.\d{1,12})?) ?(Wh|kWh|MWh)")
_WH: Final = {"Wh": 1, "kWh": 10**3, "MWh": 10**6}


def period_rate(rate: Fraction, calendar: Calendar) -> Fraction:
    """A rate a year as one a period: twelfths of it a month, or the step's share of 365 days."""
    return rate * calendar.months / 12 if calendar.months else rate * calendar.step_s / YEAR_S


@dataclass(frozen=True, slots=True)
class Values:
    """Reads the values of one schedule; one method a kind of value."""

    source: Source
    calendar: Calendar
    known: Mapping[str, Column]

    def start(self, place: Place, text: str) -> int:
        period = int(text) if _WHOLE.fullmatch(text) else 0
        if not 1 <= period <= self.calendar.periods:
            self.source.wrong(place, "This is no period of the deal.", f"Write 1 to {self.calendar.periods:,}.")
        return period

    def cash(self, place: Place) -> tuple[int, ...]:
        """Another schedule's dollars, one a period; empty where there is none."""
        if not self.source.known(place, place.text, self.known, "schedule above this one"):
            return ()
        cash = self.known[place.text]
        if cash.unit != "USDC":
            self.source.wrong(place, f"`{cash.name}` is in {cash.unit}.", "Name a schedule of dollars.")
            return ()
        return (*cash.values, *(cash.values[-1:] * self.calendar.periods))[: self.calendar.periods]

    def stretch(self, at: Mapping[str, Place]) -> tuple[int, int]:
        """First period of a repayment, and over how many it runs."""
        periods = self.calendar.periods
        first = self.count(at["from"], periods) if "from" in at else 1
        return first, self.count(at["over"], PERIODS_MAX) if "over" in at else periods - first + 1

    def rate_a_period(self, place: Place) -> Fraction:
        return period_rate(self.rate(place), self.calendar)

    def psa(self, place: Place) -> int | None:
        found = _PSA.fullmatch(place.text)
        if not found:
            self.source.wrong(place, "This is no prepayment speed.", "Write `90 PSA`.")
        return int(found[1]) if found else None

    def value(self, place: Place) -> tuple[str, int]:
        """One written value: its unit, and how many of the smallest units."""
        text = place.text
        share = quantity.percent(text) if text.endswith("%") else None
        if share is not None and (share * RATE_ONE).denominator == 1:
            return "rate", int(share * RATE_ONE)
        if text.endswith("USDC") and (amount := quantity.money(text)) is not None:
            return "USDC", amount
        if (found := _ENERGY.fullmatch(text)) and (wh := _number(found[1]) * _WH[found[2]]).denominator == 1:
            return "Wh", int(wh)
        if _WHOLE.fullmatch(text):
            return "count", int(text)
        self.source.wrong(
            place, f"`{text}` is no value of a schedule." if text else "A value is missing.", VALUE_REMEDY
        )
        return "", 0

    def money(self, place: Place) -> int:
        amount = quantity.money(place.text)
        if amount is None or amount > LIMIT:
            self.source.wrong(place, "This is no amount.", "Write dollars, as in `2_000_000 USDC`.")
            return 0
        return amount

    def rate(self, place: Place) -> Fraction:
        share = quantity.percent(place.text)
        if share is None:
            self.source.wrong(place, "A rate lies between 0 and 100 % a year.", "Write `5.75 %` or `0.0575`.")
        return share or Fraction(0)

    def count(self, place: Place, most: int, least: int = 1) -> int:
        number = int(place.text) if _WHOLE.fullmatch(place.text) else -1
        if least <= number <= most:
            return number
        self.source.wrong(place, "This is no number of periods.", f"Write a whole number from {least} to {most:,}.")
        return max(least, 1)


def _number(text: str) -> Fraction:
    return Fraction(text.replace("_", ""))
