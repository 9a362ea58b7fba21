"""A deal to its program: dues, tests and state first, then the waterfalls of all states merged into one list of steps.

Registers are symbolic (``program.CONSTANT``, ``program.TEMPORARY``) until everything is laid out.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from fractions import Fraction
from itertools import groupby
from math import lcm
from typing import Final

from eth_utils.crypto import keccak

from penstock.capital.ceiling import gas_ceiling, refuse_saturation
from penstock.capital.deal import Act, Deal, Term, Test, Tranche
from penstock.capital.merge import merge, vectorise
from penstock.capital.program import (
    ADVANCE_A,
    ADVANCE_B,
    ADVANCE_C,
    CONSTANT,
    OWN,
    TEMPORARY,
    Program,
    Raw,
    assemble,
    program_hash,
)
from penstock.errors import Refused

COMPILER: Final = "penstock-deal/1"
COLLECT: Final = 4
DAYS_30_360, DAYS, SECONDS, INFINITE, ZERO, ONE, INFLOW, STALE, NEGATIVE, MEASURE = (
    144,
    145,
    146,
    147,
    148,
    149,
    150,
    151,
    152,
    155,
)
VALUE_MAX: Final = 2**62
DAY_S: Final = 86400
_BASIS: Final = {"act/365": 365, "act/360": 360, "30/360": 360}
_ALL: Final = ADVANCE_A | ADVANCE_B | ADVANCE_C


def compile_deal(deal: Deal) -> Program:
    """The program that runs ``deal`` on chain and in the exact engine.

    Raises:
        Refused: ``program.too_large``, ``program.number_too_large``, ``program.day_count`` or ``program.may_saturate``
            where the chain cannot hold the deal, with the reason.
    """
    plan = _Plan(deal)
    plan.accrue()
    plan.test()
    waterfalls = [plan.waterfall(acts) for _, acts in deal.waterfalls]
    everywhere = (1 << len(deal.states)) - 1
    steps = [(raw, everywhere) for raw in plan.steps] + merge(waterfalls) + [(raw, everywhere) for raw in plan.after()]
    steps = vectorise(steps)
    counts = (plan.state_words, plan.cash_words, plan.paid, len(deal.payees))
    code = assemble(deal.calendar, counts, plan.constants, steps, plan.opening())
    refuse_saturation(code)
    return Program(
        code=code,
        deal_hash=keccak(canonical_json(deal)),
        program_hash=program_hash(code),
        lanes=plan.lanes,
        payee_lanes={name: plan.paid + i for i, name in enumerate(deal.payees)},
        states=deal.states,
        labels=tuple(raw.label for raw, _ in steps),
        gas_ceiling=gas_ceiling(code),
    )


def canonical_json(deal: Deal) -> bytes:
    """The deal as canonical JSON: sorted keys, numbers as decimal strings, ratios as ``p/q``; line numbers left out."""
    document = {"compiler": COMPILER, "deal": _plain(deal)}
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _plain(value: object) -> object:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value) if f.name != "line"}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    return str(value)


class _Plan:
    """Lanes and constants laid out, and the steps that every state runs before its waterfall."""

    def __init__(self, deal: Deal) -> None:
        self.deal = deal
        self.notes = tuple(tranche for tranche in deal.tranches if not tranche.residual)
        self.scheduled = any(note.principal_usdc_micro for note in self.notes)
        self.steps: list[Raw] = []
        self.constants: list[int] = []
        self.temporaries = 0
        self.interest_now: int = 0  # temporaries: this period's interest and scheduled principal of each note
        self.principal_now: int = 0
        self.targets: dict[str, int] = {}
        self.lay_out()

    def lay_out(self) -> None:
        self.paid = COLLECT + len(self.deal.accounts)
        cash = [account.name for account in self.deal.accounts] + [f"{name}.paid" for name in self.deal.payees]
        self.cash_words = -(-len(cash) // 4)
        names = [note.name for note in self.notes]
        lasting = [f"{name}.balance" for name in names] + [f"{name}.interest" for name in names]
        lasting += [f"{name}.principal" for name in names] if self.scheduled else []
        lasting += [f"{fee.name}.owed" for fee in self.deal.fees]
        first = COLLECT + 4 * self.cash_words
        self.state_words = 1 + self.cash_words + max(1, -(-len(lasting) // 4))
        self.lanes = {name: COLLECT + i for i, name in enumerate(cash)}
        self.lanes |= {name: first + i for i, name in enumerate(lasting)}
        if self.state_words > 36:
            raise Refused(
                "program.too_large", "The deal has more lanes than the chain's machine.", hint="Use fewer tranches."
            )

    def opening(self) -> list[int]:
        lanes = [0] * (4 * (self.state_words - 1 - self.cash_words))
        for i, note in enumerate(self.notes):
            lanes[i] = self.checked(note.face_usdc_micro)
        return lanes

    # -- registers

    def checked(self, value: int) -> int:
        if not 0 <= value < VALUE_MAX:
            hint = "Use fewer decimals or smaller amounts."
            raise Refused("program.number_too_large", "A number exceeds 62 bits.", hint=hint, value=value)
        return value

    def constant(self, *values: int) -> int:
        """The register of a constant, or of the first of several in a row; an equal run is used again."""
        wanted = [self.checked(value) for value in values]
        if wanted == [1]:
            return ONE
        if wanted == [0]:
            return ZERO
        for at in range(len(self.constants) - len(wanted) + 1):
            if self.constants[at : at + len(wanted)] == wanted:
                return CONSTANT + at
        self.constants += wanted
        return CONSTANT + len(self.constants) - len(wanted)

    def temporary(self, count: int = 1) -> int:
        self.temporaries += count
        return TEMPORARY + self.temporaries - count

    def add(self, op: str, *, label: str, **operands: int) -> None:
        self.steps.append(Raw(op, label=label, **operands))

    # -- what falls due

    def accrue(self) -> None:
        for fee in self.deal.fees:
            self.fee(fee.name)
        if self.notes:
            self.interest()
        if self.scheduled:
            self.principal()

    def fee(self, name: str) -> None:
        fee = next(fee for fee in self.deal.fees if fee.name == name)
        base, ratio = ONE, Fraction(fee.amount_usdc_micro)
        if fee.measure:
            base, ratio = self.measure(fee.measure), fee.per_unit
        elif fee.of_inflow:
            base, ratio = INFLOW, fee.of_inflow
        num, den = self.constant(ratio.numerator), self.constant(ratio.denominator)
        self.add("ACC", a=base, b=num, e=ONE, g=den, c=self.lanes[f"{name}.owed"], low=OWN, label=f"accrue {name}")

    def interest(self) -> None:
        self.interest_now = self.temporary(len(self.notes))
        at = 0
        for count, group in groupby(self.notes, key=lambda note: note.count):
            notes = list(group)
            den = lcm(*(note.rate.denominator for note in notes))
            rates = self.constant(*(int(note.rate * den) for note in notes))
            days, basis = self.days(count)
            advance = _ALL if len(notes) > 1 else 0
            self.add(
                "ACC",
                a=self.lanes[f"{notes[0].name}.balance"],
                b=rates,
                e=days,
                g=self.constant(den * basis),
                c=self.interest_now + at,
                low=len(notes) - 1 | advance,
                label=f"interest of {_names(notes)}, {count}",
            )
            at += len(notes)
        self.onto(self.interest_now, "interest")

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

    def onto(self, now: int, part: str) -> None:
        first, items = self.lanes[f"{self.notes[0].name}.{part}"], len(self.notes)
        low = items - 1 | ADVANCE_A | ADVANCE_C | OWN
        self.add("ACC", a=now, b=ONE, e=ONE, g=ONE, c=first, low=low, label=f"{part} falls due")

    def principal(self) -> None:
        self.principal_now = self.temporary(len(self.notes))
        amounts = self.constant(*(note.principal_usdc_micro for note in self.notes))
        balance = self.lanes[f"{self.notes[0].name}.balance"]
        low = len(self.notes) - 1 | _ALL
        self.add("MIN", a=amounts, b=balance, c=self.principal_now, low=low, label="scheduled principal")
        self.onto(self.principal_now, "principal")
        self.steps.append(self.capped_principal())

    def capped_principal(self) -> Raw:
        owed, balance = (self.lanes[f"{self.notes[0].name}.{part}"] for part in ("principal", "balance"))
        low = len(self.notes) - 1 | _ALL
        return Raw("MIN", a=owed, b=balance, c=owed, low=low, label="no principal beyond the balance")

    # -- terms, tests, state

    def measure(self, name: str) -> int:
        return MEASURE + [measure.name for measure in self.deal.measures].index(name)

    def term(self, term: Term) -> int:
        if term.kind == "measure":
            return self.measure(term.names[0])
        at = {note.name: i for i, note in enumerate(self.notes)}
        registers: list[int] = []
        for name in term.names:
            if term.kind == "due":
                registers += [self.interest_now + at[name]]
                registers += [self.principal_now + at[name]] if self.scheduled else []
            elif term.kind == "owed":
                registers += [
                    self.lanes[f"{name}.{part}"] for part in ("interest", "principal") if f"{name}.{part}" in self.lanes
                ]
            else:
                registers += [self.lanes[name if term.kind == "cash" else f"{name}.balance"]]
        return self.sum(sorted(registers), f"{term.kind}({', '.join(term.names)})")

    def sum(self, registers: list[int], label: str) -> int:
        total, rest = registers[0], registers[1:]
        while rest:
            run = 1
            while run < len(rest) and rest[run] == rest[0] + run:
                run += 1
            into = self.temporary()
            self.add("ADD", a=rest[0], b=total, c=into, low=run - 1, label=label)
            total, rest = into, rest[run:]
        return total

    def test(self) -> None:
        if not self.deal.tests:
            return
        worst = self.temporary()
        for number, test in enumerate(self.deal.tests, 1):
            found = self.temporary()
            self.levels(test, found)
            sticky = self.deal.states.index(test.sticky) if test.sticky else 0
            self.add(
                "CURE",
                a=number,
                b=worst,
                c=found,
                e=test.cure,
                g=sticky,
                label=f"{test.name}: worse at once, better after {test.cure} clean",
            )
        self.add("STATE", a=worst, label="the worst level is the state")

    def levels(self, test: Test, found: int) -> None:
        value, against = self.term(test.value), self.term(test.against)
        for level in test.levels:
            x, y = value, against
            if test.value.kind == "measure" and level.below:
                x = self.unless_stale(test, value, found)
            if test.against.kind == "measure" and not level.below:
                y = self.unless_stale(test, against, found)
            p, q = self.constant(level.bound.numerator), self.constant(level.bound.denominator)
            word = "below" if level.below else "above"
            operands = {"a": x, "b": q, "c": y, "e": p} if level.below else {"a": y, "b": p, "c": x, "e": q}
            label = f"{test.name}: {level.state} {word} {float(level.bound):g}"
            self.add("TEST", g=found, low=self.deal.states.index(level.state), label=label, **operands)
        if test.stale:
            low = self.deal.states.index(test.stale)
            self.add(
                "TEST", a=ZERO, b=ONE, c=STALE, e=ONE, g=found, low=low, label=f"{test.name}: {test.stale} when stale"
            )

    def unless_stale(self, test: Test, measure: int, found: int) -> int:
        """The measure, or infinity where the report is stale: no covenant fails for want of a report.

        A negative one enters as 0, which passes where nothing is due: it asks for the test's worst level outright.
        """
        key = f"guard {measure}"
        if key not in self.targets:
            guard, self.targets[key] = self.temporary(), self.temporary()
            self.add("ACC", a=STALE, b=INFINITE, e=ONE, g=ONE, c=guard, label="infinity when stale")
            self.add("MAX", a=measure, b=guard, c=self.targets[key], label="no measure fails a test when stale")
        if f"negative {found}" not in self.targets:
            self.targets[f"negative {found}"] = 1
            worst = max(self.deal.states.index(level.state) for level in test.levels)
            negative = NEGATIVE + measure - MEASURE
            label = f"{test.name}: {self.deal.states[worst]} when negative"
            self.add("TEST", a=ZERO, b=ONE, c=negative, e=ONE, g=found, low=worst, label=label)
        return self.targets[key]

    # -- waterfalls

    def waterfall(self, acts: tuple[Act, ...]) -> list[Raw]:
        return [raw for act in acts for raw in self.act(act)]

    def act(self, act: Act) -> list[Raw]:
        sources = [(COLLECT, "")] + ([(self.lanes[act.support], f" from {act.support}")] if act.support else [])
        if act.verb == "pay":
            return [
                replace(self.claim(name, source), label=f"pay {name}{where}")
                for name in act.names
                for source, where in sources
            ]
        raws = getattr(self, f"_{act.verb}")(act)
        return [replace(raw, label=raw.label or str(act)) for raw in raws]

    def claim(self, name: str, source: int) -> Raw:
        payee, _, part = name.partition(".")
        paid = self.lanes[f"{payee}.paid"]
        if part == "principal":
            return Raw("PAY", a=source, b=self.lanes[f"{payee}.balance"], c=paid, e=self.lanes[name])
        return Raw("PAY", a=source, b=self.lanes[name if part else f"{payee}.owed"], c=paid)

    def _prorata(self, act: Act) -> list[Raw]:
        first, _, part = act.names[0].partition(".")
        balance = self.lanes[f"{first}.balance"] if part == "principal" else 0
        low = len(act.names) - 1 | ADVANCE_C | OWN
        split = Raw("SPLIT", a=COLLECT, c=self.lanes[f"{first}.paid"], e=self.lanes[act.names[0]], g=balance, low=low)
        return [self.capped_principal(), split] if balance else [split]

    def _sweep(self, act: Act) -> list[Raw]:
        name = act.names[0]
        pay = Raw("PAY", a=COLLECT, b=self.lanes[f"{name}.balance"], c=self.lanes[f"{name}.paid"])
        if act.share == 1:
            return [pay]
        num, den = self.constant(act.share.numerator), self.constant(act.share.denominator)
        cap = self.named(f"share {name} {act.share}")
        share = Raw("ACC", a=COLLECT, b=num, e=ONE, g=den, c=cap, label=f"the share to sweep to {name}")
        return [share, replace(pay, e=cap)]

    def _rest(self, act: Act) -> list[Raw]:
        return [Raw("PAY", a=COLLECT, c=self.lanes[f"{act.names[0]}.paid"])]

    def _hold(self, act: Act) -> list[Raw]:
        return [Raw("PAY", a=COLLECT, c=self.lanes[act.names[0]])]

    def _fill(self, act: Act) -> list[Raw]:
        return [Raw("FUND", a=COLLECT, b=self.target(act.names[0]), c=self.lanes[act.names[0]])]

    def _release(self, act: Act) -> list[Raw]:
        account = next(account for account in self.deal.accounts if account.name == act.names[0])
        to = self.lanes[account.releases_to] if account.releases_to else COLLECT
        return [Raw("DRAIN", a=self.lanes[account.name], b=self.target(account.name), c=to)]

    def named(self, name: str) -> int:
        """A temporary by name, so that equal acts of two states become one step."""
        if name not in self.targets:
            self.targets[name] = self.temporary()
        return self.targets[name]

    def target(self, name: str) -> int:
        """The register of an account's target, computed once before the waterfall."""
        if name in self.targets:
            return self.targets[name]
        account = next(account for account in self.deal.accounts if account.name == name)
        register = self.constant(account.target_usdc_micro)
        if account.term:
            base, into = self.term(account.term), self.temporary()
            num, den = self.constant(account.times.numerator), self.constant(account.times.denominator)
            self.add("ACC", a=base, b=num, e=ONE, g=den, c=into, label=f"target of {name}")
            if account.target_usdc_micro:
                self.add("ADD", a=into, b=register, c=into, label=f"target of {name}")
            register = into
        self.targets[name] = register
        return register

    def after(self) -> list[Raw]:
        """Interest not paid becomes principal, where the deal says so."""
        return [
            Raw(
                "MOVE",
                a=self.lanes[f"{note.name}.interest"],
                c=self.lanes[f"{note.name}.balance"],
                label=f"capitalise {note.name}",
            )
            for note in self.notes
            if note.shortfall == "pik"
        ]


def _names(notes: list[Tranche]) -> str:
    return ", ".join(note.name for note in notes)
