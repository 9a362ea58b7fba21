"""A record that says something else than its acts come to is refused as it is folded, and so is half an act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from capacity_kit import Market, accelerator_hours, at, terms, window

from penstock.errors import PenstockError
from penstock.journal.fact import Entry
from penstock.journal.kinds.capacity import (
    CapacityOpened,
    CollateralCause,
    CollateralMoved,
    CreditEnd,
    CreditsEnded,
    WindowSold,
)
from penstock.journal.kinds.energy import TitlesIssued, TitlesMoved
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.segment import Segment
from penstock.journal.words import Right, TitleState
from penstock.period import Period
from penstock.usecases.compute.move_collateral import Collateral, move_collateral
from penstock.usecases.compute.open_capacity import Lose, lose_capacity, open_capacity
from penstock.usecases.compute.redeem_credits import Redeem, redeem_credits
from penstock.usecases.compute.trade_credits import (
    AskWork,
    BuyCredits,
    EndCredits,
    PassCredits,
    ask_work,
    end_credits,
    pass_credits,
    sell_credits,
)
from penstock.usecases.compute.trade_windows import Buy, Pay, Resell, Settle, pay_window, resell_window, sell_window
from penstock.usecases.compute.trade_windows import settle_window as settle

Act = tuple[Callable[..., list[Entry]], Any, float]
FORWARD = window("f", 72, deposit_bp=1_000, expires_us=at(10), balance_due_us=at(48))
OPEN = CapacityOpened("rack", "provider", "H100-SXM5-80GB", at(96), at(98))
POST = Collateral("provider", 5)
ACTS: dict[str, tuple[Act, ...]] = {
    "open": ((open_capacity, OPEN, 0),),
    "sale": ((sell_window, Buy("f", "agent"), 0),),
    "resale": ((sell_window, Buy("f", "agent"), 0), (resell_window, Resell("f", "agent", "trader", 7), 0)),
    "payment": ((sell_window, Buy("f", "agent"), 0), (pay_window, Pay("f"), 1)),
    "lapse": ((sell_window, Buy("f", "agent"), 0), (pay_window, Pay("f", True), 49)),
    "settlement": ((sell_window, Buy("w", "agent"), 0), (settle, Settle("w", accelerator_hours(9), b"p" * 32), 28)),
    "loss": (
        (sell_window, Buy("w", "agent"), 0),
        (sell_credits, BuyCredits("tokens", "trader", 90), 0),
        (lose_capacity, Lose("rack", at(20), 20, 8, "a fire"), 1),
    ),
    "collateral": ((lambda world, asked, _: move_collateral(world, asked), POST, 0),),
    "credit sale": ((sell_credits, BuyCredits("tokens", "agent", 3), 0),),
    "credit transfer": (
        (sell_credits, BuyCredits("tokens", "agent", 3), 0),
        (pass_credits, PassCredits("tokens", "agent", "trader", 2), 0),
    ),
    "request": (
        (sell_credits, BuyCredits("tokens", "agent", 3), 0),
        (ask_work, AskWork("tokens", "agent", 2), 0),
    ),
    "redemption": (
        (sell_credits, BuyCredits("tokens", "agent", 3), 0),
        (redeem_credits, Redeem("tokens", "agent", 2, b"r" * 32, Period(at(0), at(1))), 0),
    ),
    "refund": (
        (sell_credits, BuyCredits("tokens", "agent", 3), 0),
        (ask_work, AskWork("tokens", "agent", 2), 0),
        (end_credits, EndCredits("tokens", "agent", CreditEnd.REFUNDED), 1),
    ),
    "expiry": (
        (sell_credits, BuyCredits("tokens", "agent", 3), 0),
        (end_credits, EndCredits("tokens", "agent", CreditEnd.EXPIRED), 49),
    ),
}


def before(name: str) -> tuple[Market, list[Entry]]:
    """The market up to the last act of a story, and that act's facts."""
    market = Market().posted().classed(terms()).offered(window("w", 24, 4, 5), FORWARD)
    market.served(3_000_000)
    *first, (act, asked, hour) = ACTS[name]
    for one, wanted, at_hour in first:
        market.do(one, wanted, at_hour)
    market.hour = hour
    return market, act(market.world, asked, at(hour))


