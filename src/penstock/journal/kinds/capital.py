"""Facts of the capital wing: a deal's origination, launch, reports, closed periods and its holders' income."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from penstock.journal.kinds.ledger import Transfer
from penstock.journal.segment import SegmentRef


@dataclass(frozen=True, slots=True)
class DealOriginated:
    """A deal file, as written, and what it compiles to: program, and rows of the schedule beside it (empty for none).

    Whoever doubts recompiles ``text``. And the pledged assets.
    """

    KIND: ClassVar[str] = "deal.originated"
    VERSION: ClassVar[int] = 2
    deal: str
    text: str
    deal_hash: bytes
    program: bytes
    program_hash: bytes
    schedule: bytes
    compiler: str
    assets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deployed:
    """A contract's name here and its 20-byte address."""

    name: str
    address: bytes


@dataclass(frozen=True, slots=True)
class DealLaunched:
    """The deal and its tranches stand on chain."""

    KIND: ClassVar[str] = "deal.launched"
    VERSION: ClassVar[int] = 1
    deal: str
    chain_id: int
    contracts: tuple[Deployed, ...]


@dataclass(frozen=True, slots=True)
class CollectionReceived:
    """Dollars reached a deal's collection account, and the span of its collection register they fill."""

    KIND: ClassVar[str] = "collection.received"
    VERSION: ClassVar[int] = 1
    deal: str
    register: str
    start: int
    stop: int
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True, slots=True)
class ReportAttested:
    """``quorum`` of ``attesters`` signed a period's measures; whose votes came first is for the chain to remember."""

    KIND: ClassVar[str] = "report.attested"
    VERSION: ClassVar[int] = 1
    deal: str
    period: int
    as_of_us: int
    measures: tuple[int, ...]
    definition: bytes
    log_size: int
    log_root: bytes
    quorum: int
    attesters: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PeriodClosed:
    """A period's waterfall ran, here and on chain, to the same state words (segment ``step/1``)."""

    KIND: ClassVar[str] = "period.closed"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    deal: str
    period: int
    stop_us: int
    state: str
    inflow_usdc_micro: int
    words: tuple[int, ...]
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True, slots=True)
class IncomePulled:
    """A payee pulled its lane of a deal; a tranche thereby accrued it to all its holders at once."""

    KIND: ClassVar[str] = "income.pulled"
    VERSION: ClassVar[int] = 1
    deal: str
    payee: str
    lane: int
    period: int
    holders: int
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True, slots=True)
class IncomeWithdrawn:
    """Holders of a tranche took their income (segment ``withdrawal/1``)."""

    KIND: ClassVar[str] = "income.withdrawn"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    deal: str
    tranche: str
    transfers: tuple[Transfer, ...]
