"""Output sold forward: offered, sold, delivered as it is certified, settled by the rule fixed at issue."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from device_kit import OWNER, column, hours
from forward_kit import DOLLARS, MWH, NAME, PROMISE, ROOF, TURBINE, Forwarded, shape, share, terms
from registry_kit import named
from small_plant import DEAL_TEXT

from penstock.errors import PenstockError
from penstock.journal.fact import Entry
from penstock.journal.kinds.account import (
    AccountAssigned,
    OrderPlaced,
    OrganisationRegistered,
    Recurring,
    WhitelistStated,
)
from penstock.journal.kinds.device import DeviceTransferred
from penstock.journal.kinds.forward import ForwardIndexPublished, Remedy
from penstock.journal.kinds.ledger import AccountFunded
from penstock.journal.kinds.ledger import Transfer as Paid
from penstock.journal.laws import breaches
from penstock.journal.links import tile_links
from penstock.journal.words import LinkKind, Right, TitleState
from penstock.period import DAY_US, Period
from penstock.usecases.originate import originate
from penstock.usecases.registry.account import say
from penstock.usecases.registry.forward import (
    PassOn,
    Sell,
    deliver,
    estimate,
    offer,
    pass_on,
    publish_index,
    sell,
)
from penstock.usecases.registry.forward_rows import forward_row, forwards
from penstock.usecases.registry.fund import Fund, fund
from penstock.usecases.registry.recurring import place_order
from penstock.usecases.registry.recurring_run import run_orders
from penstock.usecases.registry.retire import Retirement, retire
from penstock.usecases.registry.selection import Named, Selection
from penstock.usecases.registry.split import Split, split
from penstock.usecases.registry.together import Together, together
from penstock.usecases.registry.transfer import Transfer, transfer
from penstock.usecases.registry.withdraw import Withdrawal, withdraw
from penstock.usecases.servicing.pledge import check_pledge
from penstock.usecases.transfer import transfer as transfer_device


@pytest.fixture
def made() -> Forwarded:
    return Forwarded()


def both(first: int = 1_000, second: int = 2_000, ranks: tuple[int, int] = (1, 2)) -> tuple[Sell, Sell]:
    return Sell(NAME, "buyer", ranks[0], first), Sell(NAME, "trader", ranks[1], second)


def test_a_sale_moves_price_and_collateral_and_gives_a_title_to_the_promise(made: Forwarded) -> None:
    made.sold(terms(), *both())
    assert made.got(Right.USE, PROMISE) == [(0, 1_000, "buyer", "held"), (1_000, 3_000, "trader", "held")]
    assert (made.dollars("buyer"), made.dollars("trader"), made.dollars("owner")) == (-80_000, -120_000, -20_000)
    assert (made.dollars(f"{NAME}/escrow"), made.dollars(f"{NAME}/collateral")) == (200_000, 20_000)


def test_what_is_sold_above_p90_needs_more_collateral(made: Forwarded) -> None:
    made.sold(terms(), Sell(NAME, "trader", 2, 2_900), Sell(NAME, "buyer", 1, 300))
    # 100 Wh below P90 at 10 %, 200 Wh above at 50 %, of 80 dollars a MWh
    assert made.world.forwards.named(NAME).sales[1].sold.collateral_usdc_micro == 800 + 8_000


def test_a_quantity_goes_to_the_senior_first_interval_by_interval(made: Forwarded) -> None:
    made.sold(terms(), *both())
    made.counted_hours(600, 700)
    made.deliver()
    assert made.by_hour("buyer") == [600, 400] and made.by_hour("trader") == [0, 300]
    assert made.got(Right.USE, PROMISE)[0] == (0, 600, "buyer", "retired")
    made.counted_hours(2_000, first=3)
    made.deliver()
    assert made.by_hour("trader") == [0, 300, 1_700] and made.by_hour("owner") == [0, 0, 300]
    assert made.dollars(f"{NAME}/escrow") == 0 and made.dollars("owner") == 200_000 - 20_000


def test_within_a_rank_each_interval_is_shared_pro_rata(made: Forwarded) -> None:
    made.sold(terms(), *both(ranks=(1, 1)))
    made.counted_hours(600, 700)
    made.deliver()
    assert made.by_hour("buyer") == [200, 233] and made.by_hour("trader") == [400, 467]


def test_a_share_takes_its_part_of_each_interval_and_leaves_the_rest(made: Forwarded) -> None:
    made.sold(share(), Sell(NAME, "buyer", 1, 0, 2_500), Sell(NAME, "trader", 2, 0, 1_000))
    assert made.got(Right.USE, PROMISE) == [(0, 1_000, "buyer", "held"), (1_000, 1_400, "trader", "held")]
    made.counted_hours(1_001, 1_001)
    made.deliver()
    assert made.by_hour("buyer") == [250, 250] and made.by_hour("trader") == [100, 100]
    made.counted_hours(2_002, first=3)
    made.deliver()
    assert sum(made.by_hour("buyer")) == 4_004 * 2_500 // 10_000 - 1  # the promise ends at P50: 1,000 Wh
    assert sum(made.by_hour("trader")) == 400


def test_less_output_is_the_risk_of_whoever_bought_a_share(made: Forwarded) -> None:
    made.sold(share(), Sell(NAME, "buyer", 1, 0, 5_000))
    made.counted_hours(100, 100, 100, 100)
    made.deliver()
    made.settle()
    assert made.got_wh("buyer") == 200
    assert made.dollars("buyer") == -200 * 80 and made.dollars("owner") == 200 * 80


def test_a_shape_is_due_period_by_period(made: Forwarded) -> None:
    made.sold(shape(100, 500, 100), *both(70, 630, (1, 2)))
    made.counted_hours(1_000, 300, 1_000)
    made.deliver()
    assert made.by_hour("buyer") == [10, 50, 10]
    assert made.by_hour("trader") == [90, 250, 90]  # what was missing in the second hour is missing
    assert made.world.forwards.named(NAME).missing.tolist() == [0, 200]


def test_energy_goes_along_where_it_was_promised(made: Forwarded) -> None:
    made.sold(terms(energy=True), *both())
    made.counted_hours(500, 800)
    made.deliver()
    assert made.got_wh("buyer", Right.ENERGY) == 1_000 and made.got_wh("trader", Right.ENERGY) == 300
    assert made.got(Right.ENERGY) == made.got(Right.ATTRIBUTE)


def test_a_promise_is_passed_on_and_delivered_to_whoever_holds_it(made: Forwarded) -> None:
    made.sold(terms(), *both())
    made.do(pass_on, PassOn(NAME, "buyer", "trader", 600, 1_000), 0)
    made.counted_hours(1_000)
    made.deliver()
    assert made.got() == [(0, 600, "buyer", "held"), (600, 1_000, "trader", "held")]
    assert made.refused(pass_on, PassOn(NAME, "buyer", "trader", 600, 1_000)) == "titles.other_holder"
    assert made.refused(pass_on, PassOn(NAME, "trader", "nobody", 600, 1_000)) == "account.unknown"
    assert made.refused(pass_on, PassOn(NAME, "trader", "buyer", 700, 700)) == "selection.span"


def test_until_it_is_delivered_nothing_of_the_window_goes_elsewhere(made: Forwarded) -> None:
    made.counted_hours(500, first=0)
    made.sold(terms(), *both())
    made.counted_hours(600, 700)
    asked = Transfer("owner", "trader", named((500, 600)))
    assert made.refused(transfer, asked) == "forward.bound"
    assert made.refused(retire, Retirement("owner", named((500, 600)), "somebody", "sport")) == "forward.bound"
    made.do(transfer, Transfer("owner", "trader", named((0, 100))))  # before the window
    made.do(split, Split("owner", Named(ROOF, 500, 1_100), (100,)))
    made.deliver()
    made.do(transfer, Transfer("trader", "owner", named((1_500, 1_600))))


def test_what_a_plant_issues_is_not_handed_on_in_the_same_act(made: Forwarded) -> None:
    made.sold(terms(), *both())
    made.meter(2, roof=600)
    asked = Together("XX", "owner", "trader")
    assert made.refused(lambda w, one, at: together(w, made.taken_in, one, at), asked) == "forward.bound"
    made.do(lambda w, one, at: together(w, made.taken_in, one, at), replace(asked, target=""))


def test_who_picks_by_quantity_passes_over_what_is_bound(made: Forwarded) -> None:
    made.counted_hours(500, first=0)
    made.sold(terms(), *both())
    made.counted_hours(600, 700)
    assert made.refused(transfer, Transfer("owner", "trader", Selection(quantity_wh=501))) == "selection.short"
    made.do(transfer, Transfer("owner", "trader", Selection(quantity_wh=500)))
    assert made.got_wh("trader") == 500 and made.got()[0] == (0, 500, "trader", "held")


def test_standing_orders_pass_over_what_is_bound(made: Forwarded) -> None:
    made.counted_hours(500, first=0)
    made.sold(share(1_000), Sell(NAME, "buyer", 1, 0, 1_000))
    made.do(place_order, OrderPlaced(1, "owner", Recurring.TRANSFER, "trader", 0, 10_000, hours(0)), 0.5)
    made.counted_hours(600)
    made.do(lambda world, _, at_us: run_orders(world, at_us), None)
    assert made.got_wh("trader") == 0
    made.counted_hours(700, first=2)
    made.deliver()
    made.do(lambda world, _, at_us: run_orders(world, at_us), None)
    assert made.got_wh("trader") == 630  # deliver first, then run the orders


def test_the_rest_is_free_once_an_interval_was_delivered(made: Forwarded) -> None:
    made.sold(share(1_000), Sell(NAME, "buyer", 1, 0, 1_000))
    made.counted_hours(1_000)
    made.deliver()
    made.do(transfer, Transfer("owner", "trader", named((100, 1_000))))
    assert made.no_delivery() == "forward.nothing"


def short(made: Forwarded, **changes: Any) -> Forwarded:
    """1,000 Wh come of 3,000 that were sold."""
    made.sold(terms(**changes), *both())
    made.counted_hours(500, 500, 0, 0)
    made.deliver()
    return made


def test_cash_pays_a_stated_price_out_of_the_collateral_by_rank(made: Forwarded) -> None:
    short(made, collateral_basis_points=10_000, collateral_above_basis_points=10_000)
    made.settle()
    assert made.dollars("trader") == 2_000 * 90
    assert made.dollars("owner") == 1_000 * 80 - 2_000 * 90
    assert made.got(Right.USE, PROMISE) == [(0, 500, "buyer", "retired")] + [
        (a, b, who, "retired") for a, b, who in ((500, 1_000, "buyer"), (1_000, 3_000, "trader"))
    ]
    assert forward_row(made.world, NAME)["state"] == "settled"


def test_seniors_are_paid_first_where_collateral_is_short(made: Forwarded) -> None:
    made.sold(terms(), *both())
    made.counted_hours(0, 0, 0, 100)
    made.deliver()
    (fact, _) = made.settle()
    assert made.dollars("buyer") == -100 * 80 + 20_000 and made.dollars("trader") == 0
    assert fact.fact.unpaid_usdc_micro == 900 * 90 + 2_000 * 90 - 20_000  # type: ignore[attr-defined]
    assert made.dollars(f"{NAME}/escrow") == made.dollars(f"{NAME}/collateral") == 0


@pytest.mark.parametrize(("price", "gain"), [(100, 2_000 * 40), (60, 0), (20, 0)])
def test_an_index_pays_what_it_is_above_the_contract(made: Forwarded, price: int, gain: int) -> None:
    high = {"collateral_basis_points": 10_000, "collateral_above_basis_points": 10_000}
    short(made, remedy=Remedy.INDEX, index="hub", cash_usdc_micro_per_mwh=0, **high)
    assert made.no_settlement() == "forward.index_missing"
    published = ForwardIndexPublished("hub", hours(1), hours(5), price * MWH, "the exchange")
    made.do(lambda world, fact, _: publish_index(world, fact), published)
    assert made.refused(lambda world, fact, _: publish_index(world, fact), published) == "forward.index_known"
    made.settle()
    assert made.dollars("trader") == gain and made.dollars("owner") == 1_000 * 80 - gain


def test_later_output_makes_up_until_the_stated_time_and_the_rest_is_paid(made: Forwarded) -> None:
    short(made, remedy=Remedy.MAKE_UP, make_up_until_us=hours(8), collateral_basis_points=5_000)
    assert made.no_settlement(7) == "forward.early"
    made.counted_hours(1_500, 0, 0, first=5)
    assert made.refused(transfer, Transfer("owner", "trader", named((1_000, 1_100)))) == "forward.bound"
    made.deliver(8)
    assert made.by_hour("trader") == [0, 0, 0, 0, 1_500]
    made.settle()
    assert made.dollars("trader") == -1_500 * 60 + 500 * 90


def test_what_was_made_up_in_full_is_settled_at_once(made: Forwarded) -> None:
    short(made, remedy=Remedy.MAKE_UP, make_up_until_us=hours(20), cash_usdc_micro_per_mwh=0)
    made.counted_hours(2_500, first=5)
    made.deliver(7)
    made.settle(7)
    assert made.got_wh("trader") == 2_000 and made.got_wh("owner") == 500


def test_remedy_and_price_go_to_whoever_holds_the_promise(made: Forwarded) -> None:
    made.sold(
        terms(collateral_basis_points=10_000, collateral_above_basis_points=10_000), Sell(NAME, "trader", 1, 1_000)
    )
    made.do(pass_on, PassOn(NAME, "trader", "buyer", 250, 1_000), 0)
    made.counted_hours(0, 0, 0, 1)
    made.deliver()
    made.settle(6)
    # of 999 Wh that did not come 750 are the buyer's: 60,000 of 79,920 in escrow, 60,061 of 80,000 of collateral
    assert made.dollars("buyer") == 60_000 + 60_061
    assert made.dollars("trader") == -80_000 + 19_920 + 19_939
    assert made.dollars("owner") == 80 - 80_000


def test_settling_has_its_time(made: Forwarded) -> None:
    made.sold(terms(), *both())
    assert made.no_settlement(4.9) == "forward.early"
    assert made.no_settlement(5) == "forward.unread"
    made.counted_hours(600)
    assert made.no_settlement(5) == "forward.undelivered"
    made.deliver()
    assert made.no_settlement(5.9) == "forward.unread"
    made.settle(6)  # the time of grace is over
    assert made.no_settlement(7) == "forward.settled"
    made.counted_hours(100, first=2)
    assert made.no_delivery() == "forward.settled"
    made.do(transfer, Transfer("owner", "trader", named((600, 700))))


def test_an_offer_that_nobody_took_is_closed(made: Forwarded) -> None:
    made.sold(terms())
    assert made.no_delivery() == "forward.unsold"
    made.settle(5)
    assert forwards(made.world)[0]["state"] == "settled"


BAD = [
    ({"quantity_wh": 4_001}, "forward.oversold"),
    ({"quantity_wh": 0}, "forward.quantity"),
    ({"quantity_wh": -1}, "forward.quantity"),
    ({"share_basis_points": 1}, "forward.quantity"),
    ({"quantity_wh": 0, "share_basis_points": 10_001}, "forward.share"),
    ({"quantity_wh": 0, "shape": ((hours(1), hours(2), 0),)}, "forward.quantity"),
    ({"quantity_wh": 0, "shape": ((hours(1), hours(3), 5), (hours(2), hours(4), 5))}, "forward.shape"),
    ({"quantity_wh": 0, "shape": ((hours(0), hours(3), 5),)}, "forward.shape"),
    ({"registers": ("nowhere/export",)}, "register.unknown"),
    ({"registers": ()}, "forward.plant"),
    ({"registers": (ROOF, ROOF)}, "forward.plant"),
    ({"seller": "trader"}, "forward.plant"),
    ({"seller": "nobody"}, "account.unknown"),
    ({"forward": "two words"}, "forward.name"),
    ({"start_us": hours(5), "stop_us": hours(5)}, "forward.window"),
    ({"start_us": hours(-1)}, "forward.begun"),
    ({"p90_wh": 4_001}, "forward.estimate"),
    ({"p50_wh": 2**60}, "forward.estimate"),
    ({"method": " "}, "forward.estimate"),
    ({"prices_usdc_micro_per_mwh": ()}, "forward.price"),
    ({"prices_usdc_micro_per_mwh": (0,)}, "forward.price"),
    ({"collateral_above_basis_points": 999}, "forward.collateral"),
    ({"collateral_basis_points": -1}, "forward.collateral"),
    ({"cash_usdc_micro_per_mwh": 0}, "forward.remedy"),
    ({"remedy": Remedy.INDEX}, "forward.remedy"),
    ({"remedy": Remedy.MAKE_UP, "make_up_until_us": hours(5)}, "forward.remedy"),
    ({"grace_us": -1}, "forward.remedy"),
]


@pytest.mark.parametrize(("changes", "code"), BAD)
def test_a_bad_offer_is_refused(made: Forwarded, changes: dict[str, Any], code: str) -> None:
    assert made.refused(offer, terms(**changes), 0) == code


def test_a_name_is_used_once(made: Forwarded) -> None:
    made.sold(terms())
    assert made.refused(offer, terms(), 0) == "forward.known"


SALES = [
    (Sell(NAME, "buyer", 1, 3_501), "forward.oversold"),
    (Sell(NAME, "buyer", 1, 0), "forward.quantity"),
    (Sell(NAME, "buyer", 1, -5), "forward.quantity"),
    (Sell(NAME, "buyer", 1, 0, 100), "forward.quantity"),
    (Sell(NAME, "buyer", 0, 100), "forward.rank"),
    (Sell(NAME, "buyer", 3, 100), "forward.rank"),
    (Sell(NAME, "owner", 1, 100), "forward.same_account"),
    (Sell(NAME, "nobody", 1, 100), "account.unknown"),
    (Sell("autumn", "buyer", 1, 100), "forward.unknown"),
]


@pytest.mark.parametrize(("asked", "code"), SALES)
def test_a_bad_sale_is_refused(made: Forwarded, asked: Sell, code: str) -> None:
    made.sold(terms())
    assert made.refused(sell, asked, 0) == code


def test_nothing_is_sold_once_the_window_began(made: Forwarded) -> None:
    made.sold(terms())
    assert made.refused(sell, Sell(NAME, "buyer", 1, 100), 1) == "forward.begun"


def test_dollars_are_never_short(made: Forwarded) -> None:
    dear = terms(prices_usdc_micro_per_mwh=(10**10,), collateral_basis_points=5_000)
    made.sold(dear)
    assert made.refused(sell, Sell(NAME, "buyer", 1, 1_001), 0) == "ledger.overdrawn"
    made.do(sell, Sell(NAME, "buyer", 1, 1_000), 0)
    made.tell(fund(made.world, Fund("trader", 10 * DOLLARS, "a payment")))
    assert made.refused(sell, Sell(NAME, "trader", 1, 1_001), 0) == "ledger.overdrawn"  # the seller's collateral


def test_a_buyer_has_to_be_willing(made: Forwarded) -> None:
    made.sold(terms())
    for fact in (
        OrganisationRegistered("mill"),
        AccountAssigned("buyer", "mill"),
        WhitelistStated("buyer", ("trader",)),
    ):
        made.do(say, fact, 0)
    assert made.refused(sell, Sell(NAME, "buyer", 1, 100), 0) == "account.not_whitelisted"
    assert made.refused(sell, Sell(NAME, "trader", 1, 100, by="stranger"), 0) == "account.not_member"


def test_pledged_output_is_not_sold(made: Forwarded) -> None:
    made.sold(terms())
    made.tell(originate(made.world, "deal", DEAL_TEXT, ("roof",)))
    assert made.refused(sell, Sell(NAME, "buyer", 1, 100), 0) == "forward.pledged"
    assert made.refused(offer, terms(forward="autumn"), 0) == "forward.pledged"
    made.do(offer, terms(forward="autumn", registers=(TURBINE,)), 0)


def test_forwards_of_one_plant_promise_no_more_than_p50_together(made: Forwarded) -> None:
    made.sold(terms(), Sell(NAME, "buyer", 1, 3_000))
    other = terms(forward="late", start_us=hours(3), stop_us=hours(7), quantity_wh=4_000)
    made.do(offer, other, 0)
    # half of each other's window: 1,500 Wh of the first count in the second
    assert made.refused(sell, Sell("late", "trader", 1, 2_501), 0) == "forward.oversold"
    assert made.refused(sell, Sell("late", "trader", 1, 2_001), 0) == "forward.oversold"  # the first one's P50
    made.do(sell, Sell("late", "trader", 1, 2_000), 0)
    assert made.refused(sell, Sell(NAME, "trader", 1, 1), 0) == "forward.oversold"
    made.do(offer, terms(forward="after", start_us=hours(7), stop_us=hours(9)), 0)
    made.do(sell, Sell("after", "trader", 1, 3_500), 0)


def test_shares_come_to_no_more_than_all_output(made: Forwarded) -> None:
    made.sold(share(6_000), Sell(NAME, "buyer", 1, 0, 6_000))
    made.do(offer, share(6_000, forward="late", p50_wh=100_000, p90_wh=0), 0)
    assert made.refused(sell, Sell("late", "trader", 1, 0, 4_001), 0) == "forward.oversold"


def test_the_older_forward_is_delivered_first(made: Forwarded) -> None:
    made.sold(terms(quantity_wh=500), Sell(NAME, "buyer", 1, 500))
    made.do(offer, terms(forward="late", quantity_wh=500), 0)
    made.do(sell, Sell("late", "trader", 1, 500), 0)
    made.counted_hours(400, 400)
    assert made.no_delivery(name="late") == "forward.senior_first"
    made.deliver()
    made.deliver(name="late")
    assert made.by_hour("buyer") == [400, 100] and made.by_hour("trader") == [0, 300]


def test_what_is_withdrawn_is_not_delivered_and_what_was_delivered_stays_so(made: Forwarded) -> None:
    made.sold(terms(), *both())
    made.counted_hours(600)
    made.do(withdraw, Withdrawal(named((0, 100)), "a wrong ratio"))
    made.deliver()
    assert made.got()[:2] == [(0, 100, "owner", "withdrawn"), (100, 600, "buyer", "held")]
    made.do(withdraw, Withdrawal(named((100, 200)), "a wrong ratio"))
    assert made.world.forwards.named(NAME).delivered_wh == 500


def test_a_corrected_register_goes_on_as_another_and_the_plant_with_it(made: Forwarded) -> None:
    made.sold(terms(), *both())
    made.counted_hours(600)
    made.deliver()
    made.corrected(500)  # 100 Wh that were delivered are owed: the next 100 cover them
    present = made.world.books.registers.id_of(ROOF)
    heir = made.world.books.corrections.heir(present)
    assert heir != present
    made.counts["roof"] = 600
    made.counted_hours(400, first=2)
    made.deliver()
    promise = made.world.forwards.named(NAME)
    assert promise.delivered_wh == 600 + 500 - 100 and heir in promise.reached


def test_an_owner_that_sold_its_device_delivers_no_more(made: Forwarded) -> None:
    made.sold(terms(), *both())
    made.counted_hours(600)
    fact = DeviceTransferred("roof", "trader", b"", hours(2), b"")
    fact = replace(fact, owner_signature=OWNER.sign(made.said(fact)))
    made.do(lambda world, one, _: transfer_device(world, one), fact, 2.5)
    made.counted_hours(400, 0, 0, first=2)
    made.deliver()
    assert made.by_hour("buyer") == [600] and made.by_hour("trader") == [0, 400]
    made.do(transfer, Transfer("trader", "owner", named((600, 700))))  # it owes nobody anything
    made.settle()


def test_a_promise_ends_by_delivery_or_settlement_alone(made: Forwarded) -> None:
    made.sold(terms(), *both())
    with pytest.raises(PenstockError) as caught:
        made.moved(Right.USE, 0, 10, TitleState.RETIRED, made.world.books.registers.id_of(PROMISE))
    assert caught.value.code == "forward.promise"


@pytest.mark.parametrize("left_out", [0, 1, 2, 3])
def test_a_delivery_stands_whole_or_not_at_all(made: Forwarded, left_out: int) -> None:
    made.sold(terms(), *both())
    made.counted_hours(600)
    entries = deliver(made.world, NAME, hours(6))
    assert len(entries) == 4
    kept = [one for number, one in enumerate(entries) if number != left_out]
    with pytest.raises(PenstockError) as caught:
        made.tell([*kept, *made_fund(made)], hours(6))
    assert caught.value.code in ("forward.incomplete", "forward.bound", "forward.promise", "links.beyond_meter")


def test_a_promise_that_was_filled_and_lives_breaks_law_2(made: Forwarded) -> None:
    made.sold(terms(), *both())
    made.counted_hours(600)
    books = made.world.books
    source, target = (books.registers.id_of(urn) for urn in (ROOF, PROMISE))
    books.links[LinkKind.DELIVER].add(tile_links(source, column([0, 600]), target, column([0, 600])))
    assert [one.code for one in breaches(books)] == ["law2.promise_live"]


def test_funds_that_are_somebodys_here_do_not_stand(made: Forwarded) -> None:
    forged = AccountFunded("a payment", (Paid("buyer", "trader", 5, "funded"),))
    with pytest.raises(PenstockError) as caught:
        made.tell([Entry(forged)])
    assert caught.value.code == "fund.not_external"


def made_fund(made: Forwarded) -> list[Entry]:
    return fund(made.world, Fund("buyer", 1, "a payment"))


def test_a_fact_that_says_more_than_is_due_does_not_stand(made: Forwarded) -> None:
    made.sold(terms(), *both())
    made.counted_hours(600)
    (first, *_) = deliver(made.world, NAME, hours(6))
    paid = (Paid(f"{NAME}/escrow", "owner", 50_000, "output delivered"),)
    with pytest.raises(PenstockError) as caught:
        made.tell([replace(first, fact=replace(first.fact, transfers=paid))], hours(6))
    assert caught.value.code == "forward.changed"


def test_an_estimate_rests_on_the_days_before(made: Forwarded) -> None:
    for day, wh in enumerate((3_000, 5_000, 4_000)):
        made.meter(24 * day + 23, roof=wh)
        made.certify(24 * day + 24)
    start = hours(0) // DAY_US * DAY_US
    found = estimate(
        made.world, (ROOF,), Period(start + 9 * DAY_US, start + 19 * DAY_US), Period(start, start + 4 * DAY_US)
    )
    assert found.method == "daily-normal/1" and 0 < found.p90_wh < found.p50_wh
    with pytest.raises(PenstockError) as caught:
        estimate(made.world, (ROOF,), Period(0, 1), Period(start, start + DAY_US))
    assert caught.value.code == "forward.basis"


def test_two_worlds_of_the_same_facts_are_alike(made: Forwarded) -> None:
    again = Forwarded()
    for one in (made, again):
        short(one)
        one.settle()
    assert made.world.forwards.digest() == again.world.forwards.digest()
    assert made.world.books.digest() == again.world.books.digest()


@pytest.mark.parametrize("name", [ROOF, ROOF.rpartition("/")[0]])
def test_output_sold_forward_is_not_pledged(made: Forwarded, name: str) -> None:
    made.sold(terms(), Sell(NAME, "buyer", 1, 100))
    with pytest.raises(PenstockError) as caught:
        check_pledge(made.world, [name])
    assert (caught.value.code, caught.value.ids["forward"]) == ("deal.sold_forward", NAME)
    check_pledge(made.world, ["another plant"])