def refusal(market: Market, entries: list[Entry]) -> str:
    with pytest.raises(PenstockError) as caught:
        market.tell(entries)
    return caught.value.code


@pytest.mark.parametrize("name", ACTS)
def test_the_facts_of_an_act_are_taken(name: str) -> None:
    market, entries = before(name)
    market.tell(entries)
    market.sound()


@pytest.mark.parametrize(
    "name", [name for name in ACTS if name not in ("open", "request", "credit transfer", "collateral")]
)
def test_no_other_sum_is_taken(name: str) -> None:
    market, entries = before(name)
    place = next(n for n, entry in enumerate(entries) if getattr(entry.fact, "transfers", ()))
    fact: Any = entries[place].fact
    (first, *rest) = fact.transfers
    forged = replace(fact, transfers=(replace(first, usdc_micro=first.usdc_micro - 1 or 2), *rest))
    code = refusal(market, [*entries[:place], replace(entries[place], fact=forged), *entries[place + 1 :]])
    assert code in ("compute.changed", "compute.incomplete")


@pytest.mark.parametrize("name", [name for name in ACTS if name not in ("payment", "collateral")])
def test_half_an_act_is_not_taken(name: str) -> None:
    market, entries = before(name)
    other = Entry(CollateralMoved("provider", CollateralCause.POSTED, "x", (Transfer("agent", "trader", 1, "x"),)))
    assert refusal(market, [*entries[:-1], other]) == "compute.incomplete"


@pytest.mark.parametrize("name", [name for name in ACTS if name not in ("payment", "collateral")])
def test_no_other_titles_are_taken(name: str) -> None:
    market, entries = before(name)
    last, fact = entries[-1], entries[-1].fact
    assert last.segment is not None and isinstance(fact, TitlesMoved | TitlesIssued)
    columns = {column: values.copy() for column, values in last.segment.columns.items()}
    columns["stop"][-1] -= 1_000
    segment = Segment(last.segment.format, columns)
    quantity = int((columns["stop"] - columns["start"]).sum())
    forged = replace(fact, segment=segment.ref(), quantity=quantity)
    assert refusal(market, [*entries[:-1], Entry(forged, segment)]) in ("compute.incomplete", "state.does_not_apply")


def test_nobody_else_moves_what_was_sold() -> None:
    market, entries = before("sale")
    market.tell(entries)
    moved = next(entry for entry in entries if isinstance(entry.fact, TitlesMoved))
    assert moved.segment is not None
    columns = {name: column.copy() for name, column in moved.segment.columns.items()}
    columns["source"][:] = market.world.books.accounts.id_of("agent")
    columns["target"][:] = market.world.books.accounts.id_of("provider")
    segment = Segment(moved.segment.format, columns)
    quantity = int((columns["stop"] - columns["start"]).sum())
    fact = TitlesMoved(segment.ref(), Right.USE, TitleState.HELD, "taken back", "", quantity)
    assert refusal(market, [Entry(fact, segment)]) == "compute.guarded"


@pytest.mark.parametrize(
    "fact",
    [
        WindowSold("f", "provider", "agent", 1, ()),
        WindowSold("f", "trader", "agent", 64_000_000, ()),
        CreditsEnded("tokens", "agent", 1, CreditEnd.REFUNDED, ()),
        CollateralMoved("provider", CollateralCause.REFUNDED, "x", (Transfer("provider/collateral", "agent", 1, "x"),)),
        CollateralMoved("provider", CollateralCause.SLASHED, "x", (Transfer("provider/collateral", "agent", 1, "x"),)),
    ],
)
def test_a_fact_without_its_act_is_refused(fact: Any) -> None:
    market = Market().posted().classed(terms()).offered(FORWARD)
    assert refusal(market, [Entry(fact)]) in ("compute.changed", "credit.not_over", "collateral.unproven")
