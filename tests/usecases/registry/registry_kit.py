"""A registry to test with: a roof's certified hours, three accounts, and acts decided and recorded in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from correct_kit import Field
from device_kit import hours

from penstock.errors import PenstockError
from penstock.journal.fact import Entry
from penstock.journal.laws import breaches
from penstock.journal.words import TITLE_STATES, Right
from penstock.usecases.enrol import open_accounts
from penstock.usecases.registry.selection import Named, Selection
from penstock.usecases.world import World

ROOF = "roof/export"
Decide = Callable[[World], list[Entry]]


class Registry(Field):
    """Hours 1 to 4 of a roof: 1,000, 1,500, 500 and 2,000 Wh, held by its owner."""

    def __init__(self) -> None:
        super().__init__()
        self.enrolled()
        self.tell(open_accounts(["trader", "buyer"], []))

    def with_hours(self, **terms: Any) -> Registry:
        self.terms = terms
        self.counted((1, 1_000), (2, 2_500), (3, 3_000), (4, 5_000))
        return self

    def do(self, act: Callable[..., list[Entry]], asked: Any, hour: float = 5) -> list[Entry]:
        """An act, decided and recorded; the laws hold after it."""
        entries = act(self.world, asked, hours(hour))
        self.tell(entries, hours(hour))
        assert breaches(self.world.books) == ()
        return entries

    def refused(self, act: Callable[..., list[Entry]], asked: Any, hour: float = 5) -> str:
        """The code of the refusal; the books are as before."""
        before = self.world.books.digest()
        with pytest.raises(PenstockError) as caught:
            act(self.world, asked, hours(hour))
        assert self.world.books.digest() == before
        return caught.value.code

    def owned(self, register: int = 0) -> list[tuple[int, int, str, str]]:
        """Start, stop, holder and state of every certificate of a register."""
        rows = self.world.books.titles[Right.ATTRIBUTE].columns()
        picked = np.flatnonzero(rows["register"] == register)
        names = [self.world.books.accounts.name(one) for one in rows["holder"][picked].tolist()]
        states = [TITLE_STATES[code].value for code in rows["state"][picked].tolist()]
        return list(zip(rows["start"][picked].tolist(), rows["stop"][picked].tolist(), names, states, strict=True))

    def wh(self, account: str, *states: str) -> int:
        """Wh that an account has in these states."""
        return sum(b - a for a, b, name, state in self.owned() if name == account and state in (states or ("held",)))


def named(*spans: tuple[int, int], register: str = ROOF) -> Selection:
    return Selection(tuple(Named(register, start, stop) for start, stop in spans))


def rows_of(parts: dict[str, Any], *names: str) -> list[tuple[int, ...]]:
    columns: Sequence[list[int]] = [parts[name].tolist() for name in names or ("start", "stop")]
    return list(zip(*columns, strict=True))
