"""What the meters behind a deal's assets counted in a period: a span of each register, from the record's readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from penstock.capital.pooled import Ints
from penstock.journal.kinds.energy import ReadingsVerified
from penstock.journal.segment import Columns
from penstock.journal.words import Unit
from penstock.period import Period
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Registers in order, with the row of the asset each belongs to, unit, and span [start, stop) of the period."""

    register: list[str]
    asset: Ints
    unit: list[str]
    start: Ints
    stop: Ints
    facts: list[int]


def counted(workspace: Workspace, registers: Sequence[Sequence[str]], period: Period, size: int) -> Counted:
    """The span each asset's registers ran through in ``period``; of one that no meter reads, all it ever counted.

    A register that the record does not know is left out.
    """
    found = workspace.read(lambda world: _known(world, registers))
    numbers = np.array([number for _, _, number, _, _ in found], dtype=np.int64)
    ends = np.array([read for *_, read in found], dtype=np.int64)
    start, stop, seen, facts = np.zeros_like(ends), np.zeros_like(ends), np.zeros(len(ends), dtype=bool), []
    for row in workspace.facts(0, size) if len(numbers) else ():
        if isinstance(row.recorded.fact, ReadingsVerified) and row.recorded.fact.segment.rows:
            columns = workspace.columns(row) or {}
            if _advance(columns, numbers, period, start, stop, seen):
                facts.append(row.recorded.seq)
    return Counted(
        register=[urn for urn, *_ in found],
        asset=np.array([asset for _, asset, *_ in found], dtype=np.int64),
        unit=[unit for *_, unit, _ in found],
        start=np.where(seen, start, 0),
        stop=np.where(seen, stop, ends),
        facts=facts,
    )


def _known(world: World, registers: Sequence[Sequence[str]]) -> list[tuple[str, int, int, str, int]]:
    book = world.books.registers
    rows = [(urn, asset) for asset, names in enumerate(registers) for urn in names if urn in book]
    numbered = [(urn, asset, book.id_of(urn)) for urn, asset in rows]
    return [
        (urn, asset, number, Unit(book.unit(number)).value, int(book.read[number])) for urn, asset, number in numbered
    ]


def _advance(
    columns: Columns,
    numbers: Ints,
    period: Period,
    start: Ints,
    stop: Ints,
    seen: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> bool:
    """Carry the positions of accepted readings to the period's two ends; whether any was of these registers."""
    order = np.argsort(numbers, kind="stable")
    at = np.searchsorted(numbers[order], columns["register"])
    known = (at < len(numbers)) & (columns["verdict"] == 0)
    known[known] = numbers[order][at[known]] == columns["register"][known]
    place, when, position = order[at[known]], columns["at_us"][known], columns["position_wh"][known]
    before = when <= period.start_us
    within = when <= period.stop_us
    np.maximum.at(start, place[before], position[before])
    np.maximum.at(stop, place[within], position[within])
    seen[place] = True
    return bool(len(place))
