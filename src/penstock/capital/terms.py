"""Terms and conditions to steps. What no line changes is computed once, before the waterfall; the rest at its line.

A report that is missing enters as 0 and must neither pay nor default anybody: a difference whose right side reads the
report is then 0, and a condition that reads it does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Final

from penstock.capital.deal import Condition, Deal, Term
from penstock.capital.program import SCRATCH, Raw
from penstock.capital.registers import INFINITE, INFINITE_WHEN_STALE, INFLOW, ONE, STALE, ZERO, Registers
from penstock.capital.used import inlined, moves, parts_of, reads_report, terms_of
from penstock.errors import Refused

PERIOD: Final = 2
_PARTS: Final = {
    "owed": ("interest", "principal", "owed"),
    "due": ("interest", "principal"),
    "payoff": ("balance", "interest"),
    "cash": ("",),
}


class Sheet:
    """Steps as they are written, and where the terms computed on it lie."""

    def __init__(self, fresh: Callable[[], int]) -> None:
        self.steps: list[Raw] = []
        self.known: dict[object, int] = {}
        self.fresh = fresh

    def put(self, op: str, a: int, b: int, label: str = "", *, e: int = 0, g: int = 0, into: int = 0) -> int:
        """Write a step of plain arithmetic; the register of its result, a fresh one unless ``into`` names it."""
        into = into or self.fresh()
        self.steps.append(Raw(op, a=a, b=b, c=into, e=e, g=g, label=label))
        return into


def line_sheet() -> Sheet:
    """The sheet of one line: its registers are used again by the next line."""
    taken = iter(range(SCRATCH, SCRATCH + 100))
    return Sheet(lambda: next(taken))


class Terms:
    """Where terms lie, or the steps that compute them.

    Attributes:
        before: the steps before the waterfalls.
        now: registers of this period's dues, as ``A.interest``; the dues fill it.
    """

    def __init__(self, deal: Deal, registers: Registers) -> None:
        self.registers = registers
        self.amounts = {amount.name: amount.term for amount in deal.amounts}
        self.faces = {tranche.name: tranche.face_usdc_micro for tranche in deal.tranches}
        self.before = Sheet(registers.temporary)
        self.now: dict[str, int] = {}
        self.then: dict[str, int] = {}
        self.kinds: dict[str, Callable[[Term, Sheet], int]] = {
            "money": lambda term, _: registers.constant(term.value),
            "measure": lambda term, _: self.named(registers.measures, term.names[0]),
            "column": lambda term, _: self.named(registers.columns, term.names[0]),
            "face": lambda term, _: registers.constant(sum(self.faces.get(name, 0) for name in term.names)),
            "inflow": lambda _, __: INFLOW,
            "period": lambda _, sheet: sheet.put("ADD", PERIOD, ONE, "the number of this period"),
            "times": self.times,
            "plus": lambda term, sheet: self.total([self.find(part, sheet) for part in term.parts], told(term), sheet),
            "less": self.less,
            "min": self.chain,
            "max": self.chain,
        }

    def begin(self, deal: Deal) -> None:
        """First of all: totals take in what was attested, and arrears are what is owed before this period's dues."""
        lanes, steps = self.registers.lanes, self.before.steps
        for name, register in self.registers.measures.items():
            if total := lanes.get(f"{name}.total"):
                steps.append(Raw("ADD", a=register, b=total, c=total, label=f"total({name})"))
        late = [part for term in terms_of(deal) for part in parts_of(term) if part.kind == "arrears"]
        for name in dict.fromkeys(name for term in late for name in term.names):
            owed = [self.at_most_balance(name, lane) for lane in self.parts("owed", name)]
            if owed:
                into = self.total(owed, f"arrears({name})", self.before)
                copied = into if into not in lanes.values() else self.before.put("ADD", into, 0, f"arrears({name})")
                self.then[name] = copied

    def at_most_balance(self, name: str, lane: int) -> int:
        """A lane of what is owed; of principal never more than the balance, which a sweep may have repaid since."""
        lanes = self.registers.lanes
        if lane != lanes.get(f"{name}.principal"):
            return lane
        return self.before.put("MIN", lane, lanes[f"{name}.balance"], f"arrears({name}.principal)")

    def value(self, term: Term, sheet: Sheet | None = None) -> int:
        """The register that holds ``term``; steps that compute it go to ``sheet`` where the waterfall changes it."""
        return self.find(inlined(term, self.amounts), sheet or self.before)

    def find(self, term: Term, sheet: Sheet) -> int:
        """As `value`, of a term without named amounts."""
        sheet = sheet if moves(term) else self.before
        if term not in sheet.known:
            sheet.known[term] = self.kinds.get(term.kind, self.lanes)(term, sheet)
        return sheet.known[term]

    def copy(self, term: Term, sheet: Sheet) -> int:
        """The term in a register of the line's own, which payments may use up."""
        register = self.value(term, sheet)
        return register if register >= SCRATCH else sheet.put("ADD", register, 0, told(term))

    def moved(self) -> None:
        """From here on balances and what is owed are others than before."""
        self.before.known = {
            term: at for term, at in self.before.known.items() if not (isinstance(term, Term) and moves(term))
        }

    def holds(self, condition: Condition, sheet: Sheet | None = None) -> int:
        """The register of 1 where the condition holds, else 0."""
        left, right = (inlined(term, self.amounts) for term in (condition.left, condition.right))
        sheet = sheet if sheet and (moves(left) or moves(right)) else self.before
        if condition not in sheet.known:
            label = f"{told(left)} {'below' if condition.below else 'at least'} {told(right)}"
            gap = sheet.put("SUB", self.find(right, sheet), self.find(left, sheet), label)
            one = self.fresh_report() if self.reads(condition) else ONE
            below = sheet.put("MIN", gap, one if condition.below else ONE, label)
            sheet.known[condition] = below if condition.below else sheet.put("SUB", one, below, label)
        return sheet.known[condition]

    def reads(self, *values: Term | Condition | None) -> bool:
        """Whether any rests on this period's report."""
        terms = [value for value in values if isinstance(value, Term)]
        terms += [side for value in values if isinstance(value, Condition) for side in (value.left, value.right)]
        return any(reads_report(inlined(term, self.amounts)) for term in terms)

    def fresh_report(self) -> int:
        """The register of 1 with a fresh report, else 0."""
        return self.once("fresh", lambda: self.before.put("SUB", ONE, STALE, "1 with a fresh report"))

    def infinite_when_fresh(self) -> int:
        """The register of the greatest number with a fresh report, else 0."""
        label = "no bound with a fresh report, else 0"
        return self.once("unbounded", lambda: self.before.put("SUB", INFINITE, INFINITE_WHEN_STALE, label))

    def once(self, key: object, build: Callable[[], int]) -> int:
        """What ``build`` writes, but only the first time."""
        if key not in self.before.known:
            self.before.known[key] = build()
        return self.before.known[key]

    def times(self, term: Term, sheet: Sheet) -> int:
        part, ratio = self.find(term.parts[0], sheet), term.ratio
        if ratio == 1:
            return part
        num, den = self.registers.constant(ratio.numerator), self.registers.constant(ratio.denominator)
        return sheet.put("ACC", part, num, told(term), e=ONE, g=den)

    def less(self, term: Term, sheet: Sheet) -> int:
        left, right = (self.find(part, sheet) for part in term.parts)
        rest = sheet.put("SUB", left, right, told(term))
        if not reads_report(term.parts[1]):
            return rest
        return sheet.put("MIN", rest, self.infinite_when_fresh(), f"{told(term)}: 0 without a fresh report")

    def chain(self, term: Term, sheet: Sheet) -> int:
        found = [self.find(part, sheet) for part in term.parts]
        return reduce(lambda x, y: sheet.put(term.kind.upper(), x, y, told(term)), found)

    def lanes(self, term: Term, sheet: Sheet) -> int:
        found = [register for name in term.names for register in self.parts(term.kind, name)]
        return self.total(found, told(term), sheet)

    def parts(self, kind: str, name: str) -> list[int]:
        """The registers whose sum a word about one name means; nothing is owed to who has no such lane."""
        if kind == "arrears":
            return [self.then[name]] if name in self.then else []
        known = self.now if kind == "due" else self.registers.lanes
        names = (f"{name}.{part}" if part else name for part in _PARTS.get(kind, (kind,)))
        return [known[one] for one in names if one in known]

    def total(self, registers: Iterable[int], label: str, sheet: Sheet) -> int:
        """The sum, in as few steps as runs of neighbours allow."""
        rest = sorted(register for register in registers if register != ZERO) or [ZERO]
        total, rest = rest[0], rest[1:]
        while rest:
            run = next((i for i in range(1, len(rest)) if rest[i] != rest[0] + i), len(rest))
            into = sheet.fresh()
            sheet.steps.append(Raw("ADD", a=rest[0], b=total, c=into, low=run - 1, label=label))
            total, rest = into, rest[run:]
        return total

    def named(self, known: dict[str, int], name: str) -> int:
        """The register of a name. Raises Refused ``program.no_such_name``."""
        if name not in known:
            raise Refused("program.no_such_name", f"The deal has no {name} here.", hint="Declare it.", name=name)
        return known[name]


def told(term: Term) -> str:
    """The term in the deal's own words."""
    joined = {"plus": " + ", "less": " - "}
    if term.kind == "money":
        return f"{term.value / 10**6:,g} USDC"
    if term.kind == "times":
        return f"{float(term.ratio):g} x {told(term.parts[0])}"
    if term.kind in joined:
        return f"({joined[term.kind].join(map(told, term.parts))})"
    if term.kind in ("min", "max"):
        return f"{term.kind}({', '.join(map(told, term.parts))})"
    if term.kind in ("measure", "column", "amount"):
        return term.names[0]
    return f"{term.kind}({', '.join(term.names)})" if term.names else term.kind
