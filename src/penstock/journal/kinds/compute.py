"""Facts of the compute wing: racks, credits promised and sold, answers served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from penstock.journal.kinds.ledger import Transfer
from penstock.journal.segment import SegmentRef
from penstock.journal.words import Unit


@dataclass(frozen=True, slots=True)
class RackRegistered:
    """A rack: its signed import meter, its calendar of accelerator-milliseconds, and the registers of what it does."""

    KIND: ClassVar[str] = "rack.registered"
    VERSION: ClassVar[int] = 2
    rack: str
    operator: str
    accelerators: int
    capacity_w: int
    import_register: str
    energy_register: str
    calendar_register: str
    token_register: str
    idle_register: str
    overhead_register: str = ""  # energy of cooling and conversion; empty where none is told apart
    unattributed_register: str = ""  # metered, and no sample says by what


@dataclass(frozen=True, slots=True)
class CreditsOffered:
    """A provider opens a class of compute credits up to ``capacity_credits``, at a fixed price, until it expires.

    A credit is ``units_per_credit`` of ``unit``: tokens, accelerator-milliseconds (inference-seconds) or requests of an
    application. ``conversion`` names the published table that turns them into accelerator-hours, which
    ``backing_rack``'s calendar has reserved (empty: nothing is reserved). Work asked for is due within ``grace_us``.
    """

    KIND: ClassVar[str] = "credits.offered"
    VERSION: ClassVar[int] = 2
    credit_class: str
    provider: str
    model: str
    register: str
    units_per_credit: int
    price_usdc_micro: int
    capacity_credits: int
    expires_us: int
    unit: Unit = Unit.TOKENS
    application: str = ""
    conversion: str = ""
    backing_rack: str = ""
    collateral_usdc_micro: int = 0
    grace_us: int = 0
    revenue_account: str = ""


@dataclass(frozen=True, slots=True)
class CreditsSold:
    """A buyer paid for credits; the dollars wait until answers are delivered."""

    KIND: ClassVar[str] = "credits.sold"
    VERSION: ClassVar[int] = 1
    credit_class: str
    buyer: str
    credits: int
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True, slots=True)
class AnswersServed:
    """Requests answered in a period (segment ``request/1``), or turned away for want of matched energy or time."""

    KIND: ClassVar[str] = "answers.served"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    rack: str
    start_us: int
    stop_us: int
    answers: int
    tokens: int
    energy_mj: int
    refused_energy: int
    refused_capacity: int
    modelled: bool


@dataclass(frozen=True, slots=True)
class CreditsRedeemed:
    """Credits burnt against delivered tokens; their dollars are released to ``revenue_account``."""

    KIND: ClassVar[str] = "credits.redeemed"
    VERSION: ClassVar[int] = 1
    credit_class: str
    buyer: str
    credits: int
    work_root: bytes
    transfers: tuple[Transfer, ...]
