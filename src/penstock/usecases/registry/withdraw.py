"""Withdraw: the issuer takes certificates back, reaching what was built on them.

What nobody used is withdrawn, also certificates of a storage's discharge that came of it. What somebody used stands,
and the issuer owes it: what the register issues next is withdrawn at once (`journal.withdrawal`, `journal.debt`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from penstock.errors import Invalid
from penstock.journal.fact import Entry
from penstock.journal.formats import MOVES, SPANS
from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.kinds.withdrawal import CertificatesWithdrawn
from penstock.journal.segment import Columns, Segment
from penstock.journal.withdrawal import Reach
from penstock.journal.words import TITLE_STATES, Right, TitleState
from penstock.usecases.registry.desk import Done, done
from penstock.usecases.registry.retire import check_text
from penstock.usecases.registry.selection import Selection, quantity_of, select
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

STANDING: Final = tuple(state for state in TitleState if state is not TitleState.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The issuer takes certificates back, whoever has them; ``reason`` and ``statement`` are public."""

    selection: Selection
    reason: str
    statement: str = ""
    by: str = ""


def withdraw(world: World, asked: Withdrawal, _at_us: int) -> list[Entry]:
    """The facts of a withdrawal: what is taken back and what of it is owed, then the titles that are withdrawn.

    Raises:
        Invalid: ``withdraw.reason`` without a reason, ``retire.text``. Conflict: ``withdraw.twice``. As `select` and
        `check_may`: the registry's operator withdraws.
    """
    parts = select(world, None, asked.selection, STANDING)
    spans = {name: parts[name] for name in ("register", "start", "stop")}
    return withdraw_spans(world, spans, asked.reason, asked.statement, asked.by)


def withdraw_spans(world: World, spans: Columns, reason: str, statement: str, by: str) -> list[Entry]:
    """As `withdraw`, of spans as columns: register numbers, start, stop."""
    check_text(reason, statement)
    if not reason.strip():
        raise Invalid("withdraw.reason", "A withdrawal says why.")
    world.participants.check_may(by, "", "withdraw")
    found = world.books.reach(spans)
    segment = Segment(SPANS, spans)
    owed = int(found.owed.sum())
    fact = CertificatesWithdrawn(segment.ref(), reason, statement, by, quantity_of(spans), owed)
    return [Entry(fact, segment), *_moved(found, reason, statement, by)]


def _moved(found: Reach, reason: str, statement: str, by: str) -> list[Entry]:
    titles: Columns = found.titles
    if not len(titles["start"]):
        return []
    columns = {name: titles[name] for name in ("register", "start", "stop")}
    columns |= {"source": titles["holder"], "target": titles["holder"]}
    columns["state"] = np.full(len(titles["start"]), TITLE_STATES.index(TitleState.WITHDRAWN), dtype=np.uint8)
    segment = Segment(MOVES, columns)
    quantity = quantity_of(columns)
    fact = TitlesMoved(segment.ref(), Right.ATTRIBUTE, TitleState.WITHDRAWN, reason, "", quantity, statement, by=by)
    return [Entry(fact, segment)]


def withdraw_on(workspace: Workspace, key: str, asked: Withdrawal, at_us: int) -> Done:
    """Record a withdrawal under a key; the same key again tells what it did. Raises as `withdraw`."""
    return done(workspace, key, asked, at_us, lambda world: withdraw(world, asked, at_us))
