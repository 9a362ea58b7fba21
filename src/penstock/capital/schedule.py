"""The ``schedule:`` of a deal: each entry to a `Column`, one whole number a period, exact at load.

Forms: a list; ``annuity``, ``straight`` and ``sculpt`` (principal a period); ``grow`` (an amount that rises or wears
off); ``steps`` (by period); ``pac`` (what a planned class should still have outstanding).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import yaml

from penstock.capital import amortise, prepayment, quantity
from penstock.capital.deal import Calendar, Column
from penstock.capital.source import Place, Source
from penstock.errors import Invalid

PERIODS_MAX: Final = 1_200  # a hundred years of months
TERM_MAX: Final = 480  # months of a loan in a pool
COLUMNS_MAX: Final = 32  # more than the chain takes; bounds what reading a text can cost
LIMIT: Final = 2**62 - 1
YEAR_S: Final = 365 * 86_400
RATE_ONE: Final = 10**8
_WHOLE: Final = re.compile(r"\d[\d_]{0,18}")
_PSA: Final = re.compile(r"(\d{1,4}) ?PSA")
_ENERGY: Final = re.compile(r"(\d[\d_]{0,20}(?:\.\d{1,12})?) ?(Wh|kWh|MWh)")
_WH: Final = {"Wh": 1, "kWh": 10**3, "MWh": 10**6}
_FORMS: Final = {
    "annuity": ("annuity", "rate", "over", "from"),
    "straight": ("straight", "over", "from"),
    "sculpt": ("sculpt", "to", "debt", "rate", "over", "from"),
    "grow": ("grow", "by", "every", "less"),
    "steps": ("steps",),
    "pac": ("pac", "pool", "rate", "term", "age", "between"),
}
_NEEDED: Final = {
    "annuity": ("annuity", "rate"),
    "straight": ("straight",),
    "sculpt": ("sculpt", "to", "debt", "rate"),
    "grow": ("grow",),
    "steps": ("steps",),
    "pac": ("pac", "pool", "rate", "term", "between"),
}
_VALUE_REMEDY: Final = "Write `100 USDC`, `5 %`, `1_200 kWh` or a whole number."


def column(
    source: Source, place: Place, name: str, periods: Calendar, columns_so_far: Mapping[str, Column] | Sequence[Column]
) -> Column:
    """One entry of ``schedule:`` as a column; what is wrong is noted in ``source`` and read as a harmless column.

    Args:
        source: takes the mistakes.
        place: of the entry, a list or a mapping.
        name: the entry's.
        periods: the deal's calendar: how many periods, and how long.
        columns_so_far: those above it, which ``sculpt`` may name.
    """
    known = columns_so_far if isinstance(columns_so_far, Mapping) else {one.name: one for one in columns_so_far}
    if len(known) >= COLUMNS_MAX:
        source.wrong(place, f"A deal has at most {COLUMNS_MAX} schedules.", "Leave some out.")
        return Column(name, "USDC", (0,))
    try:
        found = _Reader(source, periods, known).column(place, name)
    except Invalid as error:
        source.wrong(place, error.message, error.hint)
        return Column(name, "USDC", (0,))
    if max(found.values) > LIMIT:
        source.wrong(place, "A value is more than the chain can hold.", f"Stay below {LIMIT:,} units.")
        return Column(name, found.unit, (0,))
    return found


def period_rate(rate: Fraction, calendar: Calendar) -> Fraction:
    """A rate a year as one a period: twelfths of it a month, or the step's share of 365 days."""
    return rate * calendar.months / 12 if calendar.months else rate * calendar.step_s / YEAR_S


