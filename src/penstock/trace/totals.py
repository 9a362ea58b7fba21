"""Totals: how much went from where to where, over all links: a Sankey's figures, in whole units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.journal.register import UNITS
from penstock.journal.state import Books
from penstock.journal.words import TITLE_STATES, LinkKind, RegisterKind, Right, TitleState, Unit

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


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures of the whole chain.

    ``unsold_wh`` is certified energy that no link allocated; ``exported_wh`` less ``certified_wh`` has no certificate
    yet. ``waterfall`` is what collections and reserves paid, by payee.
    """

    exported_wh: int
    certified_wh: int
    claimed_wh: int
    unsold_wh: int
    imported_wh: int
    answers_mj: int
    idle_mj: int
    answers: int
    tokens: int
    billed_usdc_micro: int
    collected_usdc_micro: int
    tariff_usdc_micro: int
    waterfall: tuple[tuple[str, int], ...]


def totals(books: Books) -> Totals:
    """The figures from the books' columns, in one pass a kind of link."""
    issuing = books.registers.issues(Right.ATTRIBUTE)
    attributes = books.titles[Right.ATTRIBUTE]
    certified = int(attributes.heads(len(books.registers))[issuing].sum())
    found = flows(books)
    work, pay = _of(found, LinkKind.WORK), _of(found, LinkKind.PAY)
    served = _of(found, LinkKind.SERVE)
    allocated = sum(flow.quantity_in for flow in _of(found, LinkKind.ALLOCATE))
    return Totals(
        exported_wh=int(books.registers.read[issuing].sum()),
        certified_wh=certified,
        claimed_wh=_spent_wh(books),
        unsold_wh=certified - allocated,
        imported_wh=sum(flow.quantity_out for flow in _of(found, LinkKind.ALLOCATE)),
        answers_mj=sum(flow.quantity_in for flow in work if not flow.is_loss),
        idle_mj=sum(flow.quantity_in for flow in work if flow.is_loss),
        answers=sum(flow.links for flow in served),
        tokens=sum(flow.quantity_out for flow in served),
        billed_usdc_micro=sum(flow.quantity_out for flow in _of(found, LinkKind.BILL)),
        collected_usdc_micro=sum(flow.quantity_out for flow in pay if flow.target.endswith("/collections")),
        tariff_usdc_micro=sum(flow.quantity_out for flow in pay if flow.target == GROUPS["/tariff"]),
        waterfall=_waterfall(pay),
    )


def flows(books: Books, groups: Mapping[str, str] = GROUPS) -> list[Flow]:
    """Every pair of registers that links connect, by kind of link and then by number of register."""
    names, group = _grouped(books, groups)
    return [flow for kind in LinkKind if books.links[kind] for flow in _flows_of(books, kind, names, group)]


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


def _of(found: list[Flow], kind: LinkKind) -> list[Flow]:
    return [flow for flow in found if flow.link is kind]


def _spent_wh(books: Books) -> int:
    """Attributes used up: claimed or retired [Wh]."""
    balances = books.titles[Right.ATTRIBUTE].balances(len(books.accounts)).sum(axis=0)
    return sum(int(balances[TITLE_STATES.index(state)]) for state in (TitleState.CLAIMED, TitleState.RETIRED))


def _waterfall(pay: list[Flow]) -> tuple[tuple[str, int], ...]:
    """Paid out of collections and reserves, by where it went, in order of first appearance."""
    steps: dict[str, int] = {}
    for flow in pay:
        if "/collections" in flow.source or "/account/" in flow.source:
            steps[flow.target] = steps.get(flow.target, 0) + flow.quantity_out
    return tuple(steps.items())
