"""Forwards of any form under any output: every Wh and every micro-dollar is somewhere, and each act stands replayed."""

from __future__ import annotations

from typing import Any

from device_kit import hours
from forward_kit import MWH, NAME, PROMISE, ROOF, TURBINE, Forwarded, shape, share, terms
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import PenstockError
from penstock.journal.kinds.forward import ForwardIndexPublished, Remedy
from penstock.journal.words import LinkKind, Right
from penstock.usecases.registry.forward import Offer, PassOn, Sell, pass_on, publish_index, sell

REMEDIES: tuple[dict[str, Any], ...] = (
    {"remedy": Remedy.CASH, "cash_usdc_micro_per_mwh": 90 * MWH},
    {"remedy": Remedy.INDEX, "index": "hub", "cash_usdc_micro_per_mwh": 0},
    {"remedy": Remedy.MAKE_UP, "make_up_until_us": hours(7), "cash_usdc_micro_per_mwh": 70 * MWH},
)


@st.composite
def offers(draw: st.DrawFn) -> Offer:
    rest = draw(st.sampled_from(REMEDIES)) | {
        "energy": draw(st.booleans()),
        "registers": draw(st.sampled_from([(ROOF,), (ROOF, TURBINE)])),
        "collateral_basis_points": draw(st.integers(0, 5_000)),
    }
    form = draw(st.sampled_from(("quantity", "share", "shape")))
    if form == "share":
        return share(draw(st.integers(1, 10_000)), **rest)
    if form == "shape":
        return shape(*draw(st.lists(st.integers(1, 1_000), min_size=1, max_size=4)), **rest)
    return terms(quantity_wh=draw(st.integers(1, 4_000)), **rest)


@settings(max_examples=15, deadline=None)
@given(offers(), st.data())
def test_whatever_happens_nothing_is_lost(offered: Offer, data: st.DataObject) -> None:
    made = Forwarded().sold(offered)
    for buyer in data.draw(st.lists(st.sampled_from(["buyer", "trader"]), max_size=3)):
        amount, rank = data.draw(st.integers(1, 3_000)), data.draw(st.integers(1, 2))
        asked = Sell(NAME, buyer, rank, 0, amount) if offered.share_basis_points else Sell(NAME, buyer, rank, amount)
        _try(made, lambda asked=asked: made.do(sell, asked, 0))
    promise = made.world.forwards.named(NAME)
    if promise.sales:
        half = promise.sales[0].sold.quantity_wh // 2
        other = {"buyer": "trader", "trader": "buyer"}[promise.sales[0].sold.buyer]
        _try(made, lambda: made.do(pass_on, PassOn(NAME, promise.sales[0].sold.buyer, other, 0, half), 0))
    made.meter(1)
    for hour in range(2, 9):
        made.meter(hour, roof=data.draw(st.integers(0, 2_000)), turbine=data.draw(st.integers(0, 900)))
        if data.draw(st.booleans()) or hour == 8:
            _try(made, lambda hour=hour: made.certify(hour))
            _try(made, lambda hour=hour: made.deliver(hour))
            _sound(made)
    index = ForwardIndexPublished("hub", hours(1), hours(5), data.draw(st.integers(0, 200)) * MWH, "the exchange")
    made.do(lambda world, fact, _: publish_index(world, fact), index)
    made.settle(9)
    assert made.dollars(f"{NAME}/escrow") == made.dollars(f"{NAME}/collateral") == 0
    assert {state for _, _, _, state in made.got(Right.USE, PROMISE)} <= {"retired"}
    assert sum(made.dollars(one) for one in ("owner", "buyer", "trader")) == 0
    assert made.no_settlement() == "forward.settled"


def _try(made: Forwarded, act: Any) -> None:
    """An act that may be refused; then the world is as before."""
    before = made.world.books.digest(), made.world.forwards.digest()
    try:
        act()
    except PenstockError:
        assert (made.world.books.digest(), made.world.forwards.digest()) == before


def _sound(made: Forwarded) -> None:
    """Escrow holds what is not earned; buyers hold what was delivered, each Wh linked to the promise it filled."""
    promise = made.world.forwards.named(NAME)
    unearned = sum(one.sold.cost_usdc_micro - one.released_usdc_micro for one in promise.sales)
    assert made.dollars(f"{NAME}/escrow") == unearned
    links = made.world.books.links[LinkKind.DELIVER].columns()
    assert int((links["target_stop"] - links["target_start"]).sum()) == promise.delivered_wh
    held = [
        stop - start
        for urn in (ROOF, TURBINE)
        for start, stop, holder, _ in made.got(urn=urn)
        if holder in ("buyer", "trader")
    ]
    assert sum(held) == promise.delivered_wh
    if promise.sales:
        assert (promise.delivered <= promise.sizes).all() and (promise.missing >= 0).all()
