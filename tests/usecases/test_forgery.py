"""The forgery table on days made by hand, and on real ones where they are: what is promised in docs/checks.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from penstock.errors import NotFound
from penstock.period import DAY_US, QUARTER_HOUR_US, parse_iso
from penstock.usecases.forged_messages import ATTACKS, message_rows
from penstock.usecases.forgery import COPIES, FORGERIES, Range, Row, on_range, ranges
from penstock.usecases.sunny_days import ARRAYS, Array, SunnyDay

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / ".data"
needs_days = pytest.mark.skipif(not (DATA / ARRAYS[0].file).is_file(), reason="pvanalytics' data are not in .data")
ROOF = Array("made by hand", "9xj4", 30, 180, 5_000, QUARTER_HOUR_US, "", lambda _: iter(()))


def cloudy_days(count: int = 3) -> list[SunnyDay]:
    """Midnight to midnight in Golden, a bell with clouds."""
    dice, days = np.random.default_rng(7), []
    for number in range(count):
        start_us = parse_iso("2026-06-21T07:00:00Z") + number * DAY_US
        at_us = start_us + np.arange(1, 97) * QUARTER_HOUR_US
        bell = np.clip(np.sin((np.arange(96) - 24) / 48 * np.pi), 0, None) ** 1.5
        days.append(SunnyDay(start_us, at_us, 900 * bell * dice.uniform(0.3, 1.0, 96)))
    return days


def by_name(rows: list[Row], array: str) -> dict[str, Row]:
    return {row.forgery: row for row in rows if row.array == array}


def test_every_forgery_has_its_row_and_honest_days_pass() -> None:
    rows = by_name(on_range(Range.of(ROOF, cloudy_days())), ROOF.name)
    assert list(rows) == [*FORGERIES, *COPIES]
    assert (rows["honest"].stopped, rows["honest"].noted, rows["honest"].energy_stopped_percent) == (0, 0, 0)
    for name in ("shifted by 6 h", "flat at half capacity, day and night", "clear-sky copy, exact", *COPIES):
        assert rows[name].stopped == rows[name].days == 3, name
    assert rows["scaled by 1.1"].stopped == 0  # physics cannot see it, and the table says so


def test_what_cryptography_and_the_chain_stop() -> None:
    rows = message_rows(ROOF, cloudy_days(2))
    assert [row.forgery for row in rows] == list(ATTACKS)
    assert all(row.stopped == row.days == 2 for row in rows)
    by = {row.forgery: row.by[0].split()[0] for row in rows}
    assert by["the day's packets replayed"] == "replayed"
    assert by["splice onto another history"] == "forked"
    assert by["stolen key after rotation"] == "key_not_valid"


def test_without_data_the_table_says_how_to_bring_them(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        ranges([tmp_path])
    assert caught.value.code == "forgery.no_days"


@needs_days
def test_real_days_at_serf_east_as_published() -> None:
    array = ARRAYS[0]
    days = array.days(DATA)
    rows = by_name(on_range(Range.of(array, days)), array.name)
    assert len(days) == rows["honest"].days == 104
    assert (rows["honest"].stopped, rows["honest"].noted) == (0, 0)
    for name in ("shifted by 3 h", "shifted by 6 h", "flat at half capacity, day and night", "clear-sky copy, exact"):
        assert rows[name].stopped == 104, name
    assert rows["scaled by 2"].stopped >= 100
    assert rows["twin: a neighbour's readings"].stopped == 104
    assert rows["yesterday told again, signed anew"].stopped == 0
