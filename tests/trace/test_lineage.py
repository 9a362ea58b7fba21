"""Lineage against a naive loop over every row, on random chains: the same tree, closing sums, there and back again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import NotFound
from penstock.journal.cutting import cut_at_rate, positions_of, ratio_down, tile_links
from penstock.journal.kinds.ledger import RegisterOpened
from penstock.journal.segment import Columns
from penstock.journal.state import Books
from penstock.journal.words import LinkKind, RegisterKind, Unit
from penstock.span import Span
from penstock.trace.lineage import Node, back, forward, trees_of
from penstock.trace.tree_text import amount, label, tree_lines
from penstock.trace.walk import walk_all
from penstock.units import MJ_PER_WH

ROOFS = tuple(f"roof-{number}/export" for number in range(3))
TOKENS = "rack/tokens"


@dataclass
class Chain:
    """Books with one random chain, from roofs to payees, and every link as plain integers for the naive loop."""

    books: Books = field(default_factory=Books)
    links: list[tuple[LinkKind, list[int]]] = field(default_factory=list)
    answers: list[Span] = field(default_factory=list)

    def open(self, urn: str, unit: Unit, kind: RegisterKind = RegisterKind.COUNTED) -> int:
        return self.books.registers.open(RegisterOpened(urn, unit, kind))

    def link(self, kind: LinkKind, columns: Columns) -> None:
        self.books.links[kind].add(columns)
        rows = zip(*(columns[name].tolist() for name in columns), strict=True)
        self.links += [(kind, list(row)) for row in rows]


def chain_of(seed: int) -> Chain:
    """A random chain: uneven roofs, several hours, answers down to nothing, dollars cut over payees."""
    dice, chain = np.random.Generator(np.random.PCG64(seed)), Chain()
    roofs = [chain.open(urn, Unit.WH) for urn in ROOFS]
    meter = chain.open("rack/import", Unit.WH)
    energy, time = chain.open("rack/energy", Unit.MJ), chain.open("rack/calendar", Unit.MS, RegisterKind.SCHEDULED)
    idle, tokens = chain.open("rack/idle", Unit.MJ, RegisterKind.LOSS), chain.open(TOKENS, Unit.TOKENS)
    money = [chain.open(urn, Unit.USDC_MICRO) for urn in ("answers/billed", "deal/collections", "deal/paid/A")]
    heads, import_at, token_at, time_at, idle_at = dict.fromkeys(roofs, 0), 0, 0, 0, 0
    for _ in range(int(dice.integers(1, 4))):
        given_wh = dice.integers(0, 9, len(roofs))
        starts = np.array([heads[roof] for roof in roofs]) + dice.integers(0, 3, len(roofs))
        at = positions_of(given_wh, import_at)
        rows = dict(tile_links(np.array(roofs, dtype=np.int32), at, meter, at))
        rows["source_start"], rows["source_stop"] = starts, starts + given_wh
        chain.link(LinkKind.ALLOCATE, rows)
        heads = dict(zip(roofs, (starts + given_wh).tolist(), strict=True))
        chain.link(LinkKind.CONVERT, cut_at_rate(meter, np.array([import_at, at[-1]]), energy, MJ_PER_WH, 1))
        lost = int(dice.integers(0, 1_000))
        start_mj, whole = import_at * MJ_PER_WH, int(given_wh.sum()) * MJ_PER_WH
        lost = min(lost, whole)
        sizes = dice.integers(0, 900, int(dice.integers(1, 12)))
        weights = positions_of(sizes)
        cuts = ratio_down(weights, whole - lost, max(int(weights[-1]), 1)) + start_mj + lost
        chain.link(
            LinkKind.WORK,
            tile_links(energy, np.array([start_mj, start_mj + lost]), idle, np.array([0, lost]) + idle_at),
        )
        times, token_spans = positions_of(sizes * 2, time_at), positions_of(sizes, token_at)
        chain.link(LinkKind.WORK, tile_links(energy, cuts, time, times))
        chain.link(LinkKind.SERVE, tile_links(time, times, tokens, token_spans))
        chain.link(LinkKind.BILL, cut_at_rate(tokens, token_spans, money[0], 13, 5))
        chain.answers += [Span(int(a), int(b)) for a, b in pairwise(token_spans)]
        import_at, token_at, time_at, idle_at = int(at[-1]), int(token_spans[-1]), int(times[-1]) + 50, idle_at + lost
    billed = token_at * 13 // 5
    cut = positions_of(np.array([billed // 3, billed // 4]))
    chain.link(LinkKind.PAY, tile_links(money[0], cut, money[1], cut))
    chain.link(LinkKind.PAY, tile_links(money[1], cut[:2], money[2], cut[:2]))
    return chain


Tree = tuple[object, ...]


def naive(chain: Chain, register: int, start: int, stop: int, *, is_back: bool) -> list[Tree]:
    """All that a span came from or became, by a loop over every link: (kind, register, start, stop, part, children)."""
    found = []
    for kind, (source, s0, s1, target, t0, t1) in chain.links:
        near, far = ((target, t0, t1), (source, s0, s1)) if is_back else ((source, s0, s1), (target, t0, t1))
        low, high = max(start, near[1]), min(stop, near[2])
        if near[0] != register or low >= high:
            continue
        own, other = near[2] - near[1], far[2] - far[1]
        first = far[1] + (low - near[1]) * other // own
        last = far[1] - (-(high - near[1]) * other // own)  # rounded up: every unit that is touched
        found.append((low, (kind, far[0], first, last, high - low, naive(chain, far[0], first, last, is_back=is_back))))
    return [tree for _, tree in sorted(found, key=lambda item: item[0])]


def plain(chain: Chain, node: Node) -> list[Tree]:
    """The same of a node's children."""
    return [
        (
            child.link,
            chain.books.registers.id_of(child.register),
            child.start,
            child.stop,
            child.part,
            plain(chain, child),
        )
        for child in node.children
    ]


