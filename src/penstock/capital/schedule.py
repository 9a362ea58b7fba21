"""The ``schedule:`` of a deal: each entry to a `Column`, one whole number a period, exact at load.

Forms: a list; ``annuity``, ``straight`` and ``sculpt`` (principal a period); ``grow`` (an amount that rises or wears
off); ``steps`` (by period); ``pac`` (what a planned class should still have outstanding); ``ahead`` and ``worth`` (what
another schedule still brings, summed or discounted).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final

import yaml

from penstock.capital import ahead, amortise, prepayment, quantity
from penstock.capital.deal import Calendar, Column
from penstock.capital.schedule_values import LIMIT, PERIODS_MAX, VALUE_REMEDY, Values
from penstock.capital.source import Place, Source
from penstock.errors import Invalid

TERM_MAX: Final = 480  # months of a loan in a pool
COLUMNS_MAX: Final = 32  # more than the chain takes; bounds what reading a text can cost
_FORMS: Final = {
    "annuity": ("annuity", "rate", "over", "from"),
    "straight": ("straight", "over", "from"),
    "sculpt": ("sculpt", "to", "debt", "rate", "over", "from"),
    "grow": ("grow", "by", "every", "less"),
    "steps": ("steps",),
    "pac": ("pac", "pool", "rate", "term", "age", "between"),
    "ahead": ("ahead", "over"),
    "worth": ("worth", "rate", "until"),
}
_NEEDED: Final = {
    "annuity": ("annuity", "rate"),
    "straight": ("straight",),
    "sculpt": ("sculpt", "to", "debt", "rate"),
    "grow": ("grow",),
    "steps": ("steps",),
    "pac": ("pac", "pool", "rate", "term", "between"),
    "ahead": ("ahead", "over"),
    "worth": ("worth", "rate"),
}
FORMS: Final = tuple(_FORMS)
"""The first word of each computed form."""


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


class _Reader(Values):
    """One method a form."""

    __slots__ = ()

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
            "ahead": self.ahead,
            "worth": self.worth,
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
            self.source.wrong(place, "The list is empty.", VALUE_REMEDY)
        elif len(items) > (self.calendar.periods or PERIODS_MAX):
            message = f"There are {len(items)} values for {self.calendar.periods or PERIODS_MAX} periods."
            self.source.wrong(place, message, "Shorten the list, or raise `periods:` in the calendar.")
        return Column(name, self.one_unit(place, values), tuple(value for _, value in values) or (0,))

    def one_unit(self, place: Place, values: Sequence[tuple[str, int]]) -> str:
        units = sorted({unit for unit, _ in values if unit})
        if len(units) > 1:
            self.source.wrong(place, f"One schedule has one unit, not {' and '.join(units)}.", VALUE_REMEDY)
        return units[0] if units else "USDC"

    def annuity(self, at: Mapping[str, Place]) -> tuple[str, list[int]]:
        rate = self.rate_a_period(at["rate"])
        first, over = self.stretch(at)
        return "USDC", self.laid(amortise.level(self.money(at["annuity"]), rate, over), first)

    def straight(self, at: Mapping[str, Place]) -> tuple[str, list[int]]:
        first, over = self.stretch(at)
        return "USDC", self.laid(amortise.straight(self.money(at["straight"]), over), first)

    def sculpt(self, at: Mapping[str, Place]) -> tuple[str, list[int]]:
        cash, target = self.cash(at["sculpt"]), quantity.ratio(at["to"].text)
        if not target:
            self.source.wrong(at["to"], "This is no coverage.", "Write `to: 1.30`.")
        if not cash or not target:
            return "USDC", [0]
        first, over = self.stretch(at)
        values = (*cash, *(cash[-1:] * (first + over)))[first - 1 : first - 1 + over]
        parts = amortise.sculpt(values, target, self.money(at["debt"]), self.rate_a_period(at["rate"]))
        return "USDC", self.laid(parts, first)

    def ahead(self, at: Mapping[str, Place]) -> tuple[str, list[int]]:
        return "USDC", list(ahead.total(self.cash(at["ahead"]), self.count(at["over"], PERIODS_MAX)))

    def worth(self, at: Mapping[str, Place]) -> tuple[str, list[int]]:
        cash, rate = self.cash(at["worth"]), self.rate_a_period(at["rate"])
        until = self.count(at["until"], self.calendar.periods) if "until" in at else self.calendar.periods
        return "USDC", self.laid(ahead.worth_down(cash[:until], rate), 1)

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

    def laid(self, values: Sequence[int], first: int) -> list[int]:
        """The values from period ``first`` on, nothing before and, within the deal's periods, nothing after."""
        return [*[0] * (first - 1), *values, 0][: self.calendar.periods]
