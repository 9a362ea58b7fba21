"""Whatever is done to the books, accepted or refused, the five laws hold; and the journal replays to the same books."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_story import (
    CALENDAR,
    COLLECTED,
    ENERGY,
    IDLE,
    IMPORT,
    LOSS,
    PRODUCER,
    ROOF,
    SECOND_ROOF,
    TOKENS,
    Story,
    opened,
    table,
)

from penstock.errors import Corrupt, PenstockError
from penstock.journal.formats import LINKS, MOVES, TITLES
from penstock.journal.kinds.capital import CollectionReceived
from penstock.journal.kinds.compute import CreditsSold
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.laws import breaches
from penstock.journal.links import allocate, cut_unlike
from penstock.journal.state import Books
from penstock.journal.words import LinkKind, Right

ROOFS = (ROOF, SECOND_ROOF)
roofs = st.sampled_from(ROOFS)
small = st.integers(1, 12)
shift = st.sampled_from([0, 0, 0, 0, -1, 1])
accounts = st.sampled_from([0, 1, 1, 1, 1, 2, 2, 3])
names = st.sampled_from(["world", "producer", "operator", "nobody"])
moves = st.tuples(roofs, st.integers(0, 60), small, accounts, accounts, st.sampled_from([0, 0, 0, 0, 1, 2, 3, 5]))
parts = st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=4)
acts = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.sampled_from((ROOF, SECOND_ROOF, IMPORT)), st.integers(-3, 60)),
        st.tuples(st.just("issue"), st.sampled_from((*ROOFS, *ROOFS, CALENDAR)), small, shift, accounts),
        st.tuples(st.just("move"), st.lists(moves, min_size=1, max_size=8)),
        st.tuples(st.just("allocate"), st.lists(st.tuples(st.integers(0, 80), small), min_size=2, max_size=2), small),
        st.tuples(st.just("convert"), small),
        st.tuples(st.just("work"), parts, small),
        st.tuples(st.just("serve"), st.lists(st.integers(0, 30), min_size=1, max_size=4), small),
        st.tuples(st.just("pay"), st.lists(st.tuples(names, names, st.integers(-1, 50)), max_size=4)),
        st.tuples(st.just("collect"), shift, small),
    ),
    max_size=25,
)  # fmt: skip


class Actors:
    """Acts on a story as use cases do: check first, then tell."""

    def __init__(self) -> None:
        self.story = opened()
        self.clock = 0
        for register in (ROOF, SECOND_ROOF, IMPORT):
            self.read(register, 90)
        for register, size in ((ROOF, 20), (SECOND_ROOF, 9), (ROOF, 7)):
            self.issue(register, size, 0, PRODUCER)
        self.convert(20)

    @property
    def books(self) -> Books:
        return self.story.books

    def read(self, register: int, step: int) -> None:
        self.clock += 1
        self.story.read([(register, self.clock, int(self.books.registers.read[register]) + step)])

    def issue(self, register: int, size: int, shift: int, holder: int) -> None:
        start = max(self.books.titles[Right.ENERGY].head(register) + shift, 0)
        rows = [(register, start, start + size, holder, 0), (register, start + size, start + 2 * size, holder, 0)]
        self.books.check_issue(Right.ENERGY, table(TITLES, rows))
        self.story.issue(rows, Right.ENERGY)

    def move(self, rows: list[tuple[int, ...]]) -> None:
        rows = [(r, start, start + size, *rest) for r, start, size, *rest in rows if rest[-1] == rows[0][-1]]
        verdicts = self.books.judge_moves(Right.ENERGY, table(MOVES, rows))
        accepted = [row for row, verdict in zip(rows, verdicts, strict=True) if verdict == 0]
        if accepted:
            self.story.move(accepted, Right.ENERGY)

    def allocate(self, sources: list[tuple[int, int]], quantity: int) -> None:
        start = np.array([low for low, _ in sources])
        stop = start + np.array([length for _, length in sources])
        filled = self.books.links[LinkKind.ALLOCATE].filled(IMPORT)
        self._link(LinkKind.ALLOCATE, allocate(np.array(ROOFS), start, stop, IMPORT, filled, quantity))

    def convert(self, size: int) -> None:
        start = self.books.links[LinkKind.CONVERT].spent(IMPORT)
        row = (IMPORT, start, start + size, ENERGY, start * 3_600_000, (start + size) * 3_600_000)
        self._link(LinkKind.CONVERT, table(LINKS, [row]))

    def work(self, parts: list[tuple[int, bool]], size: int) -> None:
        rows: list[tuple[int, ...]] = []
        start = self.books.links[LinkKind.WORK].spent(ENERGY)
        ends = {register: self.books.links[LinkKind.WORK].filled(register) for register in (CALENDAR, IDLE)}
        for time, idle in parts:
            target, length = (IDLE, size) if idle else (CALENDAR, time)
            rows.append((ENERGY, start, start + size, target, ends[target], ends[target] + length))
            start, ends[target] = start + size, ends[target] + length
        self._link(LinkKind.WORK, table(LINKS, rows), lost=sum(size for _, idle in parts if idle))

    def serve(self, tokens: list[int], total: int) -> None:
        book = self.books.links[LinkKind.SERVE]
        links = cut_unlike(CALENDAR, book.spent(CALENDAR), total, TOKENS, book.filled(TOKENS), np.array(tokens))
        self._link(LinkKind.SERVE, links)

    def _link(self, kind: LinkKind, links: Any, lost: int = 0) -> None:
        self.books.check_links(kind, links)
        self.story.link(kind, links, lost)

    def pay(self, transfers: list[tuple[str, str, int]]) -> None:
        posted = tuple(Transfer(source, target, amount, "") for source, target, amount in transfers)
        self.books.check_transfers(posted)
        self.story.tell(CreditsSold("class", "buyer", 1, posted))

    def collect(self, shift: int, size: int) -> None:
        start = int(self.books.registers.read[COLLECTED]) + shift
        self.story.tell(CollectionReceived("deal", "collected", start, start + size, ()))


def tell_all(acts: list[tuple[Any, ...]]) -> tuple[Story, int]:
    """The story of acts, and how many were accepted; a refused one changes nothing."""
    actors, accepted = Actors(), 0
    for name, *args in acts:
        before = actors.books.digest()
        try:
            getattr(actors, name)(*args)
            accepted += 1
        except PenstockError as error:
            assert not isinstance(error, Corrupt) or name in ("read", "collect")  # the two acts without a guard
            assert actors.books.digest() == before
    return actors.story, accepted


@settings(max_examples=120, deadline=None)
@given(acts)
def test_the_five_laws_hold_after_anything(acts: list[tuple[Any, ...]]) -> None:
    story, _ = tell_all(acts)
    assert breaches(story.books) == ()
    again = Books()
    for recorded, columns in story.told:
        again.apply(recorded, columns)
    assert again.digest() == story.books.digest()


def test_a_whole_chain_is_accepted() -> None:
    chain: list[tuple[Any, ...]] = [
        ("read", ROOF, 60), ("issue", ROOF, 30, 0, 1),
        ("move", [(ROOF, 5, 10, 1, 2, 0), (ROOF, 7, 3, 2, 1, 0)]), ("allocate", [(0, 40), (0, 20)], 40),
        ("convert", 40), ("work", [(30, False), (0, True), (20, False)], 9), ("serve", [3, 0, 9], 50),
        ("pay", [("world", "producer", 9), ("producer", "operator", 9)]), ("collect", 0, 5),
    ]  # fmt: skip
    assert tell_all(chain)[1] == len(chain)
    assert LOSS not in table(LINKS, [])["target"]
