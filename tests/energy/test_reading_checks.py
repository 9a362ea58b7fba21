"""The checks of readings, one table a rule: what each finds, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
from checks_kit import START_US, Books, checked, found, readings, square_sun

from penstock.energy.checks.balance import NO_PARENT
from penstock.energy.checks.clock import SKEW_US
from penstock.energy.checks.findings import verdicts_of
from penstock.energy.checks.flat import FLAT_STEPS
from penstock.energy.checks.register import Walk, follow, step_is_fine
from penstock.energy.checks.seen import NOT_SEEN
from penstock.energy.checks.sun import EXCESS_PERCENT, QUANTUM_WH
from penstock.energy.checks.table import Memory
from penstock.energy.message import NO_POWER, Clock, MeterState
from penstock.energy.verdict import READING_RULES
from penstock.energy.verdict import ReadingVerdict as R
from penstock.journal.words import Outcome, Technology
from penstock.period import DAY_US, HOUR_US, QUARTER_HOUR_US


def codes(columns, books=None, **more) -> list[int]:  # type: ignore[no-untyped-def]
    found: list[int] = checked(columns, books, **more).verdict.tolist()
    return found


def test_the_verdict_is_the_first_that_refuses_then_the_first_that_quarantines() -> None:
    for verdict, rule in READING_RULES.items():
        alone = 0 if rule.outcome is Outcome.NOTED else verdict
        assert verdicts_of(np.array([1 << verdict], np.uint32)).tolist() == [alone]
    both = 1 << R.AT_NIGHT | 1 << R.KEY_NOT_VALID | 1 << R.DUPLICATE | 1 << R.FLAT
    assert verdicts_of(np.array([both, 1 << R.TWIN | 1 << R.AT_NIGHT, 0], np.uint32)).tolist() == [
        R.KEY_NOT_VALID,
        R.AT_NIGHT,
        0,
    ]


def test_an_empty_batch() -> None:
    outcome = checked(readings([]))
    assert len(outcome.verdict) == len(outcome.findings) == 0


@pytest.mark.parametrize(("late_us", "expected"), [(SKEW_US, 0), (SKEW_US + 1, R.FROM_THE_FUTURE)])
def test_from_the_future(late_us: int, expected: int) -> None:
    assert codes(readings([10], [START_US + HOUR_US]), received_us=START_US + HOUR_US - late_us) == [expected]


def test_before_it_was_commissioned_and_before_any_device() -> None:
    books = Books()
    assert codes(readings([0, 0], [0, START_US - 1]), books) == [R.BEFORE_TIME, R.BEFORE_TIME]
    books.commissioned_us[:] = 0
    books.last_at_us[:] = 0
    assert codes(readings([1], [1]), books) == [R.BEFORE_TIME]


def test_what_the_meter_says_of_its_clock_and_itself() -> None:
    clock = [Clock.SYNCHRONISED, Clock.INFORMATIVE, Clock.RELATIVE, Clock.UNSET]
    outcome = checked(readings([1, 2, 3, 4], clock=clock))
    assert outcome.verdict.tolist() == [0, 0, 0, R.CLOCK_UNSET]
    assert found(outcome, R.CLOCK_INFORMATIVE) == [False, True, True, False]
    meter = [MeterState.GOOD, MeterState.ERROR, MeterState.TIME_ERROR]
    assert codes(readings([1, 2, 3], meter=meter)) == [0, R.METER_ERROR, R.METER_ERROR]


def test_a_key_is_good_from_its_beginning_to_before_its_end() -> None:
    at = START_US + np.array([1, 2, 3, 4]) * HOUR_US
    since, until = np.full(4, at[1]), np.full(4, at[3])
    outcome = codes(readings([1, 2, 3, 4], at, key_since_us=since, key_until_us=until))
    assert outcome == [R.KEY_NOT_VALID, 0, 0, R.KEY_NOT_VALID]


def test_seen_before_is_a_duplicate_or_revised() -> None:
    outcome = codes(readings([10, 20, 30], seen_wh=[10, NOT_SEEN, 31]))
    assert outcome == [R.DUPLICATE, 0, R.REVISED]


def test_no_channel() -> None:
    assert codes(readings([10, 20], register=[-1, 0])) == [R.NO_CHANNEL, 0]


REGISTERS = {
    "passes its last digit": ([99_990, 5], 100_000, 0, [0, R.ROLLED_OVER]),
    "passes it further than capacity allows": ([99_990, 1_500], 100_000, 0, [0, R.REGISTER_BACKWARD]),
    "has no declared width": ([99_990, 5], 0, 0, [0, R.RESET]),
    "falls, but not to near zero": ([99_990, 50_000], 100_000, 0, [0, R.REGISTER_BACKWARD]),
    "of a later epoch, counted from the meter's own zero": ([9_990, 5 - 90_000], 100_000, 90_000, [0, R.ROLLED_OVER]),
    "below the meter's own zero": ([9_990, -1], 0, 0, [0, R.REGISTER_BACKWARD]),
}


@pytest.mark.parametrize(("position", "width", "epoch", "expected"), REGISTERS.values(), ids=REGISTERS)
def test_a_register_that_went_back(position: list[int], width: int, epoch: int, expected: list[int]) -> None:
    books = Books(rolls_over=width)
    books.last_wh[:], books.epoch_start_wh[:] = position[0] - 10, epoch
    assert codes(readings(position), books) == expected


def test_after_a_rollover_the_rest_is_held_back_and_other_registers_are_not() -> None:
    books = Books(2, rolls_over=100_000)
    books.last_wh[:] = [99_980, 0]
    outcome = codes(
        readings([99_990, 10, 5, 20, 30], register=[0, 1, 0, 0, 1], at_us=START_US + np.arange(1, 6) * HOUR_US), books
    )
    assert outcome == [0, 0, R.ROLLED_OVER, R.HELD_BACK, 0]


@pytest.mark.parametrize("seed", range(20))
def test_the_pass_over_columns_says_of_a_register_what_the_walk_says(seed: int) -> None:
    dice = np.random.default_rng(seed)
    at = START_US + np.cumsum(dice.integers(-1, 5, 40)) * QUARTER_HOUR_US
    wh = np.maximum(np.cumsum(dice.integers(-2, 60, 40)), 0)
    one = np.array([1_000]), np.array([0]), np.array([100_000])
    verdicts, before = follow(at, wh, np.array([0]), np.array([START_US]), np.array([0]), *one, np.array([False]))
    walked, held_against = Walk((START_US, 0), 1_000, 0, 100_000).walk(at.tolist(), wh.tolist())
    assert verdicts.tolist() == walked.tolist()
    rows = np.flatnonzero((walked == 0) & (held_against >= 0))
    assert np.all(step_is_fine(at[rows], wh[rows], at[before[rows]], wh[before[rows]], np.array([1_000])))
    assert {0, R.TIME_BACKWARD} <= set(walked.tolist())


def test_power_against_register() -> None:
    positions, watts = [100, 201, 299, 401], np.array([400, 400, 400, 400])
    assert not any(found(checked(readings(positions, power_mw=watts * 1_000)), R.POWER_DIFFERS))
    outcome = checked(readings(positions, power_mw=watts * 2_000))
    assert found(outcome, R.POWER_DIFFERS) == [False, True, True, True]  # the first has no power before it
    assert outcome.verdict.tolist() == [0] * 4  # noted
    assert not any(found(checked(readings(positions, power_mw=np.full(4, NO_POWER))), R.POWER_DIFFERS))
    apart = readings(positions, power_mw=watts * 2_000, message=np.arange(4))
    assert not any(found(checked(apart), R.POWER_DIFFERS))


def test_the_published_pogg_report_differs_by_less_than_its_registers_quantum() -> None:
    """47.1 Wh by power, 40 Wh by a register that counts in twenties: within quantum and half a step at each end."""
    mw = np.array([27, 28, 30, 35, 40, 43, 47, 52, 55, 62, 70, 74]) * 1_000
    at = START_US + np.arange(1, 13) * 300_000_000
    wh = [20, 20, 20, 20, 20, 40, 40, 40, 40, 40, 40, 60]
    assert not any(found(checked(readings(wh, at, power_mw=mw)), R.POWER_DIFFERS))
    assert any(found(checked(readings([each * 3 for each in wh], at, power_mw=mw)), R.POWER_DIFFERS))


def test_flat_lines_of_sun_and_wind_are_noted() -> None:
    flat, rising = np.arange(1, FLAT_STEPS + 2) * 400, np.cumsum(np.arange(1, FLAT_STEPS + 2) * 20)
    assert all(found(checked(readings(flat)), R.FLAT)[1:])
    assert codes(readings(flat)) == [0] * len(flat)
    assert not any(found(checked(readings(flat[:-2])), R.FLAT))
    assert not any(found(checked(readings(rising)), R.FLAT))
    assert not any(found(checked(readings(flat), Books(kind=Technology.GENERATOR)), R.FLAT))
    assert not any(found(checked(readings(flat), Books(capacity=1_650)), R.FLAT))  # an inverter that clips


def test_a_charger_that_stands_still_is_noted_twice_and_then_refused() -> None:
    books = Books(kind=Technology.CHARGER)
    begin_and_end = readings([50, 50, 50, 50, 50, 50, 50, 80], message=[0, 0, 1, 1, 2, 2, 3, 3])
    outcome = checked(begin_and_end, books)
    assert outcome.verdict.tolist() == [0, 0, 0, 0, R.REGISTER_FROZEN, R.REGISTER_FROZEN, 0, 0]
    assert found(outcome, R.ZERO_ENERGY) == [True] * 6 + [False] * 2
    assert codes(begin_and_end, Books()) == [0] * 8


def test_a_frozen_charger_is_frozen_in_1970_too() -> None:
    books = Books(kind=Technology.CHARGER)
    outcome = checked(readings([7] * 4, at_us=[1, 2, 3, 4], message=[0, 1, 2, 3]), books)
    assert outcome.verdict.tolist() == [R.BEFORE_TIME] * 4
    assert found(outcome, R.REGISTER_FROZEN) == [False, False, True, True]


def test_a_charger_that_stood_still_before_this_batch() -> None:
    books = Books(kind=Technology.CHARGER)
    books.last_wh[:] = 50
    memory = Memory(np.array([0]), np.array([2]), np.array([50]))
    assert codes(readings([50], message=[0]), books, memory=memory) == [R.REGISTER_FROZEN]
    assert codes(readings([51], message=[0]), books, memory=memory) == [0]


def hours(energy_wh: list[int], first: int = 1) -> dict[str, np.ndarray]:
    at = START_US + np.arange(first, first + len(energy_wh)) * HOUR_US
    return readings(np.cumsum(energy_wh), at)


def test_energy_at_night_waits_and_so_does_what_follows() -> None:
    bounds = square_sun()
    assert codes(hours([0, 0, 0, 0, 0, 0, 900, 900]), bounds=bounds) == [0] * 8
    assert codes(hours([0, 50, 0, 0, 0, 0, 900]), bounds=bounds) == [0, R.AT_NIGHT, *[R.HELD_BACK] * 5]
    noise = QUANTUM_WH + 4_000 * 5 // 1_000
    assert codes(hours([noise]), bounds=bounds) == [0]
    assert codes(hours([noise + 1]), bounds=bounds) == [R.AT_NIGHT]


def test_the_clear_sky_is_scored_by_the_days_energy() -> None:
    """Six hundredths of a day of 48 kWh: 2,880 Wh above the bound, in one hour or in many."""
    books, bounds = Books(capacity=4_000), square_sun()
    books.capacity_w[:] = 6_000  # so that capacity does not decide
    bounds.cumulative_wh[:] = bounds.cumulative_wh * 4 // 6
    allowed = 12 * 4_000 * EXCESS_PERCENT // 100 + QUANTUM_WH
    night, day = [0] * 6, [4_000] * 12
    assert codes(hours(night + [4_000 + allowed // 12] * 12), books, bounds=bounds) == [0] * 18
    over = hours(night + [4_000 + allowed // 12 + 20] * 12)
    assert codes(over, books, bounds=bounds)[-2:] == [0, R.ABOVE_CLEAR_SKY]
    burst = night + [0] * 6 + [4_000 + 1_500] + day[7:]
    assert codes(hours(burst), books, bounds=bounds) == [0] * 18
    two_days = night + [4_200] * 12 + [0] * 12 + [4_200] * 12
    assert codes(hours(two_days), books, bounds=bounds) == [0] * 42


@pytest.mark.parametrize("hours_each", [1, 6, 18])
def test_a_day_comes_to_the_same_in_one_batch_or_many(hours_each: int) -> None:
    """Where the sun was two hours late: less than the sky allows until the evening, and then too much."""
    books, bounds = Books(capacity=6_000), square_sun()
    bounds.cumulative_wh[:] = bounds.cumulative_wh * 4 // 6
    day = hours([0] * 8 + [4_000] * 4 + [4_600] * 6)
    whole, above_wh, decided, said = checked(day, books, bounds=bounds), np.zeros(1, np.int64), [], []
    for first in range(0, 18, hours_each):
        part = {name: column[first : first + hours_each] for name, column in day.items()}
        outcome = checked(part, books, bounds=bounds, memory=Memory(above_wh, above_wh, above_wh))
        decided += outcome.verdict.tolist()
        said += outcome.above_wh.tolist()
        last = np.flatnonzero(outcome.verdict == 0)[-1:]
        if len(last):
            books.last_at_us[:], books.last_wh[:] = (part[name][last] for name in ("at_us", "position_wh"))
            above_wh = outcome.above_wh[last]
        books.held_since_us[:] |= int((outcome.verdict == R.ABOVE_CLEAR_SKY).any())
    assert decided == [0] * 16 + [R.ABOVE_CLEAR_SKY] * 2
    assert said[:17] == whole.above_wh[:17].tolist()
    assert said[16] > 12 * 4_000 * EXCESS_PERCENT // 100 > said[15] > said[12] > said[11]


def test_yesterdays_energy_above_the_sky_is_not_todays() -> None:
    books, bounds = Books(capacity=6_000), square_sun()
    bounds.cumulative_wh[:] = bounds.cumulative_wh * 4 // 6
    memory = Memory(np.array([2_800]), np.array([0]), np.array([0]))
    hour = {day: readings([4_600], [START_US + (24 * day + 8) * HOUR_US]) for day in range(2)}
    books.last_at_us[:] = START_US + 7 * HOUR_US
    assert codes(hour[0], books, bounds=bounds, memory=memory) == [R.ABOVE_CLEAR_SKY]
    books.last_at_us[:] = START_US + 31 * HOUR_US
    assert codes(hour[1], books, bounds=bounds, memory=memory) == [R.ABOVE_CLEAR_SKY]
    books.last_at_us[:] = START_US + 24 * HOUR_US
    hour[1]["position_wh"][:] = 0
    assert checked(hour[1], books, bounds=bounds, memory=memory).above_wh.tolist() == [0]


def test_without_a_place_or_beyond_the_grid_the_sky_bounds_nothing() -> None:
    bounds = square_sun()
    bounds.plane_of[:] = -1
    assert codes(hours([500]), bounds=bounds) == [0]
    late = readings([500], [START_US + 5 * DAY_US])
    assert codes(late, bounds=square_sun()) == [0]


def day_of(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(100, 900, 40)


def fleet_day(*energies: np.ndarray) -> tuple[dict[str, np.ndarray], Books]:
    at = START_US + 6 * HOUR_US + np.tile(np.arange(1, 41) * QUARTER_HOUR_US, len(energies))
    columns = readings(
        np.concatenate([np.cumsum(each) for each in energies]), at, np.repeat(np.arange(len(energies)), 40)
    )
    books = Books(len(energies))
    books.last_at_us[:] = START_US + 6 * HOUR_US
    return columns, books


def test_twins_who_came_first_counts() -> None:
    columns, books = fleet_day(day_of(1), day_of(2), day_of(1))
    outcome = checked(columns, books)
    assert outcome.verdict.reshape(3, 40).tolist() == [[0] * 40, [0] * 40, [R.TWIN] + [R.TWIN] * 39]
    regulated, books = fleet_day(np.full(40, 500), np.full(40, 500))
    assert not any(found(checked(regulated, books), R.TWIN))
    nearly, books = fleet_day(day_of(1), np.r_[day_of(1)[:-1], 1])
    assert not any(found(checked(nearly, books), R.TWIN))


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.1])
def test_a_neighbours_day_at_another_scale_is_a_copy(scale: float) -> None:
    copy = np.diff(np.floor(np.r_[0, np.cumsum(day_of(1))] * scale)).astype(np.int64)
    columns, books = fleet_day(day_of(1), copy, day_of(3))
    verdicts = checked(columns, books, bounds=square_sun(3)).verdict.reshape(3, 40)
    assert [bool(np.any(each == R.COPIED)) for each in verdicts] == [False, True, False]


def test_a_day_that_is_the_clear_sky_itself_is_a_copy() -> None:
    columns, books = fleet_day(np.full(40, 850))
    assert R.COPIED in codes(columns, books, bounds=square_sun())
    columns, books = fleet_day(day_of(5))
    assert codes(columns, books, bounds=square_sun()) == [0] * 40


def test_a_sites_meters_that_do_not_add_up_are_noted() -> None:
    parent = np.array([NO_PARENT, 0, 0], np.int32)
    at, register = START_US + np.repeat([1, 2], 3) * HOUR_US, [0, 1, 2] * 2
    books = Books(3)
    good = checked(readings([1_000, 600, 395, 2_000, 1_200, 790], at, register), books, parent_of=parent)
    assert not any(found(good, R.SITE_BALANCE))
    bad = checked(readings([1_000, 600, 395, 2_000, 1_900, 790], at, register), books, parent_of=parent)
    assert found(bad, R.SITE_BALANCE) == [False, False, False, True, False, False]
    assert bad.verdict.tolist() == [0] * 6
    alone = checked(readings([1_000, 100], START_US + np.array([1, 1]) * HOUR_US, [0, 1]), books, parent_of=parent)
    assert not any(found(alone, R.SITE_BALANCE))  # one below is silent: nothing can be said


def test_a_register_that_waits_already_holds_back_all_but_what_is_refused() -> None:
    books = Books()
    books.held_since_us[:] = START_US
    at_us = START_US + np.array([1, 2, 3, 0, 4]) * QUARTER_HOUR_US
    outcome = codes(readings([10, 20, 5, 20, 30], at_us), books)
    assert outcome == [R.HELD_BACK, R.HELD_BACK, R.HELD_BACK, R.TIME_BACKWARD, R.HELD_BACK]
    outcome = codes(readings([10, 20], clock=[0, 3]), books)
    assert outcome == [R.HELD_BACK, R.CLOCK_UNSET]


@pytest.mark.parametrize("cut", range(1, 8))
def test_in_one_batch_or_in_two(cut: int) -> None:
    """What registers say does not depend on how the readings came together."""
    position = np.array([10, 20, 15, 30, 9_999, 40, 50, 60])
    whole = codes(readings(position))
    books, first = Books(), readings(position[:cut])
    said = codes(first, books)
    counts = np.flatnonzero(np.array(said) == 0)
    books.last_at_us[:], books.last_wh[:] = first["at_us"][counts[-1]], first["position_wh"][counts[-1]]
    rest = readings(position[cut:], START_US + np.arange(cut + 1, 9) * QUARTER_HOUR_US)
    assert said + codes(rest, books) == whole
    assert whole.count(0) == 6


def test_judging_changes_nothing_and_order_between_registers_does_not_matter() -> None:
    columns, books = fleet_day(day_of(1), day_of(2), day_of(3))
    mixed = np.argsort(np.tile(np.arange(40), 3), kind="stable")
    shuffled = {name: column[mixed] for name, column in columns.items()}
    before = {name: column.copy() for name, column in shuffled.items()}
    outcome = checked(shuffled, books, bounds=square_sun(3))
    assert all(np.array_equal(before[name], shuffled[name]) for name in before)
    assert outcome.findings.tolist() == checked(columns, books, bounds=square_sun(3)).findings[mixed].tolist()
