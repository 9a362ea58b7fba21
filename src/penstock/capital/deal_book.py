"""The capital wing's state: deals by name, with their program, contracts, closed periods and balances."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from penstock.capital.exact import DealState, opening_state, withdraw
from penstock.capital.measure import Performance
from penstock.errors import NotFound
from penstock.journal.fact import Recorded
from penstock.journal.kinds.capital import DealLaunched, DealOriginated, IncomePulled, PeriodClosed, ReportAttested
from penstock.journal.segment import Columns


@dataclass(slots=True)
class DealRecord:
    """One deal: what was originated, where it stands on chain, its state after the last closed period."""

    originated: DealOriginated
    state: DealState
    contracts: dict[str, bytes] = field(default_factory=dict)
    chain_id: int = 0
    reports: dict[int, ReportAttested] = field(default_factory=dict)
    closed: list[PeriodClosed] = field(default_factory=list)


@dataclass(slots=True)
class DealBook:
    """All deals by name, and the performance they are paid from."""

    deals: dict[str, DealRecord] = field(default_factory=dict)
    performance: Performance = field(default_factory=Performance)

    def deal(self, name: str) -> DealRecord:
        """A deal's record. Raises NotFound ``deal.unknown``."""
        if name not in self.deals:
            raise NotFound("deal.unknown", f"There is no deal {name}.", hint="Originate it first.", deal=name)
        return self.deals[name]

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        """Fold one fact; facts of other wings are passed over."""
        self.performance.apply(recorded, columns)
        match recorded.fact:
            case DealOriginated() as originated:
                self.deals[originated.deal] = DealRecord(originated, opening_state(originated.program))
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
                record.state, _ = withdraw(record.state, pulled.lane)
