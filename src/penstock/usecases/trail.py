"""The audit trail: which facts concern an account or a span, and who did what.

Followed fact by fact as they are recorded, and kept as columns, so that what one account did is one comparison away
however much the others do.
"""

from __future__ import annotations

import threading
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import NotFound
from penstock.journal.fact import Recorded
from penstock.journal.growing import Growing, Layout
from penstock.journal.kinds.chain import ChainAdopted
from penstock.journal.kinds.lift import TitlesReturned
from penstock.period import iso
from penstock.usecases.concern import COLUMNS, SPANS, Concerns
from penstock.usecases.replay import segment_ref
from penstock.usecases.workspace import FactRow, Workspace

Row = dict[str, Any]
Ints = NDArray[Any]
OPERATOR: Final = "operator"
_SAID: Final = ("purpose", "beneficiary", "statement", "reason")


class Trail:
    """Which facts of a workspace concern whom and what. Threads may share it."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._lock = workspace, threading.Lock()
        self._concerns, self._followed = Concerns(), 0
        self._of = Growing({"seq": Layout("int64"), "account": Layout("int32")})
        self._on = Growing({name: Layout("int64") for name in ("seq", "register", "start", "stop")})
        self._badges: dict[int, int] = {}
        self._chain_id: int | None = None

    def chain_id(self) -> int:
        """The chain that the workspace has adopted. Raises NotFound ``chain.none``."""
        with self._lock:
            self._follow()
        if self._chain_id is None:
            raise NotFound("chain.none", "This workspace has adopted no chain yet.", hint="Run: penstock demo")
        return self._chain_id

    def badge(self, number: int) -> FactRow:
        """The fact of the burn that a badge was given for. Raises NotFound ``badge.unknown``."""
        with self._lock:
            self._follow()
            seq = self._badges.get(number)
        if seq is None:
            raise NotFound("badge.unknown", f"There is no badge {number}.", badge=number)
        return self.fact(seq)

    def seqs(self, account: str, start: int = 0) -> Ints:
        """Places of facts, from ``start`` on, that concern an account, in order.

        Raises:
            NotFound: ``account.unknown``.
        """
        with self._lock:
            self._follow()
            number = self._concerns.numbers.get(account)
            if number is None:
                raise NotFound("account.unknown", f"There is no account {account}.", name=account)
            seq = self._of["seq"]
            found: Ints = seq[(self._of["account"] == number) & (seq >= start)]
            return found

    def touching(self, register: int, start: int, stop: int) -> list[FactRow]:
        """The facts that issued, moved or linked a unit of ``[start, stop)`` of a register, in order."""
        with self._lock:
            self._follow()
            on = self._on
            near = (on["register"] == register) & (on["start"] < stop) & (on["stop"] > start)
            seqs = on["seq"][near].tolist()
        facts = [self.fact(seq) for seq in seqs]
        return [fact for fact in facts if self._touches(fact, register, start, stop)]

    def page(self, account: str, after: int, limit: int) -> tuple[int, list[Row]]:
        """How many facts concern an account, and ``limit`` of them as rows, newest first, after ``after`` others.

        Raises:
            NotFound: ``account.unknown``.
        """
        seqs = self.seqs(account)[::-1]
        return len(seqs), [who_did_what(self.fact(int(seq))) for seq in seqs[after : after + limit]]

    def fact(self, seq: int) -> FactRow:
        """The fact at a place."""
        return next(self._workspace.facts(seq, seq + 1))

    def _note(self, recorded: Recorded) -> None:
        """What the door asks of single facts."""
        if isinstance(recorded.fact, ChainAdopted):
            self._chain_id = recorded.fact.chain_id
        elif isinstance(recorded.fact, TitlesReturned) and recorded.fact.badge >= 0:
            self._badges[recorded.fact.badge] = recorded.seq

    def _touches(self, row: FactRow, register: int, start: int, stop: int) -> bool:
        ref, columns = segment_ref(row.recorded.fact), self._workspace.columns(row)
        if ref is None or columns is None:
            return False
        sides = [tuple(columns[name] for name in names) for names in SPANS[ref.format]]
        return any(bool(np.any((r == register) & (a < stop) & (b > start))) for r, a, b in sides)

    def _follow(self) -> None:
        for row in self._workspace.facts(self._followed, self._workspace.store.size()):
            self._note(row.recorded)
            ref = segment_ref(row.recorded.fact)
            named = ref.format if ref else ""
            columns = self._workspace.columns(row) if named in (COLUMNS.keys() | SPANS.keys()) else None
            found, seq = self._concerns.fold(row.recorded.fact, named, columns), row.recorded.seq
            self._of.add(len(found.accounts), seq=seq, account=found.accounts)
            self._on.add(len(found.register), seq=seq, register=found.register, start=found.start, stop=found.stop)
            self._followed = seq + 1


def who_did_what(row: FactRow) -> Row:
    """One fact for the doors: who did what, when, about how much, and why."""
    recorded, fact = row.recorded, row.recorded.fact
    said = {name: getattr(fact, name, "") for name in _SAID}
    quantity = getattr(fact, "quantity", None)
    return {
        "seq": recorded.seq,
        "at": iso(recorded.at_us),
        "kind": fact.KIND,
        "by": getattr(fact, "by", "") or OPERATOR,
        "right": str(getattr(fact, "right", "")),
        "state": str(getattr(fact, "state", "")),
        "quantity": quantity if isinstance(quantity, int) else None,
        **{name: text if isinstance(text, str) else "" for name, text in said.items()},
    }
