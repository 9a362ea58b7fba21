"""Tests and calls of a deal: ratios compared by cross-multiplication, levels, cures, and the state that follows.

With nothing due a coverage test passes, unless its measure is negative. A stale report fails no level of a test: it
asks for the test's own stale state, which must be one that a fresh report can cure.
"""

from __future__ import annotations

from typing import Final

from penstock.capital.deal import Call, Deal, Level, Term, Test
from penstock.capital.program import Raw
from penstock.capital.registers import INFINITE_WHEN_STALE, INFLOW, NEGATIVE, ONE, STALE, ZERO, Registers
from penstock.capital.terms import Terms
from penstock.capital.used import falling, inlined
from penstock.errors import Refused

TESTS_MAX: Final = 6


class Covenants:
    """The steps that test and set the state."""

    def __init__(self, deal: Deal, registers: Registers, terms: Terms) -> None:
        self.deal, self.registers, self.terms = deal, registers, terms
        self.steps = terms.before.steps
        if len(deal.tests) + len(deal.calls) > TESTS_MAX:
            hint = "Join some of them."
            raise Refused("program.too_large", f"A deal has at most {TESTS_MAX} tests, calls included.", hint=hint)
        if deal.tests or deal.calls:
            self.state()

    def state(self) -> None:
        worst = self.registers.temporary()
        for number, test in enumerate(self.deal.tests, 1):
            found = self.registers.temporary()
            self.levels(test, found)
            sticky = self.deal.states.index(test.sticky) if test.sticky else 0
            self.refuse_stale_default(test, sticky)
            label = f"{test.name}: worse at once, better after {test.cure} clean"
            self.steps.append(Raw("CURE", a=number, b=worst, c=found, e=test.cure, g=sticky, label=label))
        for number, call in enumerate(self.deal.calls, len(self.deal.tests) + 1):
            self.call(call, number, worst)
        self.steps.append(Raw("STATE", a=worst, label="the worst level is the state"))

    def refuse_stale_default(self, test: Test, sticky: int) -> None:
        """A report that is late must not put the deal into a state for good."""
        if test.stale and sticky and self.deal.states.index(test.stale) >= sticky:
            hint = "Choose a stale state that a fresh report can cure."
            message = f"Without a report the test {test.name} would ask for {test.stale} for good."
            raise Refused("program.stale_for_good", message, hint=hint, test=test.name)

    def levels(self, test: Test, found: int) -> None:
        low = found, self.terms.holds(test.only_if) if test.only_if else ONE
        feared: set[str] = set()
        for level in test.levels:
            self.level(test, level, *low)
            feared |= self.feared(test, level)
        for measure in sorted(feared, key=lambda name: self.registers.measures[name]):
            worst = max((level.state for level in test.levels), key=self.deal.states.index)
            negative = NEGATIVE + list(self.registers.measures).index(measure)
            self.ask(test, worst, "when negative", found, (ZERO, ONE, negative, low[1]))
        if test.stale:
            only_if = ONE if self.terms.reads(test.only_if) else low[1]
            self.ask(test, test.stale, "when stale", found, (ZERO, ONE, STALE, only_if))

    def level(self, test: Test, level: Level, found: int, only_if: int) -> None:
        """Below: value x q < against x p. Above: against x p < value x q. A stale report makes neither true."""
        value, against = self.terms.value(test.value), self.terms.value(test.against)
        p = self.registers.constant(level.bound.numerator)
        q = self.registers.constant(level.bound.denominator)
        small, big = ((test.value, value), (test.against, against))[:: 1 if level.below else -1]
        a, c = self.unless_stale(small, big)
        if only_if != ONE:
            c = self.terms.once((c, only_if), lambda: self.gated(c, only_if, test.name))
        b, e = (q, p) if level.below else (p, q)
        word = "below" if level.below else "above"
        self.ask(test, level.state, f"{word} {float(level.bound):g}", found, (a, b, c, e))

    def unless_stale(self, small: tuple[Term, int], big: tuple[Term, int]) -> tuple[int, int]:
        """Both sides, so that the first is not below the second where the report is stale."""
        put, (term, a), (other, c) = self.terms.before.put, small, big
        direct = all(one.kind == "measure" or not self.terms.reads(one) for one in (term, other))
        if direct and term.kind == "measure":
            label = "a stale measure fails no level"
            return self.terms.once(("guarded", a), lambda: put("MAX", a, INFINITE_WHEN_STALE, label)), c
        if direct or not self.terms.reads(term, other):
            return a, c
        fresh, label = self.terms.infinite_when_fresh(), "a stale report fails no level"
        return a, self.terms.once(("guarded when fresh", c), lambda: put("MIN", c, fresh, label))

    def gated(self, register: int, only_if: int, name: str) -> int:
        return self.terms.before.put("ACC", register, only_if, f"{name}: only if it applies", e=ONE, g=ONE)

    def feared(self, test: Test, level: Level) -> frozenset[str]:
        """Measures that fail the level when they are low."""
        value, against = (inlined(term, self.terms.amounts) for term in (test.value, test.against))
        return falling(value, sign=level.below) | falling(against, sign=not level.below)

    def ask(self, test: Test, state: str, when: str, found: int, operands: tuple[int, int, int, int]) -> None:
        a, b, c, e = operands
        level, label = self.deal.states.index(state), f"{test.name}: {state} {when}"
        if level:  # asking for the normal state asks for nothing
            self.steps.append(Raw("TEST", a=a, b=b, c=c, e=e, g=found, low=level, label=label))

    def call(self, call: Call, number: int, worst: int) -> None:
        """For good, once it may be exercised and its price came in at this close."""
        found, level = self.registers.temporary(), self.deal.states.index(call.state)
        if not level:
            hint = "Give the notes that are called a state of their own."
            raise Refused("program.call_to_normal", f"The call {call.name} asks for the normal state.", hint=hint)
        put, label = self.terms.before.put, f"{call.name}: {call.state}"
        holds, price = self.terms.holds(call.when), self.terms.value(call.price)
        paid = self.terms.once("paid in", lambda: put("ADD", INFLOW, ONE, "what came in, and one"))
        if self.terms.reads(call.price):
            holds = self.terms.once(("fresh", holds), lambda: put("MIN", holds, self.terms.fresh_report(), label))
        asked = f"{label} when its price came in"
        self.steps.append(Raw("TEST", a=price, b=ONE, c=paid, e=holds, g=found, low=level, label=asked))
        self.steps.append(Raw("CURE", a=number, b=worst, c=found, g=level, label=f"{label} for good"))
