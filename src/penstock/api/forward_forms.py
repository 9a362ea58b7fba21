"""The JSON forms of forwards: output sold before it is generated. Whole Wh, micro-dollars, basis points."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from penstock.api.forms import Form, Page
from penstock.api.registry_forms import AccountName, Instant, Position, Text, Wh
from penstock.journal.kinds.forward import Remedy

ForwardName = Annotated[str, Field(min_length=1, max_length=64)]
Price = Annotated[int, Field(ge=0, lt=2**53)]
SomeWh = Annotated[int, Field(ge=0, lt=2**62)]
Share = Annotated[int, Field(ge=0, le=10_000)]
OfPrice = Annotated[int, Field(ge=0, le=100_000)]
Rank = Annotated[int, Field(ge=1, le=1_000)]
GRACE_HOURS_MAX = 24 * 366


class ShapePeriod(Form):
    """So many Wh in one period of the window."""

    start: Instant
    stop: Instant
    energy_wh: Wh


class OfferAsked(Form):
    """A seller offers output of a plant: ``quantity_wh``, a share of each interval, or a ``shape`` - one of them.

    ``p50_wh`` and ``p90_wh`` say what the window yields, by ``method`` on ``basis``; without them the plant's own
    certificates of ``basis_start`` to ``basis_stop`` do. Prices are by rank, seniors first.
    """

    forward: ForwardName
    seller: AccountName
    registers: Annotated[list[AccountName], Field(min_length=1, max_length=1_000)]
    start: Instant
    stop: Instant
    prices_usdc_micro_per_mwh: Annotated[list[Price], Field(min_length=1, max_length=1_000)]
    quantity_wh: SomeWh = 0
    share_basis_points: Share = 0
    shape: list[ShapePeriod] = Field(default_factory=list, max_length=1_000)
    energy: bool = False
    p50_wh: SomeWh = 0
    p90_wh: SomeWh = 0
    method: Text = ""
    basis: Text = ""
    basis_start: Instant | None = None
    basis_stop: Instant | None = None
    collateral_basis_points: OfPrice = 1_000
    collateral_above_basis_points: OfPrice = 5_000
    remedy: Remedy = Remedy.CASH
    cash_usdc_micro_per_mwh: Price = 0
    index: Annotated[str, Field(max_length=200)] = ""
    make_up_until: Instant | None = None
    grace_hours: Annotated[int, Field(ge=0, le=GRACE_HOURS_MAX)] = 168


class SellAsked(Form):
    """A buyer takes so many Wh of a forward - of a share, basis points - in a rank, 1 the most senior."""

    buyer: AccountName
    rank: Rank = 1
    quantity_wh: SomeWh = 0
    share_basis_points: Share = 0


class PassAsked(Form):
    """Who holds ``[start, stop)`` of a promise gives it to ``target``."""

    account: AccountName
    target: AccountName
    start: Position
    stop: Position


class IndexAsked(Form):
    """The price of an index over a period, and who published it; forwards of that very window settle by it."""

    index: Annotated[str, Field(min_length=1, max_length=200)]
    start: Instant
    stop: Instant
    price_usdc_micro_per_mwh: Price
    source: Annotated[str, Field(min_length=1, max_length=200)]


class SaleRow(Form):
    """One sale: who bought which part of the promise, who holds it now, what it cost and what came."""

    promise: str
    buyer: str
    holders: list[str]
    rank: int
    quantity_wh: int
    share_basis_points: int
    delivered_wh: int
    cost_usdc_micro: int
    earned_usdc_micro: int
    collateral_usdc_micro: int


class ForwardRow(Form):
    """A forward: its terms, its sales, what came and where its dollars lie."""

    forward: str
    seller: str
    registers: list[str]
    from_: str = Field(alias="from")
    to: str
    form: str
    energy: bool
    p50_wh: int
    p90_wh: int
    method: str
    basis: str
    remedy: str
    make_up_until: str | None
    prices_usdc_micro_per_mwh: list[int]
    offered_wh: int
    sold_wh: int
    delivered_wh: int
    missing_wh: int
    escrow_usdc_micro: int
    collateral_usdc_micro: int
    state: str
    sales: list[SaleRow]


class ForwardRows(Page):
    """Forwards, in the order of offers."""

    forwards: list[ForwardRow]


class ForwardDone(Form):
    """What an act on a forward recorded, and how the forward stands."""

    first_seq: int
    repeated: bool
    acts: list[dict[str, Any]]
    forward: ForwardRow
