"""Debts: what a unit that is worth nothing would cover waits behind it."""

from __future__ import annotations

import pytest

from penstock.journal.debt import Debts, Piece, Row
from penstock.journal.words import Right

A = Right.ATTRIBUTE


@pytest.mark.parametrize(
    ("rows", "pieces", "left"),
    [
        ([(10, 20, True)], [(0, 10, 14)], [(10, 14)]),
        ([(10, 12, True), (12, 20, True)], [(0, 10, 12), (1, 12, 14)], [(10, 14)]),
        ([(10, 20, False)], [], [(20, 24)]),
        ([(10, 13, False)], [], [(13, 17)]),
        ([(10, 12, True), (12, 13, False)], [(0, 10, 12)], [(10, 12), (13, 15)]),
        ([(10, 13, False), (13, 15, True), (15, 30, False), (30, 40, True)], [(1, 13, 15), (3, 30, 32)],
         [(13, 15), (30, 32)]),
        ([(14, 20, False)], [], [(10, 14)]),
    ],
)  # fmt: skip
def test_what_is_worth_nothing_covers_nothing(
    rows: list[Row], pieces: list[Piece], left: list[tuple[int, int]]
) -> None:
    debts = Debts()
    debts.owe(A, 1, 10, 4)
    assert debts.after(A, 1, rows) == (pieces, left)
    debts.postpone(A, 1, rows)
    assert debts.of(A, 1) == left
    debts.postpone(A, 2, rows)
    assert debts.of(A, 2) == []
