"""Small moves taken together: the very same books as one after the other, or nothing done."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
from journal_story import OPERATOR, PRODUCER, ROOF, SECOND_ROOF, Story, full, table

from penstock.errors import Corrupt
from penstock.journal.fact import FactBody, Recorded, encode
from penstock.journal.formats import MOVES
from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.segment import Columns, Segment
from penstock.journal.small_moves import right_moved, take_together
from penstock.journal.state import Books
from penstock.journal.words import TITLE_STATES, Right, TitleState

HELD, RESERVED, RETIRED, LIFTED, WITHDRAWN, EXPIRED = map(
    TITLE_STATES.index,
    (
        *(TitleState.HELD, TitleState.RESERVED, TitleState.RETIRED),
        *(TitleState.LIFTED, TitleState.WITHDRAWN, TitleState.EXPIRED),
    ),
)
Told = list[tuple[Recorded, Columns | None]]
STATES = [HELD, HELD, HELD, RESERVED, RETIRED]


def move(seq: int, *rows: tuple[int, ...], at_us: int = 0, right: Right = Right.ATTRIBUTE) -> tuple[Recorded, Columns]:
    columns = table(MOVES, rows)
    quantity = int((columns["stop"] - columns["start"]).sum())
    fact = TitlesMoved(Segment(MOVES, columns).ref(), right, TITLE_STATES[rows[0][-1]], "a test", "", quantity)
    return Recorded(seq, at_us, fact, encode(fact, at_us)), columns


def said(told: tuple[Recorded, Columns], **changes: object) -> tuple[Recorded, Columns]:
    """The same rows, of which the fact says something else."""
    recorded, columns = told
    fact: FactBody = dataclasses.replace(recorded.fact, **changes)
    return dataclasses.replace(recorded, fact=fact), columns


def one_by_one(books: Books, told: Told) -> Books:
    for recorded, columns in told:
        books.apply(recorded, columns)
    return books


def drawn(books: Books, dice: np.random.Generator, facts: int) -> Told:
    """Moves of a unit or several of two titles at random, most of which stand."""
    told: Told = []
    for _ in range(facts):
        register, start = int(dice.choice([ROOF, SECOND_ROOF])), int(dice.integers(0, 40))
        stop = min(start + int(dice.integers(1, 4)), 40)
        title = books.titles[Right.ATTRIBUTE].at(register, start)
        assert title is not None
        source = title.holder if dice.random() < 0.97 else 3 - title.holder
        target, state = int(dice.choice([PRODUCER, OPERATOR])), int(dice.choice(STATES))
        one = move(books.size, (register, start, min(stop, title.stop), source, target, state))
        trial = copy.deepcopy(books)
        try:
            trial.apply(*one)
        except Corrupt:
            if dice.random() < 0.9:
                continue
            return [*told, one]
        books.apply(*one)
        told.append(one)
    return told


@pytest.mark.parametrize("seed", range(25))
def test_a_batch_comes_to_the_same_as_its_facts(seed: int) -> None:
    dice, books = np.random.default_rng(seed), full().books
    told = drawn(copy.deepcopy(books), dice, 30)
    together, alone = copy.deepcopy(books), copy.deepcopy(books)
    sound = True
    try:
        one_by_one(alone, told)
    except Corrupt:
        sound = False
    assert take_together(together, told) == sound
    after = alone if sound else books
    assert (together.digest(), together.size) == (after.digest(), after.size)
    assert np.array_equal(together.titles[Right.ATTRIBUTE].balances(3), after.titles[Right.ATTRIBUTE].balances(3))


def test_facts_that_rest_on_each_other_go_together() -> None:
    books = full().books
    told = [
        move(books.size, (ROOF, 0, 5, PRODUCER, OPERATOR, HELD)),
        move(books.size + 1, (ROOF, 2, 4, OPERATOR, OPERATOR, RESERVED), (ROOF, 0, 1, OPERATOR, PRODUCER, RESERVED)),
        move(books.size + 2, (ROOF, 3, 4, OPERATOR, OPERATOR, HELD)),
    ]
    alone = one_by_one(copy.deepcopy(books), list(told))
    assert take_together(books, list(told))
    assert (books.digest(), books.size) == (alone.digest(), alone.size)


def plain(books: Books) -> Told:
    return [move(books.size + number, (ROOF, number, number + 1, PRODUCER, OPERATOR, HELD)) for number in range(3)]


def lies() -> list[tuple[str, dict[str, object]]]:
    return [
        ("quantity", {"quantity": 2}),
        ("quantity", {"quantity": 0}),
        ("state", {"state": TitleState.RETIRED}),
        ("rows", {"segment": dataclasses.replace(move(0, (0, 0, 1, 0, 0, 0))[0].fact.segment, rows=2)}),  # type: ignore[attr-defined]
    ]


@pytest.mark.parametrize(("_what", "changes"), lies())
def test_a_fact_that_says_other_than_its_rows_is_left_to_be_refused(_what: str, changes: dict[str, object]) -> None:
    books = full().books
    before, told = books.digest(), plain(books)
    told[1] = said(told[1], **changes)  # type: ignore[arg-type]
    assert not take_together(books, told)
    assert books.digest() == before
    with pytest.raises(Corrupt) as caught:
        one_by_one(books, told)
    assert caught.value.ids["seq"] == str(told[1][0].seq)


def test_what_is_out_of_order_alone_or_without_rows_is_left() -> None:
    books = full().books
    told = plain(books)
    assert not take_together(books, told[1:])
    assert not take_together(books, told[:1])
    assert not take_together(books, [told[0], (told[1][0], None)])
    assert not take_together(books, [told[0], told[2]])
    assert take_together(books, told)


@pytest.mark.parametrize("state", [LIFTED, WITHDRAWN, EXPIRED])
def test_what_needs_more_than_the_title_book_is_never_in_a_batch(state: int) -> None:
    assert right_moved(move(0, (ROOF, 0, 1, PRODUCER, PRODUCER, state))[0]) is None
    assert right_moved(move(0, (ROOF, 0, 1, PRODUCER, PRODUCER, RETIRED))[0]) is Right.ATTRIBUTE


def expiring() -> Story:
    """All titles valid for ten microseconds after their instant."""
    story = full()
    for number in range(len(story.books.lots)):
        story.books.lots._columns["valid_us"][number] = 10
    story.books.lots.expire = True
    return story


def test_each_fact_is_judged_by_its_own_instant() -> None:
    books = expiring().books
    sound = [move(books.size + n, (ROOF, n, n + 1, PRODUCER, OPERATOR, HELD), at_us=9) for n in range(2)]
    late = [sound[0], move(books.size + 1, (ROOF, 1, 2, PRODUCER, OPERATOR, HELD), at_us=10)]
    before = books.digest()
    assert not take_together(books, list(late))
    assert books.digest() == before
    assert take_together(books, list(sound))
    assert books.at_us == 9
