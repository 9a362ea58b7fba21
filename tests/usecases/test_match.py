"""Match: in each hour what the rack drew is what the roofs sold, once."""

from __future__ import annotations

import numpy as np
import pytest
from small_plant import DAYS, ROOFS, Plant

from penstock.errors import PenstockError, Refused
from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import SpansLinked, TitlesMoved
from penstock.journal.words import TITLE_STATES, LinkKind, Right, TitleState
from penstock.period import HOUR_US
from penstock.units import MJ_PER_WH
from penstock.usecases.claim import Claim, moved
from penstock.usecases.match import Draw, available_wh, match
from penstock.usecases.world import World


def test_what_is_available_is_what_producers_still_hold(plant: Plant) -> None:
    plant.certified(0)
    hours, energy_wh = plant.workspace.read(lambda world: available_wh(world, DAYS[0]))
    assert ((hours - DAYS[0].start_us) // HOUR_US).tolist() == list(range(6, 18))
    assert int(energy_wh.sum()) == sum(plant.read_wh(f"{name}/export") for name in ROOFS)
    assert [len(one) for one in plant.workspace.read(lambda world: available_wh(world, DAYS[1]))] == [0, 0]


def test_a_day_is_matched_hour_by_hour(plant: Plant) -> None:
    plant.certified(0)
    done = plant.service(0)
    before = plant.workspace.read(lambda world: available_wh(world, DAYS[0]))[1]
    plant.rack_metered(0, done)
    allocated, converted, sold, claimed, used = plant.facts(plant.matched(0, done))
    drawn_wh = int(done.import_wh.sum())
    assert isinstance(allocated, SpansLinked)
    assert isinstance(converted, SpansLinked)
    assert (allocated.link, allocated.quantity_in, allocated.quantity_out) == (LinkKind.ALLOCATE, drawn_wh, drawn_wh)
    assert (converted.quantity_in, converted.quantity_out) == (drawn_wh, drawn_wh * MJ_PER_WH)
    assert isinstance(used, SpansLinked)
    assert (used.link, used.quantity_in) == (LinkKind.CLAIM, drawn_wh)
    assert isinstance(sold, TitlesMoved)
    assert isinstance(claimed, TitlesMoved)
    assert (sold.right, sold.state, sold.quantity) == (Right.ENERGY, TitleState.HELD, drawn_wh)
    assert (claimed.right, claimed.state, claimed.quantity) == (Right.ATTRIBUTE, TitleState.CLAIMED, drawn_wh)
    titles = plant.world.books.titles[Right.ENERGY].columns()
    operator = titles["holder"] == plant.world.books.accounts.id_of("operator")
    for hour_us, energy_wh in zip(done.hour_us.tolist(), done.import_wh.tolist(), strict=True):
        mine = operator & (titles["interval_us"] == hour_us)
        assert int((titles["stop"] - titles["start"])[mine].sum()) == energy_wh
    assert drawn_wh < int(before.sum())


def test_each_roof_gives_by_what_it_has(plant: Plant) -> None:
    plant.certified(0)
    books = plant.world.books
    titles = books.titles[Right.ENERGY].columns()
    noon = DAYS[0].start_us + 12 * HOUR_US
    rows = titles["interval_us"] == noon
    have = dict(zip(titles["register"][rows].tolist(), (titles["stop"] - titles["start"])[rows].tolist(), strict=True))
    done = plant.service(0)
    plant.rack_metered(0, done)
    plant.matched(0, done)
    drawn_wh = int(done.import_wh[done.hour_us == noon][0])
    after = plant.world.books.titles[Right.ENERGY].columns()
    sold = (after["interval_us"] == noon) & (after["holder"] == books.accounts.id_of("operator"))
    for register, energy_wh in have.items():
        mine = sold & (after["register"] == register)
        gave = int((after["stop"] - after["start"])[mine].sum())
        assert abs(gave - energy_wh * drawn_wh / sum(have.values())) < 1


def test_a_second_match_of_the_same_hours_is_refused(plant: Plant) -> None:
    plant.certified(0)
    done = plant.service(0)
    plant.rack_metered(0, done)
    plant.matched(0, done)
    before, draw = plant.world.books.digest(), plant.draw(done)
    with pytest.raises(PenstockError) as caught:
        plant.do("match twice", lambda world: match(world, draw, DAYS[0], "deal:first"))
    assert caught.value.code in {"allocate.short", "links.beyond_meter"}
    assert plant.world.books.digest() == before


def test_more_than_was_certified_is_refused(plant: Plant) -> None:
    plant.certified(0)
    hours, energy_wh = plant.workspace.read(lambda world: available_wh(world, DAYS[0]))
    draw = Draw(plant.rack, hours[:2], energy_wh[:2] + np.array([0, 1]))
    before = plant.world.books.digest()
    with pytest.raises(Refused) as caught:
        plant.do("match", lambda world: match(world, draw, DAYS[0], "deal:first"))
    assert caught.value.code == "allocate.short"
    assert plant.world.books.digest() == before


@pytest.mark.parametrize("right", [Right.ATTRIBUTE, Right.ENERGY])
@pytest.mark.parametrize("state", [TitleState.HELD, TitleState.RETIRED])
def test_what_somebody_bought_or_used_apart_is_not_sold_with_the_rest(
    plant: Plant, right: Right, state: TitleState
) -> None:
    plant.certified(0)
    hours, before = plant.workspace.read(lambda world: available_wh(world, DAYS[0]))
    hour_us = int(hours[5])
    titles = plant.world.books.titles[right].columns()
    rows = np.flatnonzero(titles["interval_us"] == hour_us)[:1]
    start, stop = int(titles["start"][rows[0]]) + 3, int(titles["start"][rows[0]]) + 10
    span = (titles["register"][rows], np.array([start]), np.array([stop]))

    def away(world: World) -> list[Entry]:
        parts = world.books.titles[right].parts(*span)
        target = np.array([world.books.accounts.id_of("investor")], dtype=np.int32)
        return [moved(world, right, parts, state, Claim("investor", "a test", None), target)]

    plant.do("away", away)
    left = plant.workspace.read(lambda world: available_wh(world, DAYS[0]))[1]
    assert int((before - left).sum()) == int((before - left)[5]) == 7
    plant.rack_metered(0, plant.service(0))
    draw = Draw(plant.rack, hours[5:6], np.array([int(left[5])]))
    facts = plant.facts(plant.do("match", lambda world: match(world, draw, DAYS[0], "deal:first")))
    assert isinstance(facts[0], SpansLinked)
    assert facts[0].quantity_in == int(left[5])


def test_what_the_racks_meter_did_not_count_is_not_matched(plant: Plant) -> None:
    plant.certified(0)
    done = plant.service(0)
    before = plant.world.books.digest()
    with pytest.raises(Refused) as caught:
        plant.matched(0, done)
    assert caught.value.code == "links.beyond_meter"
    assert plant.world.books.digest() == before


def test_a_night_hour_has_nothing_to_match(plant: Plant) -> None:
    plant.certified(0)
    draw = Draw(plant.rack, np.array([DAYS[0].start_us]), np.array([1]))
    with pytest.raises(Refused) as caught:
        plant.do("match", lambda world: match(world, draw, DAYS[0], "deal:first"))
    assert caught.value.code == "allocate.short"


def test_claims_are_by_state_what_was_drawn(lived: Plant) -> None:
    titles = lived.world.books.titles[Right.ATTRIBUTE].columns()
    claimed = titles["state"] == TITLE_STATES.index(TitleState.CLAIMED)
    assert int((titles["stop"] - titles["start"])[claimed].sum()) == lived.read_wh("rack-1/import")
