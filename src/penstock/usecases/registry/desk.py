"""The desk: submits an act under a key, and tells what became of it as rows for the doors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.errors import NotFound
from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import TitlesIssued, TitlesMoved
from penstock.journal.kinds.withdrawal import CertificatesWithdrawn
from penstock.journal.segment import Column, Columns
from penstock.journal.words import Right
from penstock.period import iso
from penstock.usecases.fleet import segment_of
from penstock.usecases.registry.selection import Named, spans_of
from penstock.usecases.workspace import FactRow, Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
ROWS_MAX = 1_000
"""No more certificates are listed in an answer; its sums are of all."""


@dataclass(frozen=True, slots=True)
class Done:
    """What an act recorded: its facts, each with the titles it issued or moved."""

    first_seq: int
    repeated: bool
    acts: tuple[Row, ...]

    def to_json(self) -> Row:
        """As the doors show it."""
        return {"first_seq": self.first_seq, "repeated": self.repeated, "acts": list(self.acts)}


def done(workspace: Workspace, key: str, asked: Any, at_us: int, decide: Callable[[World], Sequence[Entry]]) -> Done:
    """Submit an act and read back what it recorded; raises as ``decide`` and `Workspace.submit`."""
    receipt = workspace.submit(key, asked, at_us, decide)
    rows = list(workspace.facts(receipt.first_seq, receipt.first_seq + receipt.facts))
    acts = tuple(_act(workspace, row) for row in rows)
    return Done(receipt.first_seq, receipt.repeated, acts)


def _act(workspace: Workspace, row: FactRow) -> Row:
    fact = row.recorded.fact
    told: Row = {"seq": row.recorded.seq, "kind": fact.KIND, "at": iso(row.recorded.at_us)}
    if isinstance(fact, TitlesMoved):
        told |= {"right": fact.right.value, "state": fact.state.value, "quantity_wh": fact.quantity}
        told |= {"purpose": fact.purpose, "beneficiary": fact.beneficiary, "statement": fact.statement, "by": fact.by}
    elif isinstance(fact, TitlesIssued):
        told |= {"right": fact.right.value, "state": "held", "quantity_wh": fact.quantity}
    elif isinstance(fact, CertificatesWithdrawn):
        told |= {"quantity_wh": fact.quantity, "owed_wh": fact.owed, "purpose": fact.reason, "by": fact.by}
    else:
        return told
    columns = segment_of(workspace, row)
    first = {name: column[:ROWS_MAX] for name, column in columns.items()}
    listed = workspace.read(lambda world: spans(world, first))
    return told | {"certificates": listed, "certificates_count": len(columns["start"])}


def parts_of(world: World, name: Named) -> dict[str, Column]:
    """The titles under a certificate's name, cut to it; raises NotFound ``register.unknown``, ``titles.none``."""
    span = spans_of(world, [name])
    parts = world.books.titles[Right.ATTRIBUTE].parts(span["register"], span["start"], span["stop"])
    if not len(parts["start"]):
        raise NotFound("titles.none", "No certificate was issued for these units.", register=name.register)
    return parts


def spans(world: World, columns: Columns) -> list[Row]:
    """Spans by name, with how much lies in each [Wh]; where they came from and whose they are where that is there."""
    books, found = world.books, []
    for row in range(len(columns["start"])):
        start, stop = int(columns["start"][row]), int(columns["stop"][row])
        told: Row = {"register": books.registers.urn(int(columns["register"][row])), "start": start, "stop": stop}
        told["energy_wh"] = stop - start
        for name, column in (("source", "source"), ("holder", "target"), ("holder", "holder")):
            if column in columns:
                told[name] = books.accounts.name(int(columns[column][row]))
        found.append(told)
    return found
