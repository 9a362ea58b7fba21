"""Corrections: titles above a true position are withdrawn or owed for, later ones cover it, and the past stays."""

from __future__ import annotations

from dataclasses import replace as changed
from typing import Any

import numpy as np
import pytest
from correct_kit import KEY, Field
from device_kit import Yard, hours

from penstock.energy.verdict import ReadingVerdict
from penstock.errors import Corrupt, PenstockError
from penstock.journal.fact import Entry
from penstock.journal.formats import LINKS
from penstock.journal.kinds.device import EpochOpened, RegisterCorrected
from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.laws import breaches
from penstock.journal.words import EpochCause, LinkKind, Right, TitleState
from penstock.period import Period
from penstock.usecases.certify import COVER, certify
from penstock.usecases.correct import CORRECTED, Asked, correct, debts, plan
from penstock.usecases.match import link_entry
from penstock.usecases.replace import open_epoch, plan_epoch

R = ReadingVerdict
RIGHTS = (Right.ATTRIBUTE, Right.ENERGY)
COVERED = {"register": "roof/export#2", "owed_wh": 0, "rights": ["attribute", "energy"]}


@pytest.fixture
def field() -> Field:
    """A roof at 1,500 Wh after three hours, all certified."""
    made = Field()
    made.enrolled()
    made.counted((1, 500), (2, 990), (3, 1_500))
    return made


def test_what_was_never_counted_is_withdrawn_newest_first(field: Field) -> None:
    found, _, epoch, *moves = field.corrected(800)
    for entry, right in zip(moves, RIGHTS, strict=True):
        assert isinstance(entry.fact, TitlesMoved)
        assert entry.fact.right is right
        assert entry.segment is not None
        assert (entry.fact.state, entry.fact.purpose, entry.fact.quantity) == (TitleState.WITHDRAWN, CORRECTED, 700)
        assert entry.segment.columns["start"].tolist() == [990, 800]
    for right in RIGHTS:
        assert field.spans(right) == [
            (0, 500, "held"),
            (500, 800, "held"),
            (800, 990, "withdrawn"),
            (990, 1_500, "withdrawn"),
        ]
    assert isinstance(found.fact, RegisterCorrected)
    assert isinstance(epoch.fact, EpochOpened)
    assert (epoch.fact.cause, epoch.fact.debt_wh) == (EpochCause.CORRECTED_DOWN, 0)
    assert field.standing() == ("roof/export#2", hours(3), 0)
    assert breaches(field.world.books) == ()


def test_the_next_epoch_goes_on_at_the_true_count(field: Field) -> None:
    field.corrected(800)
    assert field.counted((4, 1_100)) == [R.ACCEPTED]
    for right in RIGHTS:
        assert field.spans(right, 1) == [(0, 300, "held")]
        assert field.standing_wh(right) == 1_100
    assert debts(field.world) == []


@pytest.mark.parametrize("state", [TitleState.CLAIMED, TitleState.RETIRED, TitleState.EXPORTED])
def test_what_was_used_is_owed_and_covered_by_the_first_units_after(field: Field, state: TitleState) -> None:
    field.moved(Right.ATTRIBUTE, 600, 1_000, state)
    _, _, epoch, *_ = field.corrected(800)
    assert isinstance(epoch.fact, EpochOpened)
    assert epoch.fact.debt_wh == 200
    assert field.spans(Right.ENERGY)[1:3] == [(500, 990, "held"), (990, 1_000, "held")]  # the other right is kept
    assert field.owed_wh() == 200
    assert breaches(field.world.books) == ()
    field.counted((4, 930))
    assert field.owed_wh() == 70
    field.counted((5, 1_400))
    for right in RIGHTS:
        assert field.spans(right, 1) == [(0, 130, "withdrawn"), (130, 200, "withdrawn"), (200, 600, "held")]
        assert field.standing_wh(right) == 1_400
    assert debts(field.world) == [{**COVERED, "debt_wh": 200, "covered_wh": 200}]
    assert breaches(field.world.books) == ()


def test_covering_names_its_purpose(field: Field) -> None:
    field.moved(Right.ATTRIBUTE, 0, 1_500, TitleState.CLAIMED)
    field.corrected(1_400)
    entries = field.certified(field.taken((4, 1_450)))
    covers = [one.fact for one in entries if isinstance(one.fact, TitlesMoved)]
    assert [(cover.purpose, cover.quantity) for cover in covers] == [(COVER, 50), (COVER, 50)]


