"""A registry with many certificates, in a real workspace and as rows in SQLite, for `issue`, `transfer` and `split`.

Registers each have as many certificates as there are hours, of some hundreds of Wh, held by accounts at random.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.result import is_small
from bench.sql_registry import SqlRegistry
from penstock.journal.device_rows import write_identities
from penstock.journal.fact import Entry
from penstock.journal.formats import DEVICES, MOVES, READINGS, TITLES
from penstock.journal.kinds.energy import DevicesEnrolled, ReadingsVerified, SiteRegistered, TitlesIssued, TitlesMoved
from penstock.journal.kinds.ledger import AccountOpened
from penstock.journal.laws import breaches
from penstock.journal.segment import Segment
from penstock.journal.tree_kernel import load_kernel
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, TITLE_STATES, Assurance, Right, Technology, TitleState
from penstock.period import HOUR_US
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Columns = dict[str, NDArray[Any]]
START_US: Final = 1_700_000_000_000_000 // HOUR_US * HOUR_US
HOLDERS: Final = 5_000
SIZES: Final = (10_000, 10_000_000, 100_000)
SMALL_SIZES: Final = (1_000, 300_000, 5_000)
"""Registers, certificates, and how many of them are in a batch."""
VALID_US: Final = 10 * 365 * 24 * HOUR_US
"""Every certificate expires, as in a real registry, though none while the bench runs."""
LOADED: Final = 1_000_000
"""Certificates issued by one command while the registry is filled."""


class Registry:
    """A workspace with ``registers`` registers, and what each of them has been certified up to."""

    def __init__(self, path: Path, registers: int) -> None:
        self.workspace, self.registers, self.commands = Workspace(path), registers, 0
        self.head, self.hours = np.zeros(registers, np.int64), 0
        self.tell(Entry(SiteRegistered("park", "DK1", "", "operator")))
        self.tell(*(Entry(AccountOpened(f"holder-{number}")) for number in range(HOLDERS)))
        self.tell(_devices(registers))

    def tell(self, *entries: Entry) -> None:
        """Record facts by one command."""
        self.commands += 1
        self.workspace.submit(f"bench-{self.commands}", b"", START_US, lambda _: entries)

    def next_hours(self, hours: int) -> Columns:
        """The certificates of the next hours (columns of title/1), all registers', which their readings now cover."""
        dice = np.random.default_rng(self.hours)
        stop = self.head[:, None] + np.cumsum(dice.integers(100, 1_000, (self.registers, hours)), axis=1)
        start = np.column_stack([self.head, stop[:, :-1]])
        interval_us = START_US + HOUR_US * np.arange(self.hours, self.hours + hours)
        self.head, self.hours = stop[:, -1].copy(), self.hours + hours
        self.tell(_read(self.head, START_US + HOUR_US * self.hours))
        return {
            "register": np.repeat(np.arange(self.registers, dtype=np.int32), hours),
            "start": start.ravel(),
            "stop": stop.ravel(),
            "holder": dice.integers(0, HOLDERS, self.registers * hours, dtype=np.int32),
            "interval_us": np.tile(interval_us, self.registers),
        }

    def issue(self, titles: Columns) -> None:
        """Issue certificates by one command, decided, sealed and durable."""
        self._do(lambda world: [issued(world, titles)])

    def move(self, moves: Columns) -> None:
        """Move certificates by one command, decided, sealed and durable."""
        self._do(lambda world: [moved(world, moves)])

    def _do(self, decide: Any) -> None:
        self.commands += 1
        self.workspace.submit(f"bench-{self.commands}", b"", START_US, decide)

    def titles(self) -> Columns:
        """All certificates, sorted by (register, start): copies."""
        return self.workspace.read(
            lambda world: {
                name: column.copy() for name, column in world.books.titles[Right.ATTRIBUTE].columns().items()
            }
        )


