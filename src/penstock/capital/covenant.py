"""Tests of a deal: ratios compared by cross-multiplication, levels, cures, and the state that follows.

With nothing due a coverage test passes, unless its measure is negative. A stale report fails no level of a test: it
asks for the test's own stale state.
"""

from __future__ import annotations

from penstock.capital.deal import Deal, Term, Test
from penstock.capital.dues import Dues
from penstock.capital.program import Raw
from penstock.capital.registers import INFINITE_WHEN_STALE, MEASURE, NEGATIVE, ONE, STALE, ZERO, Registers


class Covenants:
    """The steps that test and set the state; `term` finds or computes what tests and targets compare."""

    def __init__(self, deal: Deal, registers: Registers, dues: Dues) -> None:
        self.deal, self.registers, self.dues = deal, registers, dues
        self.steps: list[Raw] = []
        self.guarded: dict[int, int] = {}
        if deal.tests:
            self.state()

    def state(self) -> None:
        worst = self.registers.temporary()
        for number, test in enumerate(self.deal.tests, 1):
            found = self.registers.temporary()
            self.levels(test, found)
            sticky = self.deal.states.index(test.sticky) if test.sticky else 0
            label = f"{test.name}: worse at once, better after {test.cure} clean"
            self.steps.append(Raw("CURE", a=number, b=worst, c=found, e=test.cure, g=sticky, label=label))
        self.steps.append(Raw("STATE", a=worst, label="the worst level is the state"))

    def levels(self, test: Test, found: int) -> None:
        value, against = self.term(test.value), self.term(test.against)
        feared: set[int] = set()  # measures that fail the test when they are low
        for level in test.levels:
            x, y = value, against
            if test.value.kind == "measure" and level.below:
                x, feared = self.unless_stale(value), feared | {value}
            if test.against.kind == "measure" and not level.below:
                y, feared = self.unless_stale(against), feared | {against}
            p = self.registers.constant(level.bound.numerator)
            q = self.registers.constant(level.bound.denominator)
            a, b, c, e = (x, q, y, p) if level.below else (y, p, x, q)
            word = "below" if level.below else "above"
            self.ask(test, level.state, f"{word} {float(level.bound):g}", found, (a, b, c, e))
        for measure in sorted(feared):
            worst = max((level.state for level in test.levels), key=self.deal.states.index)
            self.ask(test, worst, "when negative", found, (ZERO, ONE, NEGATIVE + measure - MEASURE, ONE))
        if test.stale:
            self.ask(test, test.stale, "when stale", found, (ZERO, ONE, STALE, ONE))

    def ask(self, test: Test, state: str, when: str, found: int, operands: tuple[int, int, int, int]) -> None:
        a, b, c, e = operands
        level, label = self.deal.states.index(state), f"{test.name}: {state} {when}"
        if level:  # asking for the normal state asks for nothing
            self.steps.append(Raw("TEST", a=a, b=b, c=c, e=e, g=found, low=level, label=label))

    def unless_stale(self, measure: int) -> int:
        """The measure, or infinity where the report is stale."""
        if measure not in self.guarded:
            self.guarded[measure] = self.registers.temporary()
            label = "a stale measure fails no level"
            self.steps.append(Raw("MAX", a=measure, b=INFINITE_WHEN_STALE, c=self.guarded[measure], label=label))
        return self.guarded[measure]

    def term(self, term: Term) -> int:
        """The register that holds a term."""
        if term.kind == "measure":
            return MEASURE + [measure.name for measure in self.deal.measures].index(term.names[0])
        registers = [register for name in term.names for register in self.parts(term.kind, name)]
        return self.total(sorted(registers), f"{term.kind}({', '.join(term.names)})")

    def parts(self, kind: str, name: str) -> list[int]:
        lanes = self.registers.lanes
        if kind == "cash":
            return [lanes[name]]
        if kind == "balance":
            return [lanes[f"{name}.balance"]]
        found = self.dues.now if kind == "due" else lanes
        return [found[part] for part in (f"{name}.interest", f"{name}.principal") if part in found]

    def total(self, registers: list[int], label: str) -> int:
        """The sum, in as few steps as runs of neighbours allow."""
        total, rest = registers[0], registers[1:]
        while rest:
            run = next((i for i in range(1, len(rest)) if rest[i] != rest[0] + i), len(rest))
            into = self.registers.temporary()
            self.steps.append(Raw("ADD", a=rest[0], b=total, c=into, low=run - 1, label=label))
            total, rest = into, rest[run:]
        return total
