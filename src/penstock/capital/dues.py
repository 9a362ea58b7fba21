"""What falls due in a period: fees, interest, scheduled principal. The first steps of every program."""

from __future__ import annotations

from itertools import groupby
from math import lcm
from typing import Final

from penstock.capital.deal import Deal, Fee, Tranche
from penstock.capital.program import ADVANCE_A, ADVANCE_C, OWN, Raw
from penstock.capital.registers import DAYS, DAYS_30_360, INFLOW, MEASURE, ONE, SECONDS, Registers, vector
from penstock.errors import Refused

DAY_S: Final = 86400
_BASIS: Final = {"act/365": 365, "act/360": 360, "30/360": 360}


class Dues:
    """The steps, and where this period's interest and scheduled principal of each note lie."""

    def __init__(self, deal: Deal, registers: Registers) -> None:
        self.deal, self.registers = deal, registers
        self.steps: list[Raw] = []
        self.now: dict[str, int] = {}  # "A.interest", "A.principal": temporaries
        for plain, group in groupby(deal.fees, key=lambda fee: not fee.measure and not fee.of_inflow):
            fees = list(group)
            if plain:
                self.fixed(fees)
            for fee in () if plain else fees:
                self.fee(fee)
        if registers.notes:
            self.interest()
        if registers.scheduled:
            self.principal()

    def fixed(self, fees: list[Fee]) -> None:
        """Fees of so much a period, side by side."""
        amounts = self.registers.constant(*(fee.amount_usdc_micro for fee in fees))
        low = vector(len(fees), ADVANCE_A | ADVANCE_C) | OWN
        owed = self.registers.lanes[f"{fees[0].name}.owed"]
        self.steps.append(Raw("ACC", a=amounts, b=ONE, e=ONE, g=ONE, c=owed, low=low, label=f"accrue {_names(fees)}"))

    def fee(self, fee: Fee) -> None:
        """A fee on a measure or on the cash that came in."""
        base, ratio = INFLOW, fee.of_inflow
        if fee.measure:
            names = [measure.name for measure in self.deal.measures]
            base, ratio = MEASURE + names.index(fee.measure), fee.per_unit
        num, den = self.registers.constant(ratio.numerator), self.registers.constant(ratio.denominator)
        owed = self.registers.lanes[f"{fee.name}.owed"]
        self.steps.append(Raw("ACC", a=base, b=num, e=ONE, g=den, c=owed, low=OWN, label=f"accrue {fee.name}"))

    def interest(self) -> None:
        """floor(balance * rate * days / basis) a note, one floor; then onto what is owed already."""
        first = self.begin("interest", self.registers.notes)
        for count, group in groupby(self.registers.notes, key=lambda note: note.count):
            notes = list(group)
            den = lcm(*(note.rate.denominator for note in notes))
            rates = self.registers.constant(*(int(note.rate * den) for note in notes))
            days, basis = self.days(count)
            balance, now = self.registers.lanes[f"{notes[0].name}.balance"], self.now[f"{notes[0].name}.interest"]
            divisor = self.registers.constant(den * basis)
            label = f"interest of {_names(notes)}, {count}"
            self.steps.append(
                Raw("ACC", a=balance, b=rates, e=days, g=divisor, c=now, low=vector(len(notes)), label=label)
            )
        self.onto(first, "interest", self.registers.notes)

    def days(self, count: str) -> tuple[int, int]:
        """The register that counts the period's days (or seconds), and how many of them make a year."""
        calendar = self.deal.calendar
        if count == "30/360":
            if not calendar.months:
                hint = "Count act/365 or act/360, or pay monthly."
                raise Refused("program.day_count", "30/360 counts whole months.", hint=hint)
            return DAYS_30_360, 360
        if calendar.step_s % DAY_S:
            return SECONDS, _BASIS[count] * DAY_S
        return DAYS, _BASIS[count]

    def principal(self) -> None:
        """The schedule, never beyond the balance; arrears stay owed."""
        notes = self.registers.scheduled
        first = self.begin("principal", notes)
        amounts = self.registers.constant(*(note.principal_usdc_micro for note in notes))
        balance = self.registers.lanes[f"{notes[0].name}.balance"]
        label = "scheduled principal, at most the balance"
        self.steps.append(Raw("MIN", a=amounts, b=balance, c=first, low=vector(len(notes)), label=label))
        self.onto(first, "principal", notes)
        self.steps.append(self.capped())

    def capped(self) -> Raw:
        """No principal owed beyond the balance."""
        notes = self.registers.scheduled
        owed, balance = (self.registers.lanes[f"{notes[0].name}.{part}"] for part in ("principal", "balance"))
        label = "principal owed, at most the balance"
        return Raw("MIN", a=owed, b=balance, c=owed, low=vector(len(notes)), label=label)

    def begin(self, part: str, notes: tuple[Tranche, ...]) -> int:
        first = self.registers.temporary(len(notes))
        self.now |= {f"{note.name}.{part}": first + i for i, note in enumerate(notes)}
        return first

    def onto(self, now: int, part: str, notes: tuple[Tranche, ...]) -> None:
        owed = self.registers.lanes[f"{notes[0].name}.{part}"]
        low = vector(len(notes), ADVANCE_A | ADVANCE_C) | OWN
        self.steps.append(Raw("ACC", a=now, b=ONE, e=ONE, g=ONE, c=owed, low=low, label=f"{part} falls due"))


def _names(payees: list[Fee] | list[Tranche]) -> str:
    return ", ".join(payee.name for payee in payees)
