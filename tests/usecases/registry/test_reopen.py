"""A workspace of many single acts is opened again: its small facts are taken together, each of them checked."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from workspace_kit import LATER_US, TITLE_WH, certified, moves_of

from penstock.errors import Corrupt
from penstock.journal.fact import Entry, Recorded
from penstock.journal.kinds import KINDS
from penstock.journal.segment import Columns
from penstock.journal.words import Right, TitleState
from penstock.store.ports import NewFact, Write
from penstock.usecases import replay as replaying
from penstock.usecases.claim import Claim, move_entry, moved
from penstock.usecases.compact import compact
from penstock.usecases.replay import Told, replay
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

TITLES = 70
FACTS = TITLES * 2


@dataclass
class OneByOne:
    """A world that takes no two facts together."""

    world: World = field(default_factory=World)

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        self.world.apply(recorded, columns)


class Watched(World):
    """A world that says how many facts came at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def apply_all(self, told: Sequence[Told]) -> None:
        self.sizes.append(len(told))
        super().apply_all(told)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "TOGETHER", 50)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Each certificate is sold whole, then a part of it retired, by acts of their own."""
    path = tmp_path / "workspace"
    with certified(path, TITLES, ["producer", "trader"]) as workspace:
        for number in range(TITLES):
            sold = (TITLE_WH * number, TITLE_WH * (number + 1), 0, 1)
            act(workspace, f"sold.{number}", sold, TitleState.HELD)
            act(workspace, f"retired.{number}", (sold[0] + 100, sold[1] - 100, 1, 1), TitleState.RETIRED)
    return path


def act(workspace: Workspace, key: str, row: tuple[int, int, int, int], state: TitleState) -> None:
    def decide(world: World) -> list[Entry]:
        moves = moves_of(row)
        parts = {**moves, "holder": moves["source"]}
        return [moved(world, Right.ATTRIBUTE, parts, state, Claim("", "test", None), moves["target"], LATER_US)]

    workspace.submit(key, b"", LATER_US, decide)


def one_by_one(path: Path) -> bytes:
    with Workspace(path, read_only=True) as workspace:
        world = OneByOne()
        replay(workspace.store, KINDS, world)
        return world.world.books.digest()


def test_small_facts_come_many_at_once_and_large_ones_alone(path: Path) -> None:
    with Workspace(path) as workspace:
        world, start = Watched(), workspace.store.size() - FACTS
        hash_of_last = replay(workspace.store, KINDS, world)
        assert hash_of_last == workspace.store.head()
        assert world.sizes == [start - 1, 1, 50, 50, 40]  # the issue seals 70 rows
        live = workspace.read(lambda live: (live.books.digest(), live.books.size))
        assert live == (world.books.digest(), world.books.size) == (one_by_one(path), start + FACTS)


def test_put_together_in_files_they_are_read_the_same(path: Path) -> None:
    before = one_by_one(path)
    compact(path, LATER_US)
    with Workspace(path) as workspace:
        assert workspace.store.rows.small.digests() == set()
        assert workspace.read(lambda world: world.books.digest()) == before
    assert one_by_one(path) == before


OF_FACT = "WHERE segment = (SELECT segment FROM fact WHERE seq = 99)"


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        ("UPDATE small_segment SET data = substr(data, 1, 50) " + OF_FACT, "store.segment_torn"),  # noqa: S608 - our own words
        ("DELETE FROM small_segment " + OF_FACT, "store.segment_missing"),  # noqa: S608
        ("UPDATE fact SET at_us = at_us + 1 WHERE seq = 99", "journal.unreadable"),
        ("UPDATE fact SET body = CAST(replace(CAST(body AS TEXT), 'test', 'x') AS BLOB)", "journal.broken_link"),
        ("DELETE FROM fact WHERE seq = 99", "journal.broken_link"),
    ],
)
def test_damage_in_the_middle_is_found(path: Path, damage: str, code: str) -> None:
    with closing(sqlite3.connect(path / "journal.sqlite")) as sql:
        sql.execute(damage)
        sql.commit()
    with pytest.raises(Corrupt) as caught:
        Workspace(path)
    assert caught.value.code == code


def test_a_sealed_fact_that_does_not_apply_is_named(path: Path) -> None:
    """Another certificate's sale, recorded by a program that forgot to ask the books."""
    with Workspace(path) as workspace:
        size = workspace.store.size()
        stolen = moved_unchecked(workspace)
        assert stolen == size
    with pytest.raises(Corrupt) as caught:
        Workspace(path)
    assert (caught.value.code, caught.value.ids["seq"]) == ("state.does_not_apply", str(size))


def moved_unchecked(workspace: Workspace) -> int:
    moves = moves_of((0, 50, 0, 1))
    entry = move_entry(Right.ATTRIBUTE, {**moves, "holder": moves["source"]}, TitleState.HELD, Claim("", "x", None))
    recorded = KINDS.record(entry.fact, LATER_US, workspace.store.size())
    fact = NewFact(recorded.fact.KIND, LATER_US, recorded.body, entry.segment)
    return workspace.store.commit([Write("stolen", bytes(32), [fact])])
