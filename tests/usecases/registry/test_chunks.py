"""Bulk in chunks: a verdict a row, interrupted and asked again, in between others' acts; or all of it or none."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from workspace_kit import LATER_US, ROOF, TITLE_WH, certified, moves_of

from penstock.errors import Invalid, Refused
from penstock.journal.fact import Entry
from penstock.journal.formats import MOVES
from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.segment import Columns
from penstock.journal.titles import Verdict
from penstock.journal.words import Right, TitleState
from penstock.usecases.claim import Claim, moved
from penstock.usecases.registry.chunks import Bulk, move_in_chunks
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

TITLES = 300
TOLD = Claim("", "sold in bulk", None, "statement", "operator")


@pytest.fixture
def workspace(tmp_path: Path) -> Any:
    with certified(tmp_path, TITLES, ["producer", "trader", "buyer"]) as made:
        yield made


def sales(*numbers: int, source: int = 0, target: int = 1) -> dict[str, Any]:
    return moves_of(*((TITLE_WH * n, TITLE_WH * (n + 1), source, target) for n in numbers))


def held(workspace: Workspace, account: int) -> list[int]:
    """The numbers of an account's certificates."""
    page = workspace.read(lambda world: world.books.titles[Right.ATTRIBUTE].page(account, n=TITLES))
    return [int(start) // TITLE_WH for start in page["start"]]


def test_each_chunk_is_a_fact_and_each_row_has_its_verdict(workspace: Workspace) -> None:
    size = workspace.store.size()
    moves = {name: np.concatenate([sales(*range(250))[name], sales(7, 299)[name]]) for name in sales(0)}
    moves["target"][[5, 120]] = 99
    done = move_in_chunks(workspace, "bulk", Bulk(moves, TitleState.HELD, TOLD), LATER_US, rows=100)
    expected = np.zeros(252, np.uint8)
    expected[[5, 120, 250]] = Verdict.MALFORMED, Verdict.MALFORMED, Verdict.OTHER_HOLDER
    assert done.verdicts.tolist() == expected.tolist()
    assert done.done.tolist() == (expected == 0).tolist()
    assert held(workspace, 1) == [n for n in range(250) if n not in (5, 120)] + [299]
    facts = [row.recorded.fact for row in workspace.facts(size)]
    assert all(isinstance(fact, TitlesMoved) and fact.statement == "statement" for fact in facts)
    assert [getattr(fact, "quantity", 0) for fact in facts] == [99 * TITLE_WH, 99 * TITLE_WH, 51 * TITLE_WH]
    assert workspace.store.litter() == 2  # guesses that did not hold; swept when it is next opened


def test_asked_again_it_changes_nothing_and_tells_what_was_done(workspace: Workspace) -> None:
    moves = sales(*range(120))
    moves["source"][3] = 2
    first = move_in_chunks(workspace, "bulk", Bulk(moves, TitleState.HELD, TOLD), LATER_US, rows=50)
    size = workspace.store.size()
    again = move_in_chunks(workspace, "bulk", Bulk(moves, TitleState.HELD, TOLD), LATER_US, rows=50)
    assert workspace.store.size() == size
    assert again.done.tolist() == first.done.tolist()
    assert again.verdicts.tolist() == first.verdicts.tolist()


def test_interrupted_it_goes_on_where_it_was(workspace: Workspace) -> None:
    def only_before(stop: int) -> Any:
        def check(_: World, part: Columns) -> None:
            if part["start"].max() >= stop * TITLE_WH:
                raise Refused("test.stopped", "Stopped.")

        return check

    bulk = Bulk(sales(*range(200)), TitleState.HELD, TOLD, check=only_before(100))
    with pytest.raises(Refused, match=r"test\.stopped"):
        move_in_chunks(workspace, "bulk", bulk, LATER_US, rows=50)
    assert held(workspace, 1) == list(range(100))
    bulk = Bulk(sales(*range(200)), TitleState.HELD, TOLD, check=only_before(200))
    assert move_in_chunks(workspace, "bulk", bulk, LATER_US, rows=50).done.all()
    assert held(workspace, 1) == list(range(200))
    workspace.store.sweep()
    assert workspace.store.litter() == 0


def test_whole_it_is_all_or_nothing(workspace: Workspace) -> None:
    before = workspace.read(lambda world: world.books.digest())
    moves = sales(*range(150))
    moves["source"][149] = 2
    with pytest.raises(Refused, match=r"titles\.other_holder") as caught:
        move_in_chunks(workspace, "bulk", Bulk(moves, TitleState.RETIRED, TOLD, whole=True), LATER_US, rows=50)
    assert caught.value.ids["row"] == "149"
    assert workspace.read(lambda world: world.books.digest()) == before
    moves["source"][149] = 0
    size = workspace.store.size()
    done = move_in_chunks(workspace, "again", Bulk(moves, TitleState.RETIRED, TOLD, whole=True), LATER_US, rows=50)
    assert done.done.all()
    assert workspace.store.size() == size + 1


def test_nothing_asked_nothing_done(workspace: Workspace) -> None:
    size = workspace.store.size()
    done = move_in_chunks(workspace, "none", Bulk(sales(), TitleState.HELD, TOLD), LATER_US)
    assert (len(done.done), len(done.verdicts), workspace.store.size()) == (0, 0, size)
    nobody = move_in_chunks(workspace, "all", Bulk(sales(1, 2, source=2), TitleState.HELD, TOLD), LATER_US)
    assert (nobody.verdicts.tolist(), workspace.store.size()) == ([Verdict.OTHER_HOLDER] * 2, size)


def test_columns_that_do_not_fit_are_refused_before_anything(workspace: Workspace) -> None:
    moves = sales(*range(10)) | {"target": np.full(10, 2**40)}
    with pytest.raises(Invalid, match=r"segment\.columns"):
        move_in_chunks(workspace, "bulk", Bulk(moves, TitleState.HELD, TOLD), LATER_US)
    assert dict(MOVES.fixed)["target"] == "int32"


def test_others_pass_between_chunks(workspace: Workspace) -> None:
    """An act that waits while a chunk is recorded comes before the next chunk."""
    waiting, sequence = threading.Event(), list[str]()

    def single() -> None:
        def decide(world: World) -> list[Entry]:
            sequence.append("single")
            span = (np.array([value]) for value in (ROOF, 299 * TITLE_WH, 300 * TITLE_WH))
            parts = world.books.titles[Right.ATTRIBUTE].parts(*span)
            return [moved(world, Right.ATTRIBUTE, parts, TitleState.HELD, TOLD, np.array([2], np.int32))]

        waiting.set()
        workspace.submit("single", b"", LATER_US, decide)

    client = threading.Thread(target=single)

    def check(_: World, part: Columns) -> None:
        sequence.append("chunk")
        if part["start"][0] == 0:
            client.start()
            waiting.wait()
            while not workspace.sequencer.waiting:
                pass

    bulk = Bulk(sales(*range(200)), TitleState.HELD, TOLD, check=check)
    move_in_chunks(workspace, "bulk", bulk, LATER_US, rows=50)
    client.join()
    assert sequence == ["chunk", "single", "chunk", "chunk", "chunk"]
    assert held(workspace, 2) == [299]
