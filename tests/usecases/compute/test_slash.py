"""Work shown to be false: its provider's collateral goes to holders, and no window is settled above what was found."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from capacity_kit import Market, at, terms, window
from hypothesis import given
from hypothesis import strategies as st

from penstock.compute.challenge import commitment, seed_of
from penstock.compute.challenge_book import NO_ROOT
from penstock.compute.faults import Faults, Slow
from penstock.compute.service import MS_PER_HOUR
from penstock.compute.slash import covered, reckon_slash
from penstock.compute.window import Window
from penstock.errors import PenstockError
from penstock.journal.fact import Entry
from penstock.journal.formats import REQUESTS
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.capacity import CollateralCause, CreditEnd
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.kinds.work import ChallengeCommitted, ChallengeJudged, ChallengeKind, WorkStated
from penstock.journal.segment import Column, Segment, SegmentRef
from penstock.usecases.compute.slash_collateral import Slash, slash_collateral
from penstock.usecases.compute.trade_credits import BuyCredits, EndCredits, end_credits, sell_credits
from penstock.usecases.compute.trade_windows import Buy, Settle, sell_window, settle_window

PROOF = hashlib.sha256(b"evidence").digest()


def slash(world: object, asked: Slash, _: int) -> list[Entry]:
    return slash_collateral(world, asked)  # type: ignore[arg-type]


def judged(market: Market, failed: tuple[int, ...] = (0,), hour: float | None = None, name: str = "judge") -> None:
    """A challenge of speed, committed to and judged."""
    market.hour = market.hour if hour is None else hour
    secret = hashlib.sha256(name.encode()).digest()
    made = commitment("provider", name, secret)
    market.tell([Entry(ChallengeCommitted("provider", name, made, 0))])
    fact = ChallengeJudged(
        "provider", "rack", ChallengeKind.SPEED, (secret,), seed_of([secret], NO_ROOT), NO_ROOT, tuple(range(8)),
        failed, PROOF, name,
    )  # fmt: skip
    market.tell([Entry(fact)])


def sold(posted: int = 100_000_000) -> Market:
    """Three credits an agent's, one a trader's; a window the trader's."""
    market = Market().posted(posted).classed(terms()).offered(window(accelerators=4))
    for buyer, count in (("agent", 3), ("trader", 1)):
        market.do(sell_credits, BuyCredits("tokens", buyer, count))
    market.do(sell_window, Buy("w", "trader"))
    return market


def test_all_collateral_goes_to_holders_by_what_stands_behind_them() -> None:
    market = sold()
    before = {name: market.dollars(name) for name in ("agent", "trader")}
    assert market.refused(slash, Slash("provider")) == "collateral.unproven"
    judged(market)
    market.do(slash, Slash("provider"))
    needs = {"agent": 3 * 500_000, "trader": 500_000 + 20_000_000}
    got = {name: market.dollars(name) - held for name, held in before.items()}
    assert got == {name: pytest.approx(100_000_000 * share / 22_000_000, abs=1) for name, share in needs.items()}
    assert (sum(got.values()), market.dollars("provider/collateral")) == (100_000_000, 0)
    assert market.refused(slash, Slash("provider")) == "collateral.no_holders"


def test_who_was_paid_by_the_slash_gets_the_price_back_and_no_collateral_twice() -> None:
    market = sold()
    judged(market)
    market.do(slash, Slash("provider"))
    before = market.dollars("agent")
    market.do(end_credits, EndCredits("tokens", "agent", CreditEnd.REFUNDED))
    assert market.dollars("agent") - before == 3 * 2_000_000


def test_nobody_to_pay() -> None:
    market = Market().posted().classed(terms())
    judged(market)
    assert market.refused(slash, Slash("provider")) == "collateral.no_holders"
    assert market.refused(slash, Slash("nobody")) == "provider.unknown"


