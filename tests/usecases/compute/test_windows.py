"""Windows: nothing is sold twice, dollars wait, and what is missing is paid for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from capacity_kit import Market, accelerator_hours, at, window

from penstock.compute.service import MS_PER_HOUR
from penstock.compute.window import window_hash
from penstock.journal.kinds.capacity import CapacityOpened, CollateralCause, Firmness
from penstock.usecases.compute.move_collateral import Collateral, move_collateral
from penstock.usecases.compute.open_capacity import Lose, lose_capacity, open_capacity
from penstock.usecases.compute.trade_windows import (
    Buy,
    Pay,
    Resell,
    Settle,
    offer_window,
    pay_window,
    resell_window,
    sell_window,
    settle_window,
)

PRICE, PENALTY = 64_000_000, 20_000_000
PROOF = b"p" * 32
WHOLE_MS = 4 * accelerator_hours(8)


@pytest.fixture
def market() -> Market:
    return Market().posted()


def test_a_window_moves_titles_and_dollars(market: Market) -> None:
    market.offered(window()).do(sell_window, Buy("w", "agent"))
    assert market.titles()["agent", "held"] == WHOLE_MS
    assert (market.dollars("agent"), market.dollars("provider/windows")) == (-PRICE, PRICE)
    market.do(settle_window, Settle("w", WHOLE_MS, PROOF), 28)
    assert (market.dollars("provider/revenue"), market.dollars("provider/windows")) == (PRICE, 0)
    assert market.titles()["agent", "retired"] == WHOLE_MS


def test_two_buyers_race_for_the_last_window(market: Market) -> None:
    market.offered(window("one"), window("two")).do(sell_window, Buy("one", "agent"))
    assert market.refused(sell_window, Buy("one", "trader")) == "window.sold"
    assert market.refused(sell_window, Buy("two", "trader")) == "capacity.sold_out"
    assert market.dollars("trader") == 0


def test_windows_share_an_hour_by_whole_accelerators(market: Market) -> None:
    offers = [window(f"w{n}", 24 + n, 4, 2) for n in range(4)]
    market.offered(*offers)
    for one in offers:
        market.do(sell_window, Buy(one.offer, "agent"))
    assert market.titles()["agent", "held"] == 4 * 4 * accelerator_hours(2)
    market.offered(window("late", 27, 1, 1))
    assert market.refused(sell_window, Buy("late", "trader")) == "capacity.sold_out"


def test_nothing_is_sold_beyond_collateral() -> None:
    market = Market().posted(PENALTY).offered(window("one"), window("two", 30))
    market.do(sell_window, Buy("one", "agent"))
    assert market.refused(sell_window, Buy("two", "agent")) == "collateral.short"
    back = Collateral("provider", 1, CollateralCause.RELEASED)
    assert market.refused(lambda world, asked, _: move_collateral(world, asked), back) == "collateral.needed"
    market.do(settle_window, Settle("one", WHOLE_MS, PROOF), 28)
    market.do(lambda world, asked, _: move_collateral(world, asked), replace(back, usdc_micro=PENALTY))
    assert market.dollars("provider") == 0


def test_what_is_missing_costs_price_and_collateral_pro_rata(market: Market) -> None:
    market.offered(window()).do(sell_window, Buy("w", "agent"))
    market.do(settle_window, Settle("w", WHOLE_MS * 3 // 4, PROOF), 28)
    assert market.dollars("agent") == -PRICE * 3 // 4 + PENALTY // 4
    assert market.dollars("provider/revenue") == PRICE * 3 // 4


def test_what_availability_lets_be_missing_costs_nothing(market: Market) -> None:
    market.offered(window()).do(sell_window, Buy("w", "agent"))
    market.do(settle_window, Settle("w", WHOLE_MS * 99 // 100, PROOF), 28)
    assert market.dollars("provider/revenue") == PRICE


def test_silence_is_no_delivery(market: Market) -> None:
    market.offered(window()).do(sell_window, Buy("w", "agent"))
    assert market.refused(settle_window, Settle("w", 1), 28) == "window.proof"
    assert market.refused(settle_window, Settle("w", WHOLE_MS, PROOF), 27.9) == "window.early"
    assert market.refused(settle_window, Settle("w", WHOLE_MS + 1, PROOF), 28) == "window.delivered"
    market.do(settle_window, Settle("w", 0), 28)
    assert market.dollars("agent") == PENALTY
    assert market.refused(settle_window, Settle("w", 0), 28) == "window.not_held"


def test_a_forward_takes_a_deposit_and_lapses(market: Market) -> None:
    forward = window("f", 72, deposit_bp=1_000, expires_us=at(10), balance_due_us=at(48))
    market.offered(forward, replace(forward, offer="g", start_us=at(80), window=window("g", 80).window))
    market.do(sell_window, Buy("f", "agent"))
    market.do(sell_window, Buy("g", "agent"))
    assert market.dollars("agent") == -2 * PRICE // 10
    assert market.refused(pay_window, Pay("f", lapsed=True), 48) == "window.not_due"
    market.do(pay_window, Pay("f"), 48)
    assert market.refused(pay_window, Pay("f"), 48) == "window.paid"
    assert market.refused(pay_window, Pay("g"), 49) == "window.late"
    assert market.refused(settle_window, Settle("g", 0), 90) == "window.unpaid"
    market.do(pay_window, Pay("g", lapsed=True), 49)
    assert (market.dollars("agent"), market.dollars("provider/revenue")) == (-PRICE - PRICE // 10, PRICE // 10)
    assert market.titles()["agent", "held"] == WHOLE_MS
    market.do(settle_window, Settle("f", WHOLE_MS, PROOF), 76)
    assert market.dollars("provider/windows") == 0


def test_a_window_is_resold_with_what_is_owed_of_it(market: Market) -> None:
    market.offered(window("f", 72, deposit_bp=1_000, expires_us=at(10), balance_due_us=at(48)))
    market.do(sell_window, Buy("f", "agent"))
    assert market.refused(resell_window, Resell("f", "trader", "agent", 1)) == "window.not_held"
    assert market.refused(resell_window, Resell("f", "agent", "provider", 1)) == "window.own"
    assert market.refused(resell_window, Resell("f", "agent", "trader", -1)) == "window.price"
    market.do(resell_window, Resell("f", "agent", "trader", 9_000_000))
    assert market.titles()["trader", "held"] == WHOLE_MS
    market.do(pay_window, Pay("f"), 40)
    assert market.dollars("trader") == -9_000_000 - PRICE * 9 // 10
    assert market.refused(resell_window, Resell("f", "trader", "agent", 1), 72) == "window.begun"


def test_a_loss_hits_the_providers_own_hours_first_and_the_newest_sale_next(market: Market) -> None:
    market.offered(window("old", 24, 4, 3), window("new", 24, 4, 3))
    market.do(sell_window, Buy("old", "agent"))
    market.do(sell_window, Buy("new", "trader"))
    market.do(lose_capacity, Lose("rack", at(24), 4, 2, "a power supply"))
    assert (market.dollars("agent"), market.dollars("trader")) == (-PRICE, -PRICE)
    market.do(lose_capacity, Lose("rack", at(25), 2, 3, "another"), 20)
    assert market.dollars("agent") == -PRICE
    assert market.dollars("trader") == -PRICE // 2 + PENALTY // 2
    assert market.refused(lose_capacity, Lose("rack", at(25), 1, 4, "more than is left")) == "capacity.sold_out"
    market.do(settle_window, Settle("new", 2 * accelerator_hours(3), PROOF), 28)
    assert market.dollars("trader") == -PRICE // 2 + PENALTY // 2
    assert market.dollars("provider/revenue") == PRICE // 2
    assert market.refused(settle_window, Settle("old", WHOLE_MS, PROOF)) == "window.delivered"


def test_an_interruptible_window_is_taken_back_with_notice_without_penalty(market: Market) -> None:
    market.offered(window(firmness=Firmness.INTERRUPTIBLE, notice_us=at(6) - at(0))).do(sell_window, Buy("w", "agent"))
    market.do(lose_capacity, Lose("rack", at(24), 1, 8, "the grid needs it"), 18)
    assert market.dollars("agent") == -PRICE * 3 // 4
    market.do(lose_capacity, Lose("rack", at(25), 1, 8, "too late"), 19.5)
    assert market.dollars("agent") == -PRICE // 2 + PENALTY // 4
    market.do(settle_window, Settle("w", WHOLE_MS // 4, PROOF), 28)
    assert market.dollars("agent") == -PRICE // 4 + PENALTY // 2


def test_what_is_lost_before_it_is_paid_is_let_off(market: Market) -> None:
    market.offered(window("f", 72, deposit_bp=1_000, expires_us=at(10), balance_due_us=at(48)))
    market.do(sell_window, Buy("f", "agent"))
    market.do(lose_capacity, Lose("rack", at(72), 2, 8, "flooded"))
    assert market.dollars("agent") == -PRICE // 10 + PENALTY // 2
    market.do(pay_window, Pay("f"), 48)
    assert market.dollars("agent") == -PRICE // 2 + PENALTY // 2
    market.do(lose_capacity, Lose("rack", at(74), 2, 8, "flooded again"), 50)
    assert market.dollars("agent") == PENALTY
    market.do(settle_window, Settle("f", 0), 76)
    assert market.dollars("provider/windows") == market.dollars("provider/revenue") == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"accelerators": 9}, "window.terms"),
        ({"accelerators": 0}, "window.terms"),
        ({"hours": 0}, "capacity.hours"),
        ({"start_us": at(24) + 1}, "capacity.hours"),
        ({"memory_mib": 40_960}, "window.terms"),
        ({"price_usdc_micro": 0}, "window.terms"),
        ({"deposit_bp": 5_000}, "window.terms"),
        ({"notice_us": 1}, "window.terms"),
        ({"pue_max_bp": 9_999}, "window.terms"),
        ({"availability_bp": 10_001}, "window.terms"),
        ({"region": " "}, "window.terms"),
        ({"sku": "H200"}, "sku.unknown"),
        ({"provider": "agent"}, "provider.unknown"),
        ({"rack": "other"}, "rack.unknown"),
        ({"start_us": at(120), "expires_us": at(120)}, "capacity.not_opened"),
        ({"expires_us": at(0)}, "window.begun"),
    ],
)
def test_an_offer_that_cannot_stand(market: Market, changes: dict[str, object], code: str) -> None:
    assert market.refused(offer_window, window(**changes)) == code  # type: ignore[arg-type]


def test_a_windows_name_is_what_makes_it_standard(market: Market) -> None:
    one = window()
    for change in (
        {"hours": 5},
        {"firmness": Firmness.INTERRUPTIBLE},
        {"region": "US-TEX"},
        {"kernel_share_bp": 9_000},
    ):
        assert window_hash(replace(one, **change)) != one.window
    other = replace(one, provider="another", rack="another", price_usdc_micro=1, offer="x", collateral_usdc_micro=0)
    assert window_hash(other) == one.window
    assert market.refused(offer_window, replace(one, window="00" * 32)) == "window.hash"
    market.offered(one)
    assert market.refused(offer_window, one) == "window.known"


def test_capacity_is_opened_hour_after_hour_each_once(market: Market) -> None:
    def again(start: int, stop: int, **changes: str) -> CapacityOpened:
        told = {"rack": "rack", "provider": "provider", "sku": "H100-SXM5-80GB", **changes}
        return CapacityOpened(**told, start_us=at(start), stop_us=at(stop))

    assert market.refused(open_capacity, again(95, 97)) == "capacity.opened"
    assert market.refused(open_capacity, again(96, 96)) == "capacity.hours"
    assert market.refused(open_capacity, again(100, 104), 101) == "capacity.past"
    assert market.refused(open_capacity, again(100, 104, sku="H200")) == "sku.unknown"
    assert market.refused(open_capacity, again(100, 104, provider="agent")) == "provider.unknown"
    market.do(open_capacity, again(100, 104))
    assert market.titles()["provider", "withdrawn"] == 4 * 8 * MS_PER_HOUR
    market.offered(window("later", 100)).do(sell_window, Buy("later", "agent"))
    assert market.refused(offer_window, window("gap", 98)) == "capacity.not_opened"
