"""Backed credits: reserved before they are sold, delivered or refunded, in tokens, inference-seconds and requests."""

from __future__ import annotations

from dataclasses import replace

import pytest
from capacity_kit import Market, accelerator_hours, at, conversion, terms, window

from penstock.compute.service import MS_PER_HOUR
from penstock.journal.fact import Entry
from penstock.journal.kinds.capacity import CreditEnd
from penstock.journal.kinds.compute import CreditsSold
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.words import LinkKind, Unit
from penstock.period import Period
from penstock.usecases.compute.move_collateral import Collateral, move_collateral
from penstock.usecases.compute.open_capacity import Lose, lose_capacity
from penstock.usecases.compute.publish import publish_conversion
from penstock.usecases.compute.redeem_credits import Redeem, redeem_credits
from penstock.usecases.compute.trade_credits import (
    AskWork,
    BuyCredits,
    EndCredits,
    PassCredits,
    ask_work,
    end_credits,
    offer_credits,
    pass_credits,
    sell_credits,
)
from penstock.usecases.compute.trade_windows import Buy, sell_window
from penstock.usecases.sell import offer, redeem, sell

PRICE, PENALTY, MILLION = 2_000_000, 500_000, 1_000_000
ROOT, PERIOD = b"r" * 32, Period(at(0), at(1))


@pytest.fixture
def market() -> Market:
    return Market().posted().classed(terms())


def redeemed(credits: int, holder: str = "agent", credit_class: str = "tokens", **more: object) -> Redeem:
    return Redeem(credit_class, holder, credits, ROOT, PERIOD, **more)  # type: ignore[arg-type]


