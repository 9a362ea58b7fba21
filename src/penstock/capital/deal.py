"""A deal as values: calendar, report, schedules, accounts, payees, tranches, tests, states and one waterfall a state.

What ``language.load_deal`` reads and ``compile.compile_deal`` compiles. Money in micro-dollars, rates exact ratios.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

DayCount = Literal["act/365", "act/360", "30/360"]


@dataclass(frozen=True, slots=True)
class Calendar:
    """When periods end: a fixed step [s] or a number of months, from a start [s since 1970, UTC].

    Attributes:
        grace_s: how long a close waits for its report before it goes ahead without one [s].
        periods: how many there are; 0 where the deal names no end. Schedules need it.
        ends_s: the end of each period where they follow business days [s]; empty where the step says it all.
        business: the calendar of business days, as ``US``; empty for none.
        convention: what becomes of an end that is no business day, as ``modified following``.
    """

    start_s: int
    step_s: int
    months: int
    grace_s: int
    periods: int = 0
    ends_s: tuple[int, ...] = ()
    business: str = ""
    convention: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """One attested number of the report.

    Attributes:
        name: what the deal calls it.
        unit: Wh, USDC (in micro-dollars), tokens, count, or rate (in hundred-millionths: 5.3 % is 5_300_000).
        of: the definition it follows (``capital.measure``); its own name where empty.
        over: how many periods it looks back, this one included.
    """

    name: str
    unit: str
    of: str = ""
    over: int = 1


@dataclass(frozen=True, slots=True)
class Column:
    """A schedule: one value a period, as a measure's unit says; beyond the last period the last value stands."""

    name: str
    unit: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """An amount that can be computed at a close: total, never negative, without loops.

    ``kind`` and what ``names``, ``value``, ``ratio`` and ``parts`` then mean:

    - ``money``: ``value`` micro-dollars. ``measure``, ``column``, ``amount``: the one named.
    - ``due``: this period's interest and scheduled principal of the tranches named; ``owed``: arrears too;
      ``arrears``: what was owed before this period's fell due; ``interest``, ``principal``: that part of what is owed.
    - ``balance``: outstanding; ``face``: at the start; ``undrawn``: of a commitment; ``written``: written off so far.
    - ``payoff``: balance and interest owed. ``cash``: what accounts hold; ``paid``: all ever paid to payees.
    - ``inflow``: dollars taken in at this close. ``period``: the number of this period, from 1.
    - ``was``: the measure named, a period ago; ``total``: the sum of all its values, this one included.
    - ``times``: ``ratio`` x the one part, rounded down. ``plus``: the sum of the parts.
    - ``less``: the first part less the second, but not below 0. ``min``, ``max``: the least, the greatest part.
    """

    kind: Literal[
        "money", "measure", "column", "amount", "due", "owed", "arrears", "interest", "principal", "balance", "face",
        "undrawn", "written", "payoff", "cash", "paid", "inflow", "period", "was", "total", "times", "plus", "less",
        "min", "max",
    ]  # fmt: skip
    names: tuple[str, ...] = ()
    value: int = 0
    ratio: Fraction = Fraction(1)
    parts: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """``left`` is below ``right``; or, where ``below`` is false, at least ``right``."""

    left: Term
    below: bool
    right: Term


@dataclass(frozen=True, slots=True)
class Amount:
    """A term with a name of its own."""

    name: str
    term: Term


@dataclass(frozen=True, slots=True)
class Account:
    """Cash set aside, up to its target where it has one; excess goes to ``releases_to``."""

    name: str
    target: Term | None = None
    releases_to: str = ""


@dataclass(frozen=True, slots=True)
class Fee:
    """A payee for service; with nothing set it is owed nothing and takes what a line of the waterfall hands it.

    Attributes:
        amount_usdc_micro: so much a period [micro-dollars].
        per_unit: micro-dollars per unit of ``measure``.
        of_inflow: share of cash that came in.
        due: any amount a period.
        rate: a year, on ``base``, by ``count``.
    """

    name: str
    amount_usdc_micro: int = 0
    per_unit: Fraction = Fraction(0)
    measure: str = ""
    of_inflow: Fraction = Fraction(0)
    due: Term | None = None
    rate: Fraction = Fraction(0)
    base: Term | None = None
    count: DayCount = "act/365"


@dataclass(frozen=True, slots=True)
class Floating:
    """An attested rate plus ``margin``, between ``floor`` and ``cap`` (None: none)."""

    index: str
    margin: Fraction = Fraction(0)
    floor: Fraction = Fraction(0)
    cap: Fraction | None = None


@dataclass(frozen=True, slots=True)
class StepUp:
    """From period ``period`` on (counting from 1) the rate is higher by ``add``."""

    period: int
    add: Fraction


