"""The agent over the real gate and the embedded chain: from its own account, and from a Spender with bounds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import payment_kit as kit
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from penstock.agent.chain_link import ChainLink
from penstock.agent.decision_log import DecisionLog
from penstock.agent.goal import Goal
from penstock.agent.lapse import lapse
from penstock.agent.mandate import Mandate
from penstock.agent.mandate_file import read_mandate
from penstock.agent.payment import Call, Payer
from penstock.agent.quotes import read_quote
from penstock.agent.run import End, Run
from penstock.agent.shop import Shop
from penstock.agent.spender import Spender
from penstock.agent.spending import PAID, VOID, Book, Purpose
from penstock.agent.wallet import Wallet
from penstock.chain.artefact import call_data, load_artefact
from penstock.chain.provider import NodeProvider
from penstock.connect.inference.gate import Asked, Gate, TurnedAway
from penstock.connect.x402.facilitator import ChainFacilitator
from penstock.connect.x402.till import Till
from penstock.connect.x402.tool_call import NO_USAGE
from penstock.errors import Refused
from penstock.keys import SigningKey
from penstock.keys.dsse import QUOTE, STATEMENT, canonical, seal, statement
from penstock.usecases.facilitate import now_us

URL = "http://provider.test"
KEY = SigningKey(hashlib.sha256(b"provider").digest())
PRICE = 1_000  # a micro-dollar a token
CALL = Call("/v1/embeddings", {"model": "m", "input": ["a b c", "d"]}, 40)
TOKENS = 8


@dataclass
class Provider:
    """A provider of vectors behind a gate, with a signed quote."""

    scene: kit.Scene
    gate: Gate
    price: int = PRICE
    works: int = 0
    drops: list[Response] = field(default_factory=list)

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/v1/quote", self.quote), Route("/v1/embeddings", self.embed, methods=["POST"])])

    def signed_quote(self) -> bytes:
        said = {
            "provider": "p", "url": URL, "model": "m", "price_usdc_micro_per_1k_tokens": self.price,
            "minimum_usdc_micro": 1, "schemes": ["exact"], "pay_to": kit.hexed(kit.PROVIDER.address),
            "asset": kit.hexed(self.scene.dollar), "network": kit.NETWORK, "energy_mj_per_1k_tokens": 400_000,
            "carbon_mg_per_kwh": 1_000, "source": {"technology": "solar_pv", "matched_bp": 10_000}, "load_bp": 1,
            "sku": "cpu", "as_of_us": now_us(), "valid_until_us": now_us() + 60_000_000,
        }  # fmt: skip
        return seal(statement("p", hashlib.sha256(canonical(said)).hexdigest(), QUOTE, said), STATEMENT, KEY).to_json()

    async def quote(self, _: Request) -> Response:
        return Response(self.signed_quote())

    async def embed(self, request: Request) -> Response:
        body = await request.body()
        texts = json.loads(body)["input"]
        tokens = sum(len(text.split()) + 2 for text in texts)
        price = -(-tokens * self.price // 1_000)
        asked = Asked(str(request.url), request.headers, hashlib.sha256(body).digest(), "m", tokens, price)
        admitted = await self.gate.admit(asked)
        if isinstance(admitted, TurnedAway):
            return Response(admitted.body, admitted.status, dict(admitted.headers), admitted.media_type)
        if admitted.stored is not None:
            return Response(admitted.stored, 200, dict(admitted.headers))
        self.works += 1
        rows = [{"index": place, "embedding": vector(text)} for place, text in enumerate(texts)]
        answer = json.dumps({"model": "m", "data": rows, "usage": {"prompt_tokens": tokens}}).encode()
        headers = {**admitted.headers, **await self.gate.answered(admitted, answer, NO_USAGE, price)}
        return self.drops.pop() if self.drops else Response(answer, 200, headers)


def vector(text: str) -> list[float]:
    high = hashlib.sha256(text.encode()).digest()[0] / 400
    return [high, (1 - high * high) ** 0.5]


@pytest.fixture
def provider(scene: kit.Scene, facilitator: ChainFacilitator, till: Till) -> Provider:
    terms = scene.terms(schemes=("exact",))
    return Provider(scene, kit.make_gate(scene, till, facilitator, terms=terms))


@pytest.fixture
def http(provider: Provider) -> Iterator[Any]:
    with TestClient(provider.app, base_url=URL) as client:
        yield client


@pytest.fixture
def link(scene: kit.Scene) -> Iterator[ChainLink]:
    node = NodeProvider(scene.node)

    def answer(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        return httpx.Response(200, json=node.make_request(asked["method"], asked["params"]))

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        yield ChainLink("http://chain.test", client, lambda _: None)


def mandate(scene: kit.Scene, **changes: Any) -> Mandate:
    said: dict[str, Any] = {
        "penstock": "mandate/1", "name": "t",
        "valid": {"from": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"},
        "budget_usd": {"call": "0.001", "hour": "0.002", "total": "0.002"}, "price_max_usd": {"per_1k_tokens": "0.01"},
        "venues": [{"url": URL, "pay_to": kit.hexed(kit.PROVIDER.address), "key": KEY.public.hex()}],
        "payments": [{"network": kit.NETWORK, "asset": kit.hexed(scene.dollar), "schemes": ["exact"]}],
    }  # fmt: skip
    return read_mandate(json.dumps(said | changes))


def payer(scene: kit.Scene, http: httpx.Client, folder: Path, wallet: Wallet) -> Payer:
    return Payer(mandate(scene), wallet, Book(folder / "book.sqlite"), http, now_us, lambda _: None)


def pay(one: Payer, provider: Provider, call: Call = CALL) -> Any:
    return one.call(read_quote(provider.signed_quote(), one.mandate.venues[0]), call)


def deployed(scene: kit.Scene, link: ChainLink, **bounds: int) -> Spender:
    """A Spender with a dollar in it; the agent is the payer's key."""
    limits = {"call": 100, "hour": 1_000, "total": 1_000, "above": 100, "until": 2**40} | bounds
    owner, agent = kit.hexed(kit.OPERATOR.address), kit.hexed(kit.PAYER.address)
    made = (owner, agent, kit.hexed(scene.dollar), tuple(limits.values()), [kit.hexed(kit.PROVIDER.address)])
    address = scene.client.deploy(kit.OPERATOR, load_artefact("Spender"), *made)
    fund = call_data(load_artefact("Dollar"), "mint", kit.hexed(address), 10**6)
    scene.client.transact(kit.OPERATOR, scene.dollar, fund)
    return Spender(kit.hexed(address), link, kit.PAYER)


