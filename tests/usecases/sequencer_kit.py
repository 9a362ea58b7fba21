"""A small world, and commands that change it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from penstock.errors import Refused
from penstock.journal.fact import Entry, Recorded
from penstock.journal.formats import TITLES
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.energy import TitlesIssued
from penstock.journal.kinds.ledger import AccountOpened
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.words import Assurance, Right, Technology
from penstock.store.disk import no_point
from penstock.store.opening import open_store
from penstock.store.sql_store import SqlStore
from penstock.usecases.sequencer import Command, Sequencer

AT_US = 1_700_000_000_000_000


class Accounts:
    """Who has an account, how many Wh are titled, and a digest over everything applied."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.titled_wh = 0
        self.digest = hashlib.sha256()

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        fact = recorded.fact
        self.digest.update(repr(recorded).encode())
        if isinstance(fact, AccountOpened):
            self.names.append(fact.account)
            assert not fact.account.startswith("poison")
        elif isinstance(fact, TitlesIssued):
            assert columns is not None
            self.titled_wh += int((columns["stop"] - columns["start"]).sum())
            for name, column in columns.items():
                self.digest.update(f"{name}:{column.dtype}".encode() + column.tobytes())


def opened(path: Path, at_point: Callable[[str], None] = no_point) -> tuple[SqlStore, Sequencer[Accounts]]:
    """A store, on the engine that the environment names, and its sequencer."""
    store = open_store(path, at_point=at_point)
    return store, Sequencer(store, Accounts, KINDS)


def opens(*names: str) -> Callable[[Accounts], Sequence[Entry]]:
    """Decides to open accounts; refuses a name that stands."""

    def decide(world: Accounts) -> list[Entry]:
        if set(names) & set(world.names):
            raise Refused("test.name_taken", "There is such an account.")
        return [Entry(AccountOpened(name)) for name in names]

    return decide


def issues(count: int, start: int = 0) -> Callable[[Accounts], Sequence[Entry]]:
    """Decides to issue ``count`` titles of 10 Wh."""
    starts = start + 10 * np.arange(count, dtype=np.int64)
    columns: dict[str, Column] = {"register": np.zeros(count, np.int32), "start": starts, "stop": starts + 10}
    columns |= {"holder": np.zeros(count, np.int32), "interval_us": np.full(count, AT_US)}
    segment = Segment(TITLES, columns)
    words = (Right.ENERGY, "XX", Technology.SOLAR_PV, Assurance.METER_SIGNED)
    return lambda _world: [Entry(TitlesIssued(segment.ref(), *words, AT_US, 10 * count), segment)]


def command(key: str, *names: str) -> Command[Accounts]:
    """Opens accounts, by default one named like the key."""
    return Command(key, "/".join(names).encode(), AT_US, opens(*(names or (key,))))


def state(sequencer: Sequencer[Accounts]) -> tuple[list[str], int, str]:
    """What a world comes down to."""
    return sequencer.read(lambda world: (list(world.names), world.titled_wh, world.digest.hexdigest()))


def state_from_nothing(store: SqlStore) -> tuple[list[str], int, str]:
    """The same, made anew from the record."""
    return state(Sequencer(store, Accounts, KINDS))
