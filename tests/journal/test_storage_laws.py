"""Every way to break the laws over a storage is found, and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from journal_story import IMPORT, ROOF, SECOND_ROOF, Story, full, table

from penstock.journal.fifo import Standing
from penstock.journal.formats import CHARGES, DISCHARGES, LINKS
from penstock.journal.kinds.energy import SpansLinked
from penstock.journal.kinds.ledger import RegisterOpened
from penstock.journal.kinds.storage import EfficiencyStated, StorageCharged, StorageDischarged, StorageRegistered
from penstock.journal.laws import breaches
from penstock.journal.segment import Segment
from penstock.journal.state import Books
from penstock.journal.words import LinkKind, RegisterKind, Right, Unit
from penstock.period import DAY_US, HOUR_US


def story() -> Story:
    """A storage between *import* and a register of its own; 60 Wh charged, uncertified: 40 Wh given, 20 lost."""
    told = full()
    told.tell(RegisterOpened("given", Unit.WH, RegisterKind.COUNTED, (Right.ATTRIBUTE,)))
    given = len(told.books.registers) - 1
    told.tell(RegisterOpened("cell/loss", Unit.WH, RegisterKind.LOSS))
    told.read([(given, 3, 40)])
    told.tell(StorageRegistered("cell", "operator", "X", "import", "given", "cell/loss"))
    told.tell(EfficiencyStated("cell", 2, 3, 0, 100 * DAY_US, 3, 2, 0, DAY_US, "measured"))
    charged = table(CHARGES, [(IMPORT, 0, 60, 0, 0, -1)])
    told.tell(StorageCharged(Segment(CHARGES, charged).ref(), "cell", HOUR_US, 60, 0), charged)
    out = table(DISCHARGES, [(given, 0, 40, HOUR_US, 0, 0)])
    told.tell(StorageDischarged(Segment(DISCHARGES, out).ref(), "cell", HOUR_US, 40, 60, 20), out)
    links = [(IMPORT, 0, 40, given, 0, 40), (IMPORT, 40, 60, given + 1, 0, 20)]
    columns = table(LINKS, links)
    told.tell(SpansLinked(Segment(LINKS, columns).ref(), LinkKind.STORE, 0, 1, 60, 40, 20), columns)
    return told


def test_sound_books_break_none() -> None:
    assert breaches(story().books) == ()


def standing(**changes: int) -> Callable[[Books], None]:
    def bend(books: Books) -> None:
        books.storages.all[0].standing = replace(books.storages.all[0].standing, **changes)

    return bend


def issued_beyond(books: Books) -> None:
    books.titles[Right.ATTRIBUTE]._head[books.storages.all[0].discharge] = 41


def certified_without_claim(books: Books) -> None:
    books.storages.charges["lot"][:] = 0


def better_than_stated(books: Books) -> None:
    one = books.storages.all[0]
    one.efficiencies = (replace(one.efficiencies[0], num=1, den=2),)


def charged_less(books: Books) -> None:
    books.storages.charges["stop"][:] = 59


@pytest.mark.parametrize(
    ("bend", "code"),
    [
        (standing(drawn=61), "law3.storage"),
        (standing(lost=19), "law3.storage_loss"),
        (better_than_stated, "law4.storage_output"),
        (charged_less, "law4.storage_output"),
        (certified_without_claim, "law4.storage_supplied"),
        (issued_beyond, "law4.storage_issued"),
    ],
)
def test_each_way_to_break_them_is_named(bend: Callable[[Books], None], code: str) -> None:
    books = story().books
    bend(books)
    assert code in {one.code for one in breaches(books)}


def test_equal_journals_give_equal_books_and_others_other_ones() -> None:
    assert story().books.digest() == story().books.digest()
    other = story().books
    other.storages.all[0].standing = Standing(60, 40, 20, 1)
    assert other.digest() != story().books.digest()


def test_storages_are_found_by_register() -> None:
    books = story().books
    assert books.storages.storage_of(np.array([IMPORT, ROOF, SECOND_ROOF, -1, 99])).tolist() == [0, -1, -1, -1, -1]
    assert len(books.storages) == 1
