"""The mixed pool's days worked out by hand: plain integer arithmetic, nothing of the program under test.

Dollars are micro-dollars. The terms are those of examples/deals/mixed_pool.yaml, and of the demo's credits, loans,
contract and rents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

TOKENS_A_CREDIT = 1_000
PRICE = 2_600  # a credit
TARIFF = 80  # a Wh: 0.08 dollars a kWh
SERVICER = 40_000_000  # a day
RESERVE = 500_000_000
OWED_A_WATT = 2_750_000
MONTHS = 240
RACK_OWED, RACK_WORTH = 2_400_000_000_000, 2_600_000_000_000
STANDBY = 72 * 4_000_000  # a day, when rents are what they were
CHEAP = (72, 62, 58, 61, 66, 68, 69)  # percent of what rents were, by day
NORMAL, LOCKUP, SWEEP = "normal", "lockup", "sweep"
ORDER = (NORMAL, LOCKUP, SWEEP)


@dataclass(slots=True)
class Day:
    """A day: what came in, what was tested, what was paid to whom."""

    dollars: int
    cfads: int
    base: int
    due_a: int
    lent: int
    state: str
    paid: dict[str, int]


@dataclass(slots=True)
class Claim:
    """A tranche: what is outstanding, percent a year, principal a day, what is owed and not paid yet."""

    outstanding: int
    percent: int
    scheduled: int
    interest: int = 0
    principal: int = 0

    def fall_due(self) -> None:
        self.interest += self.outstanding * self.percent // (100 * 365)  # the floor of a day's interest
        self.principal += self.scheduled


@dataclass(slots=True)
class Covenant:
    """A test: the state it asks for, and how many clean days it has been in it."""

    asks: str
    state: str = NORMAL
    clean: int = 0

    def judge(self, passed: bool) -> None:
        """Worse at once; better on a clean day that follows one whole clean day."""
        if not passed:
            self.state, self.clean = self.asks, 0
        elif self.state == self.asks and self.clean >= 1:
            self.state = NORMAL
        elif self.state == self.asks:
            self.clean += 1


@dataclass(slots=True)
class Deal:
    """Its assets (watts by roof, in order), accounts and claims, its covenants, all tokens so far."""

    watts: Sequence[int]
    doubted: tuple[int, ...] = ()
    a: Claim = field(default_factory=lambda: Claim(1_400_000_000_000, 8, 600_000_000))
    b: Claim = field(default_factory=lambda: Claim(500_000_000_000, 12, 150_000_000))
    dscr: Covenant = field(default_factory=lambda: Covenant(LOCKUP))
    cover: Covenant = field(default_factory=lambda: Covenant(SWEEP))
    collect: int = 0
    reserve: int = 0
    trap: int = 0
    state: str = NORMAL
    tokens: int = 0
    number: int = 0

    def day(self, tokens: int, energy_wh: int, sold: int = 0) -> Day:
        """One day: credits, loan payments, standing by and answers sold one by one are dollars; both covenants; then
        the waterfall."""
        before, self.tokens = self.tokens, self.tokens + tokens
        dollars = (self.tokens // TOKENS_A_CREDIT - before // TOKENS_A_CREDIT) * PRICE + self._collected() + sold
        fees = energy_wh * TARIFF + SERVICER
        assert dollars >= fees
        base, lent = self._base(), self.a.outstanding + self.b.outstanding
        self.a.fall_due()
        self.b.fall_due()
        due_a = self.a.interest + self.a.principal
        self.dscr.judge((dollars - fees) * 100 >= due_a * 120)
        self.cover.judge(base >= lent)
        self.state = max(self.dscr.state, self.cover.state, key=ORDER.index)
        self.collect += dollars - fees
        self.number += 1
        paid = {"roofs": energy_wh * TARIFF, "servicer": SERVICER, **self._pay()}
        return Day(dollars, dollars - fees, base, due_a, lent, self.state, paid)

    def _collected(self) -> int:
        """The loans due today, each a 240th of it and a month's interest at 6 %; and the rack's standing by."""
        loans = [watts * OWED_A_WATT for at, watts in enumerate(self.watts) if at % 28 == self.number]
        return sum(loan // MONTHS + loan * 6 // 1_200 for loan in loans) + STANDBY * CHEAP[self.number] // 100

    def _base(self) -> int:
        """85 % of each asset that counts; no more on one offtaker than 60 % of all that counts."""
        loans = [
            watts * OWED_A_WATT - (watts * OWED_A_WATT // MONTHS if at % 28 <= self.number else 0)
            for at, watts in enumerate(self.watts)
            if at not in self.doubted
        ]
        rack = min(RACK_WORTH * CHEAP[self.number] // 100, RACK_OWED)
        cap = (sum(loans) + rack) * 60 // 100
        return min(sum(loan * 85 // 100 for loan in loans), cap) + min(rack * 85 // 100, cap)

    def _pay(self) -> dict[str, int]:
        a = self._senior("interest") + self._senior("principal")
        filled = self._take(RESERVE - self.reserve)
        self.reserve += filled
        if self.state == SWEEP:
            return self._sweep(a)
        b = self._take(self.b.interest)
        self.b.interest -= b
        if self.state == LOCKUP:
            self.trap, self.collect = self.trap + self.collect, 0
            return {"A": a, "B": b, "E": 0}
        self.collect, self.trap = self.collect + self.trap, 0
        repaid = self._take(self.b.principal)
        self.b.principal -= repaid
        self.b.outstanding -= repaid
        return {"A": a, "B": b + repaid, "E": self._take(self.collect)}

    def _sweep(self, a: int) -> dict[str, int]:
        """B's interest, and all that is left repays A; there is never more."""
        self.collect, self.trap = self.collect + self.trap, 0
        b = self._take(self.b.interest)
        self.b.interest -= b
        swept = self._take(self.a.outstanding)
        self.a.outstanding -= swept
        assert self.collect == 0
        return {"A": a + swept, "B": b, "E": 0}

    def _senior(self, what: str) -> int:
        """A's interest or principal, from collections and then from the reserve; what lacks is owed on."""
        owed: int = getattr(self.a, what)
        first = self._take(owed)
        rest = min(owed - first, self.reserve)
        self.reserve -= rest
        setattr(self.a, what, owed - first - rest)
        if what == "principal":
            self.a.outstanding -= first + rest
        return first + rest

    def _take(self, wanted: int) -> int:
        taken = min(wanted, self.collect)
        self.collect -= taken
        return taken