def test_from_its_own_account(scene: kit.Scene, provider: Provider, http: httpx.Client, tmp_path: Path) -> None:
    before = scene.balance(kit.PROVIDER)
    one = payer(scene, http, tmp_path, Wallet(kit.PAYER))
    answer = pay(one, provider)
    assert answer.paid_usdc_micro == TOKENS
    assert scene.balance(kit.PROVIDER) - before == TOKENS
    assert [(payment.state, payment.tx) for payment in one.book.payments()] == [(PAID, answer.tx)]


def test_an_answer_that_got_lost_is_had_again_without_paying_or_working_twice(
    scene: kit.Scene, provider: Provider, http: httpx.Client, tmp_path: Path
) -> None:
    before = scene.balance(kit.PROVIDER)
    provider.drops = [Response(b"", 502)]
    assert pay(payer(scene, http, tmp_path, Wallet(kit.PAYER)), provider).paid_usdc_micro == TOKENS
    assert (scene.balance(kit.PROVIDER) - before, provider.works) == (TOKENS, 1)


def test_from_a_spender(
    scene: kit.Scene, provider: Provider, http: httpx.Client, link: ChainLink, tmp_path: Path
) -> None:
    spender = deployed(scene, link)
    before = scene.balance(kit.PROVIDER)
    one = payer(scene, http, tmp_path, Wallet(kit.PAYER, spender.address, spender.authorize))
    assert pay(one, provider).paid_usdc_micro == TOKENS
    assert scene.balance(kit.PROVIDER) - before == TOKENS
    assert scene.balance(bytes.fromhex(spender.address[2:])) == 10**6 - TOKENS
    assert spender.left() == (1_000 - TOKENS, 1_000 - TOKENS)


