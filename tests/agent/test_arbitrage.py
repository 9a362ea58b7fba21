"""Trades pay after costs, stay within their limits, and earn as much as any would."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.agent.arbitrage import Side, trades
from penstock.agent.mandate import TradeRules

ALL = TradeRules(("spot", "credit", "forward"), 10**9, 0)


def side(name: str, price: int, kind: str = "spot", tokens: int = 1_000, **changes: int) -> Side:
    return Side(name, kind, "m", price, tokens, **({"start_us": 0, "stop_us": 100} | changes))


def test_it_buys_where_it_is_cheap_and_sells_where_it_is_dear() -> None:
    (trade,) = trades([side("a", 100), side("b", 90)], [side("c", 120, "forward")], ALL)
    assert (trade.offer.name, trade.tokens, trade.outlay_usdc_micro, trade.edge_usdc_micro) == ("b", 1_000, 90, 30)


def test_costs_on_both_sides_count() -> None:
    assert trades([side("a", 100, cost_bp=1_000)], [side("b", 110)], ALL) == []
    assert trades([side("a", 100)], [side("b", 110, cost_bp=910)], ALL) == []
    assert len(trades([side("a", 100, cost_bp=500)], [side("b", 110)], ALL)) == 1


def test_what_cannot_be_had_in_time_is_not_sold() -> None:
    owed = side("b", 200, start_us=50, stop_us=150)
    assert trades([side("a", 100)], [owed], ALL) == []
    assert trades([side("a", 100, start_us=60, stop_us=200)], [owed], ALL) == []
    assert len(trades([side("a", 100, start_us=50, stop_us=150)], [owed], ALL)) == 1


def test_limits_are_kept() -> None:
    offers, bids = [side("a", 100)], [side("b", 120, "credit")]
    assert trades(offers, bids, TradeRules(("spot", "credit"), 50, 0))[0].tokens == 500
    assert trades(offers, bids, TradeRules(("spot", "credit"), 50, 0), exposed_usdc_micro=50) == []
    assert trades(offers, bids, TradeRules(("spot",), 10**9, 0)) == []
    assert trades(offers, bids, TradeRules(("spot", "credit"), 10**9, 2_001)) == []
    assert trades(offers, bids, TradeRules(("spot", "credit"), 10**9, 2_000)) != []
    assert trades(offers, bids, TradeRules()) == []


@settings(max_examples=60, deadline=None)
@given(
    asks=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 3)), min_size=1, max_size=2),
    wants=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 3)), min_size=1, max_size=2),
    exposure=st.integers(0, 40),
)
def test_nothing_else_earns_more(asks: list[tuple[int, int]], wants: list[tuple[int, int]], exposure: int) -> None:
    """Prices per thousand and whole thousands: all ways are tried."""
    offers = [side(f"a{place}", price, tokens=1_000 * much) for place, (price, much) in enumerate(asks)]
    bids = [side(f"b{place}", price, tokens=1_000 * much) for place, (price, much) in enumerate(wants)]
    rules = TradeRules(("spot",), exposure, 0)
    found = trades(offers, bids, rules)
    pairs = list(itertools.product(range(len(asks)), range(len(wants))))
    best = 0
    for much in itertools.product(range(4), repeat=len(pairs)):
        flows = dict(zip(pairs, much, strict=True))
        sold = all(sum(flows[a, b] for b in range(len(wants))) <= asks[a][1] for a in range(len(asks)))
        met = all(sum(flows[a, b] for a in range(len(asks))) <= wants[b][1] for b in range(len(wants)))
        if sold and met and sum(flows[a, b] * asks[a][0] for a, b in pairs) <= exposure:
            best = max(best, sum(flows[a, b] * (wants[b][0] - asks[a][0]) for a, b in pairs))
    assert sum(trade.edge_usdc_micro for trade in found) >= best - len(pairs)  # rounded down, a micro-dollar a trade
    assert sum(trade.outlay_usdc_micro for trade in found) <= exposure
    for one in (*offers, *bids):
        assert sum(trade.tokens for trade in found if one in (trade.offer, trade.bid)) <= one.tokens
