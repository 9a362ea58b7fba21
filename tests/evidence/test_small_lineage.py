"""The lineage of a real workspace: states, notes, text and flows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from small_world import DAY, ROOFS, SmallWorld

from penstock.errors import NotFound
from penstock.journal.words import LinkKind, RegisterKind, TitleState
from penstock.span import Span
from penstock.trace.lineage import FIRST_IN_FIRST_OUT, Node, answer_span, back, forward, notes_of
from penstock.trace.totals import flows
from penstock.trace.tree_text import tree_lines
from penstock.units import MJ_PER_WH


def every(node: Node) -> Iterator[Node]:
    """A node and all below."""
    yield node
    for child in node.children:
        yield from every(child)


def test_an_answer_ends_at_claimed_metered_roofs(small: SmallWorld, number: int) -> None:
    books, rack = small.world.books, small.world.compute.racks["rack-1"]
    notes = notes_of(small.record.facts(), small.world.compute.racks)
    node = back(books, rack.token_register, answer_span(books, rack, number), notes=notes)
    leaves = [one for one in every(node) if not one.children]
    assert node.closes
    assert len(leaves) == 2
    assert {(leaf.state, leaf.notes[-1]) for leaf in leaves} == {(TitleState.CLAIMED.value, "metered")}
    assert "modelled" in node.notes
    assert [one.link for one in every(node)][:5] == [
        None, LinkKind.SERVE, LinkKind.WORK, LinkKind.CONVERT, LinkKind.ALLOCATE,
    ]  # fmt: skip


def test_each_answer_is_found_by_its_number(small: SmallWorld) -> None:
    books, rack = small.world.books, small.world.compute.racks["rack-1"]
    tokens = next(iter(small.record.columns(seq)["tokens"] for seq in _served(small)))
    spans = [answer_span(books, rack, number) for number in range(len(tokens))]
    assert [len(span) for span in spans] == tokens.tolist()
    for number in (-1, len(tokens)):
        with pytest.raises(NotFound) as refusal:
            answer_span(books, rack, number)
        assert refusal.value.code == "trace.no_answer"


def _served(small: SmallWorld) -> Iterator[int]:
    return (one.seq for one in small.record.facts() if one.fact.KIND == "answers.served")


def test_what_nobody_bought_is_unsold_and_reserves_say_their_convention(small: SmallWorld) -> None:
    books = small.world.books
    exported = int(books.registers.read[books.registers.id_of("roof-a/export")])
    node = forward(books, "roof-a/export", Span(0, exported))
    assert node.closes
    assert node.gap > 0
    assert any(line.strip().startswith("gap: ") for line in tree_lines(node))
    last = forward(books, "roof-a/export", Span(exported - 1, exported))
    assert (last.children, last.notes, last.state) == ((), ("unsold",), "held")
    reserve = back(books, "first/account/dsra", Span(0, 10))
    assert FIRST_IN_FIRST_OUT in reserve.notes


def test_a_tariff_leads_back_to_roofs(small: SmallWorld) -> None:
    node = back(small.world.books, "roof-b/tariff", Span(0, 1_000_000), joined=True)
    assert node.closes
    assert {one.register for one in every(node) if not one.children} <= {f"{roof}/export" for roof in ROOFS}
    assert node.children[0].register == "first/paid/roofs"


def test_idle_is_a_named_loss(small: SmallWorld) -> None:
    books = small.world.books
    node = forward(books, "rack-1/energy", Span(0, MJ_PER_WH))
    assert node.children[0].notes == ("loss: idle",)


def test_flows_carry_what_links_carry(small: SmallWorld) -> None:
    books = small.world.books
    found = flows(books)
    assert not [flow for flow in found if flow.link is LinkKind.CLAIM]  # it goes along with the energy
    for kind in set(LinkKind) - {LinkKind.CLAIM}:
        links = books.links[kind].columns()
        of_kind = [flow for flow in found if flow.link is kind]
        for side, name in (("source", "quantity_in"), ("target", "quantity_out")):
            total = int((links[f"{side}_stop"] - links[f"{side}_start"]).sum())
            assert sum(getattr(flow, name) for flow in of_kind) == total
        assert sum(flow.links for flow in of_kind) == len(books.links[kind])
    assert {flow.target for flow in found if flow.is_loss} == {"rack-1/idle"}
    assert books.registers.kind(books.registers.id_of("rack-1/idle")) is RegisterKind.LOSS
    assert DAY.start_us < DAY.stop_us
