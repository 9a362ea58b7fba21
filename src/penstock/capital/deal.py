"""A deal as values: accounts, payees, measures, tests, states and one waterfall a state.

What ``language.load_deal`` reads and ``compile.compile_deal`` compiles. Money in micro-dollars, rates exact ratios.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal


@dataclass(frozen=True, slots=True)
class Calendar:
    """When periods end: a fixed step [s] or a number of months, from a start [s since 1970, UTC].

    ``grace_s``: how long a close waits for its report before it goes ahead without one [s].
    """

    start_s: int
    step_s: int
    months: int
    grace_s: int


@dataclass(frozen=True, slots=True)
class Measure:
    """One attested number of the report; its unit is Wh, USDC (in micro-dollars) or tokens."""

    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class Term:
    """Something a test or a target compares: a measure, what is due to, owed to or outstanding on tranches, or cash.

    ``due``: this period's interest and scheduled principal; ``owed``: arrears too; ``balance``: face outstanding.
    """

    kind: Literal["measure", "due", "owed", "balance", "cash"]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """Cash set aside. Target: an amount [micro-dollars] plus ``times`` x ``term``; excess goes to ``releases_to``."""

    name: str
    target_usdc_micro: int = 0
    times: Fraction = Fraction(0)
    term: Term | None = None
    releases_to: str = ""


@dataclass(frozen=True, slots=True)
class Fee:
    """Paid for service: an amount a period or per unit of a measure [micro-dollars], or a share of cash in."""

    name: str
    amount_usdc_micro: int = 0
    per_unit: Fraction = Fraction(0)
    measure: str = ""
    of_inflow: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Tranche:
    """A claim. Face and scheduled principal a period [micro-dollars], rate a year; a residual takes what is left."""

    name: str
    face_usdc_micro: int = 0
    rate: Fraction = Fraction(0)
    count: Literal["act/365", "act/360", "30/360"] = "act/365"
    principal_usdc_micro: int = 0
    shortfall: Literal["carry", "pik"] = "carry"
    residual: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """The state a test asks for while its ratio is below (or above) a bound."""

    state: str
    below: bool
    bound: Fraction


@dataclass(frozen=True, slots=True)
class Test:
    """A covenant: value / against, compared by cross-multiplication. Cures after ``cure`` clean periods."""

    __test__ = False  # not a test case

    name: str
    value: Term
    against: Term
    levels: tuple[Level, ...]
    cure: int
    stale: str = ""
    sticky: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """One line of a waterfall.

    ``pay``: claims in order, each also from ``support`` where cash falls short; ``prorata``: claims side by side;
    ``sweep``: a share of what is left to a tranche's balance; ``fill`` and ``release``: reserves; ``rest``: all that is
    left to a payee; ``hold``: all that is left into an account.
    """

    verb: Literal["pay", "prorata", "sweep", "fill", "release", "rest", "hold"]
    names: tuple[str, ...]
    support: str = ""
    share: Fraction = Fraction(1)
    line: int = 0

    def __str__(self) -> str:
        names = ", ".join(self.names)
        if self.verb == "rest":
            return f"pay {names} rest"
        if self.verb == "hold":
            return f"hold rest in {names}"
        if self.verb == "prorata":
            return f"pay {names} pro rata"
        tail = f" support {self.support}" if self.support else ""
        tail += f" share {float(self.share * 100):g} %" if self.share != 1 else ""
        return f"{self.verb} {names}{tail}"


@dataclass(frozen=True, slots=True)
class Deal:
    """A whole deal. Cash arrives in the first account; the first state is the normal one, later ones are worse."""

    name: str
    calendar: Calendar
    measures: tuple[Measure, ...]
    accounts: tuple[Account, ...]
    fees: tuple[Fee, ...]
    tranches: tuple[Tranche, ...]
    tests: tuple[Test, ...]
    waterfalls: tuple[tuple[str, tuple[Act, ...]], ...]

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states, from normal to worst."""
        return tuple(state for state, _ in self.waterfalls)

    @property
    def payees(self) -> tuple[str, ...]:
        """Names of those paid: fees first, then tranches, in declared order; their lanes lie in this order."""
        return tuple(fee.name for fee in self.fees) + tuple(tranche.name for tranche in self.tranches)
