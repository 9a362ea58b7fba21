"""The agent pays by ``upto`` and by credits over the real gate: from its own account, and metered from a Spender."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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

from penstock.agent.account import Account, deploy
from penstock.agent.chain_link import ChainLink
from penstock.agent.mandate_file import read_mandate
from penstock.agent.payment import Answer, Call, Payer
from penstock.agent.quotes import Quote, read_quote
from penstock.agent.spender import Spender
from penstock.agent.spending import PAID, VOID, Book
from penstock.agent.wallet import Wallet
from penstock.chain.artefact import load_artefact
from penstock.chain.provider import NodeProvider
from penstock.connect.inference.gate import Asked, TurnedAway
from penstock.connect.x402.asking import CreditClass
from penstock.connect.x402.facilitator import ChainFacilitator
from penstock.connect.x402.gate import PaymentGate
from penstock.connect.x402.till import Till
from penstock.connect.x402.tool_call import NO_USAGE
from penstock.errors import Invalid, Refused
from penstock.keys import SigningKey
from penstock.keys.dsse import QUOTE, STATEMENT, canonical, seal, statement
from penstock.usecases.facilitate import now_us

URL = "http://provider.test"
KEY = SigningKey(hashlib.sha256(b"provider").digest())
CALL = Call("/v1/embeddings", {"model": "m", "input": ["a b c"]}, 40)
TOKENS, PRICE = 8, 16  # two micro-dollars a token
CLASS = b"\x07" * 32
DOLLARS = bytes(32)
MakeDoor = Callable[..., Any]


@dataclass
class Door:
    """Counts eight tokens whatever it is asked, and takes whatever its gate offers."""

    gate: PaymentGate

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        asked = Asked(str(request.url), request.headers, hashlib.sha256(body).digest(), "m", TOKENS, PRICE)
        admitted = await self.gate.admit(asked)
        if isinstance(admitted, TurnedAway):
            return Response(admitted.body, admitted.status, dict(admitted.headers), admitted.media_type)
        if admitted.stored is not None:
            return Response(admitted.stored, 200, dict(admitted.headers))
        answer = json.dumps({"usage": {"prompt_tokens": TOKENS}}).encode()
        return Response(
            answer, 200, {**admitted.headers, **await self.gate.answered(admitted, answer, NO_USAGE, PRICE)}
        )


@pytest.fixture
def door(scene: kit.Scene, facilitator: ChainFacilitator, till: Till) -> Iterator[MakeDoor]:
    opened = []

    def make(*schemes: str, **more: Any) -> Any:
        gate = kit.make_gate(scene, till, facilitator, terms=scene.terms(schemes=schemes, **more))
        app = Starlette(routes=[Route("/v1/embeddings", Door(gate).answer, methods=["POST"])])
        opened.append(TestClient(app, base_url=URL).__enter__())
        return opened[-1]

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def link(scene: kit.Scene) -> Iterator[ChainLink]:
    node = NodeProvider(scene.node)

    def answer(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        return httpx.Response(200, json=node.make_request(asked["method"], asked["params"]))

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        yield ChainLink("http://chain.test", client, lambda _: None)


def quote(scene: kit.Scene, *schemes: str) -> Quote:
    said = {
        "provider": "p", "url": URL, "model": "m", "price_usdc_micro_per_1k_tokens": 2_000, "minimum_usdc_micro": 1,
        "schemes": list(schemes), "pay_to": kit.hexed(kit.PROVIDER.address), "asset": kit.hexed(scene.dollar),
        "network": kit.NETWORK, "energy_mj_per_1k_tokens": 400_000, "carbon_mg_per_kwh": 1_000,
        "source": {"technology": "solar_pv", "matched_bp": 10_000}, "load_bp": 1, "sku": "cpu", "as_of_us": now_us(),
        "valid_until_us": now_us() + 60_000_000,
    }  # fmt: skip
    raw = seal(statement("p", hashlib.sha256(canonical(said)).hexdigest(), QUOTE, said), STATEMENT, KEY).to_json()
    return read_quote(raw, mandate(scene).venues[0])


def mandate(scene: kit.Scene, classes: tuple[bytes, ...] = (), spender: str = "") -> Any:
    rails = [{"network": kit.NETWORK, "asset": kit.hexed(scene.dollar), "schemes": ["exact", "upto"]}]
    rails += [{"network": kit.NETWORK, "asset": "0x" + one.hex(), "schemes": ["credit"]} for one in classes]
    said: dict[str, Any] = {
        "penstock": "mandate/1", "name": "t", "payments": rails,
        "valid": {"from": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"},
        "budget_usd": {"call": "0.001", "hour": "0.002", "total": "0.002"}, "price_max_usd": {"per_1k_tokens": "0.01"},
        "venues": [{"url": URL, "pay_to": kit.hexed(kit.PROVIDER.address), "key": KEY.public.hex()}],
    }  # fmt: skip
    return read_mandate(json.dumps(said | ({"spender": spender} if spender else {})))


@dataclass
class Agent:
    """An agent at a door."""

    payer: Payer
    quote: Quote

    def pays(self, call: Call = CALL) -> Answer:
        return self.payer.call(self.quote, call)

    @property
    def book(self) -> list[tuple[str, str, int]]:
        return [(one.scheme, one.state, one.counted_usdc_micro) for one in self.payer.book.payments()]


def agent(
    scene: kit.Scene,
    client: httpx.Client,
    folder: Path,
    schemes: tuple[str, ...],
    classes: tuple[bytes, ...] = (),
    spender: Spender | None = None,
) -> Agent:
    wallet = Wallet(kit.PAYER, spender.address, spender.authorize) if spender else Wallet(kit.PAYER)
    bounds = mandate(scene, classes, spender.address if spender else "")
    payer = Payer(bounds, wallet, Book(folder / "book.sqlite"), client, now_us, lambda _: None)
    return Agent(payer, quote(scene, *schemes))


def other(number: int) -> Call:
    return Call(CALL.path, {"model": "m", "input": [f"other {number}"]}, 40)


def test_metered_from_its_own_account(scene: kit.Scene, door: MakeDoor, tmp_path: Path) -> None:
    """Signed for a cap above the price, charged what was counted; the book counts the whole cap."""
    scene.approve_permit2(kit.PAYER)
    before = scene.balance(kit.PROVIDER)
    client = door("upto", facilitator=kit.FACILITATOR.address, upto_usdc_micro=70)
    one = agent(scene, client, tmp_path, ("upto",))
    assert one.pays().paid_usdc_micro == PRICE
    assert scene.balance(kit.PROVIDER) - before == PRICE
    assert one.book == [("upto", PAID, 70)]


def test_a_cap_above_what_was_quoted_is_not_signed(scene: kit.Scene, door: MakeDoor, tmp_path: Path) -> None:
    client = door("upto", facilitator=kit.FACILITATOR.address, upto_usdc_micro=81)  # 40 tokens come to 80
    one = agent(scene, client, tmp_path, ("upto",))
    with pytest.raises(Refused) as caught:
        one.pays()
    assert (caught.value.code, one.book) == ("payment.dearer", [])


def test_metered_from_a_spender(scene: kit.Scene, door: MakeDoor, link: ChainLink, tmp_path: Path) -> None:
    """Deployed by its owner with the mandate's bounds, which let Permit2 in as the mandate names upto."""
    scene.mint(kit.OPERATOR)
    creation = load_artefact("Spender").bytecode
    address = deploy(creation, mandate(scene), kit.PAYER.address, link, kit.OPERATOR)
    Account(address, link, kit.OPERATOR).fund(1_000)
    spender, before = Spender(address, link, kit.PAYER), scene.balance(kit.PROVIDER)
    client = door("upto", facilitator=kit.FACILITATOR.address, upto_usdc_micro=70)
    one = agent(scene, client, tmp_path, ("upto",), spender=spender)
    assert one.pays().paid_usdc_micro == PRICE
    assert scene.balance(kit.PROVIDER) - before == PRICE
    assert scene.balance(bytes.fromhex(address[2:])) == 1_000 - PRICE
    assert spender.left() == (2_000 - 70, 2_000 - 70)


