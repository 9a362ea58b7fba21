"""The book of servicing: assets, bills, collections, tapes, marks and roles of every deal, folded from facts.

What a servicer records is worked out again as it applies - numbers, flags, who may - and refused where it differs.
"""

from __future__ import annotations

import hashlib

import numpy as np

from penstock.capital.bills import NO_BILL
from penstock.capital.marks import E8, MILESTONE
from penstock.capital.serviced import Serviced, Tape
from penstock.capital.servicing_rules import ServicingRules
from penstock.errors import Refused
from penstock.journal.asset_rows import pledged_names, read_names
from penstock.journal.fact import Recorded
from penstock.journal.kinds.capital import IncomePulled, PeriodClosed, ReportAttested
from penstock.journal.kinds.seating import AttesterUnseated
from penstock.journal.kinds.servicing import (
    AssetDisputed,
    AssetsPooled,
    AssetsReleased,
    AssetsReported,
    AssetsWrittenOff,
    BillsIssued,
    CallExercised,
    CollectionsMatched,
    DealRole,
    DisputeResolved,
    MarkSet,
    RoleAppointed,
)
from penstock.journal.segment import Columns

E8_PER_USDC_MICRO = E8 // 10**6


class ServicingBook(ServicingRules):
    """Every serviced deal by name; assets and bills by number over all of them."""

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        """Fold one fact; raises as the check of its act."""
        rows = columns or {}
        match recorded.fact:
            case AssetsPooled() as fact:
                self._pool(fact, rows, recorded.at_us)
            case AssetsReleased() as fact:
                self._release(fact, rows)
            case BillsIssued() as fact:
                self.check_bill(fact, rows)
                self.bills.add(rows)
            case CollectionsMatched() as fact:
                self._collect(fact, rows, recorded.at_us)
            case AssetsReported() as fact:
                self._report(fact, rows, recorded.at_us)
            case AssetDisputed() as fact:
                self.check_dispute(fact)
                self.of(fact.deal).disputes[fact.dispute] = fact
                self.assets["disputed_usdc_micro"][self.assets.number(fact.asset)] += fact.usdc_micro
            case DisputeResolved() as fact:
                self._resolve(fact)
            case AssetsWrittenOff() as fact:
                self._write_off(fact, rows)
            case MarkSet() as fact:
                self._mark(fact, recorded.at_us)
            case RoleAppointed() as fact:
                self._appoint(fact)
            case AttesterUnseated() as fact:
                self._unseat(fact)
            case CallExercised() as fact:
                self.check_call(fact)
                self.of(fact.deal).called[fact.call] = fact.period
            case PeriodClosed() | ReportAttested() | IncomePulled() as fact:
                self._follow(fact, recorded.at_us)

    def _pool(self, fact: AssetsPooled, rows: Columns, at_us: int) -> None:
        self.check_pool(fact, rows)
        deal, named = self.of(fact.deal), read_names(rows["named"])
        period = deal.period_open if at_us > deal.periods.start_us else -1
        self.assets.add(fact.deal, period, rows, named)
        self.pledge(fact.deal, pledged_names(named))
        if period >= 0:
            deal.purchased[period] = deal.purchased.get(period, 0) + int(rows["balance_usdc_micro"].sum())

    def _release(self, fact: AssetsReleased, rows: Columns) -> None:
        self.check_release(fact, rows)
        self.assets["released"][rows["asset"]] = True
        for number in rows["asset"].tolist():
            self.free((self.assets.names[number], *self.assets.registers[number]))

    def _collect(self, fact: CollectionsMatched, rows: Columns, at_us: int) -> None:
        self.check_collect(fact, rows, at_us)
        deal = self.of(fact.deal)
        deal.references.add(fact.reference)
        deal.take_in(rows, deal.counted_in(rows["received_us"]))
        billed = rows["bill"] != NO_BILL
        self.bills.take(rows["bill"][billed], rows["usdc_micro"][billed])

    def _report(self, fact: AssetsReported, rows: Columns, at_us: int) -> None:
        self.check_report(fact, rows, at_us)
        deal, held = self.of(fact.deal), rows["asset"].astype(np.int64)
        rolled = (self.assets["balance_usdc_micro"] - deal.awaited(len(self.assets), fact.period))[held]
        said = rows["balance_usdc_micro"]
        balance = np.minimum(np.maximum(rolled, 0), said)
        self.assets["balance_usdc_micro"][held] = balance
        self.assets["said_usdc_micro"][held] = said
        self.assets["past_due_days"][held] = rows["past_due_days"]
        deal.forget_principal(fact.period)
        disputed, gone = (self.assets[name][held] for name in ("disputed_usdc_micro", "written_off_usdc_micro"))
        differs = int((said != rolled).sum())
        days = rows["past_due_days"].astype(np.int64)
        deal.tapes[fact.period] = Tape(fact.period, fact.as_of_us, differs, held, balance, days, disputed, gone)
        deal.complete(fact.period)

    def _resolve(self, fact: DisputeResolved) -> None:
        self.check_resolve(fact)
        deal = self.of(fact.deal)
        dispute = deal.disputes.pop(fact.dispute)
        deal.disputes_ended.add(fact.dispute)
        number = self.assets.number(dispute.asset)
        self.assets["disputed_usdc_micro"][number] -= dispute.usdc_micro
        if fact.credited_usdc_micro and dispute.bill != NO_BILL:
            self.bills.take(np.array([dispute.bill]), np.array([fact.credited_usdc_micro]))

    def _write_off(self, fact: AssetsWrittenOff, rows: Columns) -> None:
        self.check_write_off(fact, rows)
        deal = self.of(fact.deal)
        self.assets["balance_usdc_micro"][rows["asset"]] -= rows["usdc_micro"]
        self.assets["written_off_usdc_micro"][rows["asset"]] += rows["usdc_micro"]
        deal.lost[deal.period_open] = deal.lost.get(deal.period_open, 0) + int(rows["usdc_micro"].sum())

    def _mark(self, fact: MarkSet, at_us: int) -> None:
        self.check_mark(fact, at_us)
        self.marks.set(fact)
        deal = self.deals.get(fact.name.removesuffix(MILESTONE)) if fact.name.endswith(MILESTONE) else None
        if deal is not None:
            period = max(deal.periods.number(fact.as_of_us), deal.period_open)
            deal.earned[period] = deal.earned.get(period, 0) + max(0, fact.value_e8) // E8_PER_USDC_MICRO

    def _appoint(self, fact: RoleAppointed) -> None:
        self.check_appoint(fact)
        roles = self.of(fact.deal).roles
        seats = tuple(one for one in roles.get(fact.role, ()) if one != fact.replaces)
        roles[fact.role] = (*seats, fact.account) if fact.role is DealRole.ATTESTER else (fact.account,)

    def _unseat(self, fact: AttesterUnseated) -> None:
        self.check_unseat(fact)
        roles = self.of(fact.deal).roles
        roles[DealRole.ATTESTER] = tuple(one for one in roles[DealRole.ATTESTER] if one != fact.account)

    def _follow(self, fact: PeriodClosed | ReportAttested | IncomePulled, at_us: int) -> None:
        """A period that was attested or closed takes in nothing more; whom it paid is remembered.

        Raises:
            Refused: ``deal.period_ahead`` of a report before its period is over, or a close out of turn.
        """
        deal = self.deals.get(fact.deal)
        if deal is None:
            return
        if isinstance(fact, PeriodClosed | ReportAttested):
            attested = isinstance(fact, ReportAttested)
            if at_us < deal.periods.of(fact.period).stop_us if attested else fact.period != deal.closed:
                raise Refused("deal.period_ahead", "A period was told before its time.", deal=fact.deal)
            deal.closed += not attested
            deal.reported |= {fact.period} if attested else set()
            if fact.period not in deal.reported:
                deal.carry_on(fact.period)
            deal.complete(fact.period)
        if isinstance(fact, PeriodClosed | IncomePulled):
            for name in {one.target for one in fact.transfers}:
                self._paid(deal, name.removeprefix(f"{fact.deal}/paid/"), fact.period)

    @staticmethod
    def _paid(deal: Serviced, name: str, period: int) -> None:
        held = deal.roles.get(DealRole(name), ()) if name in tuple(DealRole) else ()
        for one in (name, *held):
            deal.paid[one] = period

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ServicingBook) and self.digest() == other.digest()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def digest(self) -> bytes:
        """sha256 over all of it: equal for equal journals."""
        parts = [*self.assets.digest_parts(), *self.bills.digest_parts(), *self.marks.digest_parts()]
        for name, deal in self.deals.items():
            told = (name, deal.period_open, sorted(deal.came_in.items()), sorted(deal.lost.items()), deal.roles)
            parts.append(repr((told, sorted(deal.purchased.items()), sorted(deal.paid.items()))).encode())
        return hashlib.sha256(b"".join(parts)).digest()
