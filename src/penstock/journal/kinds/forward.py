"""Facts of output sold forward: what a plant promises, who bought it, what was delivered, how the rest was settled."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from penstock.journal.kinds.ledger import Transfer
from penstock.journal.segment import SegmentRef


class Form(StrEnum):
    """What is promised of a plant's output."""

    QUANTITY = "quantity"  # so many Wh over the window, from its first Wh on
    SHARE = "share"  # basis points of each interval's output
    SHAPE = "shape"  # so many Wh in each period of the window


class Remedy(StrEnum):
    """What a buyer gets for output that was due and did not come, besides its price back."""

    MAKE_UP = "make_up"  # later output, until a stated time; then as cash
    INDEX = "index"  # what an index price is above the contract's
    CASH = "cash"  # a stated price


@dataclass(frozen=True, slots=True)
class ForwardOffered:
    """A seller offers what a plant's ``registers`` will count from ``start_us`` to ``stop_us``, before it does.

    Its segment ``shape/1`` says how much, period by period: one row for a quantity; for a share one row, of what
    ``share_basis_points`` of ``p50_wh`` come to. ``p50_wh`` and ``p90_wh`` are what the window yields with a
    probability of 50 and 90 %, by ``method`` on ``basis``. Certificates are delivered, and energy too where ``energy``.
    ``prices_usdc_micro_per_mwh`` are by rank, the most senior first. Collateral is so many basis points of the price,
    more of what is sold above P90. ``cash_usdc_micro_per_mwh``, ``index`` and ``make_up_until_us`` are of the remedy.
    Whoever settles waits up to ``grace_us`` for readings of the window.
    """

    KIND: ClassVar[str] = "forward.offered"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    forward: str
    seller: str
    registers: tuple[str, ...]
    start_us: int
    stop_us: int
    form: Form
    share_basis_points: int
    energy: bool
    p50_wh: int
    p90_wh: int
    method: str
    basis: str
    prices_usdc_micro_per_mwh: tuple[int, ...]
    collateral_basis_points: int
    collateral_above_basis_points: int
    remedy: Remedy
    cash_usdc_micro_per_mwh: int
    index: str
    make_up_until_us: int
    grace_us: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class ForwardSold:
    """A buyer holds the next ``quantity_wh`` of the promise; its price waits in escrow, beside the seller's collateral.

    Its title follows. Rank 1 is served before rank 2. Of a share, ``share_basis_points`` were bought.
    """

    KIND: ClassVar[str] = "forward.sold"
    VERSION: ClassVar[int] = 1
    forward: str
    buyer: str
    rank: int
    quantity_wh: int
    share_basis_points: int
    cost_usdc_micro: int
    collateral_usdc_micro: int
    transfers: tuple[Transfer, ...]
    by: str = ""


@dataclass(frozen=True, slots=True)
class ForwardDelivered:
    """All that the plant issued so far was looked at, and what was due of it delivered: links and moves follow.

    The price of what was delivered leaves escrow.
    """

    KIND: ClassVar[str] = "forward.delivered"
    VERSION: ClassVar[int] = 1
    forward: str
    quantity_wh: int
    transfers: tuple[Transfer, ...]
    by: str = ""


@dataclass(frozen=True, slots=True)
class ForwardIndexPublished:
    """An index price over a period, and whose it is; forwards of that very window settle by it."""

    KIND: ClassVar[str] = "forward.index_published"
    VERSION: ClassVar[int] = 1
    index: str
    start_us: int
    stop_us: int
    price_usdc_micro_per_mwh: int
    source: str


@dataclass(frozen=True, slots=True)
class ForwardSettled:
    """A forward ends: what was due and did not come is remedied, senior ranks first; other dollars go back.

    ``unpaid_usdc_micro`` is what collateral did not cover. Titles to what was not delivered are used up right behind.
    """

    KIND: ClassVar[str] = "forward.settled"
    VERSION: ClassVar[int] = 1
    forward: str
    missing_wh: int
    index_usdc_micro_per_mwh: int
    unpaid_usdc_micro: int
    transfers: tuple[Transfer, ...]
    by: str = ""
