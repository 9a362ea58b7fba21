"""Certify: each verified Wh once, in its hour, to its owner."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from small_plant import DAYS, ROOFS, ZONE, Plant, signed

from penstock.energy.forms.cose import FIRST
from penstock.errors import PenstockError, Refused
from penstock.journal.kinds.energy import TitlesIssued, TitlesMoved
from penstock.journal.laws import breaches
from penstock.journal.segment import Columns
from penstock.journal.words import TITLE_STATES, Right, TitleState
from penstock.period import HOUR_US
from penstock.usecases.certify import COVER, NOT_METERED, Terms, certify
from penstock.usecases.ingest import ingest


def test_a_day_is_certified_once_for_each_right(plant: Plant) -> None:
    attribute, energy = plant.facts(plant.certified(0))
    assert isinstance(attribute, TitlesIssued)
    assert isinstance(energy, TitlesIssued)
    assert (attribute.right, energy.right) == (Right.ATTRIBUTE, Right.ENERGY)
    assert attribute.segment == energy.segment
    assert attribute.quantity == sum(plant.read_wh(f"{name}/export") for name in ROOFS)
    assert attribute.zone == ZONE


def test_titles_tile_each_register_in_daylight_hours_and_belong_to_the_owner(plant: Plant) -> None:
    plant.certified(0)
    books = plant.world.books
    titles = books.titles[Right.ATTRIBUTE].columns()
    hours = (titles["interval_us"] - DAYS[0].start_us) // HOUR_US
    assert set(hours.tolist()) == set(range(6, 18))
    for name in ROOFS:
        mine = titles["register"] == books.registers.id_of(f"{name}/export")
        start, stop = titles["start"][mine], titles["stop"][mine]
        assert start[0] == 0
        assert start[1:].tolist() == stop[:-1].tolist()
        assert stop[-1] == plant.read_wh(f"{name}/export")
        assert set(titles["holder"][mine].tolist()) == {books.accounts.id_of(name)}
        assert (np.diff(titles["interval_us"][mine]) == HOUR_US).all()


def test_a_second_issue_of_the_same_readings_is_refused(plant: Plant) -> None:
    columns = plant.columns(plant.ingested(0), 1)
    plant.do("once", lambda world: certify(world, [columns], ZONE))
    before = plant.world.books.digest()
    with pytest.raises(Refused) as caught:
        plant.do("twice", lambda world: certify(world, [columns], ZONE))
    assert caught.value.code == "certificate.nothing"
    assert plant.world.books.digest() == before


def test_the_same_readings_twice_in_one_act_are_certified_once(plant: Plant) -> None:
    columns = plant.columns(plant.ingested(0), 1)
    attribute, _ = plant.facts(plant.do("both", lambda world: certify(world, [columns, columns], ZONE)))
    assert isinstance(attribute, TitlesIssued)
    assert attribute.quantity == sum(plant.read_wh(f"{name}/export") for name in ROOFS)


def test_day_by_day_or_both_days_at_once_the_titles_are_the_same(plant: Plant, lived: Plant) -> None:
    parts = [plant.columns(plant.ingested(day), 1) for day in (0, 1)]
    plant.do("both", lambda world: certify(world, parts, ZONE))
    at_once, by_day = (each.world.books.titles[Right.ATTRIBUTE].columns() for each in (plant, lived))
    assert len(_ends(at_once)) == 2 * 12 * len(ROOFS)
    assert _ends(at_once) == _ends(by_day)


def _ends(titles: Columns) -> dict[tuple[int, int], int]:
    """Where each (register, hour)'s titles end, however they were cut since."""
    found: dict[tuple[int, int], int] = {}
    for register, stop, hour in zip(*(titles[n].tolist() for n in ("register", "stop", "interval_us")), strict=True):
        found[register, hour] = max(stop, found.get((register, hour), 0))
    return found


def test_readings_that_were_refused_are_not_certified(plant: Plant) -> None:
    """At the end of the first hour the meter said too much: the hour ends half-way between 30 and 50 Wh."""
    at_us = [DAYS[0].start_us + quarter * 900_000_000 for quarter in range(1, 9)]
    raws = signed("roof-a", at_us, [10, 20, 30, 9_999_999, 50, 60, 49, 80], 0, FIRST)
    columns = plant.columns(plant.do("some", lambda world: ingest(world, raws, DAYS[0].stop_us)), 1)
    attribute, _ = plant.facts(plant.do("certify", lambda world: certify(world, [columns], ZONE)))
    assert isinstance(attribute, TitlesIssued)
    assert attribute.quantity == 80
    titles = plant.world.books.titles[Right.ATTRIBUTE].columns()
    assert (titles["start"].tolist(), titles["stop"].tolist()) == ([0, 40], [40, 80])


