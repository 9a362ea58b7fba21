"""The small world, and the bundle of an answer that two roofs and two payees share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_world import SmallWorld
from sold_world import RACK, SoldWorld
from stored_world import DISCHARGE, StoredWorld

from penstock.journal.words import LinkKind
from penstock.span import Span
from penstock.trace.bundle import build_bundle, build_certificate_bundle
from penstock.trace.lineage import answer_span
from penstock.trace.walk import walk

FATES = {"claimed": "stored", "withdrawn": "bare"}
"""What a certificate of the battery is called in `lives`, by its state."""


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


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoredWorld]:
    """A workspace with a battery, and certificates of every fate."""
    stored = StoredWorld(Path(tmp_path_factory.mktemp("stored")))
    yield stored
    stored.store.close()


@pytest.fixture(scope="session")
def lives(stored: StoredWorld) -> dict[str, bytes]:
    """Bundles of certificates by their fate, and of an answer whose energy was stored."""
    spans = dict(stored.spans)
    for register, start, stop, state, holder in stored.titles():
        if state == "claimed" and holder == "roof-b" and stop - start > 1:
            spans["home"] = (register, start, stop)
        if register == DISCHARGE and state in FATES:
            spans.setdefault(FATES[state], (register, start, stop))
    books, record = stored.world.books, stored.record
    found = {
        name: build_certificate_bundle(record, books, register, Span(start, stop))
        for name, (register, start, stop) in spans.items()
    }
    return found | {"answer": build_bundle(record, books, "rack-1", stored.evening)}


@pytest.fixture(scope="session")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoldWorld]:
    """A workspace with answers that were sold one by one."""
    sold = SoldWorld(Path(tmp_path_factory.mktemp("sold")))
    with sold.plant.workspace:
        yield sold


@pytest.fixture(scope="session")
def sold_bundle(sold: SoldWorld) -> bytes:
    """The proof of an answer of its second report."""
    return build_bundle(sold.record, sold.world.books, RACK, 7)