@dataclass(frozen=True, slots=True)
class _Reader:
    """One method a form."""

    source: Source
    calendar: Calendar
    known: Mapping[str, Column]

    def column(self, place: Place, name: str) -> Column:
        if isinstance(place.node, yaml.SequenceNode):
            return self.listed(place, name)
        at = self.source.mapping(place) if isinstance(place.node, yaml.MappingNode) else {}
        form = next((form for form in _FORMS if form in at), "")
        if not form:
            remedy = f"Write a list, or one of: {', '.join(_FORMS)}."
            self.source.wrong(place, "This is no schedule.", remedy)
            return Column(name, "USDC", (0,))
        at = self.source.mapping(place, _FORMS[form], _NEEDED[form])
        if not all(key in at for key in _NEEDED[form]) or not self._ends(place):
            return Column(name, "USDC", (0,))
        read = {
            "annuity": self.annuity,
            "straight": self.straight,
            "sculpt": self.sculpt,
            "grow": self.grow,
            "steps": self.steps,
            "pac": self.pac,
        }[form]
        unit, values = read(at)
        return Column(name, unit, tuple(values) or (0,))

    def _ends(self, place: Place) -> bool:
        if 0 < self.calendar.periods <= PERIODS_MAX:
            return True
        message = "A schedule needs to know how many periods there are."
        self.source.wrong(place, message, f"Say `periods: 240` in the calendar, at most {PERIODS_MAX:,}.")
        return False

    def listed(self, place: Place, name: str) -> Column:
        items = self.source.items(place)
        values = [self.value(item) for item in items[: PERIODS_MAX + 1]]
        if not items:
            self.source.wrong(place, "The list is empty.", _VALUE_REMEDY)
        elif len(items) > (self.calendar.periods or PERIODS_MAX):
            message = f"There are {len(items)} values for {self.calendar.periods or PERIODS_MAX} periods."
            self.source.wrong(place, message, "Shorten the list, or raise `periods:` in the calendar.")
        return Column(name, self.one_unit(place, values), tuple(value for _, value in values) or (0,))

    def one_unit(self, place: Place, values: Sequence[tuple[str, int]]) -> str:
        units = sorted({unit for unit, _ in values if unit})
        if len(units) > 1:
            self.source.wrong(place, f"One schedule has one unit, not {' and '.join(units)}.", _VALUE_REMEDY)
        return units[0] if units else "USDC"

    def annuity(self, at: Mapping[str, Place]) -> tuple[str, list[int]]:
        rate = period_rate(self.rate(at["rate"]), self.calendar)
        first, over = self.stretch(at)
        return "USDC", self.laid(amortise.level(self.money(at["annuity"]), rate, over), first)

    def straight(self, at: Mapping[str, Place]) -> tuple[str, list[int]]:
        first, over = self.stretch(at)
        return "USDC", self.laid(amortise.straight(self.money(at["straight"]), over), first)

    def sculpt(self, at: Mapping[str, Place]) -> tuple[str, list[int]]:
        if not self.source.known(at["sculpt"], at["sculpt"].text, self.known, "schedule above this one"):
            return "USDC", [0]
        cash = self.known[at["sculpt"].text]
        if cash.unit != "USDC":
            self.source.wrong(at["sculpt"], f"`{cash.name}` is in {cash.unit}.", "Sculpt to a schedule of dollars.")
            return "USDC", [0]
        target = quantity.ratio(at["to"].text)
        if not target:
            self.source.wrong(at["to"], "This is no coverage.", "Write `to: 1.30`.")
            return "USDC", [0]
        first, over = self.stretch(at)
        values = (*cash.values, *(cash.values[-1:] * (first + over)))[first - 1 : first - 1 + over]
        rate = period_rate(self.rate(at["rate"]), self.calendar)
        return "USDC", self.laid(amortise.sculpt(values, target, self.money(at["debt"]), rate), first)

    def grow(self, at: Mapping[str, Place]) -> tuple[str, list[int]]:
        unit, base = self.value(at["grow"])
        by = self.rate(at["by"]) if "by" in at else Fraction(0)
        less = self.rate(at["less"]) if "less" in at else Fraction(0)
        every = self.count(at["every"], PERIODS_MAX) if "every" in at else 1
        return unit or "USDC", list(amortise.grow(base, by, less, every, self.calendar.periods))

    def steps(self, at: Mapping[str, Place]) -> tuple[str, list[int]]:
        node = at["steps"].node
        if not isinstance(node, yaml.MappingNode) or not node.value:
            self.source.wrong(at["steps"], "These are no steps.", "Write `{1: 5 %, 61: 7 %}`: from period, value.")
            return "USDC", [0]
        places = [(at["steps"].under(str(key.value), value, key), str(key.value)) for key, value in node.value]
        starts = [self.start(place, text) for place, text in places]
        if starts[0] != 1 or sorted(set(starts)) != starts:
            self.source.wrong(at["steps"], "Steps start at period 1 and rise.", "Write `{1: 5 %, 61: 7 %}`.")
            return "USDC", [0]
        values = [self.value(place) for place, _ in places]
        ends = [*starts[1:], self.calendar.periods + 1]
        flat = [value for (_, value), first, end in zip(values, starts, ends, strict=True) for _ in range(first, end)]
        return self.one_unit(at["steps"], values), flat

    def start(self, place: Place, text: str) -> int:
        period = int(text) if _WHOLE.fullmatch(text) else 0
        if not 1 <= period <= self.calendar.periods:
            self.source.wrong(place, "This is no period of the deal.", f"Write 1 to {self.calendar.periods:,}.")
        return period

    def pac(self, at: Mapping[str, Place]) -> tuple[str, list[int]]:
        if self.calendar.months != 1:
            self.source.wrong(at["pac"], "Prepayment speeds are monthly.", "Let the deal pay monthly.")
            return "USDC", [0]
        age = self.count(at["age"], PERIODS_MAX, least=0) if "age" in at else 0
        term = self.count(at["term"], TERM_MAX)
        pool = prepayment.Pool(self.money(at["pool"]), self.rate(at["rate"]), term, age)
        speeds = [self.psa(item) for item in self.source.items(at["between"])]
        known = [speed for speed in speeds if speed is not None]
        if len(known) < len(speeds):
            return "USDC", [0]
        if len(known) != 2 or known[0] > known[1]:
            self.source.wrong(at["between"], "Two speeds, the lower first, are needed.", "Write `[90 PSA, 300 PSA]`.")
            return "USDC", [0]
        left = prepayment.planned_balance(self.money(at["pac"]), prepayment.planned(pool, *known))
        return "USDC", [*left, 0][: self.calendar.periods]

    def psa(self, place: Place) -> int | None:
        found = _PSA.fullmatch(place.text)
        if not found:
            self.source.wrong(place, "This is no prepayment speed.", "Write `90 PSA`.")
        return int(found[1]) if found else None

    def stretch(self, at: Mapping[str, Place]) -> tuple[int, int]:
        """First period of a repayment, and over how many it runs."""
        periods = self.calendar.periods
        first = self.count(at["from"], periods) if "from" in at else 1
        return first, self.count(at["over"], PERIODS_MAX) if "over" in at else periods - first + 1

    def laid(self, values: Sequence[int], first: int) -> list[int]:
        """The values from period ``first`` on, nothing before and, within the deal's periods, nothing after."""
        return [*[0] * (first - 1), *values, 0][: self.calendar.periods]

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
            place, f"`{text}` is no value of a schedule." if text else "A value is missing.", _VALUE_REMEDY
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
