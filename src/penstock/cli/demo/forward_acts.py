"""A roof sells a share of its week before there is any; what is certified of it goes to its buyer day by day."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from penstock.cli.demo.play import Stagehand
from penstock.errors import Refused
from penstock.journal.fact import Entry
from penstock.journal.kinds.forward import ForwardDelivered, ForwardOffered, ForwardSettled, ForwardSold
from penstock.period import DAY_US
from penstock.usecases.enrol import open_accounts
from penstock.usecases.registry.forward import Offer, Sell, deliver, offer, sell, settle
from penstock.usecases.registry.fund import Fund, fund
from penstock.usecases.world import World

OFFTAKER: Final = "offtaker"
SHARE_BASIS_POINTS: Final = 2_500
PRICE_USDC_MICRO_PER_MWH: Final = 60_000_000
CASH_USDC_MICRO_PER_MWH: Final = 20_000_000
FUNDS_USDC_MICRO: Final = 10_000_000
P50_HOURS, P90_HOURS = 4, 2
"""Hours of full load a day that such a week has with a probability of 50 and 90 %."""
METHOD: Final = "size times hours of full load"
BASIS: Final = "modelled: what August is like there"


def ahead(hand: Stagehand) -> dict[str, Any]:
    """The day before the week: a share of one roof's output is offered and sold, against collateral."""
    at_us, seller, submit = hand.week.start_us - DAY_US, hand.roofs[0], hand.workspace.submit
    name, days = forward_name(hand), len(hand.days)
    asked = Offer(
        name,
        seller.name,
        (f"{seller.name}/export",),
        hand.week.start_us,
        hand.week.stop_us,
        (PRICE_USDC_MICRO_PER_MWH,),
        share_basis_points=SHARE_BASIS_POINTS,
        energy=True,
        p50_wh=seller.size_w * P50_HOURS * days,
        p90_wh=seller.size_w * P90_HOURS * days,
        method=METHOD,
        basis=BASIS,
        cash_usdc_micro_per_mwh=CASH_USDC_MICRO_PER_MWH,
        grace_us=0,
    )
    submit("offtaker", b"", at_us, lambda _: open_accounts([OFFTAKER]))
    for account in (seller.name, OFFTAKER):
        submit(f"fund:{account}", b"", at_us, partial(_funded, account=account))
    submit("forward", b"", at_us, lambda world: offer(world, asked, at_us))
    taken = Sell(name, OFFTAKER, share_basis_points=SHARE_BASIS_POINTS)
    submit("forward sold", b"", at_us, lambda world: sell(world, taken, at_us))
    return _terms(hand)


def forward_name(hand: Stagehand) -> str:
    """What the forward is called."""
    return f"{hand.roofs[0].name}-week"


def deliver_day(hand: Stagehand, number: int) -> None:
    """What the day's certificates hold for the buyer goes to it; after the last day all is settled."""
    at_us, name, submit = hand.days[number].stop_us, forward_name(hand), hand.workspace.submit
    submit(f"delivered:{number}", b"", at_us, lambda world: _delivered(world, name, at_us))
    if number == len(hand.days) - 1:
        submit("forward settled", b"", at_us, lambda world: settle(world, name, at_us))


def delivered(hand: Stagehand) -> dict[str, Any]:
    """How the forward ended: what was delivered and earned, what went back."""
    facts = [row.recorded.fact for row in hand.workspace.facts()]
    came = [fact for fact in facts if isinstance(fact, ForwardDelivered)]
    (end,) = [fact for fact in facts if isinstance(fact, ForwardSettled)]
    back = {name: sum(one.usdc_micro for one in end.transfers if one.target == name) for name in _sides(hand)}
    return {
        "deliveries": sum(1 for fact in came if fact.quantity_wh),
        "delivered_wh": sum(fact.quantity_wh for fact in came),
        "earned_usdc_micro": sum(one.usdc_micro for fact in came for one in fact.transfers),
        "missing_wh": end.missing_wh,
        "price_back_usdc_micro": back[OFFTAKER],
        "collateral_back_usdc_micro": back[hand.roofs[0].name],
    }


def _sides(hand: Stagehand) -> tuple[str, str]:
    return hand.roofs[0].name, OFFTAKER


def _funded(world: World, account: str) -> list[Entry]:
    return fund(world, Fund(account, FUNDS_USDC_MICRO, f"{account} pays in"))


def _delivered(world: World, name: str, at_us: int) -> list[Entry]:
    """A day without sunshine has nothing to deliver."""
    try:
        return deliver(world, name, at_us)
    except Refused as refused:
        if refused.code != "forward.nothing":
            raise
        return []


def _terms(hand: Stagehand) -> dict[str, Any]:
    facts = [row.recorded.fact for row in hand.workspace.facts()]
    (offered,) = [fact for fact in facts if isinstance(fact, ForwardOffered)]
    (sold,) = [fact for fact in facts if isinstance(fact, ForwardSold)]
    return {
        "forward": sold.forward,
        "seller": offered.seller,
        "buyer": sold.buyer,
        "share_basis_points": sold.share_basis_points,
        "promised_wh": sold.quantity_wh,
        "p50_wh": offered.p50_wh,
        "p90_wh": offered.p90_wh,
        "price_usdc_micro_per_mwh": PRICE_USDC_MICRO_PER_MWH,
        "cost_usdc_micro": sold.cost_usdc_micro,
        "collateral_usdc_micro": sold.collateral_usdc_micro,
        "modelled": True,
    }
