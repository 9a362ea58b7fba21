"""Facts of providers and what they promise: hours of accelerators, windows, collateral, credits moved and ended.

Capacity is scheduled: an accelerator-millisecond has its position on its rack's calendar before it comes. Opening
capacity issues titles to the *use* of those positions to the provider; a window sold moves them to a buyer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from penstock.journal.kinds.ledger import Transfer
from penstock.journal.segment import SegmentRef
from penstock.journal.words import Unit


class Firmness(StrEnum):
    """Whether a window may be taken back."""

    FIRM = "firm"
    INTERRUPTIBLE = "interruptible"  # with the notice that the specification names


class CollateralCause(StrEnum):
    """Why collateral moved."""

    POSTED = "posted"
    RELEASED = "released"  # nothing outstanding needs it
    REFUNDED = "refunded"  # what was sold was not delivered
    SLASHED = "slashed"  # work was shown to be false


class CreditEnd(StrEnum):
    """How credits ended that were not redeemed."""

    EXPIRED = "expired"  # nobody asked for the work in time: the price goes back, without collateral
    REFUNDED = "refunded"  # asked for in time and not delivered: price and collateral


@dataclass(frozen=True, slots=True)
class ProviderRegistered:
    """Who sells compute: its account, where it answers, the Ed25519 key of its work statements, its chain address."""

    KIND: ClassVar[str] = "provider.registered"
    VERSION: ClassVar[int] = 1
    provider: str
    url: str
    work_key: bytes
    address: bytes
    collateral_account: str
    revenue_account: str


@dataclass(frozen=True, slots=True)
class SkuPublished:
    """A standard accelerator: what it is, and how long its reference kernel takes.

    A window of this SKU that runs the kernel slower than ``kernel_us`` by more than ``tolerance_bp`` is another one.
    """

    KIND: ClassVar[str] = "sku.published"
    VERSION: ClassVar[int] = 1
    sku: str
    version: int
    memory_mib: int
    interconnect: str
    kernel: str
    kernel_us: int
    tolerance_bp: int
    source: str


@dataclass(frozen=True, slots=True)
class ConversionPublished:
    """What an hour of one accelerator yields of a model: the versioned table between credits and accelerator-hours."""

    KIND: ClassVar[str] = "conversion.published"
    VERSION: ClassVar[int] = 1
    conversion: str
    version: int
    sku: str
    model: str
    precision: str
    slo: str
    unit: Unit
    units_per_accelerator_hour: int
    source: str


@dataclass(frozen=True, slots=True)
class CapacityOpened:
    """Accelerator-hours of a rack that its provider may now sell or promise against; their titles come with it."""

    KIND: ClassVar[str] = "capacity.opened"
    VERSION: ClassVar[int] = 1
    rack: str
    provider: str
    sku: str
    start_us: int
    stop_us: int


@dataclass(frozen=True, slots=True)
class CapacityLost:
    """Opened positions that will not be there (segment ``span/1``): whoever holds them is owed the remedy."""

    KIND: ClassVar[str] = "capacity.lost"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    rack: str
    reason: str


@dataclass(frozen=True, slots=True)
class WindowOffered:
    """A standard window: so many accelerators of a SKU in one region for whole hours, and what is promised of them.

    ``window`` is the hash of what makes it standard (hex); offers of the same window by several providers compare.
    ``deposit_bp`` of the price is paid at the sale, the rest by ``balance_due_us`` (10,000: all at the sale); a later
    start makes it a forward. ``collateral_usdc_micro`` is the penalty for a window not delivered at all, on top of
    its price.
    """

    KIND: ClassVar[str] = "window.offered"
    VERSION: ClassVar[int] = 1
    offer: str
    window: str
    provider: str
    rack: str
    sku: str
    memory_mib: int
    interconnect: str
    region: str
    accelerators: int
    start_us: int
    hours: int
    firmness: Firmness
    notice_us: int
    availability_bp: int
    kernel_share_bp: int
    pue_max_bp: int
    energy_claim: str
    price_usdc_micro: int
    deposit_bp: int
    balance_due_us: int
    collateral_usdc_micro: int
    expires_us: int


@dataclass(frozen=True, slots=True)
class WindowSold:
    """A window changed hands: from the provider the first time, from a holder after that; dollars wait in escrow."""

    KIND: ClassVar[str] = "window.sold"
    VERSION: ClassVar[int] = 1
    offer: str
    seller: str
    buyer: str
    price_usdc_micro: int
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True, slots=True)
class WindowPaid:
    """The rest of a window's price came in time, or did not and the window lapsed to its provider with the deposit."""

    KIND: ClassVar[str] = "window.paid"
    VERSION: ClassVar[int] = 1
    offer: str
    buyer: str
    lapsed: bool
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True, slots=True)
class WindowSettled:
    """A window is over: what was delivered of it, by which proof, and what each side gets."""

    KIND: ClassVar[str] = "window.settled"
    VERSION: ClassVar[int] = 1
    offer: str
    buyer: str
    contracted_ms: int
    delivered_ms: int
    proof: bytes
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True, slots=True)
class CollateralMoved:
    """A provider's collateral: posted, released, paid out to those who were not served, or lost for false work."""

    KIND: ClassVar[str] = "collateral.moved"
    VERSION: ClassVar[int] = 1
    provider: str
    cause: CollateralCause
    reason: str
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True, slots=True)
class CreditsRequested:
    """A holder asks for the work of its credits: from now on it is the provider's turn."""

    KIND: ClassVar[str] = "credits.requested"
    VERSION: ClassVar[int] = 1
    credit_class: str
    holder: str
    credits: int


@dataclass(frozen=True, slots=True)
class CreditsTransferred:
    """Credits change hands; the titles to the promised units move with them."""

    KIND: ClassVar[str] = "credits.transferred"
    VERSION: ClassVar[int] = 1
    credit_class: str
    source: str
    target: str
    credits: int


@dataclass(frozen=True, slots=True)
class CreditsEnded:
    """Credits that end without work: expired, or asked for and not delivered; their dollars go back."""

    KIND: ClassVar[str] = "credits.ended"
    VERSION: ClassVar[int] = 1
    credit_class: str
    holder: str
    credits: int
    end: CreditEnd
    transfers: tuple[Transfer, ...]
