"""Whom a fact concerns: by name, by row, by organisation and by number - and nobody who came later."""

from __future__ import annotations

import numpy as np

from penstock.journal.fact import FactBody
from penstock.journal.formats import PLAIN
from penstock.journal.kinds.account import AccountAssigned, ActApproved, ActProposed, MemberPlaced, Role
from penstock.journal.kinds.energy import SiteRegistered
from penstock.journal.kinds.ledger import AccountOpened
from penstock.usecases.concern import COLUMNS, SPANS, Concerns

ACCOUNTS = {"holder", "buyer", "source", "target", "account"}
"""Columns of these names number accounts, unless the format's spans say that they number registers."""


def test_every_format_that_numbers_accounts_is_known() -> None:
    for layout in PLAIN:
        registers = {span[0] for span in SPANS.get(layout.name, ())}
        found = {name for name, dtype in layout.fixed if name in ACCOUNTS and dtype == "int32"} - registers
        assert found == set(COLUMNS.get(layout.name, ())), layout.name


def concerned(fold: Concerns, fact: FactBody) -> list[int]:
    return [int(number) for number in fold.fold(fact, "", None).accounts]


def test_facts_concern_whom_they_name_and_whose_organisation_they_are_about() -> None:
    fold = Concerns()
    assert concerned(fold, SiteRegistered("site", "XX", "", "one")) == []  # nobody of that name yet
    assert [concerned(fold, AccountOpened(name)) for name in ("one", "two")] == [[0], [1]]
    assert concerned(fold, SiteRegistered("site", "XX", "", "one")) == [0]
    assert concerned(fold, AccountAssigned("two", "club")) == [1]
    assert concerned(fold, MemberPlaced("club", "0" * 12, (Role.VIEWER,))) == [1]
    assert concerned(fold, MemberPlaced("other", "0" * 12, (Role.VIEWER,))) == []
    assert concerned(fold, ActProposed(1, "transfer", "one", "{}", 5, 9, "0" * 12)) == [0]
    assert concerned(fold, ActApproved(1, "1" * 12)) == [0]
    assert concerned(fold, ActApproved(2, "1" * 12)) == []


def test_rows_concern_both_sides_and_every_register_once() -> None:
    columns = {
        "register": np.array([3, 1, 3], np.int32),
        "start": np.array([5, 0, 9]),
        "stop": np.array([6, 4, 20]),
        "source": np.array([7, 7, 8], np.int32),
        "target": np.array([9, 7, 7], np.int32),
        "state": np.zeros(3, np.uint8),
    }
    found = Concerns().fold(AccountOpened("x"), "move/1", columns)
    assert found.accounts.tolist() == [0, 7, 8, 9]
    rows = zip(found.register.tolist(), found.start.tolist(), found.stop.tolist(), strict=True)
    assert list(rows) == [(1, 0, 4), (3, 5, 20)]
