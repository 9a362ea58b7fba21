"""Assurance: a certificate is as good as the weakest reading behind it, a reading as good as the weakest of its way."""

from __future__ import annotations

import numpy as np
import pytest
from small_plant import DAYS, ZONE, Plant, signed

from penstock.energy.certificate import interval_spans
from penstock.energy.forms.cose import FIRST
from penstock.journal.kinds.energy import TitlesIssued
from penstock.journal.segment import Columns
from penstock.journal.words import Assurance, Right, Technology
from penstock.period import HOUR_US, QUARTER_HOUR_US
from penstock.usecases.certify import certify
from penstock.usecases.ingest import ingest

START_US = DAYS[0].start_us
METER, GATEWAY, VENDOR, DECLARED = range(4)


def ingested(plant: Plant, levels: list[int], name: str = "roof-a") -> Columns:
    """Quarter-hours of 100 Wh as if they had come at these levels."""
    at_us = [START_US + quarter * QUARTER_HOUR_US for quarter in range(1, len(levels) + 1)]
    raws = signed(name, at_us, [100 * (quarter + 1) for quarter in range(len(levels))], 0, FIRST)
    columns = plant.columns(plant.do(f"{name} sends", lambda world: ingest(world, raws, DAYS[0].stop_us)), 1)
    return {**columns, "assurance": np.array(levels, dtype=np.uint8)}


def issued(plant: Plant, parts: list[Columns]) -> list[tuple[Right, Assurance, int]]:
    facts = plant.facts(plant.do("certify", lambda world: certify(world, parts, ZONE)))
    assert all(isinstance(fact, TitlesIssued) and fact.technology is Technology.SOLAR_PV for fact in facts)
    return [(fact.right, fact.assurance, fact.quantity) for fact in facts if isinstance(fact, TitlesIssued)]


def test_one_level_is_one_fact_for_each_right(plant: Plant) -> None:
    found = issued(plant, [ingested(plant, [GATEWAY] * 8)])
    assert found == [(right, Assurance.GATEWAY_SIGNED, 800) for right in (Right.ATTRIBUTE, Right.ENERGY)]


def test_a_level_that_changes_and_comes_back_is_three_facts_in_order(plant: Plant) -> None:
    levels = [METER] * 4 + [METER, DECLARED, METER, METER] + [METER] * 4
    found = issued(plant, [ingested(plant, levels)])
    expected = [(Assurance.METER_SIGNED, 400), (Assurance.DECLARED, 400), (Assurance.METER_SIGNED, 400)]
    assert [(level, energy_wh) for right, level, energy_wh in found if right is Right.ATTRIBUTE] == expected
    titles = plant.world.books.titles[Right.ATTRIBUTE].columns()
    assert titles["start"].tolist() == [0, 400, 800]


def test_an_interval_rests_on_the_reading_that_closes_it_and_on_the_one_it_starts_from(plant: Plant) -> None:
    levels = [METER, METER, METER, VENDOR, METER, METER, METER, METER, METER, METER, METER, METER]
    found = issued(plant, [ingested(plant, levels)])
    expected = [(Assurance.VENDOR_ATTESTED, 800), (Assurance.METER_SIGNED, 400)]
    assert sorted((level, wh) for right, level, wh in found if right is Right.ENERGY) == sorted(
        (level, wh) for level, wh in expected
    )


def test_registers_of_different_levels_are_different_facts(plant: Plant) -> None:
    parts = [ingested(plant, [METER] * 4), ingested(plant, [DECLARED] * 4, "roof-b")]
    found = issued(plant, parts)
    assert [(level, wh) for right, level, wh in found if right is Right.ATTRIBUTE] == [
        (Assurance.METER_SIGNED, 400),
        (Assurance.DECLARED, 400),
    ]


def test_readings_of_the_first_edition_are_meter_signed(plant: Plant) -> None:
    columns = {name: column for name, column in ingested(plant, [VENDOR] * 4).items() if name != "assurance"}
    assert {level for _, level, _ in issued(plant, [columns])} == {Assurance.METER_SIGNED}


def naive_levels(at_us: list[int], level: list[int], start_us: int) -> dict[int, int]:
    """For each whole hour, the weakest level among the readings in it, at its ends, and around those."""
    found = {}
    points = [start_us, *at_us]
    levels = [METER, *level]
    for hour in range(start_us // HOUR_US, at_us[-1] // HOUR_US):
        begin, end = hour * HOUR_US, (hour + 1) * HOUR_US
        first = max(row for row, at in enumerate(points) if at <= begin)
        last = min(row for row, at in enumerate(points) if at >= end)
        found[begin] = max(levels[first : last + 1])
    return found


@pytest.mark.parametrize("seed", range(8))
def test_levels_in_columns_are_levels_one_by_one(seed: int) -> None:
    dice = np.random.Generator(np.random.PCG64(seed))
    start_us = START_US // HOUR_US * HOUR_US
    count = int(dice.integers(5, 40))
    steps = dice.choice([QUARTER_HOUR_US, QUARTER_HOUR_US // 3, 2 * HOUR_US, HOUR_US], count)
    at_us = start_us + np.cumsum(steps)
    position_wh = np.cumsum(dice.integers(50, 90, count)) * 10
    level = (dice.random(count) < 0.2) * dice.integers(1, 4, count)
    spans = interval_spans(
        np.zeros(count, np.int32),
        at_us,
        position_wh,
        np.array([start_us]),
        np.array([0]),
        HOUR_US,
        level.astype(np.uint8),
    )
    expected = naive_levels(at_us.tolist(), level.tolist(), start_us)
    assert dict(zip(spans["interval_us"].tolist(), spans["assurance"].tolist(), strict=True)) == expected
