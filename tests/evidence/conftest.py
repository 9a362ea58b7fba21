"""The small world, and the bundle of an answer that two roofs and two payees share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_world import SmallWorld

from penstock.journal.words import LinkKind
from penstock.trace.bundle import build_bundle
from penstock.trace.lineage import answer_span
from penstock.trace.walk import walk


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallWorld]:
    """A workspace made by the real use cases."""
    small = SmallWorld(Path(tmp_path_factory.mktemp("workspace")))
    yield small
    small.store.close()


@pytest.fixture(scope="session")
def number(small: SmallWorld) -> int:
    """An answer from two roofs that starts and ends within a Wh, and whose dollars went to at least one payee."""
    world = small.world
    books, rack = world.books, world.compute.racks["rack-1"]
    tokens = books.registers.id_of(rack.token_register)
    for number in range(len(books.links[LinkKind.SERVE])):
        back = walk(books, tokens, answer_span(books, rack, number), is_back=True).levels[-1]
        if len(back["row"]) > 1 and number:
            return number
    raise AssertionError("the small world has no such answer")


@pytest.fixture(scope="session")
def bundle(small: SmallWorld, number: int) -> bytes:
    """The proof of that answer."""
    return build_bundle(small.record, small.world.books, "rack-1", number)
