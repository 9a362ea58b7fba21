"""A hundred clients want one certificate at the same moment: exactly one gets it, on either engine."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from workspace_kit import LATER_US, MILL, ROOF, START_US, TITLE_WH, certified

from penstock.errors import Conflict, PenstockError, Refused
from penstock.journal.fact import Entry
from penstock.journal.laws import breaches
from penstock.journal.titles import Title
from penstock.journal.words import LinkKind, Right, TitleState
from penstock.period import HOUR_US, Period
from penstock.store.postgres_server import PostgresServer, server_programs
from penstock.usecases.claim import Claim, claim, moved
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

CLIENTS = 100
Decide = Callable[[World], list[Entry]]


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The address of a real PostgreSQL server; skipped where none is installed."""
    if not server_programs():
        pytest.skip("no PostgreSQL server is installed, nor the package that carries one")
    with PostgresServer() as server:
        yield server.address


@pytest.fixture(params=["sqlite", "postgres"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """Three certificates of a producer, on each engine in turn."""
    if request.param == "postgres":
        monkeypatch.setenv("PENSTOCK_DATABASE", request.getfixturevalue("database"))
        monkeypatch.setenv("PENSTOCK_SCHEMA", "t" + hashlib.sha256(str(tmp_path).encode()).hexdigest()[:16])
    with certified(tmp_path / "registry", 3, ["producer", *(f"client-{n}" for n in range(CLIENTS))]) as made:
        yield made


def claims(number: int) -> Decide:
    """A claim of the second certificate, each client's for other Wh that were drawn."""
    links = {"source": ROOF, "source_start": TITLE_WH, "target": MILL, "target_start": TITLE_WH * number}
    columns = {name: np.array([value]) for name, value in links.items()}
    columns |= {f"{side}_stop": columns[f"{side}_start"] + TITLE_WH for side in ("source", "target")}
    asked = Claim(f"client-{number}", "consumption", Period(START_US + HOUR_US, START_US + 2 * HOUR_US))
    return lambda world: claim(world, columns, asked)


def transfers(number: int) -> Decide:
    """A transfer of the second certificate to the client, by the producer who can sell it once."""

    def decide(world: World) -> list[Entry]:
        span = (np.array([value]) for value in (ROOF, TITLE_WH, 2 * TITLE_WH))
        parts = world.books.titles[Right.ATTRIBUTE].parts(*span) | {"holder": np.array([0], np.int32)}
        target = np.array([1 + number], np.int32)
        return [moved(world, Right.ATTRIBUTE, parts, TitleState.HELD, Claim("", "sold", None), target)]

    return decide


def race(workspace: Workspace, act: Callable[[int], Decide]) -> list[PenstockError | None]:
    """What each client was told; all begin together."""
    gate, told = threading.Barrier(CLIENTS), dict[int, PenstockError | None]()

    def client(number: int) -> None:
        gate.wait()
        try:
            workspace.submit(f"client-{number}", b"%d" % number, LATER_US, act(number))
            told[number] = None
        except PenstockError as error:
            told[number] = error

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [told[number] for number in range(CLIENTS)]


def test_one_of_a_hundred_claims_is_recorded(workspace: Workspace) -> None:
    size = workspace.store.size()
    told = race(workspace, claims)
    winner = told.index(None)
    assert Counter(error and (type(error), error.code) for error in told) == {
        None: 1,
        (Conflict, "links.source_twice"): CLIENTS - 1,
    }
    assert workspace.store.size() == size + 2
    facts = [row.recorded.fact for row in workspace.facts(size)]
    assert [getattr(fact, "beneficiary", "") for fact in facts] == ["", f"client-{winner}"]
    pieces = workspace.read(lambda world: world.books.links[LinkKind.CLAIM].forward(ROOF, 0, 3 * TITLE_WH))
    assert (pieces.target_start.tolist(), pieces.source_start.tolist()) == ([TITLE_WH * winner], [TITLE_WH])
    assert_sound(workspace, {0: TitleState.HELD, 1: TitleState.CLAIMED, 2: TitleState.HELD})


def test_what_is_sold_to_a_hundred_is_sold_once(workspace: Workspace) -> None:
    told = race(workspace, transfers)
    winner = told.index(None)
    assert Counter(error and (type(error), error.code) for error in told) == {
        None: 1,
        (Refused, "titles.other_holder"): CLIENTS - 1,
    }
    title = workspace.read(lambda world: world.books.titles[Right.ATTRIBUTE].at(ROOF, TITLE_WH))
    assert title is not None
    assert title.holder == 1 + winner
    assert_sound(workspace, {0: TitleState.HELD, 1: TitleState.HELD, 2: TitleState.HELD})


def title_at(position: int, world: World) -> Title | None:
    return world.books.titles[Right.ATTRIBUTE].at(ROOF, position)


def assert_sound(workspace: Workspace, states: dict[int, TitleState]) -> None:
    """No law is broken, no other certificate touched, and the record says what memory does."""
    assert workspace.read(lambda world: breaches(world.books)) == ()
    for number, state in states.items():
        title = workspace.read(partial(title_at, TITLE_WH * number))
        assert title is not None
        assert (title.stop - title.start, title.state) == (TITLE_WH, state)
    digest = workspace.read(lambda world: world.books.digest())
    with Workspace(workspace.path, read_only=True) as again:
        assert again.read(lambda world: world.books.digest()) == digest