class Both:
    """Our registry and the peer's, with the same certificates."""

    def __init__(self, folder: Path) -> None:
        registers, self.certificates, self.batch = SMALL_SIZES if is_small() else SIZES
        self.ours, self.theirs = Registry(folder / "workspace", registers), SqlRegistry(folder / "peer.sqlite")
        hours = max(min(LOADED, self.certificates) // registers, 1)
        while self.ours.hours * registers < self.certificates:
            titles = self.ours.next_hours(hours)
            self.ours.issue(titles)
            self.theirs.issue(titles)
        self.titles = self.ours.titles()
        self.dice = np.random.default_rng(5)
        self._order = self.dice.permutation(self.certificates)

    def scattered(self, count: int) -> NDArray[np.int64]:
        """Rows of ``titles`` at random, none twice over all calls."""
        rows, self._order = self._order[:count], self._order[count:]
        return rows

    def held_by_others(self, rows: NDArray[Any]) -> NDArray[Any]:
        """A new holder for each of these rows, at random."""
        holder: NDArray[Any] = (self.titles["holder"][rows] + self.dice.integers(1, HOLDERS, len(rows))) % HOLDERS
        return holder

    def check(self) -> None:
        """Both hold the very same certificates; ours breaks no law, and its record says what memory does."""
        ours, theirs = self.ours.titles(), self.theirs.titles()
        assert all(np.array_equal(ours[name], column) for name, column in theirs.items())
        digest = self.ours.workspace.read(lambda world: world.books.titles[Right.ATTRIBUTE].digest())
        assert self.ours.workspace.read(lambda world: breaches(world.books)) == ()
        path = self.ours.workspace.path
        self.ours.workspace.store.close()
        with Workspace(path) as again:
            assert again.read(lambda world: world.books.titles[Right.ATTRIBUTE].digest()) == digest

    def close(self) -> None:
        """Give both back."""
        self.ours.workspace.store.close()
        self.theirs.close()


def sales(both: Both, count: int, state: TitleState = TitleState.HELD) -> Columns:
    """Certificates at random go to other holders, or stay with theirs in another state."""
    rows = both.scattered(count)
    holder = both.held_by_others(rows) if state is TitleState.HELD else both.titles["holder"][rows]
    return moves_of(both.titles, rows, holder, state)


@contextmanager
def registries() -> Iterator[Both]:
    """Both registries filled, in a folder for a while."""
    load_kernel()
    with TemporaryDirectory() as folder, closing(Both(Path(folder))) as both:
        yield both


def issued(world: World, titles: Columns) -> Entry:
    """The fact that issues certificates, every row of which was checked."""
    world.books.check_issue(Right.ATTRIBUTE, titles)
    segment, quantity = Segment(TITLES, titles), int((titles["stop"] - titles["start"]).sum())
    fact = TitlesIssued(
        segment.ref(), Right.ATTRIBUTE, "DK1", Technology.SOLAR_PV, Assurance.METER_SIGNED, HOUR_US, quantity,
        valid_us=VALID_US,
    )  # fmt: skip
    return Entry(fact, segment)


def moved(world: World, moves: Columns) -> Entry:
    """The fact that moves certificates, every row of which was checked."""
    world.books.check_moves(Right.ATTRIBUTE, moves, START_US)
    segment, quantity = Segment(MOVES, moves), int((moves["stop"] - moves["start"]).sum())
    state = TITLE_STATES[int(moves["state"][0])]
    return Entry(TitlesMoved(segment.ref(), Right.ATTRIBUTE, state, "bench", "", quantity), segment)


def moves_of(titles: Columns, rows: NDArray[Any], target: NDArray[Any], state: TitleState = TitleState.HELD) -> Columns:
    """Columns of move/1 that bring whole certificates to other holders, or into another state."""
    return {
        **{name: titles[name][rows] for name in ("register", "start", "stop")},
        "source": titles["holder"][rows],
        "target": target.astype(np.int32),
        "state": np.full(len(rows), TITLE_STATES.index(state), np.uint8),
    }


def _devices(count: int) -> Entry:
    names = [f"device-{number}" for number in range(count)]
    same = {
        "technology": TECHNOLOGIES.index(Technology.SOLAR_PV), "key_kind": 0, "assurance": 0, "capacity_w": 1_000_000,
        "commissioned_us": START_US, "tilt_deg": -1, "azimuth_deg": -1, "rolls_over_wh": 0,
    }  # fmt: skip
    columns = {name: np.full(count, same[name], dtype) for name, dtype in DEVICES.fixed}
    columns["identity"] = write_identities(names, [b"%032d" % number for number in range(count)], ["u1zr"] * count)
    segment = Segment(DEVICES, columns)
    return Entry(DevicesEnrolled(segment.ref(), "park", ("export",), (Right.ATTRIBUTE,)), segment)


def _read(position_wh: NDArray[np.int64], at_us: int) -> Entry:
    rows = len(position_wh)
    columns = {
        "register": np.arange(rows, dtype=np.int32),
        "at_us": np.full(rows, at_us),
        "position_wh": position_wh,
        "packet": np.zeros(rows, np.int32),
        "verdict": np.zeros(rows, np.uint8),
    }
    segment = Segment(READINGS, columns)
    return Entry(ReadingsVerified(segment.ref(), bytes(32), "bench", ASSURANCES[0], 0, ()), segment)
