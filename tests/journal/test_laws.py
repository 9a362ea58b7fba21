"""Sound books break no law; every way to break one is found, and named."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
from journal_story import CALENDAR, ENERGY, IMPORT, OPERATOR, PRODUCER, ROOF, SECOND_ROOF, full, opened, table

from penstock.journal import laws
from penstock.journal.formats import SPANS
from penstock.journal.laws import LAWS, breaches
from penstock.journal.register import KINDS
from penstock.journal.state import Books
from penstock.journal.words import TITLE_STATES, LinkKind, RegisterKind, Right, TitleState


def titles(books: Books) -> Any:
    """The attribute titles' own columns: [0,10) producer, [10,20) claimed, [20,30), [30,50), [50,100) of the roof,
    then [0,40) of the second."""
    return books.titles[Right.ATTRIBUTE].columns()


def links(books: Books, kind: LinkKind) -> Any:
    return books.links[kind].columns()


def gap(books: Books) -> None:
    titles(books)["start"][1] += 1


def overlap(books: Books) -> None:
    titles(books)["stop"][0] += 1


def gap_at_zero(books: Books) -> None:
    titles(books)["start"][5] = 1


def head_moved(books: Books) -> None:
    books.titles[Right.ATTRIBUTE]._head[ROOF] -= 1


def head_without_titles(books: Books) -> None:
    books.titles[Right.USE]._head[SECOND_ROOF] = 5


def not_issued_here(books: Books) -> None:
    books.registers._traits[SECOND_ROOF, 2] = 0


def unknown_register(books: Books) -> None:
    titles(books)["register"][5] = 90


def allocated_twice(books: Books) -> None:
    links(books, LinkKind.ALLOCATE)["source_start"][2] -= 3
    links(books, LinkKind.ALLOCATE)["source_stop"][2] -= 3


def filled_twice(books: Books) -> None:
    links(books, LinkKind.ALLOCATE)["target_start"][1] -= 1
    links(books, LinkKind.ALLOCATE)["target_stop"][1] -= 1


def swallowed_whole(books: Books) -> None:
    """A span inside an earlier, longer one, with another in between."""
    served = links(books, LinkKind.SERVE)
    served["source_start"][:], served["source_stop"][:] = [0, 300], [700, 301]


def lost_on_the_way(books: Books) -> None:
    links(books, LinkKind.ALLOCATE)["target_stop"][1] -= 1


def not_exact(books: Books) -> None:
    links(books, LinkKind.CONVERT)["target_stop"][0] += 1


def other_units(books: Books) -> None:
    links(books, LinkKind.ALLOCATE)["target"][1] = ENERGY


def not_tiled(books: Books) -> None:
    work = links(books, LinkKind.WORK)
    work["source_start"][2] += 1


def nowhere(books: Books) -> None:
    links(books, LinkKind.SERVE)["target"][1] = -1


def negative_title(books: Books) -> None:
    titles(books)["start"][0] = -1


def empty_title(books: Books) -> None:
    titles(books)["stop"][2] = 20


def nobodys(books: Books) -> None:
    titles(books)["holder"][0] = 44


def lifted_nowhere(books: Books) -> None:
    titles(books)["state"][0] = TITLE_STATES.index(TitleState.LIFTED)


def no_state(books: Books) -> None:
    titles(books)["state"][0] = len(TITLE_STATES)


def negative_link(books: Books) -> None:
    links(books, LinkKind.ALLOCATE)["source_start"][0] = -1


def backward_link(books: Books) -> None:
    links(books, LinkKind.ALLOCATE)["target_stop"][0] = -4


def register_below_zero(books: Books) -> None:
    books.registers._read[ROOF] = -1


def meter_set_back(books: Books) -> None:
    books.registers._read[ROOF] = 99


def drawn_less(books: Books) -> None:
    books.registers._read[IMPORT] = 59


def energy_set_back(books: Books) -> None:
    books.registers._read[ENERGY] -= 1


def corrected_with_titles_above(books: Books) -> None:
    books.corrections.correct(ROOF, 20)


def debt_not_covered(books: Books) -> None:
    books.corrections.debts._owed[Right.ENERGY][SECOND_ROOF] = [(0, 1)]


def withdrawn_and_held(books: Books) -> None:
    spans = table(SPANS, [(SECOND_ROOF, 0, 40)])
    books.corrections.withdrawn.add(spans, books.reach(spans))


def balance_wrong(books: Books) -> None:
    books.titles[Right.ENERGY]._balance[PRODUCER, 0] += 1


def overdrawn(books: Books) -> None:
    books.ledger._balances[PRODUCER] = -1
    books.ledger._balances[OPERATOR] += 1


def dollar_appeared(books: Books) -> None:
    books.ledger._balances[OPERATOR] += 1


def dollar_left_unseen(books: Books) -> None:
    books.ledger._paid_out += 1


PLANTED: list[tuple[Callable[[Books], None], set[str]]] = [
    (gap, {"law1.gap"}),
    (gap_at_zero, {"law1.gap"}),
    (overlap, {"law1.overlap", "law2.sold_twice"}),
    (head_moved, {"law1.head"}),
    (head_without_titles, {"law1.head"}),
    (not_issued_here, {"law1.not_issued_here"}),
    (unknown_register, {"law1.not_issued_here", "law1.head"}),
    (lifted_nowhere, {"law2.vault"}),
    (allocated_twice, {"law2.source_twice"}),
    (filled_twice, {"law2.target_twice"}),
    (swallowed_whole, {"law2.source_twice"}),
    (lost_on_the_way, {"law3.unequal"}),
    (not_exact, {"law3.unequal"}),
    (other_units, {"law3.units"}),
    (not_tiled, {"law3.gap"}),
    (nowhere, {"law3.register"}),
    (negative_title, {"law4.title"}),
    (empty_title, {"law4.title"}),
    (nobodys, {"law4.title"}),
    (no_state, {"law4.title"}),
    (negative_link, {"law4.link"}),
    (backward_link, {"law4.link"}),
    (register_below_zero, {"law4.read"}),
    (meter_set_back, {"law4.beyond_meter"}),
    (drawn_less, {"law4.link_beyond_meter"}),
    (energy_set_back, {"law4.link_beyond_meter"}),
    (corrected_with_titles_above, {"law4.above_true"}),
    (debt_not_covered, {"law4.debt_uncovered"}),
    (withdrawn_and_held, {"law4.withdrawn_stands"}),
    (balance_wrong, {"law4.balance"}),
    (overdrawn, {"law4.overdrawn"}),
    (dollar_appeared, {"law5.in_out_held", "law5.unbalanced"}),
    (dollar_left_unseen, {"law5.in_out_held"}),
]


def test_sound_books_break_no_law() -> None:
    assert breaches(full().books) == ()
    assert breaches(opened().books) == ()
    assert breaches(Books()) == ()


@pytest.mark.parametrize(("plant", "codes"), PLANTED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_breach_is_found(plant: Callable[[Books], None], codes: set[str]) -> None:
    books = full().books
    plant(books)
    found = {code: number for number, law in LAWS.items() for code in {finding.code for finding in law(books)}}
    assert codes <= found.keys()
    assert {found[code] for code in codes} == {int(code[3]) for code in codes}


def test_every_code_of_the_laws_is_planted() -> None:
    named = set(re.findall(r'"(law[1-5]\.[a-z_]+)"', inspect.getsource(laws)))
    planted = {code for _, codes in PLANTED for code in codes}
    assert len(named) > 12
    assert planted == named | {"law2.source_twice", "law2.target_twice", "law3.units", "law3.unequal", "law3.gap"}


def test_all_findings_are_returned_with_their_places() -> None:
    books = full().books
    titles(books)["start"][1] += 1
    titles(books)["start"][3] += 1
    found = [finding for finding in LAWS[1](books) if finding.code == "law1.gap"]
    assert [dict(finding.ids)["start"] for finding in found] == ["11", "31"]
    assert str(found[0]) == "law 1: Titles to attribute leave a gap. [law1.gap: register=0, start=11, stop=20]"


def test_issuing_beyond_is_a_breach_only_where_something_counts() -> None:
    books = full().books
    books.registers._read[ROOF] = 40
    assert {finding.code for finding in LAWS[4](books)} == {"law4.beyond_meter"}
    books.registers._traits[ROOF, 1] = KINDS.index(RegisterKind.PROMISED)
    assert LAWS[4](books) == ()


def test_a_calendar_may_stand_idle() -> None:
    books = full().books
    links(books, LinkKind.SERVE)["source_start"][1] += 5
    assert LAWS[3](books) == ()
    assert books.registers.urn(CALENDAR) == "calendar"
