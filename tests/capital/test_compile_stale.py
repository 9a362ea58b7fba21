"""A report that is missing: what every test, condition, call and amount does then. No stale measure defaults."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from penstock.capital.compile import compile_deal
from penstock.capital.deal import (
    Account,
    Act,
    Calendar,
    Call,
    Condition,
    Deal,
    Floating,
    Level,
    Measure,
    Term,
    Test,
    Tranche,
)
from penstock.capital.exact import DealState, close_period, opening_state, period_bounds
from penstock.capital.report import Report
from penstock.errors import Refused

USDC = 10**6
NEVER_S = 2**32 - 1
CFADS, POOL, DUE = Term("measure", ("cfads",)), Term("measure", ("pool",)), Term("due", ("A",))
BALANCE = Term("balance", ("A",))


def usdc(amount: int) -> Term:
    return Term("money", value=amount * USDC)


def times(ratio: Fraction, part: Term) -> Term:
    return Term("times", ratio=ratio, parts=(part,))


def two(kind: str, left: Term, right: Term) -> Term:
    return Term(kind, parts=(left, right))  # type: ignore[arg-type]


LOW = (Level("lockup", True, Fraction(6, 5)), Level("accel", True, Fraction(1)))
HIGH = (Level("lockup", False, Fraction(9, 10)), Level("accel", False, Fraction(1)))
TEST = Test("t", CFADS, DUE, LOW, cure=1, stale="lockup", sticky="accel")
SENIOR = Tranche("A", 1_000_000 * USDC, Fraction(12, 100), "30/360", 10_000 * USDC)
DEAL = Deal(
    name="Stale",
    calendar=Calendar(1_767_225_600, 0, 1, 0),
    measures=(Measure("cfads", "USDC"), Measure("pool", "USDC"), Measure("sofr", "rate")),
    accounts=(Account("collect"), Account("dsra", usdc(0)), Account("trap")),
    fees=(),
    tranches=(SENIOR, Tranche("E", residual=True)),
    tests=(TEST,),
    waterfalls=(
        ("normal", (Act("pay", ("A.interest", "A.principal")), Act("rest", ("E",)))),
        ("lockup", (Act("pay", ("A.interest", "A.principal")), Act("hold", ("trap",)))),
        ("accel", (Act("sweep", ("A",)), Act("rest", ("E",)))),
        ("called", (Act("sweep", ("A",)), Act("rest", ("E",)))),
    ),
)
GOOD = {"cfads": 100_000 * USDC, "pool": 2_000_000 * USDC, "sofr": 5_000_000}


class Life:
    """A deal, closed month by month."""

    def __init__(self, deal: Deal) -> None:
        self.deal, self.program = deal, compile_deal(deal)
        self.state: DealState = opening_state(self.program.code)
        self.came = 0

    def close(self, measures: dict[str, int] | None, inflow: int = 100_000 * USDC) -> str:
        """The state's name after a close with these measures; None for no report."""
        end = period_bounds(self.program.code, self.state.period, self.program.rows)[1]
        said = measures or {}
        values = tuple(said.get(one.name, 0) for one in self.deal.measures)
        pages = (*values, *[0] * (-len(values) % 3))
        report = Report.missing() if measures is None else Report(pages, end, NEVER_S)
        self.came += inflow
        closing = close_period(self.program.code, self.state, report, self.came, end, self.program.rows)
        self.state = closing.state
        return self.program.state_name(closing.flags)

    def __getitem__(self, name: str) -> int:
        return self.state.lane(self.program.lanes[name])


