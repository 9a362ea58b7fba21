"""Whole deals at random, as values: every kind of term, condition, rate, fee, line, test, call and hedge."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final, Literal, get_args, get_type_hints

from hypothesis import strategies as st

from penstock.capital.deal import (
    Account,
    Act,
    Amount,
    Calendar,
    Call,
    Column,
    Condition,
    Deal,
    Fee,
    Floating,
    Hedge,
    Level,
    Measure,
    StepUp,
    Term,
    Test,
    Tranche,
)

USDC = 10**6
START_S = 1_709_101_800  # 2024-02-28T06:30:00Z
STEPS = {"daily": (86_400, 0), "monthly": (0, 1), "quarterly": (0, 3), "hourly": (3_600, 0)}
MADE: Final[tuple[Literal["times", "plus", "less", "min", "max"], ...]] = ("times", "plus", "less", "min", "max")
STATES = ("normal", "lockup", "accel", "called")
MEASURES = (
    Measure("energy", "Wh"),
    Measure("cfads", "USDC"),
    Measure("pool", "USDC"),
    Measure("sofr", "rate"),
    Measure("losses", "USDC"),
    Measure("back", "USDC", of="recoveries"),
)
IN_USDC = ("cfads", "pool", "losses", "back")
AMOUNTS = (
    Amount(
        "oc",
        Term(
            "max",
            parts=(
                Term("money", value=3 * USDC),
                Term("times", ratio=Fraction(1, 200), parts=(Term("measure", ("pool",)),)),
            ),
        ),
    ),
    Amount("half_cash", Term("times", ratio=Fraction(1, 2), parts=(Term("cash", ("collect",)),))),
)
ratios = st.sampled_from((Fraction(1, 2), Fraction(1), Fraction(6, 5), Fraction(1, 3), Fraction(0)))
money = st.sampled_from((0, 1, 999, 600 * USDC, 250_000 * USDC, 3_000_000 * USDC))
rates = st.sampled_from((Fraction(0), Fraction(575, 10_000), Fraction(12, 100), Fraction(1)))


@st.composite
def terms(draw: st.DrawFn, notes: tuple[str, ...], depth: int = 2) -> Term:
    """An amount of anything a deal can name."""
    if depth and draw(st.booleans()):
        made = draw(st.sampled_from(MADE))
        count = 1 if made == "times" else 2
        parts = tuple(draw(terms(notes, depth - 1)) for _ in range(count))
        return Term(made, parts=parts, ratio=draw(ratios) if made == "times" else Fraction(1))
    kind: Any = draw(st.sampled_from(sorted(set(get_args(get_type_hints(Term)["kind"])) - set(MADE))))
    named = {
        "measure": st.sampled_from(IN_USDC),
        "was": st.sampled_from(IN_USDC),
        "total": st.sampled_from(("losses", "back")),
        "column": st.just("pac"),
        "amount": st.sampled_from(("oc", "half_cash")),
    }
    if kind in named:
        return Term(kind, (draw(named[kind]),))
    if kind == "money":
        return Term("money", value=draw(money))
    if kind in ("inflow", "period"):
        return Term(kind)
    among = {"cash": ("collect", "dsra", "trap", "funding"), "paid": ("F0", "E", *notes)}.get(kind, notes)
    return Term(kind, tuple(draw(st.lists(st.sampled_from(among), min_size=1, max_size=3, unique=True))))


@st.composite
def conditions(draw: st.DrawFn, notes: tuple[str, ...]) -> Condition:
    return Condition(draw(terms(notes, 1)), draw(st.booleans()), draw(terms(notes, 1)))


def maybe(strategy: st.SearchStrategy[Term]) -> st.SearchStrategy[Term | None]:
    return st.one_of(st.none(), strategy)


@st.composite
def deals(draw: st.DrawFn) -> Deal:
    """A deal of 1 to 5 notes; always one that the compiler takes, unless an amount could outgrow the machine."""
    names = tuple(f"N{i}" for i in range(draw(st.integers(1, 5))))
    rhythm = draw(st.sampled_from(sorted(STEPS)))
    notes = tuple(draw(_note(name, names, rhythm)) for name in names)
    fees = (*(draw(_fee(i, names)) for i in range(draw(st.integers(1, 4)))), Fee("seller"))
    hedges = draw(st.sampled_from(((), (Hedge("swap", Term("balance", names), Fraction(4, 100), "sofr"),))))
    states = STATES[: draw(st.integers(1, 4))]
    lines = _Lines(notes, fees, tuple(hedge.name for hedge in hedges))
    step_s, months = STEPS[rhythm]
    return Deal(
        name="Random",
        calendar=Calendar(START_S, step_s, months, 3600),
        measures=MEASURES,
        accounts=(
            Account("collect"),
            Account("dsra", draw(maybe(terms(names, 1)))),
            Account("trap", releases_to="collect"),
            Account("funding", draw(maybe(terms(names, 1)))),
        ),
        fees=fees,
        tranches=(*notes, Tranche("E", residual=True)),
        tests=tuple(draw(_test(i, names, states)) for i in range(draw(st.integers(0, 3)) if len(states) > 1 else 0)),
        waterfalls=tuple((state, tuple(draw(lines.waterfall()))) for state in states),
        schedule=(
            Column("pac", "USDC", tuple(draw(st.lists(money, min_size=1, max_size=4)))),
            Column("coupon", "rate", tuple(draw(st.lists(st.integers(0, 10**8), min_size=1, max_size=3)))),
        ),
        amounts=AMOUNTS,
        hedges=hedges,
        calls=tuple(draw(_call(names)) for _ in range(draw(st.integers(0, 1)) if len(states) == 4 else 0)),
    )


@st.composite
def _note(draw: st.DrawFn, name: str, names: tuple[str, ...], rhythm: str) -> Tranche:
    months = STEPS[rhythm][1]
    how = draw(st.sampled_from(("fixed", "fixed", "floating", "column", "steps")))
    io = draw(st.integers(0, 5)) == 0 and name != names[0]
    shortfalls = (
        ("carry", "carry with interest", "default") if io else ("carry", "carry with interest", "pik", "default")
    )
    principal = None if io else draw(maybe(terms(names, 1)))
    committed = draw(st.sampled_from((0, 5_000 * USDC))) if not io else 0
    return Tranche(
        name,
        face_usdc_micro=0 if io else draw(st.sampled_from((0, 1_000 * USDC, 2_000_000 * USDC, 600_000_000_123_456))),
        rate=draw(rates) if how in ("fixed", "steps") else Fraction(0),
        count=draw(st.sampled_from(("act/365", "act/360", *(["30/360"] * bool(months))))),
        principal_usdc_micro=draw(money) if principal is None and not io else 0,
        shortfall=draw(st.sampled_from(shortfalls)),
        floating=draw(_floating()) if how == "floating" else None,
        rate_column="coupon" if how == "column" else "",
        steps=tuple(draw(_steps())) if how in ("steps", "floating") else (),
        notional=draw(terms(names[:1], 1)) if io else None,
        principal=principal,
        commitment_usdc_micro=committed,
    )


@st.composite
def _floating(draw: st.DrawFn) -> Floating:
    cap = draw(st.sampled_from((None, Fraction(9, 100))))
    return Floating("sofr", Fraction(225, 10_000), draw(st.sampled_from((Fraction(0), Fraction(3, 100)))), cap)


@st.composite
def _steps(draw: st.DrawFn) -> list[StepUp]:
    periods = sorted(draw(st.sets(st.integers(1, 5), max_size=2)))
    return [StepUp(period, Fraction(2, 100)) for period in periods]


@st.composite
def _fee(draw: st.DrawFn, i: int, names: tuple[str, ...]) -> Fee:
    return draw(
        st.sampled_from(
            (
                Fee(f"F{i}", amount_usdc_micro=40_500_000),
                Fee(f"F{i}", amount_usdc_micro=1),
                Fee(f"F{i}", per_unit=Fraction(175, 2), measure="energy"),
                Fee(f"F{i}", of_inflow=Fraction(1, 80)),
                Fee(f"F{i}", due=Term("min", parts=(Term("undrawn", names), Term("money", value=500 * USDC)))),
                Fee(f"F{i}", due=Term("times", ratio=Fraction(1, 10), parts=(Term("due", names),))),
                Fee(f"F{i}", rate=Fraction(1, 400), base=Term("measure", ("pool",)), count="act/360"),
                Fee(f"F{i}", rate=Fraction(1, 400), base=Term("balance", names)),
            )
        )
    )


@st.composite
def _test(draw: st.DrawFn, i: int, names: tuple[str, ...], states: tuple[str, ...]) -> Test:
    below = draw(st.booleans())
    bounds = (Fraction(6, 5), Fraction(21, 20)) if below else (Fraction(9, 10), Fraction(3, 2))
    levels = tuple(Level(state, below, bound) for state, bound in zip(states[1:3], bounds, strict=False))
    value, against = draw(terms(names, 1)), draw(terms(names, 1))
    if draw(st.booleans()):  # a single measure takes a way of its own
        value, against = draw(st.permutations((Term("measure", ("cfads",)), Term("due", names))))
    sticky = "accel" if "accel" in states and draw(st.booleans()) else ""
    only_if = draw(st.one_of(st.none(), conditions(names)))
    return Test(f"t{i}", value, against, levels, draw(st.integers(0, 2)), "lockup", sticky, only_if)


@st.composite
def _call(draw: st.DrawFn, names: tuple[str, ...]) -> Call:
    return Call(
        "cleanup",
        draw(conditions(names)),
        draw(st.sampled_from((Term("payoff", names), Term("money", value=USDC), Term("measure", ("back",))))),
        "called",
    )


class _Lines:
    def __init__(self, notes: tuple[Tranche, ...], fees: tuple[Fee, ...], hedges: tuple[str, ...]) -> None:
        self.names = tuple(note.name for note in notes)
        self.bearing = tuple(note.name for note in notes if note.notional is None)
        self.owed = [fee.name for fee in fees if fee.name != "seller"] + list(hedges)
        self.committed = [note.name for note in notes if note.commitment_usdc_micro]
        places = [i for i, name in enumerate(self.bearing) if _schedules(notes, name)]
        self.scheduled = self.bearing[places[0] : places[-1] + 1] if places else ()

    @st.composite
    @staticmethod
    def _line(draw: st.DrawFn, self: _Lines) -> Act:
        when = draw(st.one_of(st.none(), conditions(self.names)))
        cap = draw(maybe(terms(self.names, 1)))
        source = draw(st.sampled_from(("", "", "dsra", "trap")))
        verb = draw(
            st.sampled_from(
                ("pay", "pay", "pay", "prorata", "sweep", "fill", "release", "hand", "draw", "off", "up", "capital")
            )
        )
        some = tuple(draw(st.lists(st.sampled_from(self.bearing), min_size=1, max_size=3, unique=True)))
        if verb == "pay":
            claims = [
                *self.owed,
                *(f"{name}.interest" for name in self.names),
                *(f"{name}.principal" for name in self.scheduled),
            ]
            names = tuple(draw(st.lists(st.sampled_from(claims), min_size=1, max_size=3, unique=True)))
            return Act(
                "pay",
                names,
                support=draw(st.sampled_from(("", "dsra" * (source != "dsra")))),
                source=source,
                cap=cap,
                when=when,
            )
        if verb == "prorata":
            part, among = draw(st.sampled_from((("interest", self.names), ("principal", self.scheduled or self.names))))
            part = part if self.scheduled else "interest"
            return Act(
                "prorata",
                tuple(f"{name}.{part}" for name in draw(_run(self.names, among))),
                source=source,
                cap=cap,
                when=when,
            )
        if verb == "sweep":
            together = draw(st.booleans())
            names = draw(_run(self.names, self.bearing)) if together else some
            share = draw(st.sampled_from((Fraction(1), Fraction(1, 2), Fraction(1, 3))))
            return Act("sweep", names, share=share, source=source, cap=cap, side_by_side=together, when=when)
        account = draw(st.sampled_from(("dsra", "trap", "funding")))
        if verb == "fill":
            return Act("fill", (account,), source="" if source == account else source, cap=cap, when=when)
        if verb == "release":
            return Act("release", (account,), cap=cap, when=when)
        if verb == "hand":
            return Act(
                "pay",
                (draw(st.sampled_from(("seller", "E"))),),
                source=source,
                cap=draw(terms(self.names, 1)),
                when=when,
            )
        if verb == "draw" and self.committed:
            return Act("draw", tuple(self.committed), source="funding", to="seller", cap=cap, when=when)
        if verb == "up":
            return Act("write_up", some, cap=draw(terms(self.names, 1)), when=when)
        if verb == "capital":
            return Act("capitalise", tuple(f"{name}.interest" for name in some), cap=cap, when=when)
        return Act("write_off", some, cap=draw(terms(self.names, 1)), when=when)

    @st.composite
    @staticmethod
    def _waterfall(draw: st.DrawFn, self: _Lines) -> list[Act]:
        acts = draw(st.lists(_Lines._line(self), min_size=1, max_size=5))
        last = draw(st.sampled_from((Act("rest", ("E",)), Act("hold", ("trap",)))))
        return [*acts, last]

    def waterfall(self) -> st.SearchStrategy[list[Act]]:
        """The lines of one state."""
        return _Lines._waterfall(self)


def _schedules(notes: tuple[Tranche, ...], name: str) -> bool:
    note = next(note for note in notes if note.name == name)
    return bool(note.principal_usdc_micro or note.principal)


@st.composite
def _run(draw: st.DrawFn, all_names: tuple[str, ...], among: tuple[str, ...]) -> tuple[str, ...]:
    """Neighbours among all notes, all of them of the kind asked for."""
    first = draw(st.sampled_from(among))
    at = all_names.index(first)
    last = at + 1
    while last < len(all_names) and all_names[last] in among and draw(st.booleans()):
        last += 1
    return all_names[at:last]
