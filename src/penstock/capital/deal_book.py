"""The capital wing's state: deals by name, with their program, contracts, closed periods, balances and servicing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

from penstock.capital.edition import amend, replace_payee, waive, withdraw_former
from penstock.capital.exact import DealState, opening_state, withdraw
from penstock.capital.language import load_deal
from penstock.capital.measure import Measuring, Performance
from penstock.capital.periods import PERIODS_MAX, Periods
from penstock.capital.ready import Ready, Terms
from penstock.capital.report import Report
from penstock.capital.servicing_book import ServicingBook
from penstock.errors import NotFound
from penstock.journal.fact import Recorded
from penstock.journal.kinds.capital import DealLaunched, DealOriginated, IncomePulled, PeriodClosed, ReportAttested
from penstock.journal.kinds.servicing import DealAmended, PayeeReplaced, TestWaived
from penstock.journal.kinds.voting import ChangeProposed
from penstock.journal.segment import Columns


@dataclass(slots=True)
class DealRecord:
    """One deal: its text and program in force, where it stands on chain, its state after the last closed period.

    ``originated`` bears the text in force: of the newest amendment, where there is one. ``amended``, ``waived`` and
    ``replaced`` are what its classes voted, in order; ``proposed`` what was put to them here.
    """

    originated: DealOriginated
    state: DealState
    contracts: dict[str, bytes] = field(default_factory=dict)
    chain_id: int = 0
    reports: dict[int, ReportAttested] = field(default_factory=dict)
    closed: list[PeriodClosed] = field(default_factory=list)
    amended: list[DealAmended] = field(default_factory=list)
    waived: list[TestWaived] = field(default_factory=list)
    replaced: list[PayeeReplaced] = field(default_factory=list)
    proposed: list[ChangeProposed] = field(default_factory=list)


@dataclass(slots=True)
class DealBook:
    """All deals by name, the performance they are paid from, and how their assets are serviced."""

    deals: dict[str, DealRecord] = field(default_factory=dict)
    performance: Performance = field(default_factory=Performance)
    servicing: ServicingBook = field(default_factory=ServicingBook)
    ready: Ready = field(default_factory=Ready)
    _editions: dict[str, list[tuple[int, Callable[[], Terms]]]] = field(default_factory=dict, compare=False)

    def deal(self, name: str) -> DealRecord:
        """A deal's record. Raises NotFound ``deal.unknown``."""
        if name not in self.deals:
            raise NotFound("deal.unknown", f"There is no deal {name}.", hint="Originate it first.", deal=name)
        return self.deals[name]

    def measuring(self, name: str, period: int = PERIODS_MAX) -> Measuring:
        """What computes a deal's measures, by the text in force in a period, or the newest. Raises as `deal`."""
        self.deal(name)
        terms = next(terms for since, terms in reversed(self._editions[name]) if since <= period)
        return Measuring(terms()[0], name, self.performance, self.servicing)

    def report(self, name: str, period: int) -> Report:
        """The report of a deal's period, by `penstock.capital.measure.DEFINITION`. Raises as `Measuring.value`."""
        return self.measuring(name, period).report(period)

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        """Fold one fact; facts of other wings are passed over. Raises as the checks of `ServicingBook`."""
        self.performance.apply(recorded, columns)
        self.ready.apply(recorded)
        self._apply(recorded)
        self.servicing.apply(recorded, columns)

    def _apply(self, recorded: Recorded) -> None:
        match recorded.fact:
            case DealOriginated() as originated:
                self._open(originated)
            case DealLaunched() as launched:
                record = self.deals[launched.deal]
                record.contracts = {one.name: one.address for one in launched.contracts}
                record.chain_id = launched.chain_id
            case ReportAttested() as report:
                self.deals[report.deal].reports[report.period] = report
            case PeriodClosed() as closed:
                record = self.deals[closed.deal]
                record.closed.append(closed)
                record.state = replace(record.state, words=closed.words)
            case IncomePulled() as pulled:
                record = self.deals[pulled.deal]
                record.state = _pulled(record.state, pulled)
            case DealAmended() as amended:
                self._amend(amended)
            case TestWaived() as waived:
                self._waive(waived)
            case ChangeProposed() as proposed:
                self.deal(proposed.deal).proposed.append(proposed)
            case PayeeReplaced() as replaced:
                record = self.deal(replaced.deal)
                record.state = replace_payee(record.originated.program, record.state, replaced.lane)
                record.replaced.append(replaced)

    def _open(self, originated: DealOriginated) -> None:
        name, terms = originated.deal, terms_of(originated.text, originated.program)
        self.deals[name] = DealRecord(originated, opening_state(originated.program))
        self.servicing.open(name, terms, originated.assets)
        self.ready.terms[name] = terms
        self._editions[name] = [(0, terms)]

    def _amend(self, fact: DealAmended) -> None:
        record = self.deal(fact.deal)
        before = (record.originated.program, record.originated.schedule)
        record.state = amend(record.state, before, (fact.program, fact.schedule))
        said = {
            name: getattr(fact, name)
            for name in ("text", "deal_hash", "program", "program_hash", "schedule", "compiler")
        }
        record.originated = replace(record.originated, **said)
        record.amended.append(fact)
        terms = terms_of(fact.text, fact.program)
        self.servicing.of(fact.deal).terms = self.ready.terms[fact.deal] = terms
        self._editions[fact.deal].append((fact.period, terms))

    def _waive(self, fact: TestWaived) -> None:
        record = self.deal(fact.deal)
        names = [test.name for test in self.servicing.of(fact.deal).deal.tests]
        if fact.test not in names:
            hint = "Name one of its tests."
            raise NotFound("deal.no_test", f"The deal has no test {fact.test}.", hint=hint, tests=names)
        record.state = waive(record.state, names.index(fact.test) + 1, fact.through_period)
        record.waived.append(fact)


def _pulled(state: DealState, pulled: IncomePulled) -> DealState:
    """Lane 0: a payee who was replaced took what its lane still owed it."""
    if pulled.lane:
        return withdraw(state, pulled.lane)[0]
    return withdraw_former(state, sum(transfer.usdc_micro for transfer in pulled.transfers))


def terms_of(text: str, program: bytes) -> Callable[[], Terms]:
    """What a text says and its calendar, read when first asked for."""

    @cache
    def terms() -> Terms:
        deal = load_deal(text)
        return deal, Periods(deal, program)

    return terms
