"""A deal written as Python objects is the same deal as its text: same hash, same program."""

from __future__ import annotations

from fractions import Fraction

import first_week as week

from penstock.capital.compile import compile_deal
from penstock.capital.deal import (
    Account,
    Act,
    Amount,
    Calendar,
    Column,
    Condition,
    Deal,
    Fee,
    Floating,
    Level,
    Measure,
    Term,
    Test,
    Tranche,
)  # fmt: skip
from penstock.capital.language import load_deal

USDC = 10**6
NORMAL = (
    Act("pay", ("roofs", "servicer")),
    Act("pay", ("A.interest",), support="dsra"),
    Act("pay", ("A.principal",), support="dsra"),
    Act("fill", ("dsra",)),
    Act("pay", ("B.interest",)),
)
FIRST = Deal(
    name="First Light",
    calendar=Calendar(start_s=1_471_849_200, step_s=86_400, months=0, grace_s=21_600),
    measures=(Measure("energy", "Wh"), Measure("cfads", "USDC"), Measure("answers", "tokens")),
    accounts=(Account("collect"), Account("dsra", Term("money", value=500 * USDC)), Account("trap")),
    fees=(
        Fee("roofs", per_unit=Fraction(80), measure="energy"),
        Fee("servicer", amount_usdc_micro=40 * USDC),
    ),
    tranches=(
        Tranche("A", 2_000_000 * USDC, Fraction(8, 100), principal_usdc_micro=600 * USDC),
        Tranche("B", 500_000 * USDC, Fraction(12, 100), principal_usdc_micro=150 * USDC),
        Tranche("E", residual=True),
    ),
    tests=(
        Test(
            "dscr",
            value=Term("measure", ("cfads",)),
            against=Term("due", ("A",)),
            levels=(Level("lockup", below=True, bound=Fraction(6, 5)),),
            cure=1,
            stale="lockup",
        ),
    ),
    waterfalls=(
        ("normal", (*NORMAL, Act("release", ("trap",)), Act("pay", ("B.principal",)), Act("rest", ("E",)))),
        ("lockup", (*NORMAL, Act("hold", ("trap",)))),
    ),
)
TEXT = """
deal: Two ways
calendar: {pays: monthly, starts: 2026-01-15T00:00:00Z, periods: 3}
report: {pool: USDC, sofr: rate}
schedule: {plan: [100 USDC, 90 USDC]}
amounts: {spare: balance(A) - pool}
accounts: {collect: {}}
tranches:
  A: {face: 1_000 USDC, rate: {index: sofr, margin: 2 %, cap: 9 %}, principal: plan}
  E: {residual: true}
states: [normal]
waterfall:
  normal:
    - pay A.interest, A.principal
    - sweep A up to spare when period at least 2
    - pay E rest
"""
TWO_WAYS = Deal(
    name="Two ways",
    calendar=Calendar(1_768_435_200, 0, 1, 0, periods=3),
    measures=(Measure("pool", "USDC"), Measure("sofr", "rate")),
    schedule=(Column("plan", "USDC", (100 * USDC, 90 * USDC)),),
    amounts=(Amount("spare", Term("less", parts=(Term("balance", ("A",)), Term("measure", ("pool",))))),),
    accounts=(Account("collect"),),
    fees=(),
    tranches=(
        Tranche(
            "A",
            1000 * USDC,
            floating=Floating("sofr", Fraction(2, 100), cap=Fraction(9, 100)),
            principal=Term("column", ("plan",)),
        ),
        Tranche("E", residual=True),
    ),
    tests=(),
    waterfalls=(
        (
            "normal",
            (
                Act("pay", ("A.interest", "A.principal")),
                Act(
                    "sweep",
                    ("A",),
                    cap=Term("amount", ("spare",)),
                    when=Condition(Term("period"), below=False, right=Term("money", value=2)),
                ),
                Act("rest", ("E",)),
            ),
        ),
    ),
)


def test_the_first_deal_as_objects_is_the_first_deal() -> None:
    program = compile_deal(FIRST)
    assert (program.code, program.deal_hash) == (week.program().code, week.program().deal_hash)


def test_a_deal_of_terms_and_schedules_as_objects_is_its_text() -> None:
    written, made = compile_deal(load_deal(TEXT)), compile_deal(TWO_WAYS)
    assert (made.code, made.deal_hash) == (written.code, written.deal_hash)
