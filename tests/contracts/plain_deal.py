"""A deal read in plain words: what a close does, from the deal's values alone - no program, no registers, no steps.

Slow and simple, beside the compiler, so that what the compiler means is compared with what the words mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

from penstock.capital.deal import Act, Condition, Deal, Fee, Term, Test, Tranche

BASIS = {"act/365": 365, "act/360": 360, "30/360": 360}


@dataclass
class Books:
    """All that a deal knows between two closes."""

    cash: Counter[str] = field(default_factory=Counter)
    paid: Counter[str] = field(default_factory=Counter)
    balance: Counter[str] = field(default_factory=Counter)
    interest: Counter[str] = field(default_factory=Counter)
    principal: Counter[str] = field(default_factory=Counter)
    owed: Counter[str] = field(default_factory=Counter)
    undrawn: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    was: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)
    levels: dict[str, tuple[int, int]] = field(default_factory=dict)
    state: int = 0
    period: int = 0


def opened(deal: Deal) -> Books:
    books = Books()
    for one in deal.tranches:
        books.balance[one.name], books.undrawn[one.name] = one.face_usdc_micro, one.commitment_usdc_micro
    return books


class PlainClose:
    """One close. ``measures``: what was attested, None where the report is missing."""

    def __init__(self, deal: Deal, books: Books, measures: dict[str, int] | None, inflow: int, length_s: int) -> None:
        self.deal, self.b, self.inflow, self.length_s = deal, books, inflow, length_s
        self.fresh, said = measures is not None, measures or {}
        self.measure = {one.name: max(said.get(one.name, 0), 0) for one in deal.measures}
        self.negative = {name for name, value in said.items() if value < 0}
        self.fixing = self.measure if self.fresh else Counter(books.was)
        self.amounts = {one.name: one.term for one in deal.amounts}
        self.column = {one.name: one.values[min(books.period, len(one.values) - 1)] for one in deal.schedule}
        self.notes = [one for one in deal.tranches if not one.residual]
        self.due_interest: Counter[str] = Counter()
        self.due_principal: Counter[str] = Counter()
        self.first = deal.accounts[0].name

    def run(self) -> None:
        b = self.b
        b.cash[self.first] += self.inflow
        for name, value in self.measure.items():
            b.total[name] += value
        swept = Counter({name: min(owed, b.balance[name]) for name, owed in b.principal.items()})
        self.late = b.interest + swept + b.owed
        self.dues()
        self.tests()
        self.targets = {one.name: self.term(one.target) if one.target else 0 for one in self.deal.accounts}
        for act in self.deal.waterfalls[b.state][1]:
            self.line(act)
        for note in self.notes:
            if note.shortfall == "pik":
                self.capitalise(note.name, None)
        b.was = Counter({name: self.fixing[name] for name in self.measure})
        b.period += 1

    # ------------------------------------------------------------ amounts

    def term(self, t: Term) -> int:
        b, parts = self.b, t.parts
        if t.kind == "less":
            gone = self.reads(parts[1]) and not self.fresh
            return 0 if gone else max(self.term(parts[0]) - self.term(parts[1]), 0)
        if t.kind == "amount":
            return self.term(self.amounts[t.names[0]])
        if t.kind == "times":
            return floor(self.term(parts[0]) * t.ratio)
        found = list(map(self.term, parts))
        if t.kind in ("plus", "min", "max"):
            return sum(found) if t.kind == "plus" else min(found) if t.kind == "min" else max(found)
        plain = {"money": t.value, "inflow": self.inflow, "period": b.period + 1}
        if t.kind in plain:
            return plain[t.kind]
        faces = Counter({one.name: one.face_usdc_micro for one in self.deal.tranches})
        of: dict[str, Counter[str] | dict[str, int]] = {
            "measure": self.measure, "column": self.column, "was": self.was(), "total": b.total, "face": faces,
            "due": self.due_interest + self.due_principal, "owed": b.interest + b.principal + b.owed,
            "arrears": self.late, "interest": b.interest, "principal": b.principal, "balance": b.balance,
            "undrawn": b.undrawn, "written": b.written, "payoff": b.balance + b.interest, "cash": b.cash,
            "paid": b.paid,
        }  # fmt: skip
        return sum(of[t.kind].get(name, 0) for name in t.names)

    def was(self) -> Counter[str]:
        return self.b.was

    def reads(self, t: Term) -> bool:
        if t.kind == "amount":
            return self.reads(self.amounts[t.names[0]])
        return t.kind == "measure" or any(self.reads(part) for part in t.parts)

    def holds(self, condition: Condition | None) -> bool:
        if condition is None:
            return True
        if not self.fresh and (self.reads(condition.left) or self.reads(condition.right)):
            return False
        below = self.term(condition.left) < self.term(condition.right)
        return below if condition.below else not below

    # ------------------------------------------------------------ dues

    def year_share(self, count: str) -> Fraction:
        calendar = self.deal.calendar
        if count == "30/360":
            return Fraction(30 * calendar.months, 360)
        if calendar.step_s % 86_400:
            return Fraction(self.length_s, BASIS[count] * 86_400)
        return Fraction(self.length_s // 86_400, BASIS[count])

    def dues(self) -> None:
        b = self.b
        for fee in self.deal.fees:
            b.owed[fee.name] += self.simple_fee(fee)
        for note in self.notes:
            self.due_interest[note.name] = floor(self.base(note) * self.rate(note) * self.year_share(note.count))
        b.interest.update(self.due_interest)
        for note in self.notes:
            if note.notional is None:
                self.fall_due(note)
        for name, due in self.due_principal.items():
            b.principal[name] = min(b.principal[name] + due, b.balance[name])
        for fee in self.deal.fees:
            if fee.due is not None:
                b.owed[fee.name] += self.term(fee.due)
            if fee.base is not None:
                b.owed[fee.name] += floor(self.term(fee.base) * fee.rate * self.year_share(fee.count))
        for hedge in self.deal.hedges:
            net = max(hedge.pays - Fraction(self.fixing[hedge.receives], 10**8), Fraction(0))
            b.owed[hedge.name] += floor(self.term(hedge.notional) * net * self.year_share(hedge.count))

    def simple_fee(self, fee: Fee) -> int:
        per_unit = floor(self.measure.get(fee.measure, 0) * fee.per_unit)
        return fee.amount_usdc_micro + per_unit + floor(self.inflow * fee.of_inflow)

    def base(self, note: Tranche) -> int:
        if note.notional is not None:
            return self.term(note.notional)
        bears = note.shortfall == "carry with interest"
        return self.b.balance[note.name] + (self.b.interest[note.name] if bears else 0)

    def rate(self, note: Tranche) -> Fraction:
        rate = note.rate
        if note.rate_column:
            rate = Fraction(self.column[note.rate_column], 10**8)
        if note.floating:
            rate = Fraction(self.fixing[note.floating.index], 10**8) + note.floating.margin
        rate += sum((step.add for step in note.steps if self.b.period + 1 >= step.period), Fraction(0))
        if note.floating:
            cap = Fraction(1) if note.floating.cap is None else note.floating.cap
            rate = min(max(rate, note.floating.floor), cap)
        return rate

    def fall_due(self, note: Tranche) -> None:
        b, name = self.b, note.name
        if note.principal is None:
            self.due_principal[name] = min(note.principal_usdc_micro, b.balance[name])
            return
        whole = min(self.term(note.principal), b.balance[name])
        if self.mentions(note.principal, name):  # all that is owed, arrears included
            self.due_principal[name] = max(whole - b.principal[name], 0)
            b.principal[name] = min(b.principal[name], whole)
        else:
            self.due_principal[name] = whole

    def mentions(self, t: Term, name: str) -> bool:
        if t.kind == "amount":
            return self.mentions(self.amounts[t.names[0]], name)
        own = t.kind in ("balance", "payoff") and name in t.names
        return own or any(self.mentions(part, name) for part in t.parts)

    # ------------------------------------------------------------ tests

    def tests(self) -> None:
        worst = 0
        for test in self.deal.tests:
            worst = max(worst, self.cured(test.name, self.found(test), test.cure, test.sticky))
        for call in self.deal.calls:
            known = self.fresh or not self.reads(call.price)
            asked = known and self.holds(call.when) and self.inflow >= self.term(call.price)
            worst = max(worst, self.cured(call.name, self.deal.states.index(call.state) * asked, 0, call.state))
        self.b.state = worst if self.deal.tests or self.deal.calls else self.b.state

    def found(self, test: Test) -> int:
        index = self.deal.states.index
        of_condition = [test.only_if.left, test.only_if.right] if test.only_if else []
        applies = self.holds(test.only_if)
        if not self.fresh:
            read = self.reads(test.value) or self.reads(test.against)
            asked = [0 if read or not applies else self.level(test)]
            if test.stale and (applies or any(map(self.reads, of_condition))):
                asked.append(index(test.stale))
            return max(asked)
        if not applies:
            return 0
        low = {name for level in test.levels for name in self.feared(test, below=level.below)}
        worst = max((index(level.state) for level in test.levels), default=0)
        return max(self.level(test), worst if low & self.negative else 0)

    def level(self, test: Test) -> int:
        value, against = self.term(test.value), self.term(test.against)
        failed = [
            self.deal.states.index(level.state)
            for level in test.levels
            if (value < against * level.bound if level.below else value > against * level.bound)
        ]
        return max(failed, default=0)

    def feared(self, test: Test, *, below: bool) -> set[str]:
        return self.falls(test.value, below) | self.falls(test.against, not below)

    def falls(self, t: Term, low: bool) -> set[str]:
        """Measures that lower a term when they are low (or raise it)."""
        if t.kind == "amount":
            return self.falls(self.amounts[t.names[0]], low)
        if t.kind == "measure":
            return set(t.names) if low else set()
        sides = [low, not low] if t.kind == "less" else [low] * len(t.parts)
        return {name for part, side in zip(t.parts, sides, strict=True) for name in self.falls(part, side)}

    def cured(self, name: str, found: int, wait: int, sticky: str) -> int:
        level, clean = self.b.levels.get(name, (0, 0))
        held = not self.fresh or (bool(sticky) and level >= self.deal.states.index(sticky))
        if found >= level or (not held and clean >= wait):
            level, clean = found, 0
        elif not held:
            clean += 1
        self.b.levels[name] = level, clean
        return level

    # ------------------------------------------------------------ lines

    def line(self, act: Act) -> None:
        if act.verb == "prorata" and act.names[0].endswith(".principal"):
            self.at_most_balance()
        if act.verb == "write_off" and not self.holds(act.when):
            self.at_most_balance(act.names)
        if not self.holds(act.when):
            return
        left = None if act.cap is None else self.term(act.cap)
        getattr(self, act.verb)(act, left)

    def at_most_balance(self, names: Iterable[str] | None = None) -> None:
        b = self.b
        scheduled = {one.name for one in self.notes if one.principal_usdc_micro or one.principal}
        if names is None or scheduled & set(names):
            for name in b.principal:
                b.principal[name] = min(b.principal[name], b.balance[name])

    def take(self, act: Act, left: int | None, wanted: int | None, source: str = "") -> int:
        """How much of what is wanted (None: all) the source and the cap allow; it leaves the source."""
        source = source or act.source or self.first
        limits = [self.b.cash[source], *(limit for limit in (left, wanted) if limit is not None)]
        self.b.cash[source] -= min(limits)
        return min(limits)

    def pay(self, act: Act, left: int | None) -> None:
        for name in act.names:
            for source in [act.source or self.first, *([act.support] if act.support else [])]:
                x = self.take(act, left, self.claim(name), source)
                self.settle(name, x)
                left = None if left is None else left - x

    def claim(self, name: str) -> int | None:
        payee, _, part = name.partition(".")
        if part == "interest":
            return self.b.interest[payee]
        if part == "principal":
            return min(self.b.principal[payee], self.b.balance[payee])
        handed = {fee.name for fee in self.deal.fees if fee == Fee(fee.name)}
        handed |= {one.name for one in self.deal.tranches if one.residual}
        return None if payee in handed else self.b.owed[payee]

    def settle(self, name: str, x: int) -> None:
        payee, _, part = name.partition(".")
        self.b.paid[payee] += x
        if part == "interest":
            self.b.interest[payee] -= x
        elif part == "principal":
            self.b.principal[payee] -= x
            self.b.balance[payee] -= x
        elif self.claim(name) is not None:
            self.b.owed[payee] -= x

    def prorata(self, act: Act, left: int | None) -> None:
        weights = [self.claim(name) or 0 for name in act.names]
        for name, x in zip(act.names, self.shares(act, left, weights), strict=True):
            self.settle(name, x)

    def shares(self, act: Act, left: int | None, weights: list[int]) -> list[int]:
        """Floors; the last takes the rest, up to its weight; any remainder stays."""
        held, whole = self.b.cash[act.source or self.first], sum(weights)
        amount = min(held, whole, held if left is None else left)
        given = [amount * weight // whole if whole else 0 for weight in weights[:-1]]
        given.append(min(amount - sum(given), weights[-1]))
        self.b.cash[act.source or self.first] -= sum(given)
        return given

    def sweep(self, act: Act, left: int | None) -> None:
        if act.share != 1:
            share = floor(self.b.cash[act.source or self.first] * act.share)
            left = share if left is None else min(share, left)
        if act.side_by_side:
            found = self.shares(act, left, [self.b.balance[name] for name in act.names])
        else:
            found = []
            for name in act.names:
                found.append(self.take(act, left, self.b.balance[name]))
                left = None if left is None else left - found[-1]
        for name, x in zip(act.names, found, strict=True):
            self.b.balance[name] -= x
            self.b.paid[name] += x

    def fill(self, act: Act, left: int | None) -> None:
        wanted = max(self.targets[act.names[0]] - self.b.cash[act.names[0]], 0)
        self.b.cash[act.names[0]] += self.take(act, left, wanted)

    def release(self, act: Act, left: int | None) -> None:
        account = next(one for one in self.deal.accounts if one.name == act.names[0])
        kept = account.target is not None and self.reads(account.target) and not self.fresh
        excess = 0 if kept else max(self.b.cash[account.name] - self.targets[account.name], 0)
        self.b.cash[account.releases_to or self.first] += self.take(act, left, excess, account.name)

    def rest(self, act: Act, left: int | None) -> None:
        self.b.paid[act.names[0]] += self.take(act, left, None)

    def hold(self, act: Act, left: int | None) -> None:
        self.b.cash[act.names[0]] += self.take(act, left, None)

    def draw(self, act: Act, left: int | None) -> None:
        for name in act.names:
            x = self.take(act, left, self.b.undrawn[name])
            left = None if left is None else left - x
            self.b.undrawn[name] -= x
            self.b.balance[name] += x
            self.b.paid[act.to] += x

    def write_off(self, act: Act, left: int | None) -> None:
        loss = left or 0
        for name in act.names:
            x = min(loss, self.b.balance[name])
            self.b.balance[name] -= x
            self.b.written[name] += x
            loss -= x
        self.at_most_balance(act.names)

    def write_up(self, act: Act, left: int | None) -> None:
        back = left or 0
        for name in act.names:
            x = min(back, self.b.written[name])
            self.b.balance[name] += x
            self.b.written[name] -= x
            back -= x

    def capitalise(self, act: Act | str, left: int | None) -> None:
        for name in [act] if isinstance(act, str) else [one.partition(".")[0] for one in act.names]:
            x = self.b.interest[name] if left is None else min(left, self.b.interest[name])
            left = None if left is None else left - x
            self.b.interest[name] -= x
            self.b.balance[name] += x
