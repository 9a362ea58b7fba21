"""Golden: a week of ``examples/deals/first.yaml``, one clouded day worked out by hand."""

from __future__ import annotations

import first_week as week
import pytest

from penstock.capital.exact import Closing, close_period, opening_state, period_bounds, unpaid, withdraw
from penstock.capital.report import Report
from penstock.period import parse_iso

USDC = week.USDC
NORMAL, LOCKUP = 0, 1


@pytest.fixture(scope="module")
def days() -> list[Closing]:
    return week.closings()


def lane(closing: Closing, name: str) -> int:
    return closing.state.lane(week.program().lanes[name])


def paid(days: list[Closing], day: int, payee: str) -> int:
    """What a payee was paid that day [micro-dollars]."""
    before = lane(days[day - 1], f"{payee}.paid") if day else 0
    return lane(days[day], f"{payee}.paid") - before


def states(days: list[Closing]) -> list[str]:
    return [week.program().state_name(day.flags) for day in days]


def test_the_week_starts_on_monday_at_midnight_in_arizona() -> None:
    start, end = period_bounds(week.program().code, 0)
    assert start * 10**6 == parse_iso("2016-08-22T07:00:00Z")
    assert end - start == 86_400


def test_clouds_lock_the_deal_up_and_one_clean_day_later_it_is_cured(days: list[Closing]) -> None:
    assert states(days) == ["normal", "lockup", "lockup", "lockup", "normal", "normal", "normal"]


def test_the_clouded_tuesday_by_hand(days: list[Closing]) -> None:
    # Revenue 1,200.00. The roofs' tariff: 2,040 kWh x 0.08 = 163.20. The servicer: 40.00.
    # CFADS = 1,200.00 - 163.20 - 40.00 = 996.80.
    # A after Monday: 2,000,000 - 600 = 1,999,400. Interest: floor(1,999,400,000,000 x 8 / (100 x 365)) millionths.
    interest_a = 1_999_400_000_000 * 8 // 36_500
    assert interest_a == 438_224_657
    # Service = 438.224657 + 600 = 1,038.224657; DSCR = 996.80 / 1,038.22 = 0.960 < 1.20: lock-up.
    tuesday = days[1]
    assert tuesday.flags & 255 == LOCKUP
    assert 120 * (interest_a + 600 * USDC) > 996_800_000 * 100
    # Roofs and servicer first, then A's interest, and 558.575343 of its principal from collections;
    # the reserve pays the missing 41.424657 and holds 458.575343 afterwards.
    assert paid(days, 1, "roofs") == 163_200_000
    assert paid(days, 1, "servicer") == 40 * USDC
    assert paid(days, 1, "A") == 1_038_224_657
    assert lane(tuesday, "dsra") == 500 * USDC - (1_038_224_657 - 996_800_000) == 458_575_343
    # B gets nothing: its coupon of floor(499,850,000,000 x 12 / (100 x 365)) = 164.334246 is carried.
    assert 499_850_000_000 * 12 // 36_500 == 164_334_246
    assert paid(days, 1, "B") == paid(days, 1, "E") == 0
    assert lane(tuesday, "B.interest") == 164_334_246


def test_coupons_follow_the_sun(days: list[Closing]) -> None:
    a, b, e = ([paid(days, day, name) for day in range(7)] for name in "ABE")
    # Monday: 2,400 - 240 - 40 = 2,120; A 438.356164 + 600; reserve 500; B 164.383561 + 150; E the rest.
    assert (a[0], b[0]) == (1_038_356_164, 314_383_561)
    assert e[0] == 2_120_000_000 - 1_038_356_164 - 500_000_000 - 314_383_561 == 267_260_275
    # Two days of cloud cost B two coupons; Thursday pays three at once, from the first clean day's cash.
    assert (b[1], b[2]) == (0, 0)
    assert b[3] == 328_668_492 + 164_334_246  # Tuesday's and Wednesday's 164.334246 each, and Thursday's own
    # Lock-up keeps Thursday's rest from E and from B's principal; Friday releases it.
    assert e[1] == e[2] == e[3] == 0
    assert lane(days[3], "trap") == 65_514_411
    assert lane(days[4], "trap") == 0
    assert b[4] == 164_334_246 + 4 * 150 * USDC
    assert e[4] > 0


def test_every_step_of_a_close_is_told_in_the_deals_words(days: list[Closing]) -> None:
    told = {week.program().describe_step(step.step): step for step in days[1].steps}
    principal = told["pay A.principal"]
    assert (principal.available, principal.due, principal.paid) == (558_575_343, 600_000_000, 558_575_343)
    assert principal.binding == "cash"
    assert told["pay A.principal from dsra"].binding == "cap"
    assert told["fill dsra"].paid == 0
    assert told["dscr: lockup below 1.2"].binding == "test"
    assert "pay E rest" not in told  # not a step of lock-up


def test_money_in_is_money_held_and_paid(days: list[Closing]) -> None:
    for day, closing in enumerate(days):
        cash = sum(closing.state.lane(lane) for lane in range(4, 12))
        assert cash == closing.state.taken_in == sum(revenue for revenue, _ in week.WEEK[: day + 1]) * USDC


def test_no_report_means_lock_up_and_no_default() -> None:
    code = week.program().code
    balance = 2400 * USDC
    late = close_period(code, opening_state(code), Report.missing(), balance, week.NOW_S)
    assert not late.fresh
    assert week.program().state_name(late.flags) == "lockup"
    assert lane(late, "E.paid") == 0
    assert lane(late, "trap") == balance - 40 * USDC - 1_038_356_164 - 500 * USDC - 164_383_561
    assert lane(late, "roofs.owed") == 0  # no measured energy, no tariff: it is trued up in a later report


def test_a_report_a_second_off_or_expired_is_stale() -> None:
    code = week.program().code
    good = week.report_of(0)
    for report in (
        Report(good.measures, good.as_of_s - 1, good.expiry_s),
        Report(good.measures, good.as_of_s + 1, good.expiry_s),
        Report(good.measures, good.as_of_s, week.NOW_S),
    ):
        assert not close_period(code, opening_state(code), report, 0, week.NOW_S).fresh
    last_second = Report(good.measures, good.as_of_s, week.NOW_S + 1)
    assert close_period(code, opening_state(code), last_second, 0, week.NOW_S).fresh


def test_payees_withdraw_once_what_they_were_paid(days: list[Closing]) -> None:
    state, total = days[-1].state, 0
    for number in week.program().payee_lanes.values():
        owed = unpaid(state, number)
        state, amount = withdraw(state, number)
        assert amount == owed
        assert unpaid(state, number) == 0
        assert withdraw(state, number) == (state, 0)
        total += amount
    assert state.paid_out == total
