"""Rates that move: attested fixings, margins, floors, caps, step-ups, schedules; and how days are counted.

Moving rates are whole hundred-millionths. Without a fresh report the last fixing stands.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import Final

from penstock.capital.deal import Deal, Floating, StepUp, Tranche
from penstock.capital.program import OWN, Raw
from penstock.capital.registers import DAYS, DAYS_30_360, INFINITE_WHEN_STALE, ONE, SECONDS, ZERO, Registers
from penstock.capital.terms import PERIOD, Terms
from penstock.errors import Refused

DAY_S: Final = 86400
UNIT_E8: Final = 10**8
_BASIS: Final = {"act/365": 365, "act/360": 360, "30/360": 360}


class Rates:
    """The steps that find a note's rate."""

    def __init__(self, deal: Deal, registers: Registers, terms: Terms) -> None:
        self.calendar = deal.calendar
        self.registers, self.terms = registers, terms

    def days(self, count: str) -> tuple[int, int]:
        """The register that counts the period's days (or seconds), and how many of them make a year."""
        if count == "30/360":
            if not self.calendar.months:
                hint = "Count act/365 or act/360, or pay monthly."
                raise Refused("program.day_count", "30/360 counts whole months.", hint=hint)
            return DAYS_30_360, 360
        if self.calendar.step_s % DAY_S:
            return SECONDS, _BASIS[count] * DAY_S
        return DAYS, _BASIS[count]

    def fixing(self, measure: str) -> int:
        """The measure, or where the report is missing what it last was."""
        known = self.terms.named(self.registers.measures, measure)
        return self.terms.once(("fixing", measure), lambda: self.last(measure, known))

    def last(self, measure: str, register: int) -> int:
        label = f"{measure}, the last one without a fresh report"
        kept = self.terms.before.put("MIN", self.registers.lanes[f"{measure}.was"], INFINITE_WHEN_STALE, label)
        return self.terms.before.put("ADD", register, kept, label)

    def keep(self) -> list[Raw]:
        """At the end, what was attested now is what was a period ago."""
        lanes = self.registers.lanes
        return [
            Raw("ADD", a=self.fixing(name), c=lanes[f"{name}.was"], label=f"remember {name}")
            for name in self.registers.measures
            if f"{name}.was" in lanes
        ]

    def denominator(self, note: Tranche) -> int:
        """What a moving rate of the note is divided by."""
        if note.floating or note.rate_column:
            return UNIT_E8
        return lcm(note.rate.denominator, *(step.add.denominator for step in note.steps))

    def moving(self, note: Tranche, into: int) -> None:
        """The note's rate of this period, into a register; `denominator` divides it."""
        den, steps = self.denominator(note), self.terms.before.steps
        label = f"rate of {note.name}"
        source, base = self.source(note), self.whole(note.floating.margin if note.floating else note.rate, den)
        early = sum(self.whole(step.add, den) for step in note.steps if step.period < 2)
        added = self.registers.constant(base + early)
        steps.append(Raw("ADD", a=source or added, b=added if source and added != ZERO else 0, c=into, label=label))
        for step in note.steps:
            if step.period > 1:
                add, due = self.registers.constant(self.whole(step.add, den)), self.stepped(step)
                steps.append(Raw("ACC", a=due, b=add, e=ONE, g=ONE, c=into, low=OWN, label=f"{label} steps up"))
        if note.floating:
            self.bounded(note.floating, into, label)

    def source(self, note: Tranche) -> int:
        if note.floating:
            return self.fixing(note.floating.index)
        return self.terms.named(self.registers.columns, note.rate_column) if note.rate_column else 0

    def stepped(self, step: StepUp) -> int:
        """1 from the step-up's period on."""
        label = f"from period {step.period} on"
        put, before = self.terms.before.put, self.registers.constant(step.period - 2)
        return self.terms.once(label, lambda: put("MIN", put("SUB", PERIOD, before, label), ONE, label))

    def bounded(self, floating: Floating, into: int, label: str) -> None:
        """Never below the floor, nor above the cap; 100 % where it has none, so that interest stays in bounds."""
        put, whole = self.terms.before.put, self.whole
        if floating.floor:
            put("MAX", into, self.registers.constant(whole(floating.floor, UNIT_E8)), f"{label}, floor", into=into)
        cap = Fraction(1) if floating.cap is None else floating.cap
        put("MIN", into, self.registers.constant(whole(cap, UNIT_E8)), f"{label}, cap", into=into)

    def whole(self, rate: Fraction, den: int) -> int:
        """The rate in units of 1 / ``den``. Raises Refused ``program.rate_too_fine``."""
        if (rate * den).denominator != 1:
            hint = "Round it to a hundred-millionth."
            raise Refused("program.rate_too_fine", "Moving rates are whole hundred-millionths.", hint=hint, rate=rate)
        return int(rate * den)
