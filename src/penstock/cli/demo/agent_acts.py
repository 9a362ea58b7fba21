"""The stage where an agent with a budget buys real answers: two providers, a Spender on chain, x402 and MCP.

The model really infers and every call is paid on the chain; prices are for show, so that a small text uses five
dollars up. What is timed and metered differs from play to play; dollars, tokens and decisions do not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from penstock.cli.demo import sold_work
from penstock.cli.demo.market import Stand, facilitator, market
from penstock.cli.demo.play import DEAL, Stagehand
from penstock.cli.demo.sold_work import GRID, SUN
from penstock.errors import NotFound, PenstockError

if TYPE_CHECKING:
    import httpx

    from penstock.agent.payment import Payer
    from penstock.agent.quotes import Quote
    from penstock.agent.run import Outcome
    from penstock.agent.spender import Spender

BUDGET_USDC_MICRO: Final = 5_000_000
CALL_USDC_MICRO: Final = 100_000
CARBON_MAX_G: Final = 400
FUNDED_USDC_MICRO: Final = 10_000_000
"""More than the budget: not its money stops the agent, but its bounds."""
EXPIRES_S: Final = 4_102_444_800  # 2100-01-01
PRICES: Final = {SUN: 50_000, GRID: 55_000}
DEARER_USDC_MICRO: Final = 90_000
CARBON_MG: Final = {SUN: 0, GRID: 250_000}
DIRTIER_MG: Final = 600_000
FIRST_LINES, SECOND_LINES, BY_MCP = 30, 62, 4
ENGINE: Final = Path("examples/provider/minilm.py")
TOLD: Final = "told.json"
TIMEOUT_S: Final = 20.0


def buy_answers(hand: Stagehand) -> dict[str, Any]:
    """The agent buys until its budget is used up; what was sold is reported, its receipts are checked."""
    return kept_figures(hand.settings.workspace / "market" / TOLD, lambda: _bought(hand))


def kept_figures(file: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Figures that were timed and metered: made once, then read."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(make(), sort_keys=True))
        part.replace(file)
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def _bought(hand: Stagehand) -> dict[str, Any]:
    sold_work.enrol(hand)
    for name in (SUN, GRID):
        sold_work.write_offer(hand, name, PRICES[name], CARBON_MG[name])
    shopping = Shopping(hand)
    with hand.bar("buying answers", 4) as step, _open(hand) as stands:
        steps = _buy(shopping, stands, step)
        for stand in stands.values():
            stand.tell(close=True)
        steps["sold"] = {name: sold_work.keep_reports(hand, name, stand.url) for name, stand in stands.items()}
        steps["receipts"] = {name: sold_work.check_receipts(hand, name, stand.url) for name, stand in stands.items()}
        step(1)
    return steps


@contextmanager
def _open(hand: Stagehand) -> Iterator[dict[str, Stand]]:
    folder = hand.settings.workspace / "market"
    with facilitator(hand, folder) as url:
        each = {"rpc": hand.rpc, "facilitator": url, "engine": f"{engine_file()}:MiniLm.load"}
        said = each | {"starts_us": sold_work.hour_us(hand)}
        with market(folder, dict.fromkeys((SUN, GRID), said)) as stands:
            yield stands


def engine_file() -> Path:
    """The model's file, in the checkout. Raises NotFound ``demo.no_engine``."""
    own = Path(__file__).resolve().parents[4]
    for folder in (Path(), own):
        if (folder / ENGINE).is_file():
            return (folder / ENGINE).resolve()
    hint = "Run it in a checkout of the project: examples/provider holds the model."
    raise NotFound("demo.no_engine", "The model that answers is not here.", hint=hint)


