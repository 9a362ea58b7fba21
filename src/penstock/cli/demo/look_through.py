"""One answer's lineage as hops for a picture and as rows for a table: quantity, who vouches for it, its state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from penstock.cli.demo.pictures.svg import clock
from penstock.cli.demo.pictures.walk import Hop, Part
from penstock.journal.words import LinkKind
from penstock.period import parse_iso
from penstock.trace.lineage import Node
from penstock.trace.tree_text import amount

_HOPS: Final = {
    "/export": ("roofs", "certified, then claimed", "sun", "each roof's own meter (Ed25519)"),
    "/charge": ("battery, charging", "certified, then claimed", "store", "the battery's own meter (Ed25519)"),
    "/discharge": ("battery, giving back", "certified again, claimed", "store", "the battery's own meter (Ed25519)"),
    "/import": ("rack's meter", "same hour; draw modelled", "sun", "the rack's own meter (Ed25519)"),
    "/energy": ("share of the energy", "by tokens; modelled", "work", "the operator's signed journal"),
    "/calendar": ("accelerator time", "", "work", "the operator's signed journal"),
    "/tokens": ("the answer", "", "work", "the operator's signed journal"),
    "/billed": ("billed", "at the credit's price", "money", "the buyer's receipt (EIP-712)"),
    "/collect": ("collected", "into the deal", "money", "the credit contract, on chain"),
    "/tariff": ("a roof's tariff", "", "sun", "the dollar contract, on chain"),
}
"""By the ending of a register: plain word, note, style, who signs."""
_NOON: Final = ("/export", "/charge")
"""Where energy that went through the battery was before its evening."""
_PAID: Final = ("paid", "by the waterfall", "money", "the deal contract, on chain")


def hops(traced: dict[str, Any], quorum: str, holders: dict[str, int]) -> list[Hop]:
    """The walk from the roofs to who was paid, of an answer as traced; ``quorum`` says who signed the report."""
    made, used = _clocks(traced["answer_hours"]), _clocks(traced.get("used_hours", traced["answer_hours"]))
    back = reversed(list(_levels([traced["back"]])))
    up = [_hop(level, made if _ending(level[0]) in _NOON else used, "") for level in back]
    down = [_hop(level, "", quorum) for level in list(_levels([traced["forward"]]))[1:]]
    return [*up, *down, *_coupons(traced["forward"], holders)]


def _clocks(hours: Sequence[str]) -> str:
    return ", ".join(clock(parse_iso(hour)) for hour in hours)


def _ending(node: Node) -> str:
    return "/" + node.register.rpartition("/")[2]


def rows(figures: dict[str, Any]) -> list[tuple[int, str, str, str, str, str]]:
    """Every hop of both trees: depth, link, register, quantity, its very units, state and notes."""
    back, forward = figures["back"], figures["forward"]
    found = [*_rows(back, 0), *(row for child in forward.children for row in _rows(child, 1))]
    return [
        (
            depth,
            node.link.value if node.link else "the answer",
            node.register,
            amount(node.quantity, node.unit),
            f"[{node.start:,}, {node.stop:,})",
            ", ".join(part for part in (node.state, *node.notes) if part),
        )
        for depth, node in found
    ]


def _rows(node: Node, depth: int) -> Iterator[tuple[int, Node]]:
    yield depth, node
    for child in node.children:
        yield from _rows(child, depth + 1)


def _levels(nodes: Sequence[Node]) -> Iterator[list[Node]]:
    """Nodes of one depth after the other; delivery of credits is beside the money and is left to the table."""
    while nodes:
        yield list(nodes)
        nodes = [child for node in nodes for child in node.children if child.link is not LinkKind.DELIVER]


def _hop(level: Sequence[Node], when: str, quorum: str) -> Hop:
    first = level[0]
    ending = _ending(first)
    word, note, style, signed = _PAID if "/paid/" in first.register else _HOPS.get(ending, (ending[1:], "", "work", ""))
    said = {_short(part): None for node in level for part in (node.state, *node.notes) if part}
    if style in ("sun", "store") and when:
        said = {when: None, **said}
    if "/paid/" in first.register and quorum:
        said = {quorum: None}
    parts = tuple(_part(node) for node in level)
    return Hop(word, note, style, parts, signed, ", ".join(said))


def _short(note: str) -> str:
    """A note in the width of a picture; the table has it whole."""
    return "whole Wh, edges shared" if note.startswith("whole Wh") else note


def _part(node: Node) -> Part:
    quantity = amount(node.quantity, node.unit)
    title = f"{node.register} [{node.start:,}, {node.stop:,}): {quantity}"
    return Part(node.register, quantity, max(node.quantity, 1), title)


def _coupons(forward: Node, holders: dict[str, int]) -> Iterator[Hop]:
    """The last step has no addresses: a balance is shared pro rata, and the picture says so."""
    last = list(_levels([forward]))[-1]
    parts = tuple(
        Part(
            f"{holders[name]:,} holders of {name}, by their shares",
            amount(node.quantity, node.unit),
            node.quantity,
            name,
        )
        for node in last
        if (name := node.register.rpartition("/")[2]) in holders and "/paid/" in node.register
    )
    if parts:
        yield Hop(
            "coupons",
            "pro rata",
            "money",
            parts,
            "each holder's own withdrawal",
            "a balance has no addresses: shared pro rata",
        )