@pytest.mark.parametrize("how", ["all to one", "to a stranger", "less", "from escrow"])
def test_a_slash_that_is_not_pro_rata_is_refused_when_folded(how: str) -> None:
    market = sold()
    judged(market)
    fact = reckon_slash(market.world.capacity, "provider", "x")
    first, *rest = fact.transfers
    forged = {
        "all to one": (replace(first, usdc_micro=100_000_000),),
        "to a stranger": (replace(first, target="provider"), *rest),
        "less": (replace(first, usdc_micro=first.usdc_micro - 1), *rest),
        "from escrow": (*fact.transfers, Transfer("tokens/escrow", "agent", 1, "x")),
    }[how]
    with pytest.raises(PenstockError, match=r"compute\.changed"):
        market.tell([Entry(replace(fact, transfers=forged))])


@given(st.integers(1, 10**9), st.lists(st.integers(0, 20), min_size=2, max_size=2))
def test_nothing_of_the_collateral_is_left_or_made(posted: int, counts: list[int]) -> None:
    shares = {name: count * 500_000 for name, count in zip(("agent", "trader"), counts, strict=True) if count}
    market = Market().posted(10**9).classed(terms())
    for buyer, count in zip(("agent", "trader"), counts, strict=True):
        if count:
            market.do(sell_credits, BuyCredits("tokens", buyer, count))
    assert covered(market.world.capacity, "provider") == shares
    judged(market)
    market.world.capacity.providers.posted["provider"] = posted
    if shares:
        fact = reckon_slash(market.world.capacity, "provider", "x")
        assert sum(one.usdc_micro for one in fact.transfers) == posted
        assert fact.cause is CollateralCause.SLASHED


def test_a_window_is_settled_within_what_challenges_leave() -> None:
    market = sold()
    contracted = 4 * 4 * MS_PER_HOUR
    judged(market, (2, 5), hour=25)
    over = market.refused(settle_window, Settle("w", contracted, PROOF), hour=29)
    assert over == "window.disproven"
    assert market.refused(settle_window, Settle("w", contracted * 6 // 8 + 1, PROOF), hour=29) == "window.disproven"
    market.do(settle_window, Settle("w", contracted * 6 // 8, PROOF), hour=29)
    assert market.world.capacity.windows.named("w").ended == "settled"


def test_what_failed_before_a_window_began_says_nothing_of_it() -> None:
    market = sold()
    judged(market, (2,), hour=3)
    market.do(settle_window, Settle("w", 4 * 4 * MS_PER_HOUR, PROOF), hour=29)
    assert market.world.capacity.windows.named("w").ended == "settled"


def stated(start: float, stop: float, root: bytes) -> WorkStated:
    return WorkStated(_rows(), "provider", "rack", "model", at(start), at(stop), 0, root, PROOF)


def _rows() -> SegmentRef:
    column = np.zeros(1, dtype=np.int64)
    columns: dict[str, Column] = {
        "number": column,
        "arrived_us": column,
        "buyer": column.astype(np.int32),
        "tokens": column,
    }
    return Segment(REQUESTS, {**columns, "time_ms": column}).ref()


def test_hours_that_nobody_shows_are_not_delivered() -> None:
    faults, root = Faults(), b"\x05" * 32
    told = [stated(26, 27, root), stated(30, 31, b"\x06" * 32)]
    for place, fact in enumerate(told):
        faults.apply(KINDS.record(fact, at(31), place))
    silent = ChallengeJudged(
        "provider", "rack", ChallengeKind.PRESENCE, (), PROOF, root, (0, 1), (0, 1), PROOF, "judge"
    )
    offered = Window(window(), 0)
    assert faults.missing_ms(offered) == 0
    for root_shown in (root, root, b"\x06" * 32, b"\x07" * 32):  # twice the same, one beyond the window, one unknown
        faults.apply(KINDS.record(replace(silent, work_root=root_shown), at(31), 9))
    assert faults.missing_ms(offered) == 8 * MS_PER_HOUR
    faults.slow.append(Slow("rack", at(25), 8, 8))
    assert faults.missing_ms(offered) == offered.contracted_ms
    assert faults.missing_ms(Window(replace(window(), rack="another"), 0)) == 0