def test_an_offer_reserves_whole_accelerator_hours_evenly(market: Market) -> None:
    assert market.titles()["provider", "reserved"] == accelerator_hours(100)
    one = market.world.capacity.credits.named("tokens")
    per_hour = dict.fromkeys(range(48), 0)
    for start, stop in zip(one.start.tolist(), one.stop.tolist(), strict=True):
        per_hour[start // accelerator_hours(8)] += (stop - start) // MS_PER_HOUR
    assert sorted(set(per_hour.values())) == [2, 3]
    assert one.backing_credits == one.left == 100


def test_no_credit_without_reserved_hours(market: Market) -> None:
    assert market.refused(offer_credits, terms("more", capacity_credits=300)) == "capacity.sold_out"
    market.offered(window("w", 1, 40, 5)).do(sell_window, Buy("w", "trader"))
    assert market.refused(offer_credits, terms("more", capacity_credits=41)) == "capacity.sold_out"
    market.do(sell_credits, BuyCredits("tokens", "agent", 100))
    assert market.refused(sell_credits, BuyCredits("tokens", "agent", 1)) == "credit.oversold"


def test_no_credit_without_collateral() -> None:
    market = Market().posted(10 * PENALTY).classed(terms())
    market.do(sell_credits, BuyCredits("tokens", "agent", 10))
    assert market.refused(sell_credits, BuyCredits("tokens", "agent", 1)) == "collateral.short"
    market.do(lambda world, asked, _: move_collateral(world, asked), Collateral("provider", PENALTY))
    market.do(sell_credits, BuyCredits("tokens", "agent", 1))


def test_bought_passed_on_asked_for_redeemed(market: Market) -> None:
    market.do(sell_credits, BuyCredits("tokens", "agent", 10))
    assert (market.dollars("agent"), market.dollars("tokens/escrow")) == (-10 * PRICE, 10 * PRICE)
    market.do(pass_credits, PassCredits("tokens", "agent", "trader", 4))
    market.do(ask_work, AskWork("tokens", "trader", 3))
    assert market.refused(pass_credits, PassCredits("tokens", "trader", "agent", 2)) == "credit.not_held"
    assert market.refused(redeem_credits, redeemed(1, "trader")) == "credit.undelivered"
    market.served(5 * MILLION)
    market.do(redeem_credits, redeemed(4, "trader"))
    assert market.refused(redeem_credits, redeemed(2)) == "credit.undelivered"
    market.do(redeem_credits, redeemed(1))
    assert market.dollars("provider/revenue") == 5 * PRICE
    held = market.titles("tokens/promised")
    assert held == {("trader", "retired"): 4 * MILLION, ("agent", "retired"): MILLION, ("agent", "held"): 5 * MILLION}
    assert market.world.compute.book("tokens").outstanding == 5
    assert market.world.capacity.providers.needed["provider"] == 5 * PENALTY


def test_work_asked_for_and_not_delivered_costs_price_and_collateral(market: Market) -> None:
    market.do(sell_credits, BuyCredits("tokens", "agent", 10))
    market.do(ask_work, AskWork("tokens", "agent", 4), 2)
    market.do(ask_work, AskWork("tokens", "agent", 2), 2.5)
    refund = EndCredits("tokens", "agent", CreditEnd.REFUNDED)
    assert market.refused(end_credits, refund, 2.99) == "credit.not_over"
    market.do(end_credits, refund, 3)
    assert market.dollars("agent") == -6 * PRICE + 4 * PENALTY
    assert market.refused(end_credits, refund, 3.4) == "credit.not_over"
    market.do(end_credits, refund, 3.5)
    assert market.titles("tokens/promised") == {("agent", "withdrawn"): 6 * MILLION, ("agent", "held"): 4 * MILLION}


def test_what_nobody_asked_for_expires_without_collateral(market: Market) -> None:
    market.do(sell_credits, BuyCredits("tokens", "agent", 10))
    market.do(ask_work, AskWork("tokens", "agent", 1), 47.5)
    market.served(10 * MILLION)
    expire = EndCredits("tokens", "agent", CreditEnd.EXPIRED)
    for act, asked in (
        (sell_credits, BuyCredits("tokens", "agent", 1)),
        (pass_credits, PassCredits("tokens", "agent", "trader", 1)),
        (ask_work, AskWork("tokens", "agent", 1)),
    ):
        assert market.refused(act, asked, 48) == "credit.expired"
    assert market.refused(redeem_credits, redeemed(2), 48) == "credit.not_held"
    assert market.refused(end_credits, expire, 48) == "credit.not_over"
    market.do(redeem_credits, redeemed(1), 48.5)
    market.do(end_credits, expire, 49)
    assert market.dollars("agent") == -PRICE
    assert market.titles("tokens/promised")["agent", "expired"] == 9 * MILLION
    assert market.refused(redeem_credits, redeemed(1)) == "credit.expired"
    assert market.refused(end_credits, expire) == "credit.not_held"


def test_lost_capacity_refunds_the_newest_credits(market: Market) -> None:
    market.do(sell_credits, BuyCredits("tokens", "agent", 60))
    market.do(sell_credits, BuyCredits("tokens", "trader", 30))
    market.do(ask_work, AskWork("tokens", "trader", 30))
    market.do(lose_capacity, Lose("rack", at(0), 48, 5, "free ones"))
    assert market.world.capacity.credits.named("tokens").backing_credits == 100
    market.do(lose_capacity, Lose("rack", at(10), 18, 3, "a bus bar"))
    one = market.world.capacity.credits.named("tokens")
    assert (one.backing_credits, one.outstanding, one.uncovered()) == (62, 62, 0)
    assert market.dollars("trader") == -2 * PRICE + 28 * PENALTY
    assert market.dollars("agent") == -60 * PRICE
    assert one.overdue("trader", at(100)) == 2
    assert market.refused(sell_credits, BuyCredits("tokens", "agent", 1)) == "credit.oversold"


def test_collateral_that_is_short_pays_everybody_the_same_share() -> None:
    market = Market().posted(90 * PENALTY).classed(terms())
    market.do(sell_credits, BuyCredits("tokens", "agent", 60))
    market.do(sell_credits, BuyCredits("tokens", "trader", 30))
    for world in (market.world, market.replica):  # as if most of it had been lost for false work
        world.capacity.providers.posted["provider"] = 10 * PENALTY
    market.do(lose_capacity, Lose("rack", at(10), 18, 8, "a bus bar"))
    assert market.dollars("trader") == -2 * PRICE + 10 * PENALTY * 28 // 90
    market.do(ask_work, AskWork("tokens", "agent", 1))
    market.do(end_credits, EndCredits("tokens", "agent", CreditEnd.REFUNDED), 1)
    left = 10 * PENALTY - 10 * PENALTY * 28 // 90
    assert market.dollars("agent") == -59 * PRICE + left // 62


def test_a_provider_whose_work_is_false_refunds_all_and_sells_no_more(market: Market) -> None:
    market.do(sell_credits, BuyCredits("tokens", "agent", 10))
    market.do(ask_work, AskWork("tokens", "agent", 4))
    for world in (market.world, market.replica):
        world.capacity.providers.proven_false.add("provider")
    assert market.refused(sell_credits, BuyCredits("tokens", "trader", 1)) == "provider.false"
    market.do(end_credits, EndCredits("tokens", "agent", CreditEnd.REFUNDED))
    assert market.dollars("agent") == 10 * PENALTY
    assert market.titles("tokens/promised") == {("agent", "withdrawn"): 10 * MILLION}


def test_inference_seconds_need_time_that_was_worked(market: Market) -> None:
    market.classed(terms("time", Unit.MS, units_per_credit=1_000, capacity_credits=36_000))
    market.do(sell_credits, BuyCredits("time", "agent", 10))
    more = {"credit_class": "time"}
    assert market.refused(redeem_credits, redeemed(1, **more)) == "credit.undelivered"
    market.served(MILLION, 4_000)
    market.do(redeem_credits, redeemed(3, **more))
    invented = redeemed(2, sources=((3_000, 5_000),), **more)
    with pytest.raises(Exception, match="was worked"):
        market.tell(redeem_credits(market.world, invented, at(0)))


def test_requests_of_an_application_are_answered_by_tokens(market: Market) -> None:
    market.classed(terms("chat", Unit.REQUESTS, application="helpdesk", units_per_credit=2, capacity_credits=500))
    market.do(sell_credits, BuyCredits("chat", "agent", 5))
    market.served(1_000)
    more = {"credit_class": "chat"}
    assert market.refused(redeem_credits, redeemed(1, answers=(0, 40), **more)) == "credit.answers"
    assert market.refused(redeem_credits, redeemed(1, answers=(0, 40, 40), **more)) == "credit.answers"
    market.do(redeem_credits, redeemed(1, answers=(0, 40, 90), **more))
    market.do(redeem_credits, redeemed(2, answers=(90, 91, 92, 93, 1_000), **more))
    links, registers = market.world.books.links[LinkKind.SERVE], market.world.books.registers
    assert links.filled(registers.id_of("chat/answered")) == 6
    assert market.dollars("provider/revenue") == 3 * PRICE


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"conversion": "none"}, "conversion.unknown"),
        ({"unit": Unit.MS}, "credit.unit"),
        ({"application": "helpdesk"}, "credit.unit"),
        ({"model": "another"}, "credit.backing"),
        ({"grace_us": 0}, "credit.backing"),
        ({"collateral_usdc_micro": -1}, "credit.backing"),
        ({"revenue_account": "agent"}, "credit.backing"),
        ({"expires_us": at(0)}, "credit.expired"),
        ({"expires_us": at(200)}, "capacity.not_opened"),
        ({"backing_rack": "other"}, "rack.unknown"),
        ({"backing_rack": ""}, "rack.unknown"),
        ({"provider": "agent"}, "capacity.operator"),
        ({"price_usdc_micro": 0}, "credit.terms"),
        ({"credit_class": "tokens"}, "credit.offered_twice"),
    ],
)
def test_a_class_that_cannot_stand(market: Market, changes: dict[str, object], code: str) -> None:
    assert market.refused(offer_credits, replace(terms("other"), **changes)) == code  # type: ignore[arg-type]


def test_a_new_conversion_leaves_old_classes_as_they_were(market: Market) -> None:
    market.do(lambda world, asked, _: publish_conversion(world, asked), conversion(per_hour=10, version=2))
    assert market.world.capacity.credits.named("tokens").backing_credits == 100
    assert (
        market.refused(lambda world, asked, _: publish_conversion(world, asked), conversion()) == "conversion.version"
    )


def test_other_acts_touch_no_backed_class(market: Market) -> None:
    market.do(sell_credits, BuyCredits("tokens", "agent", 1))
    rack = market.world.compute.racks["rack"]
    with pytest.raises(Exception, match="capacity behind"):
        sell(market.world, "tokens", "agent", 1, at(0))
    with pytest.raises(Exception, match="capacity behind"):
        offer(market.world, terms("other"))
    market.served(MILLION)
    with pytest.raises(Exception, match="capacity behind"):
        redeem(market.world, "tokens", rack, "agent", 1, ROOT, "provider/revenue", PERIOD)
    stolen = CreditsSold("none", "agent", 1, (Transfer("tokens/escrow", "agent", 1, "stolen"),))
    with pytest.raises(Exception, match="pay out by their own acts"):
        market.tell([Entry(stolen)])
