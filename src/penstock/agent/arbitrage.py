"""Where the same work is sold for less than somebody else pays: between providers, and between spot, credits, forwards.

A trade buys tokens of one model that can be had during all of the time in which they are owed elsewhere. What it earns
is after both sides' costs; it is taken only above the mandate's edge, within its exposure, and never while stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.agent.mandate import TradeRules
from penstock.agent.program import Program, solve
from penstock.money import share_down, share_up

WHOLE_BP: Final = 10_000
LIMIT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Side:
    """An offer to sell, or a bid to buy: so many tokens of a model, to be had (or owed) in ``[start_us, stop_us)``.

    ``cost_bp`` is what taking it costs beside the price: fees, a deposit that may be lost, the part that may not come.
    """

    name: str
    kind: str
    model: str
    usdc_micro_per_1k: int
    tokens: int
    start_us: int
    stop_us: int
    cost_bp: int = 0

    @property
    def buy_usdc_micro_per_1k(self) -> int:
        """What buying costs, rounded up."""
        return share_up(self.usdc_micro_per_1k, WHOLE_BP + self.cost_bp, WHOLE_BP)

    @property
    def sell_usdc_micro_per_1k(self) -> int:
        """What selling brings, rounded down."""
        return share_down(self.usdc_micro_per_1k, max(0, WHOLE_BP - self.cost_bp), WHOLE_BP)


@dataclass(frozen=True, slots=True)
class Trade:
    """Buy of ``offer``, deliver to ``bid``; earns at least ``edge_usdc_micro``."""

    offer: Side
    bid: Side
    tokens: int
    outlay_usdc_micro: int
    edge_usdc_micro: int


def trades(offers: Sequence[Side], bids: Sequence[Side], rules: TradeRules, exposed_usdc_micro: int = 0) -> list[Trade]:
    """The trades that together earn most within the exposure left, the widest edge first; none where none pays."""
    pairs = [(offer, bid) for offer in offers for bid in bids if _fits(offer, bid, rules)]
    left = rules.exposure_max_usdc_micro - exposed_usdc_micro
    if not pairs or left <= 0:
        return []
    solved = solve(_program(pairs, left), LIMIT_S)
    if solved is None:
        return []
    return sorted(_whole(pairs, solved[0], left), key=lambda one: -one.edge_usdc_micro)


def _fits(offer: Side, bid: Side, rules: TradeRules) -> bool:
    edge = bid.sell_usdc_micro_per_1k - offer.buy_usdc_micro_per_1k
    return (
        offer.model == bid.model
        and {offer.kind, bid.kind} <= set(rules.kinds)
        and offer.start_us <= bid.start_us
        and bid.stop_us <= offer.stop_us
        and min(offer.tokens, bid.tokens) > 0
        and edge > 0
        and edge * WHOLE_BP >= rules.edge_min_bp * offer.buy_usdc_micro_per_1k
    )


def _program(pairs: Sequence[tuple[Side, Side]], left: int) -> Program:
    """Columns: thousands of tokens of each pair. Rows: each offer, each bid, the exposure."""
    earns = [bid.sell_usdc_micro_per_1k - offer.buy_usdc_micro_per_1k for offer, bid in pairs]
    top = [min(offer.tokens, bid.tokens) / 1_000 for offer, bid in pairs]
    made = Program.of(cost=-np.array(earns, np.float64), top=top, whole=np.zeros(len(pairs)))
    for place in (0, 1):
        for side in {pair[place] for pair in pairs}:
            column: NDArray[np.int64] = np.flatnonzero([pair[place] == side for pair in pairs])
            made.row([(column, np.ones(column.size))], high=side.tokens / 1_000)
    outlay = np.array([offer.buy_usdc_micro_per_1k for offer, _ in pairs], np.float64)
    made.row([(np.arange(len(pairs)), outlay)], high=float(left))
    return made


def _whole(pairs: Sequence[tuple[Side, Side]], values: NDArray[np.float64], left: int) -> list[Trade]:
    """Whole tokens, down; costs up and takings down; nothing beyond the exposure, whatever was rounded."""
    found, taken = [], dict.fromkeys({side for pair in pairs for side in pair}, 0)
    for (offer, bid), value in zip(pairs, values, strict=True):
        room = min(offer.tokens - taken[offer], bid.tokens - taken[bid])
        tokens = min(room, int(value * 1_000 + 1e-6), left * 1_000 // max(1, offer.buy_usdc_micro_per_1k))
        outlay = share_up(offer.buy_usdc_micro_per_1k, tokens, 1_000)
        edge = share_down(bid.sell_usdc_micro_per_1k, tokens, 1_000) - outlay
        if tokens > 0 and edge > 0:
            taken[offer], taken[bid], left = taken[offer] + tokens, taken[bid] + tokens, left - outlay
            found.append(Trade(offer, bid, tokens, outlay, edge))
    return found
