"""Sell and redeem: nothing beyond capacity, nothing beyond what was delivered, every dollar accounted for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_plant import DAYS, START_US, TERMS, Plant

from penstock.errors import Conflict, NotFound, PenstockError, Refused
from penstock.journal.words import TITLE_STATES, LinkKind, Right, TitleState
from penstock.usecases.enrol import open_accounts
from penstock.usecases.sell import escrow_account, offer, redeemable

PRICE = TERMS.price_usdc_micro


@pytest.fixture
def working(plant: Plant) -> Plant:
    """A day has been served and billed, credits sold, the deal originated."""
    plant.originated()
    plant.sold("sell", 600_000)
    plant.worked(0)
    return plant


def use_titles(plant: Plant, state: TitleState) -> int:
    titles = plant.world.books.titles[Right.USE].columns()
    mine = titles["state"] == TITLE_STATES.index(state)
    return int((titles["stop"] - titles["start"])[mine].sum())


def test_a_sale_puts_dollars_in_escrow_and_titles_with_the_buyer(plant: Plant) -> None:
    plant.sold("one", 10)
    plant.sold("two", 5)
    assert plant.balance(escrow_account("answers")) == 15 * PRICE
    assert plant.balance("buyer") == -15 * PRICE
    titles = plant.world.books.titles[Right.USE].columns()
    assert titles["holder"].tolist() == [plant.world.books.accounts.id_of("buyer")] * len(titles["start"])
    assert (int(titles["start"].min()), int(titles["stop"].max())) == (0, 15_000)


@pytest.mark.parametrize(
    ("count", "at_us", "code"),
    [
        (TERMS.capacity_credits, START_US, "credit.oversold"),
        (1, TERMS.expires_us, "credit.expired"),
        (0, START_US, "credit.quantity"),
    ],
)
def test_a_refused_sale_changes_nothing(plant: Plant, count: int, at_us: int, code: str) -> None:
    plant.sold("one", 1)
    before = plant.world.books.digest()
    with pytest.raises(Refused) as caught:
        plant.sold("more", count, at_us=at_us)
    assert caught.value.code == code
    assert plant.world.books.digest() == before


def test_only_who_has_dollars_buys(plant: Plant) -> None:
    with pytest.raises(PenstockError) as caught:
        plant.sold("poor", 1, buyer="investor")
    assert caught.value.code == "ledger.overdrawn"
    with pytest.raises(NotFound):
        plant.sold("nobody", 1, buyer="nobody")
    assert plant.balance(escrow_account("answers")) == 0


def test_an_offer_stands_once(plant: Plant) -> None:
    with pytest.raises(Conflict) as caught:
        plant.do("offer again", lambda world: offer(world, TERMS))
    assert caught.value.code == "credit.offered_twice"
    other = replace(TERMS, credit_class="images", register="images/credits")
    plant.do("another", lambda world: offer(world, other))
    assert plant.world.compute.book("images").terms == other


def test_delivered_credits_are_redeemed_and_their_dollars_reach_the_deal(working: Plant) -> None:
    count = redeemable(working.world, "answers", working.rack)
    served = working.read_wh("rack-1/tokens")
    assert count == served // 1_000 > 1_000
    working.redeemed(0, count)
    assert working.balance("first/collect") == count * PRICE == working.read_wh("first/collect")
    assert working.balance(escrow_account("answers")) == (600_000 - count) * PRICE
    assert use_titles(working, TitleState.RETIRED) == count * 1_000
    assert use_titles(working, TitleState.HELD) == (600_000 - count) * 1_000
    assert redeemable(working.world, "answers", working.rack) == 0
    deliver = working.world.books.links[LinkKind.DELIVER]
    assert deliver.linked("source", working.world.books.registers.id_of("rack-1/tokens"), 0, served) == count * 1_000


@pytest.mark.parametrize("over", [1, 10**6])
def test_beyond_what_was_delivered_nothing_is_redeemed(working: Plant, over: int) -> None:
    count = redeemable(working.world, "answers", working.rack)
    before = working.world.books.digest()
    with pytest.raises(Refused) as caught:
        working.redeemed(0, count + over)
    assert caught.value.code == "credit.undelivered"
    assert working.world.books.digest() == before
    working.redeemed(0, count)
    with pytest.raises(Refused):
        working.redeemed(0, 1)


def test_beyond_what_was_sold_nothing_is_redeemed(plant: Plant) -> None:
    plant.originated()
    plant.sold("few", 10)
    plant.worked(0)
    assert redeemable(plant.world, "answers", plant.rack) == 10
    with pytest.raises(Refused):
        plant.redeemed(0, 11)
    plant.redeemed(0, 10)


@pytest.mark.parametrize("count", [0, -1])
def test_at_least_one_credit_is_redeemed(working: Plant, count: int) -> None:
    with pytest.raises(Refused) as caught:
        working.redeemed(0, count)
    assert caught.value.code == "credit.not_outstanding"


def test_redeemed_in_parts_it_is_the_same(working: Plant) -> None:
    count = redeemable(working.world, "answers", working.rack)
    for part in (1, count // 2, count - count // 2 - 1):
        working.redeemed(0, part)
    assert working.balance("first/collect") == count * PRICE
    pay = working.world.books.links[LinkKind.PAY].columns()
    assert np.array_equal(pay["source_stop"][:-1], pay["source_start"][1:])


def test_a_buyer_does_not_redeem_anothers_credits(working: Plant) -> None:
    working.do("open", lambda _: open_accounts([], ["other buyer"]))
    before = working.world.books.digest()
    with pytest.raises(Refused) as caught:
        working.redeemed(0, 1, buyer="other buyer")
    assert caught.value.code == "titles.other_holder"
    assert working.world.books.digest() == before


def test_days_do_not_lose_a_credit(lived: Plant) -> None:
    served = lived.read_wh("rack-1/tokens")
    assert lived.world.compute.book("answers").redeemed == served // 1_000
    assert lived.read_wh("first/collect") == served // 1_000 * PRICE
    assert len(DAYS) == 2