def every(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from every(child)


chains = st.integers(0, 10_000).map(chain_of)
cuts = st.tuples(st.integers(0, 2_000_000), st.integers(0, 2_000_000)).map(sorted).map(lambda pair: Span(*pair))


@settings(max_examples=60, deadline=None)
@given(chain=chains, register=st.integers(0, 9), span=cuts, scale=st.sampled_from([1, 1_000, 100_000]))
def test_any_span_gives_the_tree_of_the_naive_loop(chain: Chain, register: int, span: Span, scale: int) -> None:
    span, urn = Span(span.start // scale, span.stop // scale), chain.books.registers.urn(register)
    for act, is_back in ((back, True), (forward, False)):
        node = act(chain.books, urn, span, children_most=10_000)
        assert plain(chain, node) == naive(chain, register, span.start, span.stop, is_back=is_back)


@settings(max_examples=60, deadline=None)
@given(chain=chains, register=st.integers(0, 9), span=cuts, most=st.integers(0, 4), joined=st.booleans())
def test_sums_close_at_every_node(chain: Chain, register: int, span: Span, most: int, joined: bool) -> None:
    urn = chain.books.registers.urn(register)
    for act in (back, forward):
        node = act(chain.books, urn, span, children_most=most, joined=joined)
        whole = act(chain.books, urn, span, children_most=10_000)
        assert node.closes
        assert whole.gap == node.gap
        assert sum(child.part for child in node.children) + node.folded_part == sum(one.part for one in whole.children)


@settings(max_examples=40, deadline=None)
@given(chain=chains, which=st.integers(0, 40))
def test_back_and_then_forward_returns_to_the_whole_answer(chain: Chain, which: int) -> None:
    answer = chain.answers[which % len(chain.answers)]
    origins = [
        leaf for leaf in every(back(chain.books, TOKENS, answer)) if not leaf.children and leaf.register in ROOFS
    ]
    reached = {
        token
        for leaf in origins
        for one in every(forward(chain.books, leaf.register, Span(leaf.start, leaf.stop), children_most=10_000))
        if one.register == TOKENS
        for token in range(one.start, one.stop)
    }
    fed = bool(back(chain.books, TOKENS, answer).children) and bool(origins)
    assert not fed or set(range(answer.start, answer.stop)) <= reached


def test_most_random_answers_have_origins() -> None:
    fed = [
        any(node.register in ROOFS for node in every(back(chain.books, TOKENS, answer)))
        for chain in map(chain_of, range(20))
        for answer in chain.answers
        if answer
    ]
    assert sum(fed) > 0.8 * len(fed) > 50


def test_a_walk_stops_where_it_is_told_and_says_so() -> None:
    chain = chain_of(3)
    node = back(chain.books, TOKENS, Span(0, 400), hops_most=2)
    leaves = {leaf.notes for leaf in every(node) if not leaf.children}
    assert leaves == {("not followed further",)}


def test_joined_links_count_and_cover_the_same() -> None:
    chain = chain_of(5)
    span = Span(0, chain.answers[-1].stop)
    one, other = (back(chain.books, TOKENS, span, joined=joined, children_most=10_000) for joined in (True, False))
    assert sum(child.links for child in one.children) == len(other.children) > len(one.children)
    assert sum(child.quantity for child in one.children) == sum(child.quantity for child in other.children)


def test_many_spans_at_once_give_the_trees_of_each() -> None:
    chain = chain_of(8)
    register = chain.books.registers.id_of(TOKENS)
    starts, stops = (np.array([getattr(span, end) for span in chain.answers]) for end in ("start", "stop"))
    found = walk_all(chain.books, np.full(len(starts), register), starts, stops, is_back=True)
    together = trees_of(chain.books, found, {})
    assert together == tuple(back(chain.books, TOKENS, span) for span in chain.answers)
    assert len(together) > 5


def test_an_unknown_register_is_refused() -> None:
    with pytest.raises(NotFound) as refusal:
        back(chain_of(1).books, "rack/none", Span(0, 1))
    assert refusal.value.code == "register.unknown"


def test_an_empty_span_has_no_history() -> None:
    node = back(chain_of(1).books, TOKENS, Span(5, 5))
    assert (node.children, node.gap, node.closes) == ((), 0, True)


def test_text_shows_gaps_folds_links_and_units() -> None:
    leaf = Node("roof/export", Unit.WH, 1_000, 3_000, 2_000, LinkKind.ALLOCATE, state="claimed", notes=("metered",))
    node = Node("rack/import", Unit.WH, 0, 5_000, 5_000, children=(leaf,), gap=1_000, folded=2, folded_part=2_000)
    assert node.closes
    assert list(tree_lines(node)) == [
        "rack/import 5,000 Wh [0, 5,000)",
        "  allocate: roof/export 2,000 Wh [1,000, 3,000) - claimed, metered",
        "  and 2 more: 2,000 Wh",
        "  gap: 1,000 Wh that no link accounts for",
    ]
    assert label(Node("x", Unit.TOKENS, 0, 7, 7, LinkKind.SERVE, links=3)) == "serve: x 7 tokens [0, 7) (3 links)"
    assert amount(1_234_567, Unit.USDC_MICRO) == "$1.234567"
    assert amount(MJ_PER_WH, Unit.MJ) == "3,600,000 mJ (1.000 Wh)"
