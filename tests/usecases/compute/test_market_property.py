"""Any sequence of acts on capacity: nothing is sold twice, every promise is backed, dollars in are dollars held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from capacity_kit import BUYERS, FUNDS, Market, at, terms, window
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from penstock.compute.service import MS_PER_HOUR
from penstock.errors import PenstockError
from penstock.journal.kinds.capacity import CollateralCause, CreditEnd, Firmness
from penstock.journal.words import TITLE_STATES, Right, TitleState
from penstock.period import HOUR_US, Period
from penstock.usecases.compute.move_collateral import Collateral, move_collateral
from penstock.usecases.compute.open_capacity import Lose, lose_capacity
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

ACCELERATORS, HOURS = 3, 12
OFFERS = tuple(f"w{n}" for n in range(6))
CLASSES = ("one", "two")
offers, classes, buyers = st.sampled_from(OFFERS), st.sampled_from(CLASSES), st.sampled_from(BUYERS)
counts = st.integers(1, 8)


class Trading(RuleBasedStateMachine):
    """What may happen, in any order; a refusal changes nothing."""

    @initialize(posted=st.sampled_from((1, 25_000_000, 10**9)), credits=st.integers(1, 12))
    def opened(self, posted: int, credits: int) -> None:
        """Something is on offer of each kind from the start, so that most acts have something to act on."""
        self.market = Market(ACCELERATORS, HOURS).posted(posted)
        for name in CLASSES:
            self.act(offer_credits, terms(name, capacity_credits=credits, expires_us=at(HOURS)))
        for place, offer in enumerate(OFFERS[:4]):
            self.offer_a_window(offer, 3 + 2 * place, 2, 1 + place % 2, place % 2 == 1, place != 2)

    def act(self, do: Callable[..., list[Any]], asked: Any) -> None:
        before = self.market.digests()
        try:
            self.market.do(do, asked)
        except PenstockError:
            assert self.market.digests() == before

    @rule(minutes=st.sampled_from((1, 30, 60)))
    def time_passes(self, minutes: int) -> None:
        self.market.hour += minutes / 60

    def offer_a_window(self, offer: str, start: int, hours: int, accelerators: int, forward: bool, firm: bool) -> None:
        later: dict[str, Any] = {} if firm else {"firmness": Firmness.INTERRUPTIBLE, "notice_us": HOUR_US}
        later |= {"deposit_bp": 2_500, "balance_due_us": at(start), "expires_us": at(start - 0.5)} if forward else {}
        self.act(offer_window, window(offer, start, hours, accelerators, price_usdc_micro=7_000_001, **later))

    @rule(
        offer=st.sampled_from(OFFERS[4:]),
        start=st.integers(1, HOURS - 1),
        hours=st.integers(1, 3),
        accelerators=st.integers(1, ACCELERATORS),
        forward=st.booleans(),
        firm=st.booleans(),
    )
    def offer_another(self, offer: str, start: int, hours: int, accelerators: int, forward: bool, firm: bool) -> None:
        self.offer_a_window(offer, start, hours, accelerators, forward, firm)

    @rule(offer=offers, buyer=buyers)
    def buy_a_window(self, offer: str, buyer: str) -> None:
        self.act(sell_window, Buy(offer, buyer))

    @rule(offer=offers, seller=buyers, buyer=buyers)
    def pass_a_window_on(self, offer: str, seller: str, buyer: str) -> None:
        self.act(resell_window, Resell(offer, seller, buyer, 5))

    @rule(offer=offers, lapsed=st.booleans())
    def pay_for_a_window(self, offer: str, lapsed: bool) -> None:
        self.act(pay_window, Pay(offer, lapsed))

    @rule(offer=offers, share=st.integers(0, 100))
    def settle_a_window(self, offer: str, share: int) -> None:
        one = self.market.world.capacity.windows.offers.get(offer)
        if one is not None:
            self.act(settle_window, Settle(offer, (one.contracted_ms - one.lost_ms) * share // 100, b"p" * 32))

    @rule(name=classes, credits=st.integers(1, 20))
    def offer_a_class(self, name: str, credits: int) -> None:
        self.act(offer_credits, terms(name, capacity_credits=credits, expires_us=at(HOURS)))

    @rule(name=classes, buyer=buyers, credits=counts)
    def buy_credits(self, name: str, buyer: str, credits: int) -> None:
        self.act(sell_credits, BuyCredits(name, buyer, credits))

    @rule(name=classes, source=buyers, taker=buyers, credits=counts)
    def pass_credits_on(self, name: str, source: str, taker: str, credits: int) -> None:
        self.act(pass_credits, PassCredits(name, source, taker, credits))

    @rule(name=classes, holder=buyers, credits=counts)
    def ask_for_work(self, name: str, holder: str, credits: int) -> None:
        self.act(ask_work, AskWork(name, holder, credits))

    @rule(tokens=st.integers(1, 3_000_000))
    def work(self, tokens: int) -> None:
        self.market.served(tokens)

    @rule(name=classes, holder=buyers, credits=counts)
    def redeem(self, name: str, holder: str, credits: int) -> None:
        self.act(redeem_credits, Redeem(name, holder, credits, b"r" * 32, Period(at(0), at(1))))

    @rule(name=classes, holder=buyers, end=st.sampled_from(CreditEnd))
    def end(self, name: str, holder: str, end: CreditEnd) -> None:
        self.act(end_credits, EndCredits(name, holder, end))

    @rule(hour=st.integers(0, HOURS - 1), hours=st.integers(1, 4), accelerators=st.integers(1, ACCELERATORS))
    def lose(self, hour: int, hours: int, accelerators: int) -> None:
        self.act(lose_capacity, Lose("rack", at(hour), hours, accelerators, "a fault"))

    @rule(cause=st.sampled_from((CollateralCause.POSTED, CollateralCause.RELEASED)), usdc_micro=st.integers(1, 10**7))
    def collateral(self, cause: CollateralCause, usdc_micro: int) -> None:
        asked = Collateral("provider", usdc_micro, cause)
        self.act(lambda world, one, _: move_collateral(world, one), asked)

    @invariant()
    def no_hour_is_promised_beyond_its_accelerators(self) -> None:
        """What is sold or reserved of an hour is no more than the rack has; whatever the books think of it."""
        rows = self.market.world.books.titles[Right.USE].columns()
        calendar = self.market.world.capacity.calendar("rack")
        live = [TITLE_STATES.index(one) for one in (TitleState.HELD, TitleState.RESERVED, TitleState.RETIRED)]
        mine = (rows["register"] == calendar.register) & (rows["state"] != TITLE_STATES.index(TitleState.WITHDRAWN))
        assert set(rows["state"][mine].tolist()) <= set(live)
        per_hour: dict[int, int] = {}
        for start, stop in zip(rows["start"][mine].tolist(), rows["stop"][mine].tolist(), strict=True):
            hour = start // (ACCELERATORS * MS_PER_HOUR)
            per_hour[hour] = per_hour.get(hour, 0) + stop - start
        assert all(ms <= ACCELERATORS * MS_PER_HOUR for ms in per_hour.values())

    @invariant()
    def dollars_in_are_dollars_held(self) -> None:
        """Nobody's dollars came from nowhere: what the funded accounts gained or lost lies in the others."""
        accounts = self.market.world.books.ledger.balances()
        assert sum(balance for balance in accounts.values() if balance > 0) == 3 * FUNDS

    @invariant()
    def collateral_is_never_overdrawn(self) -> None:
        providers = self.market.world.capacity.providers
        assert providers.posted["provider"] >= 0
        assert providers.needed["provider"] == sum(
            one.collateral_usdc_micro for one in self.market.world.capacity.windows.offers.values()
        ) + sum(
            one.outstanding * one.terms.collateral_usdc_micro
            for one in self.market.world.capacity.credits.classes.values()
        )


TestTrading = Trading.TestCase
TestTrading.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
