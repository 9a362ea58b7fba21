"""Durable facts, decided and applied: one by one against bare SQLite commits, and in groups of 1,000.

A group of 1,000 is 1,000 facts made durable by one commit, in either of two forms: 1,000 separate commands, each with
its own key, decision and receipt, that meet in one commit; or one command that decides on 1,000 facts.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.result import Race, Result, race, seconds
from penstock.journal.fact import Entry, Recorded
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.ledger import AccountOpened
from penstock.journal.segment import Columns
from penstock.store.sqlite_store import SqliteStore
from penstock.usecases.sequencer import Command, Receipt, Sequencer

FACTS = 200
ROUNDS = 21
GROUP = 1_000
SHARE = 200
CLIENTS = 64
AT_US = 1_700_000_000_000_000
GOAL, GROUP_GOAL = 0.35, 15


class Names:
    """A world: the accounts opened."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def apply(self, recorded: Recorded, _columns: Columns | None) -> None:
        if isinstance(recorded.fact, AccountOpened):
            self.known[recorded.fact.account] = recorded.seq


def opening(name: str) -> Command[Names]:
    """A command that opens an account unless it stands."""

    def decide(world: Names) -> Sequence[Entry]:
        return [] if name in world.known else [Entry(AccountOpened(name))]

    return Command(name, name.encode(), AT_US, decide)


class Bare:
    """The peer: SQLite by its driver, WAL and synchronous=FULL like ours, one row of (place, bytes) a commit."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute("CREATE TABLE fact (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        self.size = 0

    def record(self, bodies: Sequence[bytes]) -> None:
        """Each body in a commit of its own."""
        for body in bodies:
            self.connection.execute("INSERT INTO fact VALUES (?, ?)", (self.size, body))
            self.size += 1


class Ours:
    """Facts through the sequencer."""

    def __init__(self, path: Path) -> None:
        self.store = SqliteStore.open(path)
        self.sequencer = Sequencer(self.store, Names, KINDS)
        self.made = 0

    def names(self, count: int) -> list[str]:
        """Names not used before."""
        self.made += count
        return [f"account/{each}" for each in range(self.made - count, self.made)]

    def one_by_one(self, count: int) -> None:
        """Each command in a commit of its own."""
        for name in self.names(count):
            command = opening(name)
            self.sequencer.submit(command.key, command.input, command.at_us, command.decide)

    def grouped(self, groups: int) -> None:
        """1,000 commands a commit."""
        for _ in range(groups):
            answers = self.sequencer.submit_many([opening(name) for name in self.names(GROUP)])
            assert all(isinstance(answer, Receipt) for answer in answers)

    def many_clients(self, clients: int, each: int) -> float:
        """Facts/s of threads that submit one command after the other."""
        shares = [self.names(each) for _ in range(clients)]

        def client(names: list[str]) -> None:
            for name in names:
                command = opening(name)
                self.sequencer.submit(command.key, command.input, command.at_us, command.decide)

        threads = [threading.Thread(target=client, args=(names,)) for names in shares]

        def together() -> None:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        return clients * each / seconds(together)

    def one_command(self, facts: int) -> None:
        """One command of many facts."""
        names = self.names(facts)
        self.sequencer.submit(names[0], b"", AT_US, lambda _world: [Entry(AccountOpened(name)) for name in names])


@contextmanager
def busy_process() -> Iterator[None]:
    """One process that spins: an idle machine's disk answers a clock tick later, which would hide everything else."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


def fdatasync_us(path: Path, times: int = 200) -> float:
    """Median of a 4 KiB write and fdatasync [us]."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    block = bytes(4096)

    def write() -> None:
        os.write(file, block)
        os.fdatasync(file)

    try:
        return median(seconds(write) for _ in range(times)) * 1e6
    finally:
        os.close(file)


def run() -> Result:
    """Interleaved rounds beside one busy process; at the end the record is read back and compared."""
    with tempfile.TemporaryDirectory() as folder, busy_process():
        return measure(Path(folder))


def measure(folder: Path) -> Result:
    """The figures, in ``folder``."""
    ours, bare = Ours(folder / "workspace"), Bare(folder / "bare.sqlite")
    bodies = [f'{{"at_us":"{AT_US}","data":{{"account":"account/{n}"}}}}'.ljust(110).encode() for n in range(FACTS)]
    ours.one_by_one(50)
    bare.record(bodies[:50])
    raw_us = fdatasync_us(folder / "raw")
    single = race(lambda: ours.one_by_one(FACTS), lambda: bare.record(bodies), ROUNDS)
    group = race(lambda: ours.grouped(1), lambda: ours.one_by_one(SHARE), ROUNDS)
    command = race(lambda: ours.one_command(GROUP), lambda: ours.one_by_one(SHARE), ROUNDS)
    clients_rate = ours.many_clients(CLIENTS, 40)
    check(ours, bare)
    one_rate = FACTS / median(single.ours_s)
    return Result(
        name="journal",
        ours=one_rate,
        unit="durable facts/s, one by one",
        peer=FACTS / median(single.peer_s),
        ratio=single.ratio,
        peer_name="bare SQLite commits",
        notes=(
            f"{single.spread}; goal {GOAL}; ours decides, hashes, chains, applies and answers, the peer writes one row",
            f"{GROUP:,} separate commands in one commit: {group_note(group)}",
            f"one command of {GROUP:,} facts: {group_note(command)}",
            f"{CLIENTS} threads at once, one command after the other each: {clients_rate:,.0f} facts/s",
            f"one busy process beside; raw fdatasync of 4 KiB: {raw_us:,.0f} us median",
        ),
    )


def group_note(group: Race) -> str:
    """Facts/s of a group, and how many times that is the rate one by one in the same rounds."""
    times = [
        one_by_one / grouped * GROUP / SHARE for grouped, one_by_one in zip(group.ours_s, group.peer_s, strict=True)
    ]
    rate = GROUP / median(group.ours_s)
    spread = f"rounds {min(times):.1f} to {max(times):.1f}"
    return f"{rate:,.0f} facts/s, {median(times):.1f} times one by one (goal {GROUP_GOAL}; {spread})"


def check(ours: Ours, bare: Bare) -> None:
    """Everything asked for was recorded once, in order, and replays to the same world."""
    world = ours.sequencer.read(lambda world: dict(world.known))
    assert world.keys() == {f"account/{each}" for each in range(ours.made)}
    assert sorted(world.values()) == list(range(ours.made))
    assert Sequencer(ours.store, Names, KINDS).read(lambda again: again.known) == world
    assert bare.connection.execute("SELECT count(*) FROM fact").fetchone() == (bare.size,)
    ours.store.close()
    bare.connection.close()
