"""Facts of servicing a deal: its assets, what is billed and collected on them, what goes wrong, and who acts for whom.

Assets, bills, collections and write-offs come in bulk, as segments; an asset and a bill have a number, in order of
recording, over all deals. Each fact says who recorded it (``by``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from penstock.journal.kinds.ledger import Transfer
from penstock.journal.segment import SegmentRef


class AssetKind(StrEnum):
    """What an asset's contract is."""

    LOAN = "loan"
    LEASE = "lease"
    PPA = "ppa"  # energy sold under a long contract
    PROJECT = "project"  # a plant's or a site's own cash flow
    GPU_CONTRACT = "gpu_contract"  # accelerator time reserved
    DATA_CENTRE_LEASE = "data_centre_lease"
    INTERCONNECTION = "interconnection"
    REVENUE_SHARE = "revenue_share"
    UNITS = "units"  # of another deal
    OTHER = "other"


class CollectionKind(StrEnum):
    """What a payment is of."""

    INTEREST = "interest"
    PRINCIPAL = "principal"
    REVENUE = "revenue"
    RECOVERY = "recovery"  # on an asset that was written off
    CALL = "call"  # the price of a call: no cash flow of the assets


class Flag(StrEnum):
    """Why a payment is looked at twice; flagged ones enter no measure unless the deal counts related parties."""

    NONE = "none"
    RELATED = "related"  # its payer is the sponsor, or its asset is a related party's
    RECYCLED = "recycled"  # the deal itself paid its payer in this period or the last


class DealRole(StrEnum):
    """Who acts for a deal."""

    SPONSOR = "sponsor"
    SERVICER = "servicer"
    BACKUP_SERVICER = "backup_servicer"
    TRUSTEE = "trustee"
    ATTESTER = "attester"


class DisputeOutcome(StrEnum):
    """How a dispute ended."""

    UPHELD = "upheld"  # the obligor was right: what was disputed is not owed
    REJECTED = "rejected"  # it is owed in full
    SETTLED = "settled"  # part of it is


@dataclass(frozen=True, slots=True)
class AssetsPooled:
    """Assets are pledged to a deal, each to it alone (segment ``asset/1``)."""

    KIND: ClassVar[str] = "assets.pooled"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    deal: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class AssetsReleased:
    """Assets leave a deal and are free again: repaid, substituted or repurchased (segment ``release/1``)."""

    KIND: ClassVar[str] = "assets.released"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    deal: str
    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class BillsIssued:
    """What obligors owe on a deal's assets and until when (segment ``bill/1``)."""

    KIND: ClassVar[str] = "bills.issued"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    deal: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class CollectionsMatched:
    """Payments that reached a deal's first account, each matched to its asset and bill (segment ``collection/1``)."""

    KIND: ClassVar[str] = "collections.matched"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    deal: str
    reference: str
    transfers: tuple[Transfer, ...]
    by: str = ""


@dataclass(frozen=True, slots=True)
class AssetsReported:
    """The servicer's tape of a period: how every asset of the deal stands (segment ``status/1``).

    With it the period's data are complete; a payment received in it and recorded later counts in the next.
    """

    KIND: ClassVar[str] = "assets.reported"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    deal: str
    period: int
    as_of_us: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class AssetDisputed:
    """An obligor disputes so much of what it owes on an asset; ``bill`` is -1 where it is no bill's."""

    KIND: ClassVar[str] = "asset.disputed"
    VERSION: ClassVar[int] = 1
    deal: str
    dispute: str
    asset: str
    bill: int
    usdc_micro: int
    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class DisputeResolved:
    """A dispute ended; ``credited_usdc_micro`` of it is not owed any more."""

    KIND: ClassVar[str] = "dispute.resolved"
    VERSION: ClassVar[int] = 1
    deal: str
    dispute: str
    outcome: DisputeOutcome
    credited_usdc_micro: int
    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class AssetsWrittenOff:
    """Balances that will not be collected (segment ``writeoff/1``); what comes later is a recovery."""

    KIND: ClassVar[str] = "assets.written_off"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    deal: str
    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class MarkSet:
    """A value from outside [hundred-millionths]: an accelerator index, a floating rate. ``source`` says whose it is.

    It speaks from ``as_of_us`` on for ``stale_after_s``.
    """

    KIND: ClassVar[str] = "mark.set"
    VERSION: ClassVar[int] = 1
    name: str
    value_e8: int
    source: str
    as_of_us: int
    stale_after_s: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class RoleAppointed:
    """From now on ``account`` acts for a deal in this role; whoever did before does no more.

    Of attesters there are several: then ``replaces`` names whose seat is taken, or is empty for one more.
    """

    KIND: ClassVar[str] = "role.appointed"
    VERSION: ClassVar[int] = 1
    deal: str
    role: DealRole
    account: str
    replaces: str
    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class DealAmended:
    """The classes concerned voted another text for a deal, in force from ``period`` on.

    ``proposal`` is its number with the deal's ballot.
    """

    KIND: ClassVar[str] = "deal.amended"
    VERSION: ClassVar[int] = 1
    deal: str
    period: int
    text: str
    deal_hash: bytes
    program: bytes
    program_hash: bytes
    schedule: bytes
    compiler: str
    proposal: int
    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class TestWaived:
    """The classes concerned voted that a test asks for nothing through a period; ``proposal`` as in `DealAmended`."""

    __test__ = False  # not a test case

    KIND: ClassVar[str] = "test.waived"
    VERSION: ClassVar[int] = 1
    deal: str
    test: str
    through_period: int
    proposal: int
    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class PayeeReplaced:
    """The classes concerned voted that a payee's lane is another account's on chain (20 bytes)."""

    KIND: ClassVar[str] = "payee.replaced"
    VERSION: ClassVar[int] = 1
    deal: str
    payee: str
    lane: int
    account: bytes
    proposal: int
    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class CallExercised:
    """Whoever may call the notes paid the price into the deal's first account; the next close retires them."""

    KIND: ClassVar[str] = "call.exercised"
    VERSION: ClassVar[int] = 1
    deal: str
    call: str
    period: int
    price_usdc_micro: int
    transfers: tuple[Transfer, ...]
    by: str = ""
