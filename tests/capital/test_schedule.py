"""The ``schedule:`` of a deal's text: each form to a column, and what is said of a wrong one."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from itertools import accumulate

import pytest

from penstock.capital import amortise
from penstock.capital.business_days import on_business_days, with_ends
from penstock.capital.deal import Calendar, Column
from penstock.capital.mistake import Mistake
from penstock.capital.schedule import column
from penstock.capital.schedule_values import LIMIT, period_rate
from penstock.capital.source import Source, compose

DOLLAR = 10**6
START_S = int(datetime(2026, 1, 15, tzinfo=UTC).timestamp())
MONTHLY = Calendar(START_S, 0, 1, 0, periods=120)


def read(text: str, calendar: Calendar = MONTHLY) -> tuple[dict[str, Column], list[Mistake]]:
    source, columns = Source(), dict[str, Column]()
    for name, place in source.mapping(compose(text)).items():
        columns[name] = column(source, place, name, calendar, columns)
    return columns, source.mistakes


def periods(count: int) -> Calendar:
    return Calendar(START_S, 0, 1, 0, periods=count)


def one(form: str, calendar: Calendar = MONTHLY) -> Column:
    columns, mistakes = read(f"a: {form}", calendar)
    assert not mistakes
    return columns["a"]


def mistake(form: str, calendar: Calendar = MONTHLY) -> Mistake:
    columns, mistakes = read(f"a: {form}", calendar)
    assert columns["a"].values, "a wrong schedule is read as a harmless one"
    assert len(mistakes) == 1, mistakes
    return mistakes[0]


@pytest.mark.parametrize(
    ("form", "unit", "values"),
    [
        ("[100 USDC, 90.5 USDC]", "USDC", (100_000_000, 90_500_000)),
        ("[5 %, 5.3 %]", "rate", (5_000_000, 5_300_000)),
        ("[1_200 kWh, 1.5 MWh]", "Wh", (1_200_000, 1_500_000)),
        ("[3, 0]", "count", (3, 0)),
    ],
)
def test_lists_stand_as_written(form: str, unit: str, values: tuple[int, ...]) -> None:
    assert one(form) == Column("a", unit, values)


def test_a_level_payment_runs_over_all_periods() -> None:
    found = one("{annuity: 2_000_000 USDC, rate: 8 %}")
    assert found.values == amortise.level(2_000_000 * DOLLAR, Fraction(8, 1200), 120)


def test_a_repayment_may_start_late_and_end_early() -> None:
    found = one("{annuity: 1_000 USDC, rate: 6 %, over: 24, from: 13}").values
    assert found[:12] == (0,) * 12
    assert found[12:36] == amortise.level(1_000 * DOLLAR, Fraction(6, 1200), 24)
    assert found[36:] == (0,) and len(found) == 37


def test_a_balloon_is_a_payment_over_more_periods_than_there_are() -> None:
    found = one("{annuity: 1_000 USDC, rate: 6 %, over: 360}").values
    assert found == amortise.level(1_000 * DOLLAR, Fraction(6, 1200), 360)[:120]


def test_straight_parts() -> None:
    assert one("{straight: 1_000 USDC, over: 3}").values == (333_333_333, 333_333_333, 333_333_334, 0)


def test_sculpted_debt_follows_a_schedule_above_it() -> None:
    text = (
        "cash: {grow: 100_000 USDC, by: 1 %, every: 12}\na: {sculpt: cash, to: 1.30, debt: 7_000_000 USDC, rate: 6 %}"
    )
    columns, mistakes = read(text, Calendar(START_S, 0, 1, 0, periods=240))
    assert not mistakes
    cash = columns["cash"].values
    assert columns["a"].values == amortise.sculpt(cash, Fraction("1.3"), 7_000_000 * DOLLAR, Fraction(6, 1200))
    assert sum(columns["a"].values) == 7_000_000 * DOLLAR


def test_cash_named_in_a_short_list_stands_on() -> None:
    text = "cash: [50 USDC]\na: {sculpt: cash, to: 1, debt: 100 USDC, rate: 0 %, from: 2, over: 3}"
    columns, mistakes = read(text)
    assert not mistakes
    assert columns["a"].values == (0, 50 * DOLLAR, 50 * DOLLAR, 0, 0)


def test_growth_and_wear() -> None:
    found = one("{grow: 1_000 USDC, by: 1 %, every: 12, less: 0.5 %}").values
    assert (found[11], found[12], len(found)) == (1_000_000_000, 1_004_950_000, 120)


def test_steps_hold_until_the_next() -> None:
    found = one("{steps: {1: 5 %, 61: 7 %}}")
    assert found == Column("a", "rate", (5_000_000,) * 60 + (7_000_000,) * 60)


def test_what_is_ahead_is_of_the_periods_to_come() -> None:
    columns, mistakes = read("cash: [1 USDC, 2 USDC, 4 USDC, 8 USDC]\na: {ahead: cash, over: 2}", periods(4))
    assert not mistakes
    assert columns["a"].values == (6 * DOLLAR, 12 * DOLLAR, 8 * DOLLAR, 0)


def test_what_cash_is_worth_by_hand() -> None:
    text = "cash: [1 USDC, 11 USDC, 12.1 USDC]\na: {worth: cash, rate: 10 %}\nb: {worth: cash, rate: 10 %, until: 2}"
    columns, mistakes = read(text, Calendar(START_S, 0, 12, 0, periods=3))
    assert not mistakes
    assert columns["a"].values == (20 * DOLLAR, 11 * DOLLAR, 0)
    assert columns["b"].values == (10 * DOLLAR, 0, 0)


def test_loan_life_cover_of_sculpted_debt_is_its_coverage_in_every_period() -> None:
    """What is left of sculpted debt is worth its service, and service is cash / 1.30: so LLCR stays 1.30."""
    text = (
        "cash: {grow: 100_000 USDC, by: 1 %, every: 12, less: 0.5 %}\n"
        "a: {sculpt: cash, to: 1.30, debt: 6_000_000 USDC, rate: 7 %, over: 96}\n"
        "worth: {worth: cash, rate: 7 %, until: 96}"
    )
    cash = read(text.splitlines()[0])[0]["cash"].values
    debt = amortise.sculpted_debt_down(cash[:96], Fraction("1.3"), Fraction(7, 1200))
    columns, mistakes = read(text.replace("6_000_000", f"{debt / DOLLAR:.6f}"))
    assert not mistakes
    balance = [debt - paid for paid in accumulate(columns["a"].values)]
    left = zip(columns["worth"].values[:95], balance[:95], strict=True)
    assert [round(worth / 1.3) - owed for worth, owed in left] == pytest.approx([0] * 95, abs=200)
    assert columns["worth"].values[95:] == (0, 0)


def test_a_planned_class_is_a_balance_that_falls() -> None:
    form = "{pac: 20_000_000 USDC, pool: 40_000_000 USDC, rate: 8.125 %, term: 357, age: 3, between: [90 PSA, 300 PSA]}"
    found = one(form, Calendar(START_S, 0, 1, 0, periods=360)).values
    assert found[0] < 20_000_000 * DOLLAR
    assert list(found) == sorted(found, reverse=True)
    assert found[-1] == 0


@pytest.mark.parametrize(
    ("calendar", "rate"),
    [
        (Calendar(0, 0, 3, 0), Fraction(8, 400)),
        (Calendar(0, 0, 12, 0), Fraction(8, 100)),
        (Calendar(0, 86_400, 0, 0), Fraction(8, 36_500)),
    ],
)
def test_a_rate_a_year_as_one_a_period(calendar: Calendar, rate: Fraction) -> None:
    assert period_rate(Fraction(8, 100), calendar) == rate


@pytest.mark.parametrize(
    ("form", "says", "remedy"),
    [
        ("[]", "empty", "USDC"),
        ("hello", "no schedule", "annuity"),
        ("{over: 3}", "no schedule", "annuity"),
        ("{annuity: 5 USDC}", "`rate` is missing", "rate"),
        ("{annuity: 5 USDC, rate: 575}", "between 0 and 100 %", "5.75 %"),
        ("{annuity: 5 USDC, rate: 5 %, over: 1_201}", "number of periods", "1,200"),
        ("{annuity: 5 USDC, rate: 5 %, from: 121}", "number of periods", "120"),
        ("{annuity: -5 USDC, rate: 5 %}", "no amount", "USDC"),
        ("{straight: 5 USDC, ovr: 3}", "`ovr` means nothing", "over"),
        ("{sculpt: nothing, to: 1.3, debt: 1 USDC, rate: 5 %}", "no schedule above", "Declare"),
        ("{ahead: nothing, over: 12}", "no schedule above", "Declare"),
        ("{ahead: nothing}", "", "over"),
        ("{worth: nothing, rate: 5 %}", "no schedule above", "Declare"),
        ("{steps: {2: 5 %}}", "start at period 1", "61"),
        ("{steps: {1: 5 %, 1: 6 %}}", "start at period 1 and rise", "61"),
        ("{steps: {1: 5 %, 121: 6 %}}", "no period of the deal", "120"),
        ("{steps: {1: 5 %, 3: 6 USDC}}", "one unit", "USDC"),
        ("{steps: {}}", "no steps", "61"),
        ("[5 %, 5 USDC]", "one unit", "USDC"),
        ("[five]", "no value", "USDC"),
        ("[5.1234567 %]", "no value", "5 %"),
        ("[" + ", ".join(["1"] * 121) + "]", "121 values for 120 periods", "periods:"),
        (f"[{LIMIT + 1}]", "more than the chain can hold", ""),
        ("{grow: 100_000 USDC, by: 101 %}", "between 0 and 100 %", "5.75 %"),
        ("{pac: 5 USDC, pool: 9 USDC, rate: 8 %, term: 481, between: [0 PSA, 9 PSA]}", "number of periods", "480"),
        ("{pac: 5 USDC, pool: 9 USDC, rate: 8 %, term: 12, between: [90 PSA]}", "Two speeds", "300 PSA"),
        ("{pac: 5 USDC, pool: 9 USDC, rate: 8 %, term: 12, between: [90, 300 PSA]}", "no prepayment speed", "PSA"),
        ("{pac: 99 USDC, pool: 9 USDC, rate: 8 %, term: 12, between: [90 PSA, 300 PSA]}", "cannot keep", "at most"),
        ("{pac: 5 USDC, pool: 9 USDC, rate: 8 %, term: 12, between: [90 PSA, 1_700 PSA]}", "no prepayment", "PSA"),
        ("{pac: 5 USDC, pool: 9 USDC, rate: 8 %, term: 12, between: [90 PSA, 1700 PSA]}", "no speed", "1,600"),
    ],
)
def test_wrong_schedules_are_told_with_their_remedy(form: str, says: str, remedy: str) -> None:
    found = mistake(form)
    assert says in found.message
    assert remedy in found.remedy
    assert found.path.startswith("a")


def test_no_more_schedules_than_reading_can_bear() -> None:
    columns, mistakes = read("\n".join(f"a{at}: [1]" for at in range(33)))
    assert len(columns) == 33
    assert [found.path for found in mistakes] == ["a32"]


def test_debt_beyond_the_cash_is_told_with_the_most_it_carries() -> None:
    _, mistakes = read("cash: [50 USDC]\na: {sculpt: cash, to: 1.25, debt: 4_801 USDC, rate: 0 %}")
    assert [(found.line, found.message) for found in mistakes] == [(2, "The cash cannot repay this debt.")]
    assert "4,800.00 USDC" in mistakes[0].remedy


def test_only_dollars_are_sculpted_to() -> None:
    _, mistakes = read("cash: [5 %]\na: {sculpt: cash, to: 1.25, debt: 1 USDC, rate: 0 %}")
    assert "is in rate" in mistakes[0].message


def test_speeds_need_months() -> None:
    form = "{pac: 5 USDC, pool: 9 USDC, rate: 8 %, term: 12, between: [90 PSA, 300 PSA]}"
    assert "monthly" in mistake(form, Calendar(START_S, 0, 3, 0, periods=9)).message


def test_a_computed_schedule_needs_periods_and_a_list_does_not() -> None:
    endless = Calendar(START_S, 0, 1, 0)
    assert one("[1 USDC]", endless).values == (DOLLAR,)
    assert "periods: 240" in mistake("{straight: 1 USDC}", endless).remedy


def test_ends_on_business_days() -> None:
    source = Source()
    calendar = Calendar(START_S, 0, 1, 0, periods=12, business="US", convention="modified following")
    found = on_business_days(source, compose("pays: monthly"), calendar)
    days = [datetime.fromtimestamp(end, UTC).day for end in found.ends_s]
    assert not source.mistakes
    assert days[:3] == [17, 16, 15]  # 15 February is a Sunday, then Presidents' Day; 15 March a Sunday
    assert with_ends(calendar) == found


@pytest.mark.parametrize(
    ("calendar", "says"),
    [
        (Calendar(START_S, 0, 1, 0, periods=12, convention="following"), "needs a calendar"),
        (Calendar(START_S, 0, 1, 0, business="US"), "need an end"),
        (Calendar(START_S, 0, 1, 0, periods=12, business="MARS"), "no calendar `MARS`"),
        (Calendar(START_S, 0, 1, 0, periods=12, business="US", convention="later"), "no convention `later`"),
        (Calendar(START_S, 86_400, 0, 0, periods=12, business="US"), "same business day"),
    ],
)
def test_calendars_that_cannot_be_followed_are_mistakes(calendar: Calendar, says: str) -> None:
    source = Source()
    assert on_business_days(source, compose("pays: monthly"), calendar) == calendar
    assert [says in found.message for found in source.mistakes] == [True]


def test_without_business_days_ends_follow_the_step() -> None:
    source = Source()
    assert on_business_days(source, compose("pays: monthly"), MONTHLY).ends_s == ()
    assert not source.mistakes
