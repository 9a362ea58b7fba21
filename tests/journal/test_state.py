"""The fold of facts into books, and that what does not apply is corrupt."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from journal_story import (
    CALENDAR,
    COLLECTED,
    ENERGY,
    IDLE,
    IMPORT,
    LOSS,
    OPERATOR,
    PRODUCER,
    ROOF,
    SECOND_ROOF,
    TOKENS,
    Story,
    full,
    opened,
    table,
)

from penstock.errors import Conflict, Corrupt, Invalid, NotFound, PenstockError, Refused
from penstock.journal.fact import Recorded, encode
from penstock.journal.formats import LINKS, MOVES, TITLES
from penstock.journal.kinds.energy import DeviceEnrolled, SiteRegistered, TitlesMoved
from penstock.journal.kinds.ledger import AccountOpened, Transfer
from penstock.journal.segment import Segment
from penstock.journal.state import Books
from penstock.journal.words import LinkKind, Right, Technology, TitleState


def corrupt(story: Story, act: str, *args: Any) -> str:
    """The code of what kept a fact from applying; the books are as before."""
    before = story.books.digest()
    with pytest.raises(Corrupt) as raised:
        getattr(story, act)(*args)
    assert story.books.digest() == before
    assert raised.value.code == "state.does_not_apply"
    return raised.value.ids["cause"]


def test_every_effect_shows_in_the_books() -> None:
    books = full().books
    assert books.registers.read.tolist()[:9] == [100, 40, 60, 216_000_000, 1300, 150, 3, 72_000_000, 1_000_000]
    assert books.titles[Right.ATTRIBUTE].balance(OPERATOR, TitleState.CLAIMED) == 10
    assert books.titles[Right.ATTRIBUTE].balance(OPERATOR) == 60
    assert books.titles[Right.ENERGY].balance(PRODUCER) == 140
    assert books.links[LinkKind.ALLOCATE].filled(IMPORT) == 60
    assert books.links[LinkKind.ALLOCATE].spent(SECOND_ROOF) == 23
    assert books.ledger.balance(OPERATOR) == 1_000_000
    assert (books.device_id("meter"), books.enrolled.main_registers().tolist()) == (0, [ROOF])


def test_a_replay_gives_the_same_digest_and_any_other_journal_another() -> None:
    story, digests, again = full(), [Books().digest()], Books()
    for recorded, columns in story.told:
        again.apply(recorded, columns)
        digests.append(again.digest())
    assert again.digest() == story.books.digest()
    assert len(set(digests)) == len(digests)


def test_facts_come_in_order_and_with_their_columns() -> None:
    story = opened()
    recorded, _ = story.told[-1]
    for seq in (recorded.seq, recorded.seq + 2):
        with pytest.raises(Corrupt, match=r"state\.out_of_order"):
            story.books.apply(dataclasses.replace(recorded, seq=seq))
    columns = table(MOVES, [(ROOF, 0, 1, PRODUCER, OPERATOR, 0)])
    fact = TitlesMoved(Segment(MOVES, columns).ref(), Right.USE, TitleState.HELD, "", "", 1)
    moved = Recorded(story.books.size, 0, fact, encode(fact, 0))
    for handed in (None, table(MOVES, [])):
        with pytest.raises(Corrupt, match=r"state\.columns"):
            story.books.apply(moved, handed)


def test_a_sealed_row_that_does_not_apply_is_corrupt() -> None:
    story = full()
    assert corrupt(story, "read", [(ROOF, 9, 99)]) == "register.backwards"
    assert corrupt(story, "read", [(ROOF, 9, 110), (ROOF, 10, 109)]) == "register.backwards"
    assert corrupt(story, "read", [(77, 9, 99)]) == "register.unknown"
    assert corrupt(story, "issue", [(ROOF, 100, 101, PRODUCER, 0)]) == "titles.beyond_meter"
    assert corrupt(story, "issue", [(ROOF, 0, 5, PRODUCER, 0)]) == "titles.overlap_or_gap"
    assert corrupt(story, "issue", [(ROOF, 0, 5, PRODUCER, 0)], Right.USE) == "titles.not_issued_here"
    assert corrupt(story, "move", [(ROOF, 10, 20, OPERATOR, PRODUCER, 0)]) == "titles.not_active"
    assert corrupt(story, "link", LinkKind.STORE, table(LINKS, [(ROOF, 0, 2, TOKENS, 150, 152)])) == "links.units"
    assert corrupt(story, "tell", AccountOpened("operator")) == "account.known"
    assert corrupt(story, "collect", 1_000_001, 1_000_002) == "collection.gap"
    assert corrupt(story, "collect", 999_999, 1_000_002) == "collection.gap"


def test_what_a_fact_says_it_sums_to_must_be_so() -> None:
    story = full()
    converted = table(LINKS, [(ROOF, 40, 50, SECOND_ROOF, 40, 50), (ROOF, 50, 52, LOSS, 3, 5)])
    assert corrupt(story, "link", LinkKind.STORE, converted, 1) == "state.sum"
    columns = table(MOVES, [(ROOF, 0, 1, PRODUCER, OPERATOR, 0)])
    ref = Segment(MOVES, columns).ref()
    short = TitlesMoved(ref, Right.ENERGY, TitleState.HELD, "", "", 2)
    assert corrupt(story, "tell", short, columns) == "state.sum"
    other = TitlesMoved(ref, Right.ENERGY, TitleState.CLAIMED, "", "", 1)
    assert corrupt(story, "tell", other, columns) == "titles.state"
    story.link(LinkKind.STORE, converted, 2)


def test_transfers_of_any_fact_reach_the_ledger_or_nothing_does() -> None:
    story = full()
    fact = dataclasses.replace(_collection(story), start=1_000_000, stop=1_000_005)
    overdraft = dataclasses.replace(fact, transfers=(Transfer("producer", "operator", 5, ""),))
    assert corrupt(story, "tell", overdraft) == "ledger.overdrawn"
    story.tell(dataclasses.replace(fact, transfers=(Transfer("operator", "world", 1_000_000, ""),)))
    assert story.books.ledger.balance(OPERATOR) == 0
    assert story.books.registers.read[COLLECTED] == 1_000_005


def _collection(story: Story) -> Any:
    return story.told[-1][0].fact


REFUSED_ISSUES: list[tuple[tuple[int, ...], type[PenstockError], str]] = [
    ((ROOF, 100, 110, PRODUCER, 0), Refused, "titles.beyond_meter"),
    ((ROOF, 99, 100, PRODUCER, 0), Conflict, "titles.overlap_or_gap"),
    ((ROOF, 100, 100, PRODUCER, 0), Invalid, "titles.malformed"),
    ((ROOF, 100, 101, 9, 0), Invalid, "titles.malformed"),
    ((99, 100, 101, PRODUCER, 0), Invalid, "titles.malformed"),
    ((CALENDAR, 0, 5, PRODUCER, 0), Refused, "titles.not_issued_here"),
]


@pytest.mark.parametrize(("row", "error", "code"), REFUSED_ISSUES)
def test_an_issue_is_refused_with_its_row(row: tuple[int, ...], error: type[PenstockError], code: str) -> None:
    story = full()
    story.read([(SECOND_ROOF, 3, 45)])
    with pytest.raises(error) as raised:
        story.books.check_issue(Right.ATTRIBUTE, table(TITLES, [(SECOND_ROOF, 40, 45, PRODUCER, 0), row]))
    assert (raised.value.code, raised.value.ids["row"]) == (code, "1")


REFUSED_MOVES: list[tuple[tuple[int, ...], type[PenstockError], str]] = [
    ((ROOF, 100, 101, PRODUCER, OPERATOR, 0), NotFound, "titles.none"),
    ((ROOF, 20, 21, PRODUCER, OPERATOR, 0), Refused, "titles.other_holder"),
    ((ROOF, 10, 11, OPERATOR, PRODUCER, 0), Refused, "titles.not_active"),
    ((ROOF, 5, 11, PRODUCER, OPERATOR, 0), Refused, "titles.crosses"),
    ((ROOF, 5, 5, PRODUCER, OPERATOR, 0), Invalid, "titles.malformed"),
    ((ROOF, 5, 6, PRODUCER, 3, 0), Invalid, "titles.malformed"),
]


@pytest.mark.parametrize(("row", "error", "code"), REFUSED_MOVES)
def test_a_move_is_refused_with_its_row(row: tuple[int, ...], error: type[PenstockError], code: str) -> None:
    books = full().books
    moves = table(MOVES, [(ROOF, 0, 1, PRODUCER, OPERATOR, 0), row])
    assert books.judge_moves(Right.ATTRIBUTE, moves)[0] == 0
    with pytest.raises(error) as raised:
        books.check_moves(Right.ATTRIBUTE, moves)
    assert (raised.value.code, raised.value.ids["row"]) == (code, "1")


REFUSED_LINKS: list[tuple[LinkKind, list[tuple[int, ...]], str]] = [
    (LinkKind.STORE, [(ROOF, 40, 50, SECOND_ROOF, 40, 51)], "links.unequal"),
    (LinkKind.STORE, [(ROOF, 90, 101, SECOND_ROOF, 40, 51)], "links.beyond_meter"),
    (LinkKind.ALLOCATE, [(ROOF, 50, 51, IMPORT, 60, 61)], "links.beyond_meter"),
    (LinkKind.STORE, [(ROOF, 50, 60, SECOND_ROOF, 40, 50), (ROOF, 59, 60, LOSS, 3, 4)], "links.source_twice"),
    (LinkKind.STORE, [(ROOF, 50, 60, SECOND_ROOF, 40, 50), (ROOF, 60, 61, SECOND_ROOF, 49, 50)], "links.target_twice"),
    (LinkKind.ALLOCATE, [(ROOF, 39, 40, IMPORT, 59, 60)], "links.source_twice"),
    (LinkKind.ALLOCATE, [(ROOF, 40, 41, IMPORT, 59, 60)], "links.target_twice"),
    (LinkKind.STORE, [(ROOF, 7, 6, SECOND_ROOF, 7, 6)], "links.malformed"),
    (LinkKind.STORE, [(ROOF, 0, 1, 99, 0, 1)], "register.unknown"),
    (LinkKind.STORE, [(ROOF, 0, 1, ENERGY, 0, 1)], "links.units"),
    (LinkKind.CONVERT, [(ROOF, 0, 1, ENERGY, 0, 1)], "links.unequal"),
    (LinkKind.CONVERT, [(ROOF, 0, 1, SECOND_ROOF, 0, 1)], "links.units"),
    (LinkKind.WORK, [(ENERGY, 0, 1, LOSS, 0, 1)], "links.units"),
    (LinkKind.WORK, [(ENERGY, 0, 1, IDLE, 0, 2)], "links.unequal"),
    (LinkKind.BILL, [(TOKENS, 0, 10, COLLECTED, 0, 5), (TOKENS, 11, 12, COLLECTED, 5, 6)], "links.gap"),
    (LinkKind.SERVE, [(CALENDAR, 1300, 1310, TOKENS, 150, 160), (CALENDAR, 1310, 1312, TOKENS, 161, 162)], "links.gap"),
]


@pytest.mark.parametrize(("kind", "rows", "code"), REFUSED_LINKS)
def test_links_are_refused(kind: LinkKind, rows: list[tuple[int, ...]], code: str) -> None:
    books = full().books
    before = books.digest()
    with pytest.raises(PenstockError) as raised:
        books.check_links(kind, table(LINKS, rows))
    assert (raised.value.code, books.digest()) == (code, before)


def test_a_calendar_may_stand_idle() -> None:
    idle = [(CALENDAR, 1300, 1310, TOKENS, 150, 160), (CALENDAR, 1311, 1312, TOKENS, 160, 161)]
    full().books.check_links(LinkKind.SERVE, table(LINKS, idle))


def test_a_unit_may_be_linked_in_two_kinds() -> None:
    story = full()
    story.link(LinkKind.STORE, table(LINKS, [(ROOF, 0, 40, SECOND_ROOF, 40, 80)]))
    assert story.books.registers.read[SECOND_ROOF] == 80


def test_devices_and_sites_are_known_once() -> None:
    books = opened().books
    meter = DeviceEnrolled("other", "site", Technology.RACK, b"", "import", 1, 0)
    with pytest.raises(Conflict, match=r"site\.known"):
        books.enrolled.check_site(SiteRegistered("site", "", "", ""))
    with pytest.raises(Conflict, match=r"device\.known"):
        books.enrolled.check_one(dataclasses.replace(meter, device="meter"))
    with pytest.raises(NotFound, match=r"site\.unknown"):
        books.enrolled.check_one(dataclasses.replace(meter, site="elsewhere"))
    with pytest.raises(NotFound, match=r"register\.unknown"):
        books.enrolled.check_one(dataclasses.replace(meter, register="none"))
    with pytest.raises(NotFound, match=r"device\.unknown"):
        books.device_id("other")


def test_rejected_readings_move_nothing_and_late_ones_are_put_in_order() -> None:
    story = opened()
    story.read([(ROOF, 5, 900)], verdict=1)
    assert story.books.registers.read[ROOF] == 0
    story.read([(ROOF, 5, 90), (ROOF, 4, 80)])
    assert story.books.registers.read[ROOF] == 90


def test_only_counted_registers_bound_an_issue() -> None:
    limit = full().books.issue_limit()
    assert limit[ROOF] == 100
    assert limit[CALENDAR] == np.iinfo(np.int64).max
