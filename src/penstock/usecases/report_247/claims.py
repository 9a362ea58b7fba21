"""Certificates behind a consumption: those claimed for its very Wh, and those retired in its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from penstock.journal.fact import FactBody
from penstock.journal.kinds.energy import SpansLinked, TitlesMoved
from penstock.journal.segment import Column, Columns
from penstock.journal.words import TITLE_STATES, LinkKind, Right, TitleState
from penstock.period import HOUR_US, Period
from penstock.usecases.report_247.request import Scope
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

_NAMES: Final = ("row", "start", "stop", "interval_us", "lot", "link", "source", "source_start", "source_stop")
_NONE: Final = (-1, {name: np.zeros(0, dtype=np.int64) for name in ("register", "start", "stop")})


@dataclass(frozen=True, slots=True, eq=False)
class Used:
    """Certificates used, as columns.

    ``claims``: ``row`` of the scope that drew [start, stop), the certificate's ``source`` span, ``interval_us`` and
    ``lot``, and the ``link`` (its number among claims). ``retired``: parts of titles, with the ``seq`` of their fact.
    """

    claims: dict[str, Column]
    retired: dict[str, Column]


def claims_of(world: World, scope: Scope) -> dict[str, Column]:
    """Certificates claimed for what the scope's registers drew, in order of what they are claimed for."""
    links = world.books.links[LinkKind.CLAIM].columns()
    rows_of = scope.row_of(len(world.books.registers))
    link = np.flatnonzero(rows_of[links["target"]] >= 0)
    mine = {name: column[link] for name, column in links.items()}
    parts = world.books.titles[Right.ATTRIBUTE].parts(mine["source"], mine["source_start"], mine["source_stop"])
    query = parts["query"]
    start = mine["target_start"][query] + parts["start"] - mine["source_start"][query]
    found = {
        "row": rows_of[mine["target"]][query].astype(np.int64),
        "start": start,
        "stop": start + parts["stop"] - parts["start"],
        "interval_us": parts["interval_us"],
        "lot": parts["lot"].astype(np.int64),
        "link": link[query],
        "source": parts["register"],
        "source_start": parts["start"],
        "source_stop": parts["stop"],
    }
    order = np.lexsort((found["start"], found["row"]))
    return {name: found[name][order] for name in _NAMES}


def hour_of(claims: Columns, period: Period) -> Column:
    """The hour of each certificate, counted from the period's start; it may lie outside."""
    hours: Column = (claims["interval_us"] - period.start_us) // HOUR_US
    return hours


def retired_for(workspace: Workspace, size: int, names: frozenset[str], period: Period) -> dict[str, Column]:
    """Certificates of the period retired for one of ``names`` and claimed for no particular Wh."""
    moves = [(seq, columns) for seq, fact, columns in _moves(workspace, size) if fact.beneficiary in names]
    found = workspace.read(lambda world: [_retired(world, columns, seq, period) for seq, columns in [_NONE, *moves]])
    return {name: np.concatenate([one[name] for one in found]) for name in found[0]}


def _moves(workspace: Workspace, size: int) -> Iterator[tuple[int, TitlesMoved, Columns]]:
    for row in workspace.facts(0, size):
        fact = row.recorded.fact
        if isinstance(fact, TitlesMoved) and (fact.right, fact.state) == (Right.ATTRIBUTE, TitleState.RETIRED):
            columns = workspace.columns(row)
            if columns is not None:
                yield row.recorded.seq, fact, columns


def _retired(world: World, spans: Columns, seq: int, period: Period) -> dict[str, Column]:
    parts = world.books.titles[Right.ATTRIBUTE].parts(spans["register"], spans["start"], spans["stop"])
    inside = (parts["interval_us"] >= period.start_us) & (parts["interval_us"] < period.stop_us)
    inside &= parts["state"] == TITLE_STATES.index(TitleState.RETIRED)
    picked = {name: parts[name][inside] for name in ("register", "start", "stop", "interval_us", "lot")}
    return picked | {"seq": np.full(int(inside.sum()), seq, dtype=np.int64)}


def claim_facts(facts: Sequence[tuple[int, FactBody]], world: World) -> dict[str, Column]:
    """The fact of each link of a claim, by the link's number: ``seq``, and ``row`` of its segment.

    The world may be further than ``facts``: links of later facts are not there.
    """
    seqs = [seq for seq, fact in facts if isinstance(fact, SpansLinked) and fact.link is LinkKind.CLAIM]
    book = world.books.links[LinkKind.CLAIM]
    begins, known = book.batches[: len(seqs)], book.batches[len(seqs) : len(seqs) + 1]
    sizes: Any = np.diff(np.concatenate([begins, known if len(known) else [len(book)]]))
    return {
        "seq": np.repeat(np.array(seqs, dtype=np.int64), sizes),
        "row": np.arange(int(sizes.sum())) - np.repeat(begins, sizes),
    }