def test_a_debt_goes_along_with_every_later_epoch_once(field: Field) -> None:
    """Even where the register before is certified further, after it ended."""
    field.moved(Right.ENERGY, 0, 1_500, TitleState.CLAIMED)
    field.corrected(800)
    columns = field.taken((4, 1_000), (5, 1_200))
    field.certified({name: column[:1] for name, column in columns.items()})
    assert field.owed_wh() == 500
    reset = plan_epoch(field.world, "roof", EpochCause.RESET, hours(5))
    field.tell(open_epoch(field.world, field.signed_epoch(reset, KEY)))
    assert field.owed_wh() == 500
    field.certified(columns)
    assert field.spans(Right.ATTRIBUTE, 1) == [(0, 200, "withdrawn"), (200, 400, "held")]
    field.counted((6, 700))
    assert field.spans(Right.ATTRIBUTE, 2) == [(0, 500, "withdrawn"), (500, 700, "held")]
    assert field.owed_wh() == 0
    assert field.standing_wh(Right.ENERGY) == 1_200 + 700
    assert breaches(field.world.books) == ()


def test_what_covered_a_debt_and_was_never_counted_is_owed_again(field: Field) -> None:
    field.moved(Right.ATTRIBUTE, 0, 1_500, TitleState.CLAIMED)
    field.corrected(1_000)
    field.counted((4, 1_300))
    assert field.owed_wh() == 200
    field.corrected(1_100)
    assert field.owed_wh() == 400
    field.counted((5, 1_700))
    assert field.owed_wh() == 0
    assert field.standing_wh(Right.ATTRIBUTE) == field.standing_wh(Right.ENERGY) == 1_700
    assert breaches(field.world.books) == ()


def test_what_is_not_certified_yet_is_counted_anew_and_nothing_is_lost(field: Field) -> None:
    field.counted((4, 2_000), (4.5, 2_400), certified=False)
    field.corrected(2_100)
    assert field.standing() == ("roof/export#2", hours(4.5), 600)
    assert field.world.books.titles[Right.ATTRIBUTE].head(0) == 1_500
    assert field.counted((6, 3_000)) == [R.ACCEPTED]
    assert field.spans(Right.ENERGY, 1) == [(0, 500, "held"), (500, 1_000, "held"), (1_000, 1_500, "held")]
    assert field.standing_wh(Right.ENERGY) == 3_000


def test_what_became_something_is_used_and_what_was_matched_to_stays() -> None:
    field = Field()
    field.enrolled(channels=("export", "import"))
    field.counted((1, 500), (2, 990), (3, 1_500))
    field.world.books.registers.raise_to(np.array([1]), np.array([100]))  # as if the other channel had counted
    link = {
        "source": 0,
        "source_start": 1_000,
        "source_stop": 1_100,
        "target": 1,
        "target_start": 0,
        "target_stop": 100,
    }
    columns = {name: np.array([link[name]], dtype) for name, dtype in LINKS.fixed}
    field.tell([link_entry(field.world, LinkKind.ALLOCATE, columns, Period(hours(2), hours(3)), check=False)])
    _, _, epoch, *moves = field.corrected(900)
    assert isinstance(epoch.fact, EpochOpened)
    assert epoch.fact.debt_wh == 100
    assert [entry.segment.columns["start"].tolist() for entry in moves if entry.segment] == [[1_100, 990, 900]] * 2
    with pytest.raises(PenstockError, match=r"correct\.consumed"):
        correct(field.world, plan(field.world, Asked("roof", 50, "x", "", channel=1)))


def test_a_corrected_register_issues_no_more(field: Field) -> None:
    columns = field.taken((4, 2_000))
    early = certify(field.world, [columns], "XX")
    field.corrected(1_900)
    with pytest.raises(PenstockError, match=r"certificate\.nothing"):
        certify(field.world, [columns], "XX")
    with pytest.raises(Corrupt, match=r"titles|does not apply"):
        field.tell(early)


def test_an_upward_correction_restates_nothing(field: Field) -> None:
    before = field.spans(Right.ATTRIBUTE)
    _, _, epoch, *moves = field.corrected(1_800)
    assert moves == []
    assert isinstance(epoch.fact, EpochOpened)
    assert (epoch.fact.cause, epoch.fact.debt_wh) == (EpochCause.CORRECTED_UP, 0)
    assert field.spans(Right.ATTRIBUTE) == before
    assert field.counted((4, 2_200)) == [R.ACCEPTED]
    assert field.spans(Right.ATTRIBUTE, 1) == [(0, 700, "held")]
    assert field.standing_wh(Right.ENERGY) == 2_200


