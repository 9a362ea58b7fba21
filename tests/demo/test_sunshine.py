"""Sunshine: the measured file as it is, and files with the faults it has."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from demo_sources import DATA, FILE, MONDAY, measured

from penstock.cli.demo.sunshine import find_file, read_week, week_of
from penstock.errors import Invalid, NotFound
from penstock.period import DAY_US, QUARTER_HOUR_US, from_us, iso, parse_iso


@measured
def test_the_file_is_the_one_we_know() -> None:
    with FILE.open(newline="") as lines:
        rows = list(csv.reader(lines))
    assert rows[0][0] == "measured_on"
    filled = [row for row in rows[1:] if row]
    assert len(filled) == 10_000
    assert rows[-1] == [], "lines without anything end the file"
    watts = [float(row[1]) for row in filled if row[1]]
    assert -50 < min(watts) < 0
    assert 5_000 < max(watts) < 6_000


@measured
def test_the_demos_week_is_complete_and_clipped() -> None:
    found = read_week(find_file((DATA,)), week_of(MONDAY))
    assert len(found.start_us) == len(found.power_w) == 7 * 96
    assert (np.diff(found.start_us) == QUARTER_HOUR_US).all()
    assert found.power_w.min() == 0
    night = (found.start_us - found.week.start_us) % DAY_US < 4 * 3_600 * 10**6
    assert not found.power_w[night].any()
    assert 100 < found.power_w.sum() / 4_000 < 300, "kWh of an array of about 6 kW in a summer week"


def write(file: Path, changed: dict[int, str] | None = None, left_out: int = -1) -> Path:
    """A week of quarter-hours as the file has them; ``changed`` rows by number."""
    start_us, lines = week_of(MONDAY).start_us, ["measured_on,ac_power"]
    for row in range(-96, 8 * 96):
        at = from_us(start_us + row * QUARTER_HOUR_US).isoformat(sep=" ")
        if row != left_out:
            lines.append(f"{at},{(changed or {}).get(row, str(row % 96))}")
    file.write_text("\n".join(lines) + "\n")
    return file


def test_a_week_starts_at_midnight_in_golden() -> None:
    week = week_of(MONDAY)
    assert iso(week.start_us) == "2016-08-22T07:00:00Z"
    assert week.stop_us - week.start_us == 7 * DAY_US


def test_only_the_week_is_read_and_nights_are_clipped(tmp_path: Path) -> None:
    found = read_week(write(tmp_path / "f.csv", {0: "-5.5", 1: "0.25"}), week_of(MONDAY))
    assert found.power_w[:3].tolist() == [0.0, 0.25, 2.0]
    assert found.start_us[0] == found.week.start_us
    assert len(found.start_us) == 672


@pytest.mark.parametrize("row", [0, 300, 671])
def test_a_week_with_a_hole_is_refused(tmp_path: Path, row: int) -> None:
    for file in (write(tmp_path / "left.csv", left_out=row), write(tmp_path / "blank.csv", {row: ""})):
        with pytest.raises(Invalid) as caught:
            read_week(file, week_of(MONDAY))
        assert caught.value.code == "demo.week_incomplete"


@pytest.mark.parametrize("row", [-1, 672])
def test_a_blank_outside_the_week_is_skipped(tmp_path: Path, row: int) -> None:
    assert len(read_week(write(tmp_path / "f.csv", {row: ""}), week_of(MONDAY)).power_w) == 672


def test_the_first_folder_that_has_the_file_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "b" / "pvanalytics" / "data" / "serf_east_15min_ac_power.csv"
    file.parent.mkdir(parents=True)
    file.touch()
    assert find_file((tmp_path / "a", tmp_path / "b")) == file
    with pytest.raises(NotFound) as caught:
        find_file((tmp_path / "a",))
    assert caught.value.code == "demo.no_sunshine"
    assert "data.lock" in caught.value.hint


def test_the_files_offset_is_its_own() -> None:
    assert parse_iso(f"{MONDAY}T00:00:00-07:00") == week_of(MONDAY).start_us
