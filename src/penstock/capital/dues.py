"""What falls due in a period: fees, interest, scheduled principal, hedges. The first steps of every program."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import lcm

from penstock.capital.deal import Deal, Fee, Hedge, Term, Tranche
from penstock.capital.interest import Interest
from penstock.capital.program import ADVANCE_A, ADVANCE_C, OWN, Raw
from penstock.capital.rate import UNIT_E8, Rates
from penstock.capital.registers import INFLOW, ONE, Registers, vector
from penstock.capital.terms import Terms
from penstock.capital.used import inlined, parts_of


class Dues:
    """The steps; where this period's interest and scheduled principal of each note lie is in ``terms.now``."""

    def __init__(self, deal: Deal, registers: Registers, terms: Terms, rates: Rates) -> None:
        self.registers, self.terms, self.rates = registers, terms, rates
        self.steps = terms.before.steps
        for plain, group in groupby(registers.owing, key=is_plain):
            (self.fixed if plain else self.simple)(list(group))
        if registers.notes:
            Interest(registers, terms, rates).fall_due()
            terms.moved()
        if registers.scheduled:
            self.principal()
        for fee in registers.owing:
            self.computed(fee)
        for hedge in deal.hedges:
            self.hedge(hedge)
        terms.moved()

    def fixed(self, fees: list[Fee]) -> None:
        """Fees of so much a period, side by side."""
        amounts = self.registers.constant(*(fee.amount_usdc_micro for fee in fees))
        low = vector(len(fees), ADVANCE_A | ADVANCE_C) | OWN
        owed = self.registers.lanes[f"{fees[0].name}.owed"]
        self.steps.append(Raw("ACC", a=amounts, b=ONE, e=ONE, g=ONE, c=owed, low=low, label=f"accrue {names(fees)}"))

    def simple(self, fees: list[Fee]) -> None:
        """Fees on a measure or on the cash that came in."""
        for fee in fees:
            if fee.amount_usdc_micro:
                self.fixed([fee])
            if fee.per_unit:
                self.accrue(fee, self.registers.measures[fee.measure], fee.per_unit.numerator, fee.per_unit.denominator)
            if fee.of_inflow:
                self.accrue(fee, INFLOW, fee.of_inflow.numerator, fee.of_inflow.denominator)

    def computed(self, fee: Fee) -> None:
        """Fees on what the deal itself computes: any amount, or a rate a year on a base."""
        if fee.due is not None:
            self.accrue(fee, self.terms.value(fee.due), 1, 1)
        if fee.rate and fee.base is not None:
            days, basis = self.rates.days(fee.count)
            base = self.terms.value(fee.base)
            self.accrue(fee, base, fee.rate.numerator, fee.rate.denominator * basis, days)

    def accrue(self, fee: Fee, base: int, num: int, den: int, days: int = ONE) -> None:
        owed, label = self.registers.lanes[f"{fee.name}.owed"], f"accrue {fee.name}"
        b, g = self.registers.constant(num), self.registers.constant(den)
        self.steps.append(Raw("ACC", a=base, b=b, e=days, g=g, c=owed, low=OWN, label=label))
        self.terms.moved()

    def principal(self) -> None:
        """The schedule, never beyond the balance; arrears stay owed."""
        notes = self.registers.scheduled
        first = self.registers.temporary(len(notes))
        self.terms.now |= {f"{note.name}.principal": first + i for i, note in enumerate(notes)}
        for constant, group in groupby(notes, key=lambda note: note.principal is None):
            some = list(group)
            self.constant_principal(some) if constant else self.computed_principal(some)
        self.steps.append(onto(self.registers, first, "principal", notes))
        self.steps.append(capped(self.registers))
        self.terms.moved()

    def constant_principal(self, notes: list[Tranche]) -> None:
        amounts = self.registers.constant(*(note.principal_usdc_micro for note in notes))
        now, balance = self.terms.now[f"{notes[0].name}.principal"], self.registers.lanes[f"{notes[0].name}.balance"]
        label = "scheduled principal, at most the balance"
        self.steps.append(Raw("MIN", a=amounts, b=balance, c=now, low=vector(len(notes)), label=label))

    def computed_principal(self, notes: list[Tranche]) -> None:
        """A term. One that reads the tranche's own balance holds its arrears already: it is all that is owed."""
        put = self.terms.before.put
        for note in notes:
            now, lanes = self.terms.now[f"{note.name}.principal"], self.registers.lanes
            balance, owed = lanes[f"{note.name}.balance"], lanes[f"{note.name}.principal"]
            amount, label = self.terms.value(note.principal or Term("money")), f"scheduled principal of {note.name}"
            if not self.reads_itself(note):
                put("MIN", amount, balance, f"{label}, at most the balance", into=now)
                continue
            whole = put("MIN", amount, balance, f"{label}, arrears included")
            put("SUB", whole, owed, f"{label} that is new", into=now)
            put("MIN", owed, whole, f"arrears of {label}", into=owed)
            self.terms.moved()

    def reads_itself(self, note: Tranche) -> bool:
        term = inlined(note.principal or Term("money"), self.terms.amounts)
        return any(part.kind in ("balance", "payoff") and note.name in part.names for part in parts_of(term))

    def hedge(self, hedge: Hedge) -> None:
        """What the deal pays beyond what it receives, one floor; the other way round cash arrives by itself."""
        den = lcm(UNIT_E8, hedge.pays.denominator)
        received, label = self.rates.fixing(hedge.receives), f"net leg of {hedge.name}"
        if den != UNIT_E8:
            scale = self.registers.constant(den // UNIT_E8)
            received = self.terms.before.put("ACC", received, scale, label, e=ONE, g=ONE)
        net = self.terms.before.put("SUB", self.registers.constant(int(hedge.pays * den)), received, label)
        days, basis = self.rates.days(hedge.count)
        owed, notional = self.registers.lanes[f"{hedge.name}.owed"], self.terms.value(hedge.notional)
        g = self.registers.constant(den * basis)
        self.steps.append(Raw("ACC", a=notional, b=net, e=days, g=g, c=owed, low=OWN, label=label))


def is_plain(fee: Fee) -> bool:
    """Whether a fee is so much a period and nothing else."""
    return not (fee.per_unit or fee.of_inflow or fee.due is not None or fee.rate)


def onto(registers: Registers, now: int, part: str, notes: Sequence[Tranche]) -> Raw:
    """This period's dues onto what is owed already."""
    owed = registers.lanes[f"{notes[0].name}.{part}"]
    low = vector(len(notes), ADVANCE_A | ADVANCE_C) | OWN
    return Raw("ACC", a=now, b=ONE, e=ONE, g=ONE, c=owed, low=low, label=f"{part} falls due")


def capped(registers: Registers) -> Raw:
    """No principal owed beyond the balance."""
    notes = registers.scheduled
    owed, balance = (registers.lanes[f"{notes[0].name}.{part}"] for part in ("principal", "balance"))
    label = "principal owed, at most the balance"
    return Raw("MIN", a=owed, b=balance, c=owed, low=vector(len(notes)), label=label)


def names(payees: Sequence[Fee | Tranche]) -> str:
    """Their names, in order."""
    return ", ".join(payee.name for payee in payees)
