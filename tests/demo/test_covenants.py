"""A cloudy week with cheap rents trips a covenant, and the sweep pays senior first; median weather and rents do not."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path
from statistics import median_low
from typing import Any

import pytest
from demo_sources import FILE, measured
from staging import Played, play

from penstock.cli.demo.rents import Rents, mark_e8, standby_usdc_micro
from penstock.cli.demo.weather import MONDAYS, Weather

MEDIAN = ("--weather", "median", "--rents", "median")


def states(played: Played) -> list[str]:
    return [one["state"] for one in played.stage("pay")["periods"]]


def lowest(played: Played, test: str) -> int:
    """The least ratio of a test [millionths]."""
    return min(int(one["ratios"][test]) for one in played.stage("pay")["periods"])


def paid(period: dict[str, Any], payee: str) -> int:
    return sum(step["paid_usdc_micro"] for step in period["steps"] if step["target"].endswith(f"/paid/{payee}"))


def test_a_cloudy_week_with_cheap_rents_trips_and_the_sweep_pays_senior_first(undisturbed: Played) -> None:
    assert states(undisturbed) == ["normal", "sweep"]
    assert lowest(undisturbed, "cover") < 10**6
    before, swept = undisturbed.stage("pay")["periods"]
    assert paid(before, "E") > 0 == paid(swept, "E")
    taken = {
        step["target"][-1]: step["paid_usdc_micro"] for step in swept["steps"] if step["label"].startswith("sweep")
    }
    assert taken["A"] > 0 == taken["B"]
    assert paid(swept, "B") < paid(before, "B")


def test_median_weather_and_rents_trip_nothing(tmp_path: Path) -> None:
    played = play(tmp_path / "median", *MEDIAN)
    assert states(played) == ["normal", "normal"]
    assert lowest(played, "dscr") >= 1_200_000
    assert lowest(played, "cover") >= 10**6
    assert all(paid(one, "E") > 0 for one in played.stage("pay")["periods"])


@pytest.mark.nightly
def test_the_whole_week_trips_and_cures_as_the_data_say_and_the_median_week_never_does(tmp_path: Path) -> None:
    cloudy, fair = play(tmp_path / "cloudy", size=()), play(tmp_path / "median", *MEDIAN, size=())
    assert "sweep" in states(cloudy)
    assert states(cloudy)[0] == "normal" == states(cloudy)[-1]
    assert set(states(fair)) == {"normal"}


@measured
def test_the_weeks_are_the_cloudiest_and_the_median_of_all_that_were_measured() -> None:
    by_day: dict[date, list[float]] = defaultdict(list)
    with FILE.open(newline="") as lines:
        for row in csv.reader(lines):
            if len(row) == 2 and row[0] != "measured_on" and row[1]:
                by_day[date.fromisoformat(row[0][:10])].append(max(0.0, float(row[1])))
    whole = {day: sum(watts) for day, watts in by_day.items() if len(watts) == 96}
    weeks = {
        str(day): sum(whole[day + timedelta(one)] for one in range(7))
        for day in whole
        if day.weekday() == 0 and all(day + timedelta(one) in whole for one in range(7))
    }
    assert len(weeks) == 14
    assert weeks[MONDAYS[Weather.CLOUDY]] == min(weeks.values())
    assert weeks[MONDAYS[Weather.MEDIAN]] == median_low(weeks.values())


def test_cheap_rents_are_below_median_ones_every_day_and_pay_less_for_standing_by() -> None:
    for day in range(7):
        assert mark_e8(Rents.CHEAP, day) < mark_e8(Rents.MEDIAN, day)
        assert standby_usdc_micro(Rents.CHEAP, day, 72) < standby_usdc_micro(Rents.MEDIAN, day, 72)
    assert standby_usdc_micro(Rents.MEDIAN, 0, 72) == 72 * 4_000_000 * 95 // 100
