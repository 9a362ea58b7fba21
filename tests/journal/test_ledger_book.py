"""The ledger: transfers in brackets, nobody overdrawn but the world outside."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import Corrupt, Invalid, NotFound, PenstockError, Refused
from penstock.journal.kinds.ledger import AccountOpened, Transfer
from penstock.journal.ledger_book import Bracket, Ledger
from penstock.journal.register import Accounts

NAMES = ("world", "bank", "investor", "operator")
Row = tuple[str, str, int]


def ledger() -> Ledger:
    accounts = Accounts()
    for name in NAMES:
        accounts.open(AccountOpened(name, external=name in ("world", "bank")))
    return Ledger(accounts)


def transfers(*rows: Row) -> tuple[Transfer, ...]:
    return tuple(Transfer(source, target, amount, "test") for source, target, amount in rows)


def test_money_comes_in_moves_and_goes_out() -> None:
    book = ledger()
    book.post(transfers(("world", "investor", 100), ("investor", "operator", 70), ("operator", "bank", 30)))
    assert [book.balance(number) for number in range(4)] == [-100, 30, 30, 40]
    assert (book.paid_in, book.paid_out) == (100, 30)
    book.post(transfers(("world", "bank", 5)))
    assert (book.paid_in, book.paid_out, book.balances()[0]) == (100, 30, -105)


@pytest.mark.parametrize(
    ("row", "error", "code"),
    [
        (("investor", "operator", 101), Refused, "ledger.overdrawn"),
        (("operator", "investor", 1), Refused, "ledger.overdrawn"),
        (("investor", "investor", 1), Invalid, "ledger.amount"),
        (("investor", "operator", 0), Invalid, "ledger.amount"),
        (("investor", "operator", -1), Invalid, "ledger.amount"),
        (("attacker", "operator", 1), NotFound, "account.unknown"),
        (("investor", "attacker", 1), NotFound, "account.unknown"),
    ],
)
def test_a_bad_transfer_stops_the_whole_bracket(row: Row, error: type[PenstockError], code: str) -> None:
    book = ledger()
    book.post(transfers(("world", "investor", 100)))
    before = book.digest()
    with pytest.raises(error) as raised:
        book.post(transfers(("world", "investor", 0 + 1), ("investor", "world", 1), row))
    assert (raised.value.code, book.digest()) == (code, before)


def test_order_is_meaning() -> None:
    rows: list[Row] = [("world", "investor", 10), ("investor", "operator", 10)]
    ledger().post(transfers(*rows))
    with pytest.raises(Refused, match=r"ledger\.overdrawn"):
        ledger().post(transfers(*reversed(rows)))


def test_a_bracket_that_does_not_balance_does_not_close() -> None:
    for bracket in (Bracket({2: 5}, 5, 5), Bracket({0: -5, 2: 5}, 5, 6)):
        book = ledger()
        with pytest.raises(Corrupt, match=r"ledger\.unbalanced"):
            book.close(bracket)
        assert book.balances() == {}


@settings(deadline=None, max_examples=150)
@given(st.lists(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(-1, 9)), max_size=4)))
def test_the_ledger_equals_a_plain_table(brackets: list[list[Row]]) -> None:
    book, table, paid = ledger(), dict.fromkeys(NAMES, 0), {"in": 0, "out": 0}
    for rows in brackets:
        after, flows, fair = dict(table), dict(paid), True
        for source, target, amount in rows:
            after[source] -= amount
            after[target] += amount
            fair &= amount > 0 and source != target and (after[source] >= 0 or source in ("world", "bank"))
            outside = (source in ("world", "bank"), target in ("world", "bank"))
            flows["in"] += amount * (outside == (True, False))
            flows["out"] += amount * (outside == (False, True))
        try:
            book.post(transfers(*rows))
            assert fair
            table, paid = after, flows
        except PenstockError:
            assert not fair
        assert [book.balance(number) for number in range(4)] == list(table.values())
        assert (book.paid_in, book.paid_out) == (paid["in"], paid["out"])
        assert book.paid_in == book.paid_out + book.balance(2) + book.balance(3)