def test_beyond_its_bounds_the_spender_refuses_what_the_client_would_pay(
    scene: kit.Scene, provider: Provider, http: httpx.Client, link: ChainLink, tmp_path: Path
) -> None:
    """The owner's bounds on chain are tighter than the mandate that the agent believes in."""
    spender = deployed(scene, link, hour=TOKENS, total=TOKENS, call=TOKENS)
    before = scene.balance(kit.PROVIDER)
    one = payer(scene, http, tmp_path, Wallet(kit.PAYER, spender.address, spender.authorize))
    pay(one, provider)
    with pytest.raises(Refused) as caught:
        pay(one, provider, Call("/v1/embeddings", {"model": "m", "input": ["other words"]}, 40))
    assert caught.value.code == "chain.reverted"
    assert "spender.per_hour" in caught.value.message
    assert scene.balance(kit.PROVIDER) - before == TOKENS
    assert [payment.state for payment in one.book.payments()] == [PAID, VOID]


def test_above_its_limit_the_spender_asks_the_owner(
    scene: kit.Scene, provider: Provider, http: httpx.Client, link: ChainLink, tmp_path: Path
) -> None:
    from coincurve import PrivateKey

    spender = deployed(scene, link, above=TOKENS - 1)
    one = payer(scene, http, tmp_path, Wallet(kit.PAYER, spender.address, spender.authorize))
    with pytest.raises(Refused) as caught:
        pay(one, provider)
    assert caught.value.code == "mandate.approval"

    def owner_signs(digest: bytes) -> bytes:
        raw = PrivateKey(kit.OPERATOR.secret).sign_recoverable(digest, hasher=None)
        return raw[:64] + bytes([27 + raw[64]])

    asked = Spender(spender.address, link, kit.PAYER, owner_signs)
    again = payer(scene, http, tmp_path, Wallet(kit.PAYER, asked.address, asked.authorize))
    assert pay(again, provider).paid_usdc_micro == TOKENS


def test_the_chain_says_what_became_of_what_was_never_answered(
    scene: kit.Scene, provider: Provider, http: httpx.Client, link: ChainLink, tmp_path: Path
) -> None:
    spender = deployed(scene, link)
    one = payer(scene, http, tmp_path, Wallet(kit.PAYER, spender.address, spender.authorize))
    quote = read_quote(provider.signed_quote(), one.mandate.venues[0])
    asked = http.post(URL + CALL.path, content=CALL.raw)
    number, header, _ = one._sign(quote, CALL, asked)  # signed, and its process died before it was sent
    assert spender.left()[1] == 1_000 - TOKENS
    assert lapse(one.book, link, one.wallet.address, spender) == []
    past = one.book.payments()[0].valid_before_us + 61_000_000
    later = Later(link, past)
    assert lapse(one.book, later, one.wallet.address, Spender(spender.address, link, kit.PAYER)) == [(number, "void")]
    assert (one.book.spent(now_us()).total_usdc_micro, spender.left()[1]) == (0, 1_000)
    sent = http.post(URL + CALL.path, content=CALL.raw, headers={"PAYMENT-SIGNATURE": header})
    assert sent.status_code == 402  # released: the account says yes to it no longer


class Later(ChainLink):
    """A chain whose clock has moved on."""

    def __init__(self, link: ChainLink, at_us: int) -> None:
        super().__init__(link.rpc_url, link.http, link.wait)
        object.__setattr__(self, "_at_us", at_us)

    def time_us(self) -> int:
        return int(object.__getattribute__(self, "_at_us"))


def test_a_goal_is_carried_out_and_stops_at_its_budget(
    scene: kit.Scene, provider: Provider, http: httpx.Client, tmp_path: Path
) -> None:
    lines, before = [f"line {number}" for number in range(20)], scene.balance(kit.PROVIDER)
    goal = Goal("texts.txt", 35, "m")
    one = payer(scene, http, tmp_path, Wallet(kit.PAYER))
    bounded = Payer(one.mandate, one.wallet, one.book, http, now_us, one.wait, Purpose("goal", 35))
    shop = Shop(one.mandate, http, "m", 16)
    log = DecisionLog(tmp_path / "log.jsonl")
    done = Run(goal, lines, tmp_path / "out.jsonl", bounded, shop, log, batch_lines=4).run()
    assert (done.end, done.done, done.paid_usdc_micro) == (End.BUDGET, 8, 32)
    assert scene.balance(kit.PROVIDER) - before == 32
    assert [one.kind for one in log.read()] == ["goal", "chosen", "bought", "bought", "end"]
