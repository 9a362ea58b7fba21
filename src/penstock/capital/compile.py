"""A deal to its program: what falls due, tests and state, then the waterfalls of all states as one list of steps."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from fractions import Fraction
from typing import Final

from eth_utils.crypto import keccak

from penstock.capital.ceiling import gas_ceiling, refuse_saturation
from penstock.capital.covenant import Covenants
from penstock.capital.deal import Account, Act, Deal
from penstock.capital.dues import Dues
from penstock.capital.merge import merge, vectorise
from penstock.capital.program import ADVANCE_C, OWN, Program, Raw, assemble, program_hash
from penstock.capital.registers import COLLECT, ITEMS_MAX, ONE, Registers, vector
from penstock.errors import Refused

COMPILER: Final = "penstock-deal/1"


def compile_deal(deal: Deal) -> Program:
    """The program that runs ``deal`` on chain and in the exact engine.

    Raises:
        Refused: ``program.too_large``, ``program.number_too_large``, ``program.day_count`` or ``program.may_saturate``
            where the chain cannot hold the deal, with the reason.
    """
    registers = Registers(deal)
    dues = Dues(deal, registers)
    covenants = Covenants(deal, registers, dues)
    waterfalls = Waterfalls(deal, registers, dues, covenants)
    merged = merge([waterfalls.steps_of(acts) for _, acts in deal.waterfalls])
    everywhere = (1 << len(deal.states)) - 1
    before = [(raw, everywhere) for raw in dues.steps + covenants.steps]
    steps = vectorise([*before, *merged, *((raw, everywhere) for raw in waterfalls.after())])
    counts = (registers.state_words, registers.cash_words, registers.paid, len(deal.payees))
    code = assemble(deal.calendar, counts, registers.constants, steps, registers.opening())
    refuse_saturation(code)
    return Program(
        code=code,
        deal_hash=keccak(canonical_json(deal)),
        program_hash=program_hash(code),
        lanes=registers.lanes,
        payee_lanes={name: registers.paid + i for i, name in enumerate(deal.payees)},
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


class Waterfalls:
    """The lines of a waterfall as steps. Targets and shares are named, so that states share them."""

    def __init__(self, deal: Deal, registers: Registers, dues: Dues, covenants: Covenants) -> None:
        self.registers, self.dues, self.covenants = registers, dues, covenants
        self.lanes = registers.lanes
        self.accounts = {account.name: account for account in deal.accounts}
        self.named: dict[str, int] = {}

    def steps_of(self, acts: tuple[Act, ...]) -> list[Raw]:
        """The steps of one state's waterfall."""
        return [raw for act in acts for raw in self.steps_of_act(act)]

    def steps_of_act(self, act: Act) -> list[Raw]:
        """The steps of one line."""
        steps = {
            "pay": self.pay,
            "prorata": self.prorata,
            "sweep": self.sweep,
            "fill": self.fill,
            "release": self.release,
            "rest": self.rest,
            "hold": self.hold,
        }[act.verb](act)
        return [replace(raw, label=raw.label or str(act)) for raw in steps]

    def pay(self, act: Act) -> list[Raw]:
        """Each claim from collections, then what is missing from its support."""
        sources = [(COLLECT, "")] + ([(self.lanes[act.support], f" from {act.support}")] if act.support else [])
        return [
            replace(self.claim(name, source), label=f"pay {name}{where}")
            for name in act.names
            for source, where in sources
        ]

    def claim(self, name: str, source: int) -> Raw:
        payee, _, part = name.partition(".")
        paid = self.lanes[f"{payee}.paid"]
        if part == "principal":
            return Raw("PAY", a=source, b=self.lanes[f"{payee}.balance"], c=paid, e=self.lanes[name])
        return Raw("PAY", a=source, b=self.lanes[name if part else f"{payee}.owed"], c=paid)

    def prorata(self, act: Act) -> list[Raw]:
        first, _, part = act.names[0].partition(".")
        if len(act.names) > ITEMS_MAX:
            raise Refused("program.too_large", "At most 16 claims stand side by side.", hint="Pay them in two lines.")
        principal = part == "principal"
        split = Raw(
            "SPLIT",
            a=COLLECT,
            c=self.lanes[f"{first}.paid"],
            e=self.lanes[act.names[0]],
            g=self.lanes[f"{first}.balance"] if principal else 0,
            low=vector(len(act.names), ADVANCE_C) | OWN,
        )
        return [self.dues.capped(), split] if principal else [split]

    def sweep(self, act: Act) -> list[Raw]:
        name = act.names[0]
        pay = Raw("PAY", a=COLLECT, b=self.lanes[f"{name}.balance"], c=self.lanes[f"{name}.paid"])
        if act.share == 1:
            return [pay]
        num, den = self.registers.constant(act.share.numerator), self.registers.constant(act.share.denominator)
        key = f"share {act.share} to {name}"
        cap = self.named.setdefault(key, self.named.get(key) or self.registers.temporary())
        share = Raw("ACC", a=COLLECT, b=num, e=ONE, g=den, c=cap, label=f"the share to sweep to {name}")
        return [share, replace(pay, e=cap)]

    def rest(self, act: Act) -> list[Raw]:
        return [Raw("PAY", a=COLLECT, c=self.lanes[f"{act.names[0]}.paid"])]

    def hold(self, act: Act) -> list[Raw]:
        return [Raw("PAY", a=COLLECT, c=self.lanes[act.names[0]])]

    def fill(self, act: Act) -> list[Raw]:
        return [Raw("FUND", a=COLLECT, b=self.target(self.accounts[act.names[0]]), c=self.lanes[act.names[0]])]

    def release(self, act: Act) -> list[Raw]:
        account = self.accounts[act.names[0]]
        to = self.lanes[account.releases_to] if account.releases_to else COLLECT
        return [Raw("DRAIN", a=self.lanes[account.name], b=self.target(account), c=to)]

    def target(self, account: Account) -> int:
        """The register of an account's target, computed once, before the waterfall."""
        key = f"target of {account.name}"
        if key not in self.named:
            self.named[key] = self.compute_target(account, key)
        return self.named[key]

    def compute_target(self, account: Account, label: str) -> int:
        fixed = self.registers.constant(account.target_usdc_micro)
        if not account.term:
            return fixed
        base, into = self.covenants.term(account.term), self.registers.temporary()
        num = self.registers.constant(account.times.numerator)
        den = self.registers.constant(account.times.denominator)
        self.covenants.steps.append(Raw("ACC", a=base, b=num, e=ONE, g=den, c=into, label=label))
        if account.target_usdc_micro:
            self.covenants.steps.append(Raw("ADD", a=into, b=fixed, c=into, label=label))
        return into

    def after(self) -> list[Raw]:
        """Interest not paid becomes principal, where the deal says so."""
        return [
            Raw(
                "MOVE",
                a=self.lanes[f"{note.name}.interest"],
                c=self.lanes[f"{note.name}.balance"],
                label=f"capitalise {note.name}.interest",
            )
            for note in self.registers.notes
            if note.shortfall == "pik"
        ]