def test_nothing_to_certify_is_refused(plant: Plant) -> None:
    at_us = [DAYS[0].start_us + 900_000_000]
    night = plant.columns(plant.do("night", lambda w: ingest(w, plant.packets[:1], DAYS[0].stop_us)), 1)
    rack = plant.columns(
        plant.do("rack reads", lambda w: ingest(w, signed("rack-1", at_us, [5], 0, FIRST), DAYS[0].stop_us)), 1
    )
    bad = plant.columns(plant.do("bad", lambda w: ingest(w, [b"x"], DAYS[0].stop_us)), 1)
    for columns in ([night], [rack], [bad], [night, rack, bad]):
        with pytest.raises(Refused) as caught:
            plant.do("certify", lambda world, columns=columns: certify(world, columns, ZONE))  # type: ignore[misc]
        assert caught.value.code == "certificate.nothing"


def test_what_the_meter_never_counted_is_not_certified(plant: Plant) -> None:
    columns = dict(plant.columns(plant.ingested(0), 1))
    columns["position_wh"] = columns["position_wh"] * 2
    with pytest.raises(PenstockError) as caught:
        plant.do("too much", lambda world: certify(world, [columns], ZONE))
    assert caught.value.code == "titles.beyond_meter"


GAP_US = 15 * 60_000_000


def without_hours(columns: Columns, *local_hours: int) -> Columns:
    """The readings but those that fall within hours of the first day, at their ends too."""
    hour = (columns["at_us"] - 1 - DAYS[0].start_us) // HOUR_US
    kept = ~np.isin(hour, local_hours)
    return {name: column[kept] for name, column in columns.items()}


@pytest.mark.parametrize(
    ("gap_us", "hours"), [(0, set()), (GAP_US, {10, 11}), (4 * GAP_US, {10, 11}), (5 * GAP_US, set())]
)
def test_what_was_metered_too_coarsely_gets_no_certificate(plant: Plant, gap_us: int, hours: set[int]) -> None:
    columns = without_hours(plant.columns(plant.ingested(0), 1), 10)
    terms = Terms(gap_us=gap_us)
    facts = plant.facts(plant.do("certify", lambda world: certify(world, [columns], ZONE, terms)))
    books = plant.world.books
    titles = books.titles[Right.ATTRIBUTE].columns()
    gone = titles["state"] == TITLE_STATES.index(TitleState.WITHDRAWN)
    assert set(((titles["interval_us"][gone] - DAYS[0].start_us) // HOUR_US).tolist()) == hours
    assert not (books.titles[Right.ENERGY].columns()["state"] != TITLE_STATES.index(TitleState.HELD)).any()
    assert [fact.purpose for fact in facts if isinstance(fact, TitlesMoved)] == [NOT_METERED] * bool(hours)
    assert breaches(books) == ()


def test_a_debt_is_covered_first_by_what_was_metered_too_coarsely(plant: Plant) -> None:
    columns = without_hours(plant.columns(plant.ingested(0), 1), *range(24))
    assert not len(columns["register"])
    whole = plant.columns(plant.ingested(0), 1)
    register = plant.world.books.registers.id_of("roof-a/export")
    plant.world.books.corrections.debts.owe(Right.ATTRIBUTE, register, 0, 30)
    late = {name: column[whole["at_us"] > DAYS[0].start_us + 12 * HOUR_US] for name, column in whole.items()}
    entries = certify(plant.world, [late], ZONE, Terms(gap_us=GAP_US))
    moved = [(entry.fact, entry.segment) for entry in entries if isinstance(entry.fact, TitlesMoved)]
    spans = [
        (fact.purpose, int(start), int(stop))
        for fact, segment in moved
        if segment is not None and fact.right is Right.ATTRIBUTE
        for number, start, stop in zip(*(segment.columns[name] for name in ("register", "start", "stop")), strict=True)
        if number == register
    ]
    covered = [(start, stop) for purpose, start, stop in spans if purpose == COVER]
    coarse = [(start, stop) for purpose, start, stop in spans if purpose == NOT_METERED]
    assert sum(stop - start for start, stop in covered) == 30
    assert coarse[0][0] == covered[-1][1] == 30
    assert all(one[1] == after[0] for one, after in pairwise(coarse))