# Each test passes with the good report: its measures are such that 0, or any other stand-in, would fail it.
TESTS = {
    "a measure against dues": (CFADS, DUE, LOW),
    "a balance against a measure": (BALANCE, POOL, HIGH),
    "a measure against a measure": (POOL, CFADS, LOW),
    "a measure against a measure, above": (CFADS, POOL, HIGH),
    "a part of a measure": (times(Fraction(1, 2), CFADS), DUE, LOW),
    "a sum with a measure": (two("plus", CFADS, Term("cash", ("dsra",))), DUE, LOW),
    "the least of a measure and cash": (two("min", CFADS, Term("inflow")), DUE, LOW),
    "a measure less what it costs": (two("less", CFADS, usdc(10)), DUE, LOW),
    "what a measure lacks": (two("less", usdc(3_000_000), POOL), usdc(1_500_000), HIGH),
    "what a measure leaves": (two("less", usdc(3_000_000), POOL), usdc(100_000), LOW),
    "a balance against a part of a measure": (BALANCE, times(Fraction(3, 4), POOL), HIGH),
    "a balance against a measure and cash": (BALANCE, two("plus", POOL, Term("cash", ("dsra",))), HIGH),
    "a balance against what a measure leaves": (BALANCE, two("less", POOL, usdc(1)), HIGH),
    "a balance against the greater": (BALANCE, two("max", POOL, usdc(1)), HIGH),
    "what was, against a measure": (Term("was", ("cfads",)), POOL, HIGH),
}


@pytest.mark.parametrize("name", TESTS)
def test_a_stale_report_fails_no_level_and_asks_for_the_stale_state(name: str) -> None:
    value, against, levels = TESTS[name]
    life = Life(replace(DEAL, tests=(Test("t", value, against, levels, 1, "lockup", "accel"),)))
    assert life.close(GOOD) == "normal"
    for _ in range(4):
        assert life.close(None) == "lockup"
    assert [life.close(GOOD) for _ in range(2)] == ["lockup", "normal"]  # one clean period, then cured


@pytest.mark.parametrize("name", TESTS)
def test_without_a_stale_state_a_stale_report_asks_for_nothing(name: str) -> None:
    value, against, levels = TESTS[name]
    life = Life(replace(DEAL, tests=(Test("t", value, against, levels, 1, "", "accel"),)))
    assert life.close(GOOD) == "normal"
    assert life.close(None) == "normal"


@pytest.mark.parametrize("name", TESTS)
def test_the_same_tests_do_fail_on_a_poor_report(name: str) -> None:
    value, against, levels = TESTS[name]
    deal = replace(DEAL, tests=(Test("t", value, against, levels, 1, "lockup", "accel"),))
    poor = [{"cfads": cfads, "pool": pool} for cfads in (0, 10**13) for pool in (0, 10**6, 3 * 10**12, 10**13)]
    found = set()
    for report in poor:
        life = Life(deal)
        found |= {life.close(report), life.close(report)}
    assert "accel" in found


def test_levels_that_do_not_read_the_report_hold_without_it() -> None:
    test = Test("late", Term("arrears", ("A",)), usdc(1), (Level("accel", False, Fraction(1, 2)),), 0, "", "accel")
    life = Life(replace(DEAL, tests=(TEST, test)))
    assert life.close(GOOD, inflow=0) == "normal"  # nothing is paid
    assert life.close(None) == "accel"  # what is unpaid is known without a report


READING = Condition(POOL, True, usdc(2_500_000))
PERIOD = Condition(Term("period"), False, Term("money", value=2))


@pytest.mark.parametrize("below", [True, False])
def test_a_test_that_applies_only_if_the_report_says_so_still_asks_for_its_stale_state(below: bool) -> None:
    only_if = Condition(POOL, below, usdc(2_500_000))
    life = Life(replace(DEAL, tests=(replace(TEST, only_if=only_if),)))
    assert life.close({"cfads": 0, "pool": 2_000_000 * USDC}) == ("accel" if below else "normal")
    again = Life(life.deal)
    assert again.close(None) == "lockup"


def test_a_test_that_does_not_apply_yet_asks_for_nothing() -> None:
    life = Life(replace(DEAL, tests=(replace(TEST, only_if=PERIOD),)))
    assert life.close(None) == "normal"
    assert life.close(None) == "lockup"


