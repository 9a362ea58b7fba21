"""The first deal's days worked out by hand: plain integer arithmetic, nothing of the program under test.

Dollars are micro-dollars. The terms are those of examples/deals/first.yaml and of the demo's credits.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TOKENS_A_CREDIT = 1_000
PRICE = 2_600  # a credit
TARIFF = 80  # a Wh: 0.08 dollars a kWh
SERVICER = 40_000_000  # a day
RESERVE = 500_000_000


@dataclass(slots=True)
class Day:
    """A day: what came in, what was tested, what was paid to whom."""

    dollars: int
    cfads: int
    due_a: int
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
class Deal:
    """Its accounts and claims, its state, how many clean days it has been locked up, all tokens so far."""

    a: Claim = field(default_factory=lambda: Claim(2_000_000_000_000, 8, 600_000_000))
    b: Claim = field(default_factory=lambda: Claim(500_000_000_000, 12, 150_000_000))
    collect: int = 0
    reserve: int = 0
    trap: int = 0
    state: str = "normal"
    clean: int = 0
    tokens: int = 0

    def day(self, tokens: int, energy_wh: int) -> Day:
        """One day: tokens are credits are dollars; less fees they cover A or not; then the waterfall."""
        before, self.tokens = self.tokens, self.tokens + tokens
        dollars = (self.tokens // TOKENS_A_CREDIT - before // TOKENS_A_CREDIT) * PRICE
        fees = energy_wh * TARIFF + SERVICER
        assert dollars >= fees
        self.a.fall_due()
        self.b.fall_due()
        due_a = self.a.interest + self.a.principal
        self._judge(covered=(dollars - fees) * 100 >= due_a * 120)
        self.collect += dollars - fees
        paid = {"roofs": energy_wh * TARIFF, "servicer": SERVICER, **self._pay()}
        return Day(dollars, dollars - fees, due_a, self.state, paid)

    def _judge(self, covered: bool) -> None:
        """Locked up when not covered; free again on a covered day that follows one whole covered day in lock-up."""
        if not covered:
            self.state, self.clean = "lockup", 0
        elif self.state == "lockup" and self.clean >= 1:
            self.state = "normal"
        elif self.state == "lockup":
            self.clean += 1

    def _pay(self) -> dict[str, int]:
        a = self._senior("interest") + self._senior("principal")
        filled = self._take(RESERVE - self.reserve)
        self.reserve += filled
        b = self._take(self.b.interest)
        self.b.interest -= b
        if self.state == "lockup":
            self.trap, self.collect = self.trap + self.collect, 0
            return {"A": a, "B": b, "E": 0}
        self.collect, self.trap = self.collect + self.trap, 0
        repaid = self._take(self.b.principal)
        self.b.principal -= repaid
        self.b.outstanding -= repaid
        return {"A": a, "B": b + repaid, "E": self._take(self.collect)}

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
