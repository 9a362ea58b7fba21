"""The lines of a waterfall as steps.

A line's cap and its condition are one register that its payments use up: no condition, no jump; where the condition
does not hold the cap is 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from penstock.capital.deal import Account, Act, Deal
from penstock.capital.dues import capped
from penstock.capital.program import ADVANCE_C, OWN, Raw
from penstock.capital.registers import (
    COLLECT,
    INFINITE,
    INFINITE_WHEN_STALE,
    ITEMS_MAX,
    ONE,
    ZERO,
    Registers,
    vector,
)
from penstock.capital.terms import Sheet, Terms, line_sheet
from penstock.errors import Refused


class Lines:
    """Targets are computed once, before the waterfall; caps and conditions at their line, as things then stand."""

    def __init__(self, deal: Deal, registers: Registers, terms: Terms) -> None:
        self.registers, self.terms = registers, terms
        self.accounts = {account.name: account for account in deal.accounts}
        self.scheduled = {note.name for note in registers.scheduled}
        self.verbs = {
            "pay": self.pay,
            "prorata": self.prorata,
            "sweep": self.sweep,
            "fill": self.fill,
            "release": self.release,
            "rest": self.rest,
            "hold": self.hold,
            "draw": self.draw,
            "write_off": self.write_off,
            "write_up": self.write_up,
            "capitalise": self.capitalise,
        }

    def steps_of(self, acts: Iterable[Act]) -> list[Raw]:
        """The steps of one state's waterfall."""
        return [raw for act in acts for raw in self.steps_of_act(act)]

    def steps_of_act(self, act: Act) -> list[Raw]:
        """The steps of one line."""
        sheet = line_sheet()
        self.verbs[act.verb](act, sheet)
        told = str(act) or f"{act.verb} {', '.join(act.names)}"
        return [replace(raw, label=raw.label or told) for raw in sheet.steps]

    def lane(self, name: str) -> int:
        """A lasting lane. Raises Refused ``program.no_such_name``."""
        return self.terms.named(self.registers.lanes, name)

    def source(self, act: Act) -> int:
        return self.lane(act.source) if act.source else COLLECT

    def flag(self, act: Act, sheet: Sheet) -> int:
        """1 where the line's condition holds; `ONE` where it has none."""
        return self.terms.holds(act.when, sheet) if act.when else ONE

    def cap(self, act: Act, sheet: Sheet) -> int:
        """What the line may move in all, in a register of its own; 0 for no limit."""
        flag = self.flag(act, sheet)
        if act.cap is None:
            return 0 if flag == ONE else sheet.put("ACC", INFINITE, flag, _only(act), e=ONE, g=ONE)
        cap = self.terms.copy(act.cap, sheet)
        return cap if flag == ONE else sheet.put("ACC", cap, flag, _only(act), e=ONE, g=ONE, into=cap)

    def pay(self, act: Act, sheet: Sheet) -> None:
        """Each claim from the source, then what is missing from the support."""
        cap = self.cap(act, sheet)
        sources = [(self.source(act), "")] + ([(self.lane(act.support), f" from {act.support}")] if act.support else [])
        for name in act.names:
            for source, where in sources:
                self.claim(name, source, cap, sheet, f"pay {name}{where}")

    def claim(self, name: str, source: int, cap: int, sheet: Sheet, label: str) -> None:
        payee, _, part = name.partition(".")
        paid, owed = self.lane(f"{payee}.paid"), self.registers.lanes.get(name if part else f"{payee}.owed", 0)
        if not owed and (part or not cap):
            hint = "Write `up to` an amount, or `pay ... rest`."
            raise Refused("program.nothing_owed", f"Nothing falls due to {name} by itself.", hint=hint, payee=name)
        if part != "principal":
            sheet.steps.append(Raw("PAY", a=source, b=owed, c=paid, e=cap, label=label))
        elif not cap:
            balance = self.lane(f"{payee}.balance")
            sheet.steps.append(Raw("PAY", a=source, b=balance, c=paid, e=owed, label=label))
        else:
            self.capped_principal(payee, (source, owed, paid, cap), sheet, label)

    def capped_principal(self, payee: str, pay: tuple[int, int, int, int], sheet: Sheet, label: str) -> None:
        """A payment has two limits: with a cap the balance follows the principal owed."""
        (source, owed, paid, cap), balance = pay, self.lane(f"{payee}.balance")
        sheet.put("MIN", owed, balance, label, into=owed)
        before = sheet.put("ADD", owed, 0, label)
        sheet.steps.append(Raw("PAY", a=source, b=owed, c=paid, e=cap, label=label))
        sheet.put("SUB", before, owed, label, into=before)
        sheet.put("SUB", balance, before, label, into=balance)

    def prorata(self, act: Act, sheet: Sheet) -> None:
        owed = [self.lane(name if "." in name else f"{name}.owed") for name in act.names]
        first, _, part = act.names[0].partition(".")
        if part == "principal":
            sheet.steps.append(capped(self.registers))
        balance = self.lane(f"{first}.balance") if part == "principal" else 0
        self.split(act, owed, self.cap(act, sheet), balance, sheet)

    def split(self, act: Act, owed: list[int], cap: int, also: int, sheet: Sheet) -> None:
        """Claims side by side by what each is owed; ``also``: the first of a row of balances paid down with them."""
        payees = [name.partition(".")[0] for name in act.names]
        paid = [self.lane(f"{name}.paid") for name in payees]
        if len(owed) > ITEMS_MAX:
            raise Refused("program.too_large", "At most 16 claims stand side by side.", hint="Pay them in two lines.")
        if not (_in_a_row(owed) and _in_a_row(paid)):
            hint = "Name them in the order, and without gaps, in which they are declared; or pay them one by one."
            raise Refused("program.not_side_by_side", f"{', '.join(payees)} do not stand side by side.", hint=hint)
        low = vector(len(owed), ADVANCE_C) | OWN
        sheet.steps.append(Raw("SPLIT", a=self.source(act), b=cap, c=paid[0], e=owed[0], g=also, low=low))

    def sweep(self, act: Act, sheet: Sheet) -> None:
        balances, source = [self.lane(f"{name}.balance") for name in act.names], self.source(act)
        cap = self.cap(act, sheet)
        if act.share != 1:
            cap = self.share(act, source, cap, sheet)
        if act.side_by_side:
            self.split(act, balances, cap, 0, sheet)
            return
        for name, balance in zip(act.names, balances, strict=True):
            sheet.steps.append(Raw("PAY", a=source, b=balance, c=self.lane(f"{name}.paid"), e=cap))

    def share(self, act: Act, source: int, cap: int, sheet: Sheet) -> int:
        """A share of what the source holds, at most the cap."""
        num, den = self.registers.constant(act.share.numerator), self.registers.constant(act.share.denominator)
        label = f"the share to sweep to {', '.join(act.names)}"
        share = sheet.put("ACC", source, num, label, e=ONE, g=den)
        return sheet.put("MIN", share, cap, label, into=share) if cap else share

    def rest(self, act: Act, sheet: Sheet) -> None:
        self.move(act, self.lane(f"{act.names[0]}.paid"), sheet)

    def hold(self, act: Act, sheet: Sheet) -> None:
        self.move(act, self.lane(act.names[0]), sheet)

    def move(self, act: Act, to: int, sheet: Sheet) -> None:
        cap = self.cap(act, sheet)
        sheet.steps.append(Raw("PAY", a=self.source(act), c=to, e=cap))

    def fill(self, act: Act, sheet: Sheet) -> None:
        account, target = self.lane(act.names[0]), self.target(self.accounts[act.names[0]])
        flag = self.flag(act, sheet)
        if act.cap is not None:  # as high as the cap lifts it, at most to the target
            lifted = sheet.put("ADD", account, self.terms.value(act.cap, sheet))
            target = sheet.put("MIN", lifted, target, into=lifted)
        if flag != ONE:
            target = sheet.put("ACC", target, flag, _only(act), e=ONE, g=ONE)
        sheet.steps.append(Raw("FUND", a=self.source(act), b=target, c=account))

    def release(self, act: Act, sheet: Sheet) -> None:
        account = self.accounts[act.names[0]]
        held, target = self.lane(account.name), self.kept(account)
        to = self.lane(account.releases_to) if account.releases_to else COLLECT
        cap = self.cap(act, sheet)
        if cap:  # as low as the cap lets it fall, at least the target
            lowered = sheet.put("SUB", held, cap, into=cap)
            target = sheet.put("MAX", lowered, target, into=cap)
        sheet.steps.append(Raw("DRAIN", a=held, b=target, c=to))

    def target(self, account: Account) -> int:
        """The register of an account's target."""
        return ZERO if account.target is None else self.terms.value(account.target)

    def kept(self, account: Account) -> int:
        """What must stay: the target; and all there is where the target reads a report that is missing."""
        target, label = self.target(account), f"{account.name} keeps what it has without a fresh report"
        if account.target is None or not self.terms.reads(account.target):
            return target
        put = self.terms.before.put
        return self.terms.once(("kept", account.name), lambda: put("MAX", target, INFINITE_WHEN_STALE, label))

    def draw(self, act: Act, sheet: Sheet) -> None:
        """Cash to the payee; what the commitment lost the balance gains."""
        cap, paid = self.cap(act, sheet), self.lane(f"{act.to}.paid")
        for name in act.names:
            undrawn, balance = self.lane(f"{name}.undrawn"), self.lane(f"{name}.balance")
            drawn = sheet.put("ADD", undrawn, 0)
            sheet.steps.append(Raw("PAY", a=self.source(act), b=undrawn, c=paid, e=cap))
            sheet.put("SUB", drawn, undrawn, into=drawn)
            sheet.steps.append(Raw("MOVE", a=drawn, c=balance, label=f"{name} owes what was drawn"))

    def write_off(self, act: Act, sheet: Sheet) -> None:
        loss = self.needed_cap(act, sheet)
        for name in act.names:
            balance, written = self.lane(f"{name}.balance"), self.registers.lanes.get(f"{name}.written", 0)
            sheet.steps.append(Raw("PAY", a=loss, b=balance, c=written))
        if self.scheduled & set(act.names):
            sheet.steps.append(capped(self.registers))

    def write_up(self, act: Act, sheet: Sheet) -> None:
        back = self.needed_cap(act, sheet)
        for name in act.names:
            written, balance = self.lane(f"{name}.written"), self.lane(f"{name}.balance")
            sheet.steps.append(Raw("PAY", a=back, b=written, c=balance))

    def needed_cap(self, act: Act, sheet: Sheet) -> int:
        if act.cap is None:
            hint = "Name the amount, such as a measure."
            raise Refused("program.no_amount", f"The line does not say how much: {act}.", hint=hint)
        return self.cap(act, sheet)

    def capitalise(self, act: Act, sheet: Sheet) -> None:
        cap = self.cap(act, sheet)
        for name in act.names:
            sheet.steps.append(self.capitalised(name.partition(".")[0], cap))

    def capitalised(self, name: str, cap: int = 0) -> Raw:
        interest, balance = self.lane(f"{name}.interest"), self.lane(f"{name}.balance")
        if cap:
            return Raw("PAY", a=interest, c=balance, e=cap)
        return Raw("MOVE", a=interest, c=balance, label=f"capitalise {name}.interest")

    def after(self) -> list[Raw]:
        """Interest not paid becomes principal, where the deal says so."""
        return [self.capitalised(note.name) for note in self.registers.notes if note.shortfall == "pik"]


def _only(act: Act) -> str:
    return f"nothing where the condition does not hold: {act}"


def _in_a_row(registers: list[int]) -> bool:
    return registers == list(range(registers[0], registers[0] + len(registers)))
