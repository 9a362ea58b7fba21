"""Sale: how much may be promised to a buyer, what it costs, and what stands behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from penstock.energy.forward.headroom import check_headroom
from penstock.energy.forward.price import collateral_up, cost_up
from penstock.energy.forward.promise import Promise, collateral_account, escrow_account, share_wh
from penstock.errors import Invalid, Refused
from penstock.journal.kinds.forward import Form, ForwardOffered, ForwardSold
from penstock.journal.kinds.ledger import Transfer

SALES_MAX: Final = 1_000


def reckon_sale(
    promise: Promise, buyer: str, rank: int, asked: tuple[int, int], others: Sequence[Promise]
) -> ForwardSold:
    """The fact of a sale; ``asked`` are Wh, or basis points of a share.

    Raises:
        Invalid: ``forward.quantity``, ``forward.rank``. Refused: ``forward.oversold``, ``forward.same_account``.
    """
    terms, name = promise.offered, promise.name
    if buyer == terms.seller:
        raise Refused("forward.same_account", "A seller does not buy its own output.")
    if not 1 <= rank <= len(terms.prices_usdc_micro_per_mwh):
        raise Invalid("forward.rank", f"There are ranks 1 to {len(terms.prices_usdc_micro_per_mwh)}.")
    wh, basis_points = _asked_wh(promise, *asked), asked[1]
    before = check_headroom(promise, wh, basis_points, others)
    price = terms.prices_usdc_micro_per_mwh[rank - 1]
    rates = terms.collateral_basis_points, terms.collateral_above_basis_points
    cost, stake = cost_up(wh, price), collateral_up(before, wh, terms.p90_wh, price, rates)
    paid = [Transfer(buyer, escrow_account(name), cost, f"forward {name}")]
    if stake:
        paid.append(Transfer(terms.seller, collateral_account(name), stake, f"collateral of {name}"))
    return ForwardSold(name, buyer, rank, wh, basis_points, cost, stake, tuple(paid))


def check_ahead(terms: ForwardOffered, at_us: int) -> None:
    """That the window is still to come; raises Refused ``forward.begun``."""
    if at_us >= terms.start_us:
        raise Refused("forward.begun", "Output is sold forward before its window begins.", forward=terms.forward)


def _asked_wh(promise: Promise, quantity_wh: int, basis_points: int) -> int:
    """What is asked for [Wh]; raises as `reckon_sale`."""
    shared = promise.offered.form is Form.SHARE
    if shared != (basis_points > 0) or shared == (quantity_wh > 0) or min(quantity_wh, basis_points) < 0:
        hint = "Of a share so many basis points are sold, of the others so many Wh."
        raise Invalid("forward.quantity", "Say how much, above 0.", hint=hint)
    if len(promise.sales) >= SALES_MAX:
        raise Refused("forward.oversold", f"A forward has at most {SALES_MAX} sales.")
    over_share = promise.sold_basis_points + basis_points > promise.offered.share_basis_points
    wh = share_wh(promise, basis_points) if shared else quantity_wh
    if (shared and over_share) or promise.sold_wh + wh > promise.offered_wh:
        left = promise.offered_wh - promise.sold_wh
        raise Refused("forward.oversold", "No more is sold than is on offer.", left_wh=left)
    if wh < 1:
        raise Invalid("forward.quantity", "This share comes to no whole Wh.")
    return wh
