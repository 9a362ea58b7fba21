"""Interest of a period: floor(base x rate x days / basis) a note, multiplied first, one floor; notes side by side."""

from __future__ import annotations

from itertools import groupby
from math import lcm

from penstock.capital.deal import Tranche
from penstock.capital.program import ADVANCE_A, ADVANCE_C, OWN, Raw
from penstock.capital.rate import Rates
from penstock.capital.registers import ONE, Registers, vector
from penstock.capital.terms import Terms


class Interest:
    """The steps; notes that count and earn alike become one step."""

    def __init__(self, registers: Registers, terms: Terms, rates: Rates) -> None:
        self.registers, self.terms, self.rates = registers, terms, rates
        self.steps = terms.before.steps

    def fall_due(self) -> None:
        """This period's interest of each note; then onto what is owed already."""
        notes, lanes = self.registers.notes, self.registers.lanes
        first = self.registers.temporary(len(notes))
        self.terms.now |= {f"{note.name}.interest": first + i for i, note in enumerate(notes)}
        for _, group in groupby(notes, key=self.alike):
            self.run(list(group))
        low = vector(len(notes), ADVANCE_A | ADVANCE_C) | OWN
        owed = lanes[f"{notes[0].name}.interest"]
        self.steps.append(Raw("ACC", a=first, b=ONE, e=ONE, g=ONE, c=owed, low=low, label="interest falls due"))

    def alike(self, note: Tranche) -> tuple[str, int, str]:
        """Neighbours of one key stand in one step: day count, 0 or the moving rate's denominator, what it runs on."""
        moving = bool(note.floating or note.rate_column or note.steps)
        on_what = note.name if note.notional is not None else note.shortfall * (note.shortfall == "carry with interest")
        return note.count, self.rates.denominator(note) * moving, on_what

    def run(self, notes: list[Tranche]) -> None:
        count, den, _ = self.alike(notes[0])
        base = self.base(notes)
        den, rates = (den, self.moving(notes)) if den else self.fixed(notes)
        days, basis = self.rates.days(count)
        now, divisor = self.terms.now[f"{notes[0].name}.interest"], self.registers.constant(den * basis)
        label = f"interest of {', '.join(note.name for note in notes)}, {count}"
        self.steps.append(Raw("ACC", a=base, b=rates, e=days, g=divisor, c=now, low=vector(len(notes)), label=label))

    def fixed(self, notes: list[Tranche]) -> tuple[int, int]:
        """The common denominator of their rates, and the first of their numerators."""
        den = lcm(*(note.rate.denominator for note in notes))
        return den, self.registers.constant(*(int(note.rate * den) for note in notes))

    def moving(self, notes: list[Tranche]) -> int:
        first = self.registers.temporary(len(notes))
        for i, note in enumerate(notes):
            self.rates.moving(note, first + i)
        return first

    def base(self, notes: list[Tranche]) -> int:
        """The first register of what interest runs on."""
        if notes[0].notional is not None:
            return self.terms.value(notes[0].notional)
        balance = self.registers.lanes[f"{notes[0].name}.balance"]
        if notes[0].shortfall != "carry with interest":
            return balance
        first, owed = self.registers.temporary(len(notes)), self.registers.lanes[f"{notes[0].name}.interest"]
        label, low = "balance and unpaid interest", vector(len(notes), ADVANCE_A | ADVANCE_C)
        self.steps.append(Raw("ACC", a=balance, b=ONE, e=ONE, g=ONE, c=first, low=low, label=label))
        self.steps.append(Raw("ACC", a=owed, b=ONE, e=ONE, g=ONE, c=first, low=low | OWN, label=label))
        return first
