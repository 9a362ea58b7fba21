"""The peer of `exact.py`: the deal of twelve tranches by hand, in Python's Decimal, a period after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Context, Decimal, localcontext

CENT = Decimal("0.000001")  # the smallest dollar amount there is
NOTHING = Decimal(0)
FLOORED = Context(prec=40, rounding=ROUND_FLOOR)
NORMAL, LOCKUP, ACCEL = range(3)
SENIOR = 4
Record = tuple[str, Decimal, Decimal, Decimal]
Row = tuple[Decimal, Decimal, Decimal, Decimal, bool]


@dataclass(slots=True)
class Note:
    """A tranche with a balance: what it is owed, and what it was ever paid."""

    balance: Decimal
    rate: Decimal
    interest: Decimal = NOTHING
    due: Decimal = NOTHING
    paid: Decimal = NOTHING

    def accrue(self) -> None:
        """A month's interest as 30/360, rounded down once."""
        self.due = (self.balance * self.rate * 30 / 360).quantize(CENT, ROUND_FLOOR)
        self.interest += self.due


@dataclass(slots=True)
class Covenant:
    """A test's standing level and clean periods; worse at once, better after one clean period."""

    sticky: int = 0
    level: int = NORMAL
    clean: int = 0

    def found(self, level: int) -> None:
        """Take in what this period's test found."""
        if level >= self.level:
            self.level, self.clean = level, 0
        elif not (self.sticky and self.level >= self.sticky):
            if self.clean >= 1:
                self.level, self.clean = level, 0
            else:
                self.clean += 1


@dataclass(slots=True)
class DecimalDeal:
    """The deal between two periods; ``records`` is None where nobody wants them."""

    notes: list[Note]
    records: list[Record] | None
    fees: list[Decimal] = field(default_factory=lambda: [Decimal(90_000), Decimal(25_000)])
    owed: list[Decimal] = field(default_factory=lambda: [NOTHING, NOTHING])
    fees_paid: list[Decimal] = field(default_factory=lambda: [NOTHING, NOTHING])
    collect: Decimal = NOTHING
    dsra: Decimal = NOTHING
    inverter: Decimal = NOTHING
    trap: Decimal = NOTHING
    equity: Decimal = NOTHING
    dscr: Covenant = field(default_factory=lambda: Covenant(sticky=ACCEL))
    ltv: Covenant = field(default_factory=Covenant)
    state: int = NORMAL

    def close(self, cash: Decimal, cfads: Decimal, value: Decimal, repaid: Decimal, fresh: bool) -> None:
        """One period: cash in, what falls due, tests, state, waterfall."""
        self.collect += cash
        self.owed = [owed + fee for owed, fee in zip(self.owed, self.fees, strict=True)]
        for note in self.notes:
            note.accrue()
        self.test(cfads, value, fresh)
        self.state = max(self.dscr.level, self.ltv.level)
        self.pay_fees()
        if self.state == ACCEL:
            self.accelerated()
        else:
            self.ordinary(repaid if fresh else NOTHING)

    def test(self, cfads: Decimal, value: Decimal, fresh: bool) -> None:
        """Coverage of senior service, and debt to value; a report that is missing asks for lock-up."""
        due = sum((note.due for note in self.notes[:SENIOR]), start=NOTHING)
        debt = sum((note.balance for note in self.notes), start=NOTHING)
        cover = lend = LOCKUP
        if fresh:
            cover = ACCEL if cfads < due else LOCKUP if cfads < due * Decimal("1.2") else NORMAL
            lend = LOCKUP if debt > value * Decimal("0.95") else NORMAL
        self.dscr.found(cover)
        self.ltv.found(lend)
        self.note("dscr", cfads, due, Decimal(cover))
        self.note("ltv", debt, value, Decimal(lend))

    def pay_fees(self) -> None:
        """What each fee is owed, in order."""
        for place, owed in enumerate(self.owed):
            paid = self.take(f"fee {place}", owed)
            self.owed[place] -= paid
            self.fees_paid[place] += paid

    def ordinary(self, repaid: Decimal) -> None:
        """Interest, principal as borrowers repaid it, reserves; the rest to equity, or held while locked up."""
        self.pay_interest(self.notes[:1])
        first = self.notes[0]
        helped = min(self.dsra, first.interest)
        self.dsra -= helped
        first.interest -= helped
        first.paid += helped
        self.note("support", self.dsra + helped, first.interest + helped, helped)
        self.pay_interest(self.notes[1:])
        for note in self.notes:
            repaid -= self.repay(note, repaid)
        self.dsra += self.take("dsra", max(Decimal(1_700_000) - self.dsra, NOTHING))
        self.inverter += self.take("inverter", max(Decimal(250_000) - self.inverter, NOTHING))
        if self.state == LOCKUP:
            self.trap += self.take("trap", self.collect)
            return
        self.collect, self.trap = self.collect + self.trap, NOTHING
        self.equity += self.take("equity", self.collect)

    def accelerated(self) -> None:
        """Seniors' interest and principal first, then the others', then equity."""
        self.collect, self.trap = self.collect + self.trap, NOTHING
        for group in (self.notes[:SENIOR], self.notes[SENIOR:]):
            self.pay_interest(group)
            for note in group:
                self.repay(note)
        self.equity += self.take("equity", self.collect)

    def pay_interest(self, notes: Sequence[Note]) -> None:
        """What each is owed, in order."""
        for note in notes:
            paid = self.take("interest", note.interest)
            note.interest -= paid
            note.paid += paid

    def repay(self, note: Note, most: Decimal | None = None) -> Decimal:
        """The balance, or as much of it as ``most``; what was repaid."""
        paid = self.take("principal", note.balance if most is None else min(most, note.balance))
        note.balance -= paid
        note.paid += paid
        return paid

    def take(self, name: str, due: Decimal) -> Decimal:
        """As much of what is due as collections hold."""
        paid = min(self.collect, due)
        self.note(name, self.collect, due, paid)
        self.collect -= paid
        return paid

    def note(self, name: str, available: Decimal, due: Decimal, paid: Decimal) -> None:
        """Keep a record, where records are wanted."""
        if self.records is not None:
            self.records.append((name, available, due, paid))

    @property
    def figures(self) -> list[Decimal]:
        """Accounts, payments so far and balances, in the order of the deal's lanes."""
        accounts = [self.collect, self.dsra, self.inverter, self.trap]
        paid = [*self.fees_paid, *(note.paid for note in self.notes), self.equity]
        return [*accounts, *paid, *(note.balance for note in self.notes)]


def months(
    notes: Sequence[tuple[Decimal, Decimal]], rows: Sequence[Row], *, records: bool
) -> tuple[list[list[Decimal]], list[int]]:
    """Every period's figures and state. ``notes``: balance, rate; ``rows``: see `close`."""
    kept: list[Record] | None = [] if records else None
    deal = DecimalDeal([Note(*note) for note in notes], kept)
    figures, states = [], []
    with localcontext(FLOORED):
        for row in rows:
            deal.close(*row)
            figures.append(deal.figures)
            states.append(deal.state)
    return figures, states
