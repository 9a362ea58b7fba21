"""A lineage as indented lines of text, gaps and folded children included, for a terminal or a log."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.journal.words import Unit
from penstock.trace.lineage import Node
from penstock.units import MJ_PER_WH

INDENT = "  "


def tree_lines(node: Node, depth: int = 0) -> Iterator[str]:
    """The lines of a tree, children indented below their parent."""
    yield f"{INDENT * depth}{label(node)}"
    for child in node.children:
        yield from tree_lines(child, depth + 1)
    inner = INDENT * (depth + 1)
    if node.folded:
        yield f"{inner}and {node.folded:,} more: {amount(node.folded_part, node.unit)}"
    if node.gap:
        yield f"{inner}gap: {amount(node.gap, node.unit)} that no link accounts for"


def label(node: Node) -> str:
    """One line: what links it, the register, the quantity, the very units, state and notes."""
    said = [part for part in (node.state, *node.notes) if part]
    words = f"{node.link.value}: " if node.link else ""
    count = f" ({node.links:,} links)" if node.links > 1 else ""
    tail = f" - {', '.join(said)}" if said else ""
    return f"{words}{node.register} {amount(node.quantity, node.unit)} [{node.start:,}, {node.stop:,}){count}{tail}"


def amount(count: int, unit: Unit) -> str:
    """A quantity in the words of its unit: mJ with their Wh, micro-dollars as dollars, all digits kept."""
    if unit is Unit.USDC_MICRO:
        return f"${count // 1_000_000:,}.{count % 1_000_000:06d}"
    if unit is Unit.MJ:
        return f"{count:,} mJ ({count / MJ_PER_WH:,.3f} Wh)"
    return f"{count:,} {unit.value}"
