"""Audit: the record byte by byte, then the five laws over the books it makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from penstock.compute.capacity_laws import capacity_holds
from penstock.compute.work_laws import work_holds
from penstock.errors import PenstockError, Unverified
from penstock.journal.finding import Finding, finding
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.work import EnergySealed, SalesCollected, WorkStated
from penstock.journal.laws import breaches
from penstock.store.opening import open_store
from penstock.store.ports import Store
from penstock.usecases.audit_record import RECORD, audit_record
from penstock.usecases.correct import debts
from penstock.usecases.recheck_work import WorkRecheck
from penstock.usecases.replay import read_back, replay, sealed_of
from penstock.usecases.world import World

WORK: Final = (WorkStated.KIND, EnergySealed.KIND, SalesCollected.KIND)
BEHIND: Final = 6
"""How far behind its statement a report's last facts stand, which are of kinds that others have too."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit looked at and all it found; clean where ``findings`` is empty.

    ``debts`` are what issuers owe, register by register, as `correct.debts`: no breach, but nobody should miss it.
    """

    findings: tuple[Finding, ...]
    checked: dict[str, int]
    root: bytes
    debts: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "clean": not self.findings,
            "root": self.root.hex(),
            "checked": self.checked,
            "debts": list(self.debts),
            "findings": [
                {"law": one.law, "code": one.code, "message": one.message, **dict(one.ids)} for one in self.findings
            ],
        }


def audit_workspace(path: Path) -> Audit:
    """Audit a workspace beside whoever writes it; changes nothing.

    Raises:
        NotFound: ``store.no_workspace``. What is wrong with the record or the books is found, not raised.
    """
    with open_store(path, read_only=True) as store:
        findings = list(audit_record(store, KINDS))
        world = World()
        try:
            replay(store, KINDS, world)
        except PenstockError as error:
            if not findings:
                findings.append(finding(RECORD, error.code, error.message))
        else:
            findings += [*breaches(world.books), *capacity_holds(world.capacity)]
            findings += work_holds(world.work, world.compute.racks, world.books.registers)
            findings += _work_differs(store, world)
        return Audit(tuple(findings), _checked(store, world), store.tree().root(), tuple(debts(world)))


def _work_differs(store: Store, world: World) -> Iterator[Finding]:
    """Statements, sealed energy and sales, checked as an attester does."""
    recheck, near = WorkRecheck(world), -1
    for stored in store.facts():
        if stored.kind == WorkStated.KIND:
            near = stored.seq + BEHIND
        if stored.kind in WORK or stored.seq <= near:
            recorded = read_back(KINDS, stored)
            sealed = sealed_of(store, stored, recorded)
            try:
                recheck.before(recorded, {} if sealed is None else sealed.columns)  # empty is not none
            except Unverified as error:
                yield finding(3, error.code, error.message, seq=stored.seq, kind=stored.kind)


def _checked(store: Store, world: World) -> dict[str, int]:
    books = world.books
    return {
        "facts": store.size(),
        "segments": sum(1 for fact in store.facts() if fact.segment),
        "registers": len(books.registers),
        "titles": sum(len(book) for book in books.titles.values()),
        "links": sum(len(book) for book in books.links.values()),
        "accounts": len(books.accounts),
    }
