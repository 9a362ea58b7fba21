"""Whom a fact concerns, and which units: the accounts it names, those of the organisation it is about, and its rows.

A fold of facts in their order, so that what it says of a fact never changes: an account that opens later is not
concerned by what came before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from penstock.journal.fact import FactBody
from penstock.journal.kinds.ledger import AccountOpened
from penstock.journal.segment import Columns

Ints = NDArray[Any]
NAMES: Final = frozenset(
    (
        *("account", "accounts", "owner", "holder", "buyer", "seller", "provider", "operator", "beneficiary", "payee"),
        *("source", "target", "sources"),
    )
)
"""Fields of facts, and of their parts, that name an account where their text is one's name."""
COLUMNS: Final = {
    "title/1": ("holder",),
    "move/1": ("source", "target"),
    "request/1": ("buyer",),
    "step/1": ("source", "target"),
    "withdrawal/1": ("holder",),
}
"""Columns of accounts' numbers, by segment format; a format that is not here numbers none."""
SPANS: Final = {
    "title/1": (("register", "start", "stop"),),
    "move/1": (("register", "start", "stop"),),
    "link/1": (("source", "source_start", "source_stop"), ("target", "target_start", "target_stop")),
}
"""Columns of spans, by segment format."""
_NUMBERED: Final = ("proposal", "order")
"""Fields that number something whose account an earlier fact named."""


class Concern(NamedTuple):
    """Numbers of accounts; and the registers, each once, with the bounds of what is touched of it."""

    accounts: Ints
    register: Ints
    start: Ints
    stop: Ints


class Concerns:
    """The fold: which accounts are open, whose they are, and what numbers stand for."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self._of_organisation: dict[str, set[str]] = {}
        self._by_number: dict[tuple[str, Any], str] = {}

    def fold(self, fact: FactBody, format: str, columns: Columns | None) -> Concern:
        """Whom and what the next fact concerns."""
        if isinstance(fact, AccountOpened):
            self.numbers[fact.account] = len(self.numbers)
        said = self._said(fact)
        accounts = [np.array([self.numbers[one] for one in said if one in self.numbers], dtype=np.int32)]
        if columns is None:
            return Concern(np.unique(accounts[0]), *_touched([]))
        accounts += [np.unique(columns[name]) for name in COLUMNS.get(format, ())]
        sides = [tuple(columns[name] for name in names) for names in SPANS.get(format, ())]
        return Concern(np.unique(np.concatenate(accounts)), *_touched(sides))

    def _said(self, fact: FactBody) -> set[str]:
        """Names that a fact says, or that stand behind an organisation or a number it says."""
        said = set(named(fact))
        account, organisation = getattr(fact, "account", ""), getattr(fact, "organisation", "")
        if organisation and account:
            self._of_organisation.setdefault(organisation, set()).add(account)
        elif organisation:
            said |= self._of_organisation.get(organisation, set())
        for name in _NUMBERED:
            number = getattr(fact, name, None)
            if number is not None and account:
                self._by_number[name, number] = account
            elif number is not None:
                said.add(self._by_number.get((name, number), ""))
        return said


def named(fact: Any) -> Iterator[str]:
    """Every text of a fact, and of its parts, that may be an account's name."""
    for field in dataclasses.fields(fact):
        value = getattr(fact, field.name)
        parts = value if isinstance(value, tuple) else (value,)
        for part in parts:
            if isinstance(part, str) and field.name in NAMES:
                yield part
            elif dataclasses.is_dataclass(part):
                yield from named(part)


def _touched(sides: list[tuple[Ints, ...]]) -> tuple[Ints, Ints, Ints]:
    """Registers of spans, each once, with the lowest start and the highest stop."""
    if not sides or not len(sides[0][0]):
        return np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64)
    register, start, stop = (np.concatenate(column) for column in zip(*sides, strict=True))
    order = np.argsort(register, kind="stable")
    begins = np.flatnonzero(np.r_[True, np.diff(register[order]) != 0])
    low, high = np.minimum.reduceat(start[order], begins), np.maximum.reduceat(stop[order], begins)
    return register[order][begins], low, high
