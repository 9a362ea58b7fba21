"""Serve: every answer has its energy, its time, its tokens and its price, and they add up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_plant import DAYS, MODEL, TERMS, Plant

from penstock.compute.service import RackModel, serve
from penstock.errors import Invalid, PenstockError
from penstock.journal.kinds.compute import AnswersServed
from penstock.journal.kinds.energy import SpansLinked
from penstock.journal.words import LinkKind
from penstock.period import HOUR_US
from penstock.units import MJ_PER_WH
from penstock.usecases.match import Draw, available_wh, match
from penstock.usecases.serve import Answers, bill_answers, record_answers


def test_a_days_answers_add_up(plant: Plant) -> None:
    done = plant.worked(0)
    arrived, tokens = plant.requests(0)
    facts = [row.recorded.fact for row in plant.workspace.facts()]
    (served,) = (fact for fact in facts if isinstance(fact, AnswersServed))
    assert served.answers == int(done.answered.sum()) > 100
    assert served.tokens == int(tokens[done.answered].sum()) == plant.read_wh("rack-1/tokens")
    assert served.energy_mj == int(done.import_wh.sum()) * MJ_PER_WH == plant.read_wh("rack-1/energy")
    assert served.answers + served.refused_energy + served.refused_capacity == len(arrived)
    links = {fact.link: fact for fact in facts if isinstance(fact, SpansLinked)}
    assert links[LinkKind.WORK].quantity_in == served.energy_mj
    hours_run = int((done.import_wh > 0).sum())
    assert links[LinkKind.WORK].loss == plant.read_wh("rack-1/idle") == hours_run * MODEL.idle_mj_per_hour
    assert links[LinkKind.SERVE].quantity_out == links[LinkKind.BILL].quantity_in == served.tokens
    assert links[LinkKind.BILL].quantity_out == served.tokens * 2_600 // 1_000
    assert links[LinkKind.SERVE].quantity_in == links[LinkKind.WORK].quantity_out


def test_requests_are_numbered_on_over_the_days(lived: Plant) -> None:
    numbers: list[int] = []
    for row in lived.workspace.facts():
        if isinstance(row.recorded.fact, AnswersServed):
            columns = lived.workspace.columns(row)
            assert columns is not None
            numbers += columns["number"].tolist()
    assert numbers == list(range(len(numbers)))


def test_bills_over_days_do_not_drift(lived: Plant) -> None:
    assert lived.read_wh("answers/billed") == lived.read_wh("rack-1/tokens") * 2_600 // 1_000


def test_answers_are_not_recorded_twice(plant: Plant) -> None:
    done = plant.worked(0)
    before, rack, answers = plant.world.books.digest(), plant.rack, plant.answers(0, done)
    with pytest.raises(PenstockError):
        plant.do("serve twice", lambda world: record_answers(world, rack, answers, MODEL))
    assert plant.world.books.digest() == before


def test_answers_without_matched_energy_are_refused(plant: Plant) -> None:
    plant.certified(0)
    done = plant.service(0)
    plant.rack_metered(0, done)
    before = plant.world.books.digest()
    with pytest.raises(PenstockError) as caught:
        plant.served(0, done)
    assert caught.value.code == "links.beyond_meter"
    assert plant.world.books.digest() == before


def test_more_answers_than_the_energy_bears_are_refused(plant: Plant) -> None:
    plant.certified(0)
    done = plant.service(0)
    plant.rack_metered(0, done)
    plant.matched(0, done)
    answers, rack = plant.answers(0, done), plant.rack
    night = replace(answers, arrived_us=np.r_[DAYS[0].start_us, answers.arrived_us], tokens=np.r_[5, answers.tokens])
    with pytest.raises(Invalid) as caught:
        plant.do("serve", lambda world: record_answers(world, rack, night, MODEL))
    assert caught.value.code == "energy_share.no_answers"
    plant.served(0, done)


def test_a_full_hour_of_answers_stays_within_its_calendar(plant: Plant) -> None:
    """Where time binds, the whole milliseconds of the answers still fit the hour; else hours would overlap."""
    plant.certified(0)
    slow = RackModel(idle_w=14_000, active_mj_per_token=1, accelerators=1, time_us_per_token=1)
    count = 3_600 * 24
    arrived = DAYS[0].start_us + np.arange(count) * 1_000_000
    tokens = np.full(count, 1_000_001)
    hour_us, budget_wh = plant.workspace.read(lambda world: available_wh(world, DAYS[0]))
    done = serve(arrived, tokens, hour_us, budget_wh, slow)
    assert done.refused_capacity > 0
    plant.rack_metered(0, done)
    rack, ran = plant.rack, done.import_wh > 0
    draw = Draw(rack, done.hour_us[ran], done.import_wh[ran])
    plant.do("match", lambda world: match(world, draw, DAYS[0], "deal:first"))
    answers = Answers(DAYS[0], arrived[done.answered], tokens[done.answered], done, "buyer")
    plant.do("serve", lambda world: record_answers(world, rack, answers, slow))
    links = plant.world.books.links[LinkKind.SERVE].columns()
    calendar = plant.world.capacity.calendar(rack.rack).positions(answers.arrived_us // HOUR_US * HOUR_US)
    assert (links["source_start"] >= calendar).all()
    assert (links["source_stop"] <= calendar + 3_600_000).all()


def test_a_bill_of_nothing_new_bills_nothing(plant: Plant) -> None:
    plant.worked(0)
    rack, billed = plant.rack, plant.read_wh("answers/billed")
    (bill,) = plant.facts(plant.do("bill twice", lambda world: bill_answers(world, rack, TERMS, DAYS[0])))
    assert isinstance(bill, SpansLinked)
    assert (bill.segment.rows, bill.quantity_in, bill.quantity_out) == (0, 0, 0)
    assert plant.read_wh("answers/billed") == billed
