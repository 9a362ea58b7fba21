"""Offsets for AI work: as much is retired as the record says, rounded up, once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from small_plant import DAYS, Plant

from penstock.errors import PenstockError
from penstock.journal.kinds.carbon import OffsetRetired, Work
from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.words import LinkKind, Right, TitleState
from penstock.usecases.registry.offset import Offset, energy_mj, needed, offset_on, offset_rows, wh_up
from penstock.usecases.registry.selection import Selection

AT_US = DAYS[0].stop_us


@pytest.fixture
def worked(plant: Plant) -> Plant:
    """A day has been worked; the second day's sun is certified and held."""
    plant.worked(0)
    plant.certified(1)
    return plant


def of_answer(number: int) -> Offset:
    return Offset(Work.ANSWER, "rack-1", "buyer", number)


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(PenstockError) as found:
        act()
    return found.value.code


def test_an_answer_takes_its_own_energy_rounded_up(worked: Plant) -> None:
    links = worked.world.books.links[LinkKind.WORK].columns()
    calendar = worked.world.books.registers.id_of(worked.rack.calendar_register)
    mine = links["target"] == calendar
    spans = sorted(zip(links["source_start"][mine].tolist(), links["source_stop"][mine].tolist(), strict=True))
    mj = spans[2][1] - spans[2][0]
    assert energy_mj(worked.world, of_answer(2)) == mj
    done = offset_on(worked.workspace, "offset", "roof-a", Selection(), of_answer(2), AT_US)
    moved, fact = (row.recorded.fact for row in worked.workspace.facts(done.first_seq, done.first_seq + 2))
    assert isinstance(moved, TitlesMoved)
    assert isinstance(fact, OffsetRetired)
    assert moved.quantity == fact.quantity_wh == -(-mj // 3_600_000)
    assert (moved.state, moved.right, moved.purpose) == (
        TitleState.RETIRED, Right.ATTRIBUTE, "offset of answer rack-1 answer 2",
    )  # fmt: skip
    assert offset_rows(worked.workspace)[0]["energy_mj"] == mj


@pytest.mark.parametrize(("mj", "wh"), [(0, 0), (1, 1), (3_600_000, 1), (3_600_001, 2)])
def test_millijoules_are_rounded_up(mj: int, wh: int) -> None:
    assert wh_up(mj) == wh


def test_an_answer_is_offset_once(worked: Plant) -> None:
    offset_on(worked.workspace, "one", "roof-a", Selection(), of_answer(2), AT_US)
    again = offset_on(worked.workspace, "one", "roof-a", Selection(), of_answer(2), AT_US)
    assert again.repeated
    assert (
        refused(lambda: offset_on(worked.workspace, "two", "roof-a", Selection(), of_answer(2), AT_US))
        == "offset.twice"
    )


def test_a_model_takes_what_its_answers_took_and_a_rack_its_idle_too(worked: Plant) -> None:
    world = worked.world
    rack, model = (
        energy_mj(world, Offset(work, name, "buyer")) for work, name in ((Work.RACK, "rack-1"), (Work.MODEL, "model"))
    )
    answers = sum(energy_mj(world, of_answer(n)) for n in range(world.compute.answers_served["rack-1"]))
    assert model == answers < rack
    assert rack == int(world.books.registers.read[world.books.registers.id_of("rack-1/energy")])


def test_a_model_is_offset_up_to_what_it_took(worked: Plant) -> None:
    asked = Offset(Work.MODEL, "model", "buyer")
    _, due_wh = needed(worked.world, asked)
    holder = max((f"roof-{letter}" for letter in "abcd"), key=lambda name: held_wh(worked, name))
    if held_wh(worked, holder) < due_wh:
        code = refused(lambda: offset_on(worked.workspace, "model", holder, Selection(), asked, AT_US))
        assert code == "selection.short"
    else:
        offset_on(worked.workspace, "model", holder, Selection(), asked, AT_US)
        assert refused(lambda: needed(worked.world, asked)) == "offset.nothing"


def held_wh(plant: Plant, account: str) -> int:
    books = plant.world.books
    return books.titles[Right.ATTRIBUTE].balance(books.accounts.id_of(account))


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (Offset(Work.ANSWER, "rack-1", "buyer", 10**6), "trace.no_answer"),
        (Offset(Work.ANSWER, "rack-9", "buyer", 0), "trace.no_rack"),
        (Offset(Work.RACK, "rack-9", "buyer"), "trace.no_rack"),
        (Offset(Work.MODEL, "gpt", "buyer"), "offset.no_model"),
    ],
)
def test_unknown_work(worked: Plant, asked: Offset, code: str) -> None:
    assert refused(lambda: needed(worked.world, asked)) == code