@dataclass(frozen=True, slots=True)
class Tranche:
    """A claim. Amounts in micro-dollars, rates a year; a residual takes what is left.

    Attributes:
        face_usdc_micro: outstanding at the start.
        rate: fixed; 0 beside ``floating`` or ``rate_column`` (a schedule of unit rate).
        steps: step-ups, in order of their periods.
        notional: what interest runs on instead of the balance; then the tranche is interest only.
        principal_usdc_micro: scheduled a period; ``principal``: or any amount, such as what a PAC's schedule lacks.
        shortfall: unpaid interest is carried; carried and bears interest; becomes principal; or is a default, which
            the deal's states see as ``arrears``.
        commitment_usdc_micro: what may still be drawn at the start.
        legal_final_s: when it must be repaid [s since 1970]; 0 for none.
        classes: investor classes that may hold it; empty for any.
    """

    name: str
    face_usdc_micro: int = 0
    rate: Fraction = Fraction(0)
    count: DayCount = "act/365"
    principal_usdc_micro: int = 0
    shortfall: Literal["carry", "carry with interest", "pik", "default"] = "carry"
    residual: bool = False
    floating: Floating | None = None
    rate_column: str = ""
    steps: tuple[StepUp, ...] = ()
    notional: Term | None = None
    principal: Term | None = None
    commitment_usdc_micro: int = 0
    legal_final_s: int = 0
    classes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Hedge:
    """A swap leg: the deal pays ``pays`` a year on ``notional`` and receives the attested rate ``receives``; what is
    net against the deal is owed to the payee of this name, what is net in its favour arrives as cash.
    """

    name: str
    notional: Term
    pays: Fraction
    receives: str
    count: DayCount = "act/360"


@dataclass(frozen=True, slots=True)
class Level:
    """The state a test asks for while its ratio is below (or above) a bound."""

    state: str
    below: bool
    bound: Fraction


@dataclass(frozen=True, slots=True)
class Test:
    """A covenant: value / against, compared by cross-multiplication. Cures after ``cure`` clean periods.

    ``only_if``: it asks for nothing unless this holds too.
    """

    __test__ = False  # not a test case

    name: str
    value: Term
    against: Term
    levels: tuple[Level, ...]
    cure: int
    stale: str = ""
    sticky: str = ""
    only_if: Condition | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A right to retire the notes at ``price``: once ``when`` holds and that much cash has come in, ``state`` is asked
    for, for good. It stands among the deal's tests, after them.
    """

    name: str
    when: Condition
    price: Term
    state: str


@dataclass(frozen=True, slots=True)
class Act:
    """One line of a waterfall.

    ``pay``: claims in order, each also from ``support`` where cash falls short; ``prorata``: claims side by side;
    ``sweep``: a share of what is left to tranches' balances, in order (or side by side); ``fill`` and ``release``:
    reserves; ``rest``: all that is left to a payee; ``hold``: all that is left into an account; ``draw``: cash of an
    account to a payee against a tranche's commitment, whose balance grows; ``write_off``: balances shrink by ``cap``,
    in the order named; ``write_up``: what was written off comes back by ``cap``, in the order named; ``capitalise``:
    interest owed becomes principal.

    Attributes:
        names: claims, tranches, accounts or the payee.
        source: the account paid from; the first account where empty.
        support: where claims are paid from when the source falls short.
        share: of what is left.
        cap: not more than this in all (``up to``).
        to: of ``draw``, the payee.
        side_by_side: of ``sweep``: shared by balance.
        when: the line runs only if this holds.
    """

    verb: Literal[
        "pay", "prorata", "sweep", "fill", "release", "rest", "hold", "draw", "write_off", "write_up", "capitalise"
    ]
    names: tuple[str, ...]
    support: str = ""
    share: Fraction = Fraction(1)
    line: int = 0
    source: str = ""
    cap: Term | None = None
    to: str = ""
    side_by_side: bool = False
    when: Condition | None = None
    text: str = ""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Vote:
    """What it takes to consent: ``share`` of all shares of each of the ``classes``, by tranche."""

    kind: Literal["amendment", "waiver", "replacement"]
    classes: tuple[str, ...]
    share: Fraction


@dataclass(frozen=True, slots=True)
class Pool:
    """Which assets count, for how much. All integers, so that attesters come to the same number.

    Attributes:
        assurance_at_least: readings behind an asset; a word of ``journal.words.Assurance``.
        past_due_days_max: older arrears make an asset ineligible; -1 for any.
        advance: share of an asset's value lent against, by assurance; ``""`` for every other.
        caps: greatest share of the uncapped eligible total, by attribute (``offtaker``, ``state``, ``obligor`` ...).
        related: whether assets of a related party count.
        tail_days: an asset's contract must outlive the last legal final by so much.
    """

    assurance_at_least: str = ""
    past_due_days_max: int = -1
    advance: tuple[tuple[str, Fraction], ...] = ()
    caps: tuple[tuple[str, Fraction], ...] = ()
    related: bool = False
    tail_days: int = 0


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
    schedule: tuple[Column, ...] = ()
    amounts: tuple[Amount, ...] = ()
    hedges: tuple[Hedge, ...] = ()
    calls: tuple[Call, ...] = ()
    votes: tuple[Vote, ...] = ()
    pool: Pool | None = None

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states, from normal to worst."""
        return tuple(state for state, _ in self.waterfalls)

    @property
    def payees(self) -> tuple[str, ...]:
        """Names of those paid: fees, hedges, then tranches, in declared order; their lanes lie in this order."""
        served = [fee.name for fee in self.fees] + [hedge.name for hedge in self.hedges]
        return (*served, *(tranche.name for tranche in self.tranches))
