"""The same commands give the same record on SQLite and on PostgreSQL: every byte, every digest, every root."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kill_victim import commands_of
from sequencer_kit import opened, state, state_from_nothing
from small_plant import Plant
from test_sequencer_kill import run_until_killed

from penstock.journal.laws import breaches
from penstock.store.postgres_server import PostgresServer, server_programs
from penstock.store.postgres_store import PostgresStore
from penstock.store.sqlite_store import SqliteStore
from penstock.usecases.audit import audit_workspace
from penstock.usecases.sequencer import Receipt
from penstock.usecases.workspace import Workspace

ENGINES = ("sqlite", "postgres")
Begin = Callable[[Path, str], Path]
GROUPS = 24
SEED = 11


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The address of a real PostgreSQL server; skipped where none is installed."""
    if not server_programs():
        pytest.skip("no PostgreSQL server is installed, nor the package that carries one")
    with PostgresServer() as server:
        yield server.address


@pytest.fixture
def begin(database: str, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """Makes a workspace folder on an engine; a folder of SQLite stays what it is."""

    def begin(folder: Path, engine: str) -> Path:
        if engine == "sqlite":
            SqliteStore.open(folder).close()
            return folder
        monkeypatch.setenv("PENSTOCK_DATABASE", database)
        monkeypatch.setenv("PENSTOCK_SCHEMA", "t" + hashlib.sha256(str(folder).encode()).hexdigest()[:16])
        with opened(folder)[0] as store:
            assert isinstance(store, PostgresStore)
        return folder

    return begin


def written(folder: Path) -> tuple[object, ...]:
    """All that the commands up to the last group leave behind, whoever wrote the first of them."""
    store, sequencer = opened(folder)
    with store:
        for number in range(GROUPS):
            answers = sequencer.submit_many(commands_of(number, SEED))
            assert all(isinstance(answer, Receipt) for answer in answers)
        assert state(sequencer) == state_from_nothing(store)
        files = sorted(file.name for file in (folder / "segments").iterdir())
        return list(store.facts()), store.tree().root(), store.head(), state(sequencer), files


def test_the_same_commands_give_the_same_record(tmp_path: Path, begin: Begin) -> None:
    on_sqlite, on_postgres = (written(begin(tmp_path / engine, engine)) for engine in ENGINES)
    assert on_sqlite == on_postgres


@pytest.mark.parametrize("point", ["segment_half", "segment_renamed", "rows_inserted", "committed"])
def test_killed_writers_leave_the_same_record(tmp_path: Path, begin: Begin, point: str) -> None:
    undisturbed = written(begin(tmp_path / "undisturbed", "sqlite"))
    dice = random.Random(point)  # noqa: S311
    for engine in ENGINES:
        folder = begin(tmp_path / engine, engine)
        run_until_killed(folder, SEED, point, dice.randrange(2, 6), None)
        assert written(folder) == undisturbed


@pytest.mark.nightly
def test_killed_at_random_instants_they_do_too(tmp_path: Path, begin: Begin) -> None:
    undisturbed = written(begin(tmp_path / "undisturbed", "sqlite"))
    dice = random.Random(SEED)  # noqa: S311
    for turn in range(20):
        engine = ENGINES[turn % 2]
        folder = begin(tmp_path / f"{engine}-{turn}", engine)
        run_until_killed(folder, SEED, "never", 1, dice.random() * 0.06)
        assert written(folder) == undisturbed


def test_a_plant_lives_the_same_life(lived: Plant, tmp_path: Path, begin: Begin) -> None:
    there = Plant(begin(tmp_path / "plant", "postgres")).lived()
    with there.workspace as workspace:
        assert isinstance(workspace.store, PostgresStore)
        assert isinstance(lived.workspace.store, SqliteStore)
        assert list(workspace.store.facts()) == list(lived.workspace.store.facts())
        assert workspace.store.head() == lived.workspace.store.head()
        assert workspace.tree().root() == lived.workspace.tree().root()
        assert workspace.store.outbox.rows() == lived.workspace.store.outbox.rows()
        assert workspace.read(lambda world: breaches(world.books)) == ()
        small = workspace.store.rows.small.digests()
        named = {f"{fact.segment}.parquet" for fact in workspace.store.facts() if fact.segment not in {None, *small}}
        assert {file.name for file in (workspace.path / "segments").iterdir()} == named
        assert workspace.read(lambda world: world.books.digest()) == lived.world.books.digest()
    here = audit_workspace(lived.workspace.path)
    assert audit_workspace(tmp_path / "plant") == here
    assert here.findings == ()
    with Workspace(tmp_path / "plant", read_only=True) as again:
        assert again.tree().root() == here.root
