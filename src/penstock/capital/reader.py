"""What every section reads: money, rates, terms, names. Wrong values are noted and read as harmless ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from penstock.capital import quantity
from penstock.capital.deal import Condition, Term
from penstock.capital.expression import Names, Reading, Unreadable, common_unit, read_condition, read_term
from penstock.capital.source import Place, Source

COUNTS: Final = ("act/365", "act/360", "30/360")
MONEY_REMEDY: Final = "Write dollars, as in `600 USDC` or `1_000.50 USDC`."
NOTHING: Final = Term("money")
NEVER: Final = Condition(NOTHING, True, NOTHING)


@dataclass(slots=True)
class Reader:
    """Reads places; ``names`` is what a bare name may mean in a term."""

    source: Source
    names: Names = field(default_factory=Names)

    def entries(self, place: Place | None) -> dict[str, Place]:
        """The entries of a section that may be left out."""
        return {} if place is None else self.source.mapping(place)

    def money(self, place: Place) -> int:
        """Dollars [micro-dollars]."""
        amount = quantity.money(place.text)
        if amount is None:
            negative = place.text.startswith("-")
            self.source.wrong(place, "Amounts are not negative." if negative else "This is no amount.", MONEY_REMEDY)
        return amount or 0

    def rate(self, place: Place, what: str = "A rate lies between 0 and 100 % a year.") -> Fraction:
        """A share of one."""
        share = quantity.percent(place.text)
        if share is None:
            self.source.wrong(place, what, _rate_remedy(place.text))
        return share or Fraction(0)

    def duration(self, place: Place) -> int:
        """A time [s]."""
        seconds = quantity.duration(place.text)
        if seconds is None:
            self.source.wrong(place, "This is no duration.", "Write `6 h`, `30 min` or `2 d`.")
        return seconds or 0

    def day(self, place: Place) -> int:
        """The first instant of a date [s since 1970]."""
        seconds = quantity.day(place.text)
        if seconds is None:
            self.source.wrong(place, "This is no date.", "Write `2046-06-20`.")
        return seconds or 0

    def whole(self, place: Place, least: int, most: int, what: str) -> int:
        """A whole number within bounds."""
        text = place.text.replace("_", "")
        if text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most:
            return int(text)
        self.source.wrong(place, f"This is no {what}.", f"Write a whole number from {least} to {most}.")
        return least

    def yes(self, place: Place, what: str) -> bool:
        """``true`` or ``false``."""
        if place.text not in ("true", "false"):
            self.source.wrong(place, what, f"Write `{place.path.rsplit('.')[-1]}: true`, or false.")
        return place.text == "true"

    def choice(self, place: Place | None, choices: tuple[str, ...], what: str) -> str:
        """One of the choices, the first where nothing is said."""
        if place is not None and self.source.known(place, place.text, choices, what):
            return place.text
        return choices[0]

    def term(self, place: Place, unit: str = "USDC") -> Term:
        """An amount of ``unit`` (empty: of any)."""
        return self.terms([place], unit)[0]

    def terms(self, places: list[Place], unit: str = "") -> list[Term]:
        """Amounts; what a bare number of one counts, another tells."""
        read = [(place, self._reading(place)) for place in places]
        units = {reading.unit for _, reading in read if reading and reading.unit}
        for place, reading in read:
            if unit and reading and reading.unit not in ("", unit):
                self.source.wrong(place, f"This is in {reading.unit}.", f"Name an amount in {unit}.")
        shared = unit or (units.pop() if len(units) == 1 else "")
        return [self._term(place, reading, shared) for place, reading in read]

    def _term(self, place: Place, reading: Reading | None, unit: str) -> Term:
        try:
            return reading.term(unit) if reading else NOTHING
        except Unreadable as error:
            self.source.wrong(place, error.message, error.remedy)
            return NOTHING

    def _reading(self, place: Place) -> Reading | None:
        if not place.text:
            self.source.wrong(place, "This is no amount.", MONEY_REMEDY)
            return None
        try:
            return read_term(place.text, self.names)
        except Unreadable as error:
            self.source.wrong(place, error.message, error.remedy)
            return None

    def amount(self, place: Place) -> tuple[Term, str]:
        """A term and its unit."""
        reading = self._reading(place)
        return self._term(place, reading, ""), (reading.unit or "USDC") if reading else ""

    def written(self, place: Place, text: str) -> Term:
        """A term in dollars that is part of a line."""
        try:
            reading = read_term(text, self.names)
            common_unit([reading, Reading("USDC", NOTHING)])
            return reading.term("USDC")
        except Unreadable as error:
            self.source.wrong(place, error.message, error.remedy)
            return NOTHING

    def condition(self, place: Place, text: str) -> Condition:
        """``X below Y``."""
        try:
            return read_condition(text, self.names)
        except Unreadable as error:
            self.source.wrong(place, error.message, error.remedy)
            return NEVER


def _rate_remedy(text: str) -> str:
    """575 was most likely meant in basis points, 8 in percent."""
    number = quantity.ratio(text.replace("%", "").strip())
    if number is None:
        return "Write `5.75 %` or `0.0575`."
    meant = number / 100 if number > 100 else number
    return f"Write `{float(meant):g} %` if that is meant."
