"""Totals: how much went from where to where, over all links: a Sankey's figures, in whole units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.journal.register import UNITS
from penstock.journal.state import Books
from penstock.journal.words import LinkKind, RegisterKind, Unit

Ints = NDArray[Any]

GROUPS: Final = {"/export": "roofs/export", "/tariff": "roofs/tariff"}
"""Registers of one ending that are shown as one: by their ending, the name of the group."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What links of one kind carried between two registers, or groups of them, each side in its own unit."""

    link: LinkKind
    source: str
    target: str
    source_unit: Unit
    target_unit: Unit
    quantity_in: int
    quantity_out: int
    links: int
    is_loss: bool


def flows(books: Books, groups: Mapping[str, str] = GROUPS) -> list[Flow]:
    """Every pair of registers that links connect, by kind of link and then by number of register."""
    names, group = _grouped(books, groups)
    kinds = (kind for kind in LinkKind if kind is not LinkKind.CLAIM)  # which energy went where; a claim goes along
    return [flow for kind in kinds if books.links[kind] for flow in _flows_of(books, kind, names, group)]


def _flows_of(books: Books, kind: LinkKind, names: list[str], group: Ints) -> list[Flow]:
    links = books.links[kind].columns()
    source, target = group[links["source"]], group[links["target"]]
    pairs, slot = np.unique(source * len(names) + target, return_inverse=True)
    lost = books.registers.are(RegisterKind.LOSS)
    sums = []
    for side in ("source", "target"):
        total = np.zeros(len(pairs), dtype=np.int64)
        np.add.at(total, slot, links[f"{side}_stop"] - links[f"{side}_start"])
        sums.append(total.tolist())
    first = np.unique(slot, return_index=True)[1]
    ends = zip(links["source"][first].tolist(), links["target"][first].tolist(), strict=True)
    counts = np.bincount(slot, minlength=len(pairs)).tolist()
    return [
        Flow(
            link=kind,
            source=names[pair // len(names)],
            target=names[pair % len(names)],
            source_unit=UNITS[int(books.registers.unit_codes[one])],
            target_unit=UNITS[int(books.registers.unit_codes[other])],
            quantity_in=carried,
            quantity_out=filled,
            links=count,
            is_loss=bool(lost[other]),
        )
        for pair, (one, other), carried, filled, count in zip(pairs.tolist(), ends, *sums, counts, strict=True)
    ]


def _grouped(books: Books, groups: Mapping[str, str]) -> tuple[list[str], Ints]:
    """Names to show, and for each register the number of its name."""
    numbers: dict[str, int] = {}
    group = np.empty(len(books.registers), dtype=np.int64)
    for register in range(len(books.registers)):
        urn = books.registers.urn(register)
        shown = next((name for ending, name in groups.items() if urn.endswith(ending)), urn)
        group[register] = numbers.setdefault(shown, len(numbers))
    return list(numbers), group