def test_a_counter_that_goes_on_showing_too_much_is_followed(field: Field) -> None:
    field.corrected(800, shown_wh=1_500)
    assert field.counted((4, 1_800)) == [R.ACCEPTED]
    assert field.standing_wh(Right.ATTRIBUTE) == 1_100


def test_a_register_that_checks_goes_on_from_its_true_count() -> None:
    yard = Yard().enrolled(channels=("export", "import"))
    asked = Asked("roof", 500, "operator", "wired the wrong way", channel=1)
    yard.tell(correct(yard.world, plan(yard.world, asked)))
    assert yard.standing(channel=1) == ("roof/import#2", hours(0), 0)
    assert int(yard.world.energy.epoch_start_wh[2]) == 500


REFUSED: dict[str, tuple[Any, str]] = {
    "where it stands": (Asked("roof", 1_500, "x", ""), "correct.nothing"),
    "below its beginning": (Asked("roof", 0, "x", ""), ""),
    "negative": (Asked("roof", -1, "x", ""), "correct.count"),
    "beyond every counter": (Asked("roof", 2**63, "x", ""), "correct.count"),
    "more than it shows": (Asked("roof", 1_700, "x", "", 1_600), "correct.counter"),
    "a stranger": (Asked("x", 1, "x", ""), "device.unknown"),
    "no such channel": (Asked("roof", 1, "x", "", channel=4), "register.unknown"),
    "not revised": (Asked("roof", None, "x", ""), "correct.not_revised"),
}


@pytest.mark.parametrize(("asked", "code"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_corrected(field: Field, asked: Asked, code: str) -> None:
    if not code:
        assert correct(field.world, plan(field.world, asked))
        return
    before = field.world.energy.digest(), field.world.books.digest()
    with pytest.raises(PenstockError) as caught:
        correct(field.world, plan(field.world, asked))
    assert caught.value.code == code
    assert (field.world.energy.digest(), field.world.books.digest()) == before


def test_an_epoch_before_is_not_reached(field: Field) -> None:
    field.corrected(800)
    with pytest.raises(PenstockError, match=r"correct\.before_epoch"):
        field.corrected(700)


def test_nobody_corrects_what_is_another_registers(field: Field) -> None:
    fact = plan(field.world, Asked("roof", 800, "x", ""))
    field.corrected(900)
    with pytest.raises(PenstockError, match=r"epoch\.predecessor"):
        correct(field.world, fact)


FORGED: dict[str, Any] = {
    "another debt": lambda facts: [*facts[:2], changed(facts[2], debt_wh=3), *facts[3:]],
    "another beginning": lambda facts: [*facts[:2], changed(facts[2], start_count_wh=0), *facts[3:]],
    "another cause": lambda facts: [*facts[:2], changed(facts[2], cause=EpochCause.CORRECTED_UP), *facts[3:]],
    "no correction told": lambda facts: facts[1:],
    "told twice": lambda facts: [facts[0], *facts],
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_record_with_a_forged_correction_does_not_apply(field: Field, forge: Any) -> None:
    entries = correct(field.world, plan(field.world, Asked("roof", 800, "operator", "")))
    segments = {entry.fact: entry.segment for entry in entries}
    with pytest.raises(PenstockError):
        field.tell([Entry(fact, segments.get(fact)) for fact in forge([entry.fact for entry in entries])])


def test_the_laws_see_what_was_not_withdrawn(field: Field) -> None:
    field.tell(correct(field.world, plan(field.world, Asked("roof", 800, "operator", "")))[:3])
    assert {one.code for one in breaches(field.world.books)} == {"law4.above_true"}


def test_the_laws_see_a_debt_that_was_not_covered(field: Field) -> None:
    field.moved(Right.ATTRIBUTE, 0, 1_500, TitleState.CLAIMED)
    field.corrected(800)
    field.tell(certify(field.world, [field.taken((4, 1_000))], "XX")[:2])
    assert {one.code for one in breaches(field.world.books)} == {"law4.debt_uncovered"}


def test_late_readings_are_refused_and_the_total_carries_them(field: Field) -> None:
    assert field.counted((2.5, 1_200), certified=False) == [R.TIME_BACKWARD]
    assert field.counted((3.5, 1_700), (5, 2_500)) == [R.ACCEPTED, R.ACCEPTED]
    assert field.counted((4, 2_000), certified=False) == [R.TIME_BACKWARD]
    assert field.standing_wh(Right.ATTRIBUTE) == 2_500