@pytest.mark.parametrize("below", [True, False])
def test_a_call_waits_for_a_report(below: bool) -> None:
    call = Call("cleanup", Condition(POOL, below, usdc(2_500_000)), Term("payoff", ("A",)), "called")
    life = Life(replace(DEAL, calls=(call,)))
    price = 2_000_000 * USDC
    assert life.close(None, inflow=price) == "lockup"
    pool = {**GOOD, "pool": 2_000_000 * USDC if below else 3_000_000 * USDC}
    assert life.close(pool, inflow=0) in ("lockup", "normal")  # no price, no call
    assert life.close(pool, inflow=price) == "called"
    assert life.close(None) == "called"  # for good


def test_a_price_that_reads_the_report_is_not_met_without_it() -> None:
    call = Call("cleanup", PERIOD, POOL, "called")
    life = Life(replace(DEAL, calls=(call,)))
    assert [life.close(GOOD, 1), life.close(None, 10**13), life.close(GOOD, 10**13)] == ["normal", "lockup", "called"]


def swept(cap: Term, when: Condition | None = None) -> int:
    """What a line sweeps to A in a month without a report."""
    acts = (Act("sweep", ("A",), cap=cap, when=when), Act("rest", ("E",)))
    life = Life(replace(DEAL, tests=(), waterfalls=(("normal", acts),)))
    life.close(None)
    return life["A.paid"]


def test_an_amount_a_stale_report_could_raise_is_0() -> None:
    assert swept(two("less", BALANCE, POOL)) == 0
    assert swept(two("less", BALANCE, two("less", POOL, usdc(3)))) == 0
    assert swept(POOL) == 0
    assert swept(two("max", POOL, usdc(7))) == 7 * USDC
    assert swept(two("less", usdc(9), usdc(2))) == 7 * USDC
    assert swept(two("less", BALANCE, Term("was", ("pool",)))) == 100_000 * USDC  # what was is known


@pytest.mark.parametrize("below", [True, False])
def test_a_line_whose_condition_reads_a_stale_report_does_not_run(below: bool) -> None:
    assert swept(usdc(7), Condition(POOL, below, usdc(0 if not below else 10))) == 0
    assert swept(usdc(7), Condition(BALANCE, not below, usdc(0 if below else 10**7))) == 7 * USDC


def test_a_reserve_whose_target_reads_the_report_keeps_what_it_has() -> None:
    accounts = (Account("collect"), Account("dsra", times(Fraction(1, 100), POOL)), Account("trap"))
    acts = (Act("fill", ("dsra",)), Act("release", ("dsra",)), Act("rest", ("E",)))
    life = Life(replace(DEAL, accounts=accounts, tests=(), waterfalls=(("normal", acts),)))
    life.close(GOOD)
    assert life["dsra"] == 20_000 * USDC
    life.close(None)
    assert life["dsra"] == 20_000 * USDC
    life.close({**GOOD, "pool": 1_000_000 * USDC})
    assert life["dsra"] == 10_000 * USDC


def test_a_floating_rate_stands_at_its_last_fixing() -> None:
    note = replace(SENIOR, rate=Fraction(0), principal_usdc_micro=0, floating=Floating("sofr", Fraction(2, 100)))
    acts = (Act("rest", ("E",)),)
    deal = replace(DEAL, tranches=(note, DEAL.tranches[1]), tests=(), waterfalls=(("normal", acts),))
    life, owed = Life(deal), []
    for report in (None, GOOD, None, None, {**GOOD, "sofr": 1_000_000}, {**GOOD, "sofr": -1_000_000}):
        before = life["A.interest"]
        life.close(report)
        owed.append((life["A.interest"] - before) * 12 / (1_000_000 * USDC))
    assert owed == pytest.approx([0.02, 0.07, 0.07, 0.07, 0.03, 0.02])


def test_a_late_report_may_not_put_a_deal_into_a_state_for_good() -> None:
    with pytest.raises(Refused) as refused:
        compile_deal(replace(DEAL, tests=(replace(TEST, stale="accel"),)))
    assert refused.value.code == "program.stale_for_good"