def test_credits_of_a_class_first_and_dollars_when_they_are_used_up(
    scene: kit.Scene, door: MakeDoor, till: Till, tmp_path: Path
) -> None:
    tokens = CreditClass(CLASS, frozenset({"m"}), False, 2)
    asyncio.run(till.deposit(b"lot".ljust(32), kit.PAYER.address, CLASS, TOKENS))
    before = scene.balance(kit.PROVIDER)
    client = door("exact", "credit", credits=(tokens,))
    one = agent(scene, client, tmp_path, ("exact", "credit"), (CLASS,))
    assert one.pays().paid_usdc_micro == PRICE
    assert (scene.balance(kit.PROVIDER), asyncio.run(till.balance(kit.PAYER.address, CLASS))) == (before, 0)
    one.pays(other(1))
    assert scene.balance(kit.PROVIDER) == before + PRICE
    assert one.book == [("credit", PAID, PRICE), ("credit", VOID, 0), ("exact", PAID, PRICE)]


def test_prepaid_dollars(scene: kit.Scene, door: MakeDoor, till: Till, tmp_path: Path) -> None:
    asyncio.run(till.deposit(b"left over".ljust(32), kit.PAYER.address, DOLLARS, PRICE + 1))
    one = agent(scene, door("exact", "credit"), tmp_path, ("exact", "credit"), (DOLLARS,))
    assert one.pays().paid_usdc_micro == PRICE
    assert asyncio.run(till.balance(kit.PAYER.address)) == 1
    assert one.pays(CALL).paid_usdc_micro == PRICE  # by dollars: the balance is too small
    assert [state for _, state, _ in one.book] == [PAID, VOID, PAID]


def test_credits_that_the_mandate_does_not_name_are_not_spent(
    scene: kit.Scene, door: MakeDoor, till: Till, tmp_path: Path
) -> None:
    asyncio.run(till.deposit(b"left over".ljust(32), kit.PAYER.address, DOLLARS, PRICE))
    one = agent(scene, door("exact", "credit"), tmp_path, ("exact", "credit"))
    one.pays()
    assert [scheme for scheme, _, _ in one.book] == ["exact"]
    assert asyncio.run(till.balance(kit.PAYER.address)) == PRICE


def test_credits_are_a_class_and_a_token_is_no_credit(scene: kit.Scene) -> None:
    for asset, scheme in ((kit.hexed(scene.dollar), "credit"), ("0x" + CLASS.hex(), "exact")):
        rails = [{"network": kit.NETWORK, "asset": asset, "schemes": [scheme]}]
        said = {
            "penstock": "mandate/1", "name": "t", "payments": rails,
            "valid": {"from": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"},
            "budget_usd": {"call": "0.001", "hour": "0.002", "total": "0.002"},
            "price_max_usd": {"per_1k_tokens": "0.01"},
            "venues": [{"url": URL, "pay_to": kit.hexed(kit.PROVIDER.address), "key": KEY.public.hex()}],
        }  # fmt: skip
        with pytest.raises(Invalid) as caught:
            read_mandate(json.dumps(said))
        assert caught.value.code == "mandate.contradicts"
