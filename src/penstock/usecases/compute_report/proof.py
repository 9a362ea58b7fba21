"""Proof of one answer, told shortly: the meters it came from, its energy, and what its dollars became."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from penstock.journal.words import Unit
from penstock.trace.lineage import Node
from penstock.usecases.compute_report.work import find_rack
from penstock.usecases.prove import trace_answer
from penstock.usecases.workspace import Workspace

Row = dict[str, Any]


def proof_of(workspace: Workspace, rack: str, number: int) -> Row:
    """An answer traced both ways. What no link accounts for is told as ``gap``, in the unit where it opens.

    Raises:
        NotFound: ``compute.which_rack``, ``trace.no_answer``.
    """
    named = workspace.read(lambda world: find_rack(world, rack).rack)
    back, forward = trace_answer(workspace, named, number)
    return {
        "rack": named,
        "number": number,
        "tokens": back.quantity,
        "energy_mj": _parts(back, Unit.MJ),
        "sources": _ends(back, Unit.WH),
        "paid_usdc_micro": _parts(forward, Unit.USDC_MICRO),
        "reached": _ends(forward, Unit.USDC_MICRO),
        "closes": back.closes and forward.closes,
        "gaps": [*_gaps(back), *_gaps(forward)],
        "notes": sorted({note for side in (back, forward) for node in every(side) for note in node.notes}),
    }


def every(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    for child in node.children:
        yield from every(child)


def _parts(top: Node, unit: Unit) -> int:
    """Units where a trace first reaches a unit; those below are parts of them."""
    if top.unit is unit:
        return top.quantity
    return sum(_parts(child, unit) for child in top.children)


def _ends(top: Node, unit: Unit) -> list[Row]:
    """Where a trace ends in a unit, by register, most first."""
    ends = Counter[str]()
    for node in every(top):
        if node.unit is unit and not node.children:
            ends[node.register] += node.quantity
    return [{"ends_at": name, "quantity": ends[name], "unit": unit.value} for name, _ in ends.most_common()]


def _gaps(top: Node) -> list[Row]:
    return [
        {"ends_at": node.register, "unit": node.unit.value, "quantity": node.gap} for node in every(top) if node.gap
    ]
