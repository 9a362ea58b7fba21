"""Money of a forward, in whole micro-dollars: what a promise costs, what stands behind it, what is paid for it."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.energy.forward.share_out import BASIS_POINTS
from penstock.money import share_down, share_up

WH_PER_MWH = 1_000_000


def cost_up(energy_wh: int, price_usdc_micro_per_mwh: int) -> int:
    """What so much promised output costs [micro-dollars], rounded up."""
    return share_up(energy_wh, price_usdc_micro_per_mwh, WH_PER_MWH)


def remedy_down(missing_wh: int, price_usdc_micro_per_mwh: int) -> int:
    """What is owed for output that did not come [micro-dollars], rounded down."""
    return share_down(missing_wh, price_usdc_micro_per_mwh, WH_PER_MWH)


def released_down(cost_usdc_micro: int, delivered_wh: int, promised_wh: int) -> int:
    """How much of a sale's price the seller has earned, of all delivered so far [micro-dollars]."""
    return share_down(cost_usdc_micro, delivered_wh, promised_wh)


def collateral_up(
    promised_before_wh: int, energy_wh: int, p90_wh: int, price_usdc_micro_per_mwh: int, rates: tuple[int, int]
) -> int:
    """What the seller puts up for the next so many Wh [micro-dollars]: the first rate up to P90, the second above.

    ``rates`` are basis points of the price; rounded up.
    """
    below = max(0, min(promised_before_wh + energy_wh, p90_wh) - promised_before_wh)
    parts = ((below, rates[0]), (energy_wh - below, rates[1]))
    return sum(share_up(wh * price_usdc_micro_per_mwh, rate, WH_PER_MWH * BASIS_POINTS) for wh, rate in parts)


def pay_by_rank(fund: int, owed: Sequence[int], rank: Sequence[int]) -> list[int]:
    """What of a fund goes to each that is owed: senior ranks first, pro rata within one, floors of cumulative sums."""
    paid = [0] * len(owed)
    for level in sorted(set(rank)):
        mine = [one for one, other in enumerate(rank) if other == level]
        parts = cut(min(fund, sum(owed[one] for one in mine)), [owed[one] for one in mine])
        for one, part in zip(mine, parts, strict=True):
            paid[one] = part
        fund -= sum(parts)
    return paid


def cut(total: int, weights: Sequence[int]) -> list[int]:
    """A total cut at floors of cumulative weights, exact at any size; it is 0 where they sum to 0."""
    whole, reach, at, parts = sum(weights), 0, 0, []
    for weight in weights:
        reach += weight
        upto = total * reach // max(whole, 1)
        parts.append(upto - at)
        at = upto
    return parts
