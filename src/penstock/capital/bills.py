"""What obligors were billed, by number, and how much of each bill is still open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.capital.pooled import USDC_MICRO_MAX
from penstock.errors import Invalid, NotFound, Refused
from penstock.journal.formats import BILLS
from penstock.journal.register import grown
from penstock.journal.segment import Column, Columns

NO_BILL: Final = -1
_OPEN: Final = "open_usdc_micro"


def read_words(column: Column) -> list[str]:
    """A blob column of words (UTF-8); raises Invalid ``servicing.words``."""
    try:
        found = [bytes(one).decode() for one in column]
    except (UnicodeDecodeError, TypeError):
        found = [""]
    if not all(one and one.isprintable() for one in found):
        raise Invalid("servicing.words", "Payers and references are printable words.")
    return found


def write_words(words: Sequence[str]) -> Column:
    """Words as a blob column."""
    column = np.empty(len(words), dtype=object)
    column[:] = [one.encode() for one in words]
    return column


class Bills:
    """Every bill: its columns as in ``bill/1``, and what is open on it [micro-dollars]."""

    def __init__(self) -> None:
        self.references: list[str] = []
        kinds = (*BILLS.fixed[1:], (_OPEN, "int64"))
        self._columns: dict[str, NDArray[Any]] = {name: np.zeros(16, dtype=kind) for name, kind in kinds}

    def __len__(self) -> int:
        return len(self.references)

    def __getitem__(self, column: str) -> NDArray[Any]:
        """A column by name, of every bill; writable."""
        return self._columns[column][: len(self)]

    def check(self, rows: Columns) -> None:
        """That rows of ``bill/1`` can follow; raises Invalid ``bill.number``, ``bill.fields``, ``servicing.words``."""
        count = len(rows["bill"])
        if not np.array_equal(rows["bill"], np.arange(len(self), len(self) + count)):
            raise Invalid("bill.number", "Bills are numbered in order of recording, over all deals.")
        bad = (rows["usdc_micro"] <= 0) | (rows["usdc_micro"] > USDC_MICRO_MAX) | (rows["quantity"] < 0)
        bad |= (rows["stop_us"] <= rows["start_us"]) | (rows["due_us"] < rows["start_us"])
        if bad.any():
            hint = "It is of an amount above 0, for a time that ends after it starts, and due no earlier."
            raise Invalid("bill.fields", "A bill has a field that cannot be.", hint=hint, row=int(np.argmax(bad)))
        read_words(rows["reference"])

    def add(self, rows: Columns) -> None:
        """Take checked rows in."""
        first, last = len(self), len(self) + len(rows["bill"])
        self.references += read_words(rows["reference"])
        self._columns = {name: grown(column, last) for name, column in self._columns.items()}
        for name, _ in BILLS.fixed[1:]:
            self[name][first:] = rows[name]
        self[_OPEN][first:] = rows["usdc_micro"]

    def check_of(self, bill: Column, asset: Column) -> None:
        """That bills are those of these assets; NotFound ``bill.unknown``, Refused ``bill.elsewhere``."""
        bad = (bill < 0) | (bill >= len(self))
        if bad.any():
            raise NotFound("bill.unknown", "There is no such bill.", row=int(np.argmax(bad)))
        if (self["asset"][bill] != asset).any():
            row = int(np.argmax(self["asset"][bill] != asset))
            raise Refused("bill.elsewhere", "The bill is another asset's.", row=row)

    def check_open(self, bill: Column, usdc_micro: Column) -> None:
        """That no bill is paid, or credited, more than is open on it; Refused ``bill.overpaid``."""
        bills, place = np.unique(bill, return_inverse=True)
        taken = np.zeros(len(bills), dtype=np.int64)
        np.add.at(taken, place, usdc_micro)
        over = taken > self[_OPEN][bills]
        if over.any():
            hint = "Record what is paid beyond the bill as a payment on the asset, without a bill."
            raise Refused("bill.overpaid", "More than is open on a bill.", hint=hint, bill=int(bills[np.argmax(over)]))

    def take(self, bill: Column, usdc_micro: Column) -> None:
        """So much of bills is open no more."""
        np.subtract.at(self[_OPEN], bill, usdc_micro)

    def digest_parts(self) -> list[bytes]:
        """The bytes of every column, for a digest."""
        return [repr(self.references).encode(), *(self[name].tobytes() for name in sorted(self._columns))]
