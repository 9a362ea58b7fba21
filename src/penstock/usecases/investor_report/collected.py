"""What a period collected on which assets, and how the assets stood at its end: rows from servicing's facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from penstock.capital.periods import Periods
from penstock.journal.kinds.capital import PeriodClosed, ReportAttested
from penstock.journal.kinds.seating import AttesterUnseated
from penstock.journal.kinds.servicing import (
    AssetDisputed,
    AssetsReported,
    AssetsWrittenOff,
    BillsIssued,
    CallExercised,
    CollectionKind,
    CollectionsMatched,
    DisputeResolved,
    Flag,
    PayeeReplaced,
    RoleAppointed,
    TestWaived,
)
from penstock.journal.segment import Column, Columns
from penstock.usecases.look_through.collateral import BY, Collateral
from penstock.usecases.workspace import FactRow, Workspace

Row = dict[str, Any]
KINDS: Final = tuple(CollectionKind)
FLAGS: Final = tuple(Flag)
BUCKETS: Final = (
    (0, "current"), (1, "1 to 30 days"), (31, "31 to 60 days"), (61, "61 to 90 days"), (91, "91 to 120 days"),
    (121, "in default, more than 120 days"),
)  # fmt: skip
"""Days past due from which each bucket starts."""
TOP: Final = 10
EVENTS: Final = (
    AssetDisputed,
    DisputeResolved,
    TestWaived,
    PayeeReplaced,
    RoleAppointed,
    AttesterUnseated,
    CallExercised,
)


def servicing(workspace: Workspace, deal: str, size: int, period: int, periods: Periods) -> Row:
    """What counts in a period: collections by kind, late and flagged ones, bills, write-offs, events; their facts.

    A payment counts in the period it was received in, or in the first whose data were not complete when it was
    recorded: a period that is attested, closed or on a tape is never restated.
    """
    told = _Told(period)
    for row in workspace.facts(0, size):
        fact = row.recorded.fact
        if getattr(fact, "deal", "") != deal:
            continue
        if isinstance(fact, AssetsReported | ReportAttested | PeriodClosed):
            told.open = max(told.open, fact.period + 1)
        elif told.open <= period and max(periods.number(row.recorded.at_us), told.open) >= period:
            told.take(workspace, row, periods)
    return told.rows()


@dataclass(slots=True)
class _Told:
    """A period's servicing, fact by fact; ``open`` is the first period whose data are not complete."""

    period: int
    open: int = 0
    sums: Column = field(default_factory=lambda: np.zeros((len(KINDS), len(FLAGS)), dtype=np.int64))
    late: int = 0
    billed: int = 0
    bills: int = 0
    written_off: int = 0
    events: list[Row] = field(default_factory=list)
    facts: list[int] = field(default_factory=list)

    def take(self, workspace: Workspace, row: FactRow, periods: Periods) -> None:
        fact, seq = row.recorded.fact, row.recorded.seq
        match fact:
            case CollectionsMatched():
                if self._collect(workspace.columns(row) or {}, periods):
                    self.facts.append(seq)
            case BillsIssued() | AssetsWrittenOff() if self.open == self.period:
                amounts = (workspace.columns(row) or {})["usdc_micro"]
                self.facts.append(seq)
                if isinstance(fact, BillsIssued):
                    self.bills, self.billed = self.bills + len(amounts), self.billed + int(amounts.sum())
                else:
                    self.written_off += int(amounts.sum())
            case _ if isinstance(fact, EVENTS) and self.open == self.period:
                self.events.append({"fact": seq, "kind": fact.KIND, "what": _said(fact)})
                self.facts.append(seq)

    def _collect(self, columns: Columns, periods: Periods) -> bool:
        own = periods.at(columns["received_us"])
        mine = np.maximum(own, self.open) == self.period
        np.add.at(self.sums, (columns["kind"][mine], columns["flag"][mine]), columns["usdc_micro"][mine])
        self.late += int(columns["usdc_micro"][mine & (own < self.period)].sum())
        return bool(mine.any())

    def rows(self) -> Row:
        by_kind, by_flag = self.sums.sum(axis=1).tolist(), self.sums.sum(axis=0).tolist()
        return {
            "collections": [{"kind": one.value, "usdc_micro": n} for one, n in zip(KINDS, by_kind, strict=True) if n],
            "flagged": [
                {"flag": one.value, "usdc_micro": n} for one, n in zip(FLAGS[1:], by_flag[1:], strict=True) if n
            ],
            "late_usdc_micro": self.late,
            "billed_usdc_micro": self.billed,
            "bills": self.bills,
            "written_off_usdc_micro": self.written_off,
            "events": self.events,
            "facts": self.facts,
        }


def _said(fact: Any) -> str:
    """An event in words."""
    match fact:
        case AssetDisputed():
            return f"{fact.asset}: ${fact.usdc_micro / 10**6:,.2f} disputed: {fact.reason}"
        case DisputeResolved():
            return f"dispute {fact.dispute} {fact.outcome.value}, ${fact.credited_usdc_micro / 10**6:,.2f} credited"
        case TestWaived():
            return f"{fact.test} waived through period {fact.through_period + 1}: {fact.reason}"
        case PayeeReplaced():
            return f"{fact.payee} is paid at another account: {fact.reason}"
        case RoleAppointed():
            return (
                f"{fact.role.value.replace('_', ' ')}: {fact.account}, for {fact.replaces or 'nobody'}: {fact.reason}"
            )
        case AttesterUnseated():
            return f"attester: {fact.account} leaves: {fact.reason}"
        case _:
            return f"{fact.call} exercised at ${fact.price_usdc_micro / 10**6:,.2f}"


def delinquency(assets: Collateral) -> list[Row]:
    """Assets and balances by days past due; what was written off apart."""
    bounds = np.array([days for days, _ in BUCKETS], dtype=np.int64)
    place = np.searchsorted(bounds, assets.past_due_days, side="right") - 1
    live = assets.written_off == 0
    rows = []
    for at, (_, name) in enumerate(BUCKETS):
        mine = live & (place == at)
        rows.append({"bucket": name, "assets": int(mine.sum()), "usdc_micro": int(assets.balance[mine].sum())})
    off = ~live
    rows.append({"bucket": "written off", "assets": int(off.sum()), "usdc_micro": int(assets.written_off[off].sum())})
    return rows


def concentrations(assets: Collateral) -> list[Row]:
    """By each attribute its largest names, with their share of the pool [basis points, down]."""
    weight = assets.weight
    whole = int(weight.sum())
    return [
        {"by": by, "names": _largest(assets.texts[by], weight, whole), "distinct": len(set(assets.texts[by]))}
        for by in BY
        if len(assets)
    ]


def _largest(names: Sequence[str], weight: Column, whole: int) -> list[Row]:
    distinct, place = np.unique(np.asarray(names, dtype=object).astype(str), return_inverse=True)
    sums = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(sums, place, weight)
    order = np.lexsort((distinct, -sums))[:TOP]
    return [
        {"name": str(distinct[at]), "assets": int((place == at).sum()), "amount": int(sums[at]),
         "share_bp": int(sums[at]) * 10_000 // max(whole, 1)}
        for at in order.tolist()
    ]  # fmt: skip