def _buy(shopping: Shopping, stands: dict[str, Stand], step: Any) -> dict[str, Any]:
    """Three stretches of one text, the market changed between them; then the attempts beyond the budget."""
    sun, grid = stands[SUN], stands[GRID]
    sun.tell(offer=_offer(PRICES[SUN], CARBON_MG[SUN]))
    grid.tell(offer=_offer(PRICES[GRID], CARBON_MG[GRID]))
    shopping.venues(stands)
    outcomes = [shopping.go(FIRST_LINES)]
    for number in range(BY_MCP):
        shopping.by_mcp(sun, f"what a line says, asked by MCP, {number}")
    step(1)
    sun.tell(offer=_offer(DEARER_USDC_MICRO, CARBON_MG[SUN]))
    outcomes.append(shopping.go(SECOND_LINES))
    step(1)
    grid.tell(offer=_offer(PRICES[GRID], DIRTIER_MG))
    outcomes.append(shopping.go(len(shopping.lines)))
    step(1)
    return shopping.told(stands, outcomes)


def _offer(price: int, carbon_mg: int) -> dict[str, Any]:
    return {"minimum_usdc_micro": price, "carbon_mg_per_kwh": carbon_mg}


@dataclass
class Shopping:
    """The agent at work: its folder, its Spender on chain, the text it wants vectors of."""

    hand: Stagehand

    @cached_property
    def folder(self) -> Any:
        """The agent's own folder, with its key."""
        from penstock.agent.folder import KEY, Folder

        folder = Folder(self.hand.settings.workspace / "agent")
        if not (folder.path / KEY).exists():
            folder.make_key(self.hand.cast.chain_key("agent").secret)
        return folder

    @cached_property
    def lines(self) -> list[str]:
        """The deal's own text, line by line."""
        return [line.strip() for line in self.hand.settings.deal_text.splitlines() if line.strip()]

    @cached_property
    def http(self) -> httpx.Client:
        """The way out."""
        import httpx

        return httpx.Client(timeout=TIMEOUT_S)

    @cached_property
    def spender(self) -> Spender:
        """The account that pays, with the mandate's bounds on chain."""
        from penstock.agent.chain_link import ChainLink
        from penstock.agent.spender import Spender

        hand, owner = self.hand, self.hand.cast.chain_key("agent-owner").address
        agent, dollar = hand.cast.chain_key("agent").address, hand.desk.contract("Dollar").address
        bounds = (CALL_USDC_MICRO, BUDGET_USDC_MICRO, BUDGET_USDC_MICRO, CALL_USDC_MICRO, EXPIRES_S)
        made = hand.desk.deploy("spender", "Spender", owner, agent, dollar, bounds, [hand.desk.contract(DEAL).address])
        hand.desk.act("fund:spender", "Dollar", "mint", made.address, FUNDED_USDC_MICRO)
        return Spender("0x" + made.address.hex(), ChainLink(hand.rpc, self.http, time.sleep), self.folder.key())

    def venues(self, stands: dict[str, Stand]) -> None:
        """Write the mandate, which names where the providers answer now."""
        rail = {"network": sold_work.network(self.hand), "asset": sold_work.dollar(self.hand), "schemes": ["exact"]}
        venues = [
            {"url": stand.url, "pay_to": sold_work.deal_address(self.hand), "key": sold_work.work_key(self.hand, name)}
            for name, stand in stands.items()
        ]
        mandate = {
            "penstock": "mandate/1",
            "name": "embed the deal's text",
            "valid": {"from": "2016-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"},
            "budget_usd": {"call": "0.10", "hour": "5", "total": "5"},
            "price_max_usd": {"per_1k_tokens": "20"},
            "energy": {"carbon_max_g_per_kwh": CARBON_MAX_G},
            "venues": venues,
            "payments": [rail],
            "quotes": {"age_max_s": 300, "ratio_max": 100, "reference_usd_per_1k_tokens": "2"},
            "spender": self.spender.address,
        }
        (self.folder.path / "mandate.yaml").write_text(json.dumps(mandate, indent=1))

    def payer(self, http: httpx.Client) -> Payer:
        """Who pays for calls over ``http``."""
        from penstock.agent.payment import Payer
        from penstock.agent.wallet import Wallet
        from penstock.usecases.facilitate import now_us

        wallet = Wallet(self.folder.key(), self.spender.address, self.spender.authorize)
        return Payer(self.folder.mandate(), wallet, self.folder.book, http, now_us, time.sleep)

    def go(self, until: int) -> Outcome:
        """Embed the first ``until`` lines, a line a call, of whoever is best now; lines that are done stay."""
        from penstock.agent.goal import Goal
        from penstock.agent.run import Run
        from penstock.agent.shop import Shop

        goal = Goal("the deal's text", BUDGET_USDC_MICRO)
        payer = self.payer(self.http)
        shop = Shop(payer.mandate, self.http, goal.model, 20)
        output = self.folder.path / "vectors.jsonl"
        return Run(goal, self.lines[:until], output, payer, shop, self.folder.log, batch_lines=1).run()

    def by_mcp(self, stand: Stand, text: str) -> None:
        """One vector by the provider's MCP tool, paid in ``_meta`` within the same mandate; once."""
        import httpx

        from mcp import Client
        from penstock.agent.payment import Call
        from penstock.agent.tool_call import ToolTransport

        call = Call("/tools/embed", {"texts": [text]}, len(text) // 4 + 3)
        if all(one.request_sha256 != call.sha256 or one.state != "paid" for one in self.folder.book.payments()):
            with httpx.Client(transport=ToolTransport(lambda: Client(stand.url + "/mcp"))) as http:
                self.payer(http).call(self._quote(stand), call)

    def _quote(self, stand: Stand) -> Quote:
        from penstock.agent.quotes import read_quote

        raw = self.http.get(stand.url + "/v1/quote", params={"model": stand.said["model"]}).content
        venue = next(one for one in self.folder.mandate().venues if one.url == stand.url)
        return read_quote(raw, venue)

    def told(self, stands: dict[str, Stand], outcomes: list[Outcome]) -> dict[str, Any]:
        """What was bought of whom, why it went elsewhere, and what stopped it."""
        names = {stand.url: name for name, stand in stands.items()}
        paid = [
            (names[one.url], one.counted_usdc_micro)
            for one in self.folder.book.payments()
            if one.state == "paid" and one.url in names
        ]
        return {
            "lines": len(self.lines),
            "done": outcomes[-1].done,
            "end": str(outcomes[-1].end),
            "why": outcomes[-1].why,
            "calls": [[name, micro] for name, micro in paid],
            "by_mcp": BY_MCP,
            "paid_usdc_micro": sum(micro for _, micro in paid),
            "budget_usdc_micro": BUDGET_USDC_MICRO,
            "prices_usdc_micro": {**PRICES, "dearer": DEARER_USDC_MICRO},
            "carbon_g": {"most": CARBON_MAX_G, "dirtier": DIRTIER_MG // 1_000},
            "spender": self.spender.address,
            "refused": {"client": self._client_refuses(stands[SUN]), "chain": self._chain_refuses()},
            "model": stands[SUN].said["model"],
            "power": stands[SUN].said["power"],
        }

    def _client_refuses(self, stand: Stand) -> str:
        """One call more: the agent does not sign."""
        from penstock.agent.payment import Call

        try:
            call = Call("/v1/embeddings", {"model": stand.said["model"], "input": ["one line more"]}, 8)
            self.payer(self.http).call(self._quote(stand), call)
        except PenstockError as error:
            return error.code
        return "nothing"

    def _chain_refuses(self) -> str:
        """A payment past the budget announced under the agent's own key, as whoever stole it would."""
        (_, left), now_s = self.spender.left(), int(time.time())
        nonce = "0x" + np.random.default_rng(left).bytes(32).hex()
        message = {"from": self.spender.address, "to": sold_work.deal_address(self.hand), "value": left + 1}
        message |= {"validAfter": 0, "validBefore": now_s + 600, "nonce": nonce}
        try:
            self.spender.authorize("TransferWithAuthorization", message)
        except PenstockError as error:
            return error.message
        return "nothing"
