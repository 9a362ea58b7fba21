"""Standing orders: so much of each interval, each issue once, however often they are run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from consumer_kit import Consumers
from device_kit import hours
from registry_kit import Registry

from penstock.errors import Conflict, Refused
from penstock.journal.kinds.account import (
    AccountAssigned,
    OrderEnded,
    OrderPlaced,
    OrdersRun,
    OrganisationRegistered,
    Recurring,
    WhitelistStated,
)
from penstock.journal.words import LinkKind, Technology
from penstock.usecases.registry.account import say
from penstock.usecases.registry.recurring import end_order, order_rows, place_order
from penstock.usecases.registry.recurring_run import run_orders
from penstock.usecases.registry.selection import Selection
from penstock.usecases.registry.transfer import Transfer, transfer

HOURS = ((1, 1_000), (2, 2_500), (3, 3_000), (4, 5_000))  # 1,000, 1,500, 500 and 2,000 Wh


@pytest.fixture
def registry() -> Registry:
    return Registry()


def order(**changes: Any) -> OrderPlaced:
    return replace(OrderPlaced(0, "owner", Recurring.TRANSFER, "buyer", 0, 2_500, 0), **changes)


def run(registry: Registry, hour: float = 5) -> Registry:
    registry.do(lambda world, _, at_us: run_orders(world, at_us), None, hour)
    return registry


def test_a_share_of_each_interval_rounded_down(registry: Registry) -> None:
    registry.do(place_order, order(share_basis_points=3_333))
    registry.with_hours()
    assert registry.wh("buyer") == 0
    run(registry)
    assert registry.wh("buyer") == 333 + 499 + 166 + 666
    assert [(a, b) for a, b, who, _ in registry.owned() if who == "buyer"] == [
        (0, 333), (1_000, 1_499), (2_500, 2_666), (3_000, 3_666),
    ]  # fmt: skip


def test_a_quantity_of_each_interval_or_what_there_is(registry: Registry) -> None:
    registry.do(place_order, order(share_basis_points=0, quantity_wh=800))
    run(registry.with_hours())
    assert registry.wh("buyer") == 800 + 800 + 500 + 800


def test_run_again_it_takes_nothing_again(registry: Registry) -> None:
    registry.do(place_order, order())
    run(registry.with_hours())
    held, size = registry.wh("buyer"), registry.world.books.size
    run(run(registry))
    assert (registry.wh("buyer"), registry.world.books.size) == (held, size)


def test_after_each_issue_or_once_for_all_comes_to_the_same(registry: Registry) -> None:
    registry.do(place_order, order(share_basis_points=3_333))
    for hour, position in HOURS:
        registry.counted((hour, position))
        run(registry, hour + 1)
    at_once = Registry()
    at_once.do(place_order, order(share_basis_points=3_333))
    run(at_once.with_hours())
    assert registry.wh("buyer") == at_once.wh("buyer")
    assert order_rows(registry.world)[0]["taken_wh"] == order_rows(at_once.world)[0]["taken_wh"] == 1_664


def test_only_what_is_issued_from_then_on(registry: Registry) -> None:
    registry.counted((1, 1_000))
    registry.do(place_order, order(share_basis_points=10_000), 2)
    registry.counted((2, 2_500))
    run(registry, 3)
    assert registry.wh("buyer") == 1_500


def test_two_orders_share_and_neither_takes_the_others(registry: Registry) -> None:
    registry.do(place_order, order(share_basis_points=6_000))
    registry.do(place_order, order(target="trader", share_basis_points=6_000))
    run(registry.with_hours())
    assert (registry.wh("buyer"), registry.wh("trader"), registry.wh("owner")) == (3_000, 2_000, 0)


def test_an_order_of_a_time_a_zone_a_technology(registry: Registry) -> None:
    registry.do(place_order, order(start_us=hours(1), stop_us=hours(3), share_basis_points=10_000))
    registry.do(place_order, order(target="trader", zone="nowhere", share_basis_points=10_000))
    registry.do(place_order, order(target="trader", technology=Technology.WIND, share_basis_points=10_000))
    run(registry.with_hours())
    assert (registry.wh("buyer"), registry.wh("trader")) == (2_000, 0)


def test_a_standing_retirement(registry: Registry) -> None:
    asked = order(act=Recurring.RETIRE, target="", beneficiary="the town", purpose="street lights")
    registry.do(place_order, asked)
    entries = registry.with_hours().do(lambda world, _, at_us: run_orders(world, at_us), None)
    assert registry.wh("owner", "retired") == 250 + 375 + 125 + 500
    fact: Any = entries[1].fact
    assert (fact.beneficiary, fact.purpose, fact.by) == ("the town", "street lights", "order:1")


def test_an_unwilling_receiver_gets_nothing_and_the_others_do(registry: Registry) -> None:
    registry.do(place_order, order())
    registry.do(place_order, order(target="trader"))
    registry.do(say, WhitelistStated("buyer", ()))
    run(registry.with_hours())
    assert (registry.wh("buyer"), registry.wh("trader")) == (0, 1_250)
    registry.do(say, WhitelistStated("buyer", (), everyone=True))
    run(registry)
    assert registry.wh("buyer") == 0  # those issues are behind it


def test_an_order_that_ended_takes_nothing(registry: Registry) -> None:
    registry.do(place_order, order())
    registry.do(end_order, OrderEnded(1))
    assert registry.refused(end_order, OrderEnded(1)) == "order.ended"
    assert registry.refused(end_order, OrderEnded(2)) == "order.unknown"
    run(registry.with_hours())
    assert registry.wh("buyer") == 0 and order_rows(registry.world)[0]["state"] == "ended"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"share_basis_points": 0}, "order.form"),
        ({"quantity_wh": 5}, "order.form"),
        ({"share_basis_points": 10_001}, "order.form"),
        ({"share_basis_points": 0, "quantity_wh": -5}, "order.form"),
        ({"start_us": 5, "stop_us": 5}, "order.form"),
        ({"target": ""}, "order.form"),
        ({"target": "owner"}, "order.form"),
        ({"act": Recurring.RETIRE}, "order.form"),
        ({"account": "nobody"}, "account.unknown"),
        ({"target": "nobody"}, "account.unknown"),
        ({"register": "nothing"}, "register.unknown"),
        ({"act": Recurring.CLAIM, "target": "nothing"}, "register.unknown"),
        ({"act": Recurring.CLAIM, "target": "roof/export"}, "order.no_consumption"),
    ],
)
def test_bad_orders_are_refused(registry: Registry, changes: dict[str, Any], code: str) -> None:
    assert registry.refused(place_order, order(**changes)) == code


def test_a_run_cannot_be_recorded_twice_nor_take_more(registry: Registry) -> None:
    registry.do(place_order, order())
    registry.with_hours()
    entries = run_orders(registry.world, hours(5))
    greedy = {**entries[0].segment.columns, "taken_wh": entries[0].segment.columns["found_wh"]}  # type: ignore[union-attr]
    run_fact: Any = entries[0].fact
    with pytest.raises(Refused) as caught:
        registry.world.participants.orders.check_run(run_fact, greedy)
    assert caught.value.code == "order.beyond_due"
    registry.tell(entries, hours(5))
    with pytest.raises(Refused) as caught:
        registry.world.participants.orders.check_run(run_fact, greedy)
    assert caught.value.code == "order.looked_already"
    assert isinstance(run_fact, OrdersRun) and run_fact.to_lot == registry.world.participants.orders.lots


def test_what_an_order_does_follows_on_its_run(registry: Registry) -> None:
    """The moves alone, without the run that says it looked, do not stand."""
    registry.do(place_order, order())
    registry.with_hours()
    _, moves = run_orders(registry.world, hours(5))
    with pytest.raises((Refused, Conflict)):
        registry.tell([moves], hours(6))


def claims(**changes: Any) -> OrderPlaced:
    said = {"account": "home", "act": Recurring.CLAIM, "target": "home/import", "share_basis_points": 10_000}
    return order(**(said | changes))


def given_to_home(registry: Consumers) -> Consumers:
    """The roof's certificates are issued to the home's account: it is transferred before the orders are run."""
    registry.do(transfer, Transfer("owner", "home", Selection(share_basis_points=10_000)))
    return registry


def test_a_standing_claim_takes_what_was_drawn_in_the_same_interval() -> None:
    registry = Consumers()
    registry.do(place_order, claims())
    registry.with_hours()
    given_to_home(registry)
    registry.consumed("home", (1, 400), (2, 2_400), (3, 2_500), (4, 2_600))  # 400, 2,000, 100, 100 Wh
    run(registry)
    assert registry.wh("home", "claimed") == 400 + 1_500 + 100 + 100
    assert sum(b - a for a, b, _, state in registry.drawn("home") if state == "claimed") == 2_100
    links = registry.world.books.links[LinkKind.CLAIM].columns()
    assert int((links["source_stop"] - links["source_start"]).sum()) == 2_100


def test_a_standing_claim_waits_for_consumption_that_is_certified_later() -> None:
    registry = Consumers()
    registry.do(place_order, claims())
    registry.with_hours()
    given_to_home(registry)
    run(registry)
    assert registry.wh("home", "claimed") == 0
    registry.consumed("home", (1, 400), (2, 2_400))
    run(registry)
    assert registry.wh("home", "claimed") == 1_900
    run(registry)
    assert registry.wh("home", "claimed") == 1_900


def test_an_order_ends_with_the_organisation_that_placed_it(registry: Registry) -> None:
    """Whoever an account belongs to next does not go on giving it away."""
    registry.do(place_order, order(share_basis_points=10_000))
    for fact in (OrganisationRegistered("next"), AccountAssigned("owner", "next")):
        registry.do(say, fact)
    registry.with_hours()
    assert run_orders(registry.world, hours(5)) == []
    assert order_rows(registry.world)[0]["state"] == "ended"
    assert registry.wh("buyer") == 0
