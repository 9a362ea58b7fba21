"""Credits with capacity behind them, and windows: quoted, bought once, asked for; the last window has one buyer."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from mcp_kit import called

from mcp import Client
from penstock.journal.fact import Entry
from penstock.journal.kinds.capacity import CapacityOpened
from penstock.journal.kinds.ledger import AccountFunded, AccountOpened, Transfer
from penstock.keys import SigningKey
from penstock.mcp.server import make_server
from penstock.mcp.who import Owner
from penstock.usecases.compute.desk import act_on
from penstock.usecases.compute.move_collateral import Collateral
from penstock.usecases.enrol import enrol_rack
from penstock.usecases.workspace import Workspace

sys.path.append(str(Path(__file__).parents[1] / "usecases" / "compute"))
KIT: Any = import_module("capacity_kit")


def recording(fact: AccountFunded) -> Any:
    return lambda _: [Entry(fact)]


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Workspace]:
    """A provider with eight accelerators, a class of credits and a window; two buyers with dollars."""
    with Workspace(tmp_path / "market") as made:
        key = SigningKey(b"7" * 32).public
        opened = [AccountOpened("outside", external=True), *(AccountOpened(one) for one in KIT.BUYERS)]
        rack = enrol_rack("rack", "provider", "US-PSCO", key, KIT.ACCELERATORS, 10_000, KIT.START_US)
        made.submit("rack", b"", KIT.START_US, lambda _: [*rack, *map(Entry, opened)])
        for place, asked in enumerate((KIT.PROVIDER, KIT.SKU, KIT.conversion())):
            act_on(made, f"publish:{place}", asked, KIT.START_US)
        hours = CapacityOpened("rack", "provider", KIT.SKU.sku, KIT.at(0), KIT.at(KIT.HOURS))
        act_on(made, "hours", hours, KIT.START_US)
        for account in (*KIT.BUYERS, "provider"):
            funded = AccountFunded("a payment", (Transfer("outside", account, KIT.FUNDS, "funded"),))
            made.submit(f"fund:{account}", b"", KIT.START_US, recording(funded))
        act_on(made, "collateral", Collateral("provider", 10**9), KIT.START_US)
        act_on(made, "class", KIT.terms(), KIT.START_US)
        act_on(made, "window", KIT.window(start=60), KIT.START_US)
        yield made


def server_of(market: Workspace) -> Any:
    return make_server(market, Owner(), lambda: KIT.at(1))


def test_credits_and_windows_are_quoted_with_what_is_promised(market: Workspace) -> None:
    quote, refused = called(server_of(market), "quote", credits=100)
    assert not refused
    assert (quote["cheapest"], quote["cost_usdc_micro"]) == ("tokens", 200_000_000)
    (window,) = quote["windows"]
    assert (window["offer"], window["open"], window["price_usdc_micro_per_hour"]) == ("w", True, 2_000_000)
    too_many, _ = called(server_of(market), "quote", credits=101)
    assert too_many["cheapest"] is None


def test_credits_are_bought_and_their_work_asked_for(market: Workspace) -> None:
    server = server_of(market)
    asked = {"account": "agent", "credit_class": "tokens", "credits": 3}
    bought, refused = called(server, "buy", **asked, max_cost_usdc_micro=6_000_000)
    assert not refused and bought["cost_usdc_micro"] == 6_000_000
    held, _ = called(server, "portfolio", account="agent")
    assert (held["balance_usdc_micro"], held["credits"][0]["credits"]) == (KIT.FUNDS - 6_000_000, 3)
    once, refused = called(server, "redeem", **asked, key="ask")
    again, _ = called(server, "redeem", **asked, key="ask")
    assert not refused and (once["repeated"], again["repeated"]) == (False, True)
    backed = market.read(lambda world: world.capacity.credits.named("tokens"))
    assert sum(one.credits for one in backed.asked["agent"]) == 3
    more, refused = called(server, "redeem", **asked)
    assert refused and more["error"] == "Refused"


def test_two_agents_race_for_the_last_window_and_one_is_refused(market: Workspace) -> None:
    async def race() -> list[Any]:
        async with Client(server_of(market)) as client:
            calls = [
                client.call_tool("buy", {"account": who, "window": "w", "max_cost_usdc_micro": 64_000_000})
                for who in KIT.BUYERS
            ]
            return list(await asyncio.gather(*calls))

    answers = asyncio.run(race())
    assert sorted(one.is_error for one in answers) == [False, True]
    (refused,) = (one.structured_content for one in answers if one.is_error)
    assert refused["code"] == "window.sold"
    spent = [
        KIT.FUNDS - called(server_of(market), "portfolio", account=who)[0]["balance_usdc_micro"] for who in KIT.BUYERS
    ]
    assert sorted(spent) == [0, 64_000_000]
