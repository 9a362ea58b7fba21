"""A provider's tools: demanded, paid in ``_meta`` by the official clients, answered once, and never for nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import numpy as np
import pytest
from mcp.client.streamable_http import streamable_http_client
from x402.schemas import PaymentRequired

from mcp import Client

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / "usecases"), str(TESTS / "connect" / "x402")]
KIT: Any = import_module("provider_kit")
PAY: Any = import_module("payment_kit")

from penstock.api.inference.papers import provider_app  # noqa: E402
from penstock.api.running import serve_in_thread  # noqa: E402
from penstock.connect.x402.till import Till  # noqa: E402
from penstock.keys.dsse import Envelope  # noqa: E402
from penstock.mcp.door import PATH, mount  # noqa: E402
from penstock.mcp.provider import make_provider_server, provider_door  # noqa: E402
from penstock.usecases.facilitate import now_us  # noqa: E402
from penstock.usecases.provider.offer import Offer  # noqa: E402
from penstock.usecases.provider.provider import Provider  # noqa: E402

PAYMENT, RESPONSE = "x402/payment", "x402/payment-response"
OFFER = Offer("provider", "rack-p", price_usdc_micro_per_1k_tokens=1_000_000, minimum_usdc_micro=1_000)
ASKED = {"texts": ["one two three", "four"]}
T = TypeVar("T")


@pytest.fixture(scope="module")
def scene() -> Iterator[Any]:
    found = PAY.new_scene()
    yield found
    found.node.close()


@pytest.fixture
def provider(scene: Any, tmp_path: Path) -> Iterator[Provider]:
    with Till(tmp_path / "till.sqlite", now_us) as till:
        facilitator = scene.facilitator(tmp_path / "settled.sqlite")
        gate = PAY.make_gate(scene, till, facilitator, refunds=tmp_path / "refunds.sqlite")
        with Provider(tmp_path / "shop", KIT.WordEngine(), OFFER, now_us, gate=gate, reports=False) as made:
            yield made
        facilitator.close()


def with_provider(provider: Provider, work: Callable[[Client], Awaitable[T]]) -> T:
    async def run() -> T:
        async with Client(make_provider_server(provider)) as client:
            return await work(client)

    return asyncio.run(run())


async def paid_for(scene: Any, demand: Any, payer: Any = None) -> dict[str, Any]:
    """What the official x402 client signs for a demand."""
    client = PAY.official(scene, payer or PAY.PAYER)
    payload = await client.create_payment_payload(PaymentRequired.model_validate(demand))
    meta: dict[str, Any] = payload.model_dump(by_alias=True, mode="json", exclude_none=True)
    return {PAYMENT: meta}


def test_unpaid_it_says_how_to_pay_and_does_no_work(scene: Any, provider: Provider) -> None:
    works = provider.desk.engine.calls  # type: ignore[attr-defined]
    unpaid = with_provider(provider, lambda client: client.call_tool("embed", ASKED))
    assert unpaid.is_error
    demand = PaymentRequired.model_validate(unpaid.structured_content)
    assert [int(one.amount) for one in demand.accepts if one.scheme == "exact"] == [4_000]
    assert provider.desk.engine.calls == works  # type: ignore[attr-defined]


def test_paid_it_answers_once_and_the_payee_has_the_money(scene: Any, provider: Provider) -> None:
    before = scene.balance(PAY.PROVIDER)

    async def work(client: Client) -> Any:
        demand = (await client.call_tool("embed", ASKED)).structured_content
        meta: Any = await paid_for(scene, demand)
        works = provider.desk.engine.calls  # type: ignore[attr-defined]
        first = await client.call_tool("embed", ASKED, meta=meta)
        again = await client.call_tool("embed", ASKED, meta=meta)
        other = await client.call_tool("embed", {"texts": ["another text"]}, meta=meta)
        return first, again, other, provider.desk.engine.calls - works  # type: ignore[attr-defined]

    first, again, other, works = with_provider(provider, work)
    assert not first.is_error and works == 1
    said = first.structured_content
    vectors = np.array([np.frombuffer(base64.b64decode(row), dtype="<f4") for row in said["vectors"]])
    assert np.allclose(vectors, provider.desk.engine.embed(ASKED["texts"])[0])
    assert said["prompt_tokens"] == 4 and said["number"] is not None
    assert first.meta[RESPONSE]["success"] is True
    assert scene.balance(PAY.PROVIDER) == before + 4_000
    assert again.structured_content["vectors"] == said["vectors"]
    assert again.structured_content["payment_id"] == said["payment_id"]
    assert other.is_error and scene.balance(PAY.PROVIDER) == before + 4_000


def test_a_payment_altered_or_of_somebody_without_money_buys_nothing(scene: Any, provider: Provider) -> None:
    before = scene.balance(PAY.PROVIDER)

    async def work(client: Client) -> Any:
        demand = (await client.call_tool("embed", ASKED)).structured_content
        meta: Any = await paid_for(scene, demand)
        altered = json.loads(json.dumps(meta))
        altered[PAYMENT]["payload"]["authorization"]["value"] = "1"
        poor: Any = await paid_for(scene, demand, PAY.ATTACKER)
        nonsense: list[Any] = [altered, poor, {PAYMENT: "free"}, {PAYMENT: {"x402Version": 1}}, {PAYMENT: [[[]]]}]
        return [await client.call_tool("embed", ASKED, meta=one) for one in nonsense]

    for refused in with_provider(provider, work):
        assert refused.is_error and "accepts" in refused.structured_content
    assert scene.balance(PAY.PROVIDER) == before


def test_work_that_breaks_is_paid_back(scene: Any, provider: Provider) -> None:
    before = scene.balance(PAY.PAYER)

    async def work(client: Client) -> Any:
        meta: Any = await paid_for(scene, (await client.call_tool("embed", ASKED)).structured_content)
        provider.desk.engine.breaks = True  # type: ignore[attr-defined]
        return await client.call_tool("embed", ASKED, meta=meta)

    assert with_provider(provider, work).is_error
    assert scene.balance(PAY.PAYER) == before


def test_what_cannot_be_asked_is_refused_before_any_payment(provider: Provider) -> None:
    async def work(client: Client) -> Any:
        texts: list[dict[str, Any]] = [
            {"texts": []}, {"texts": "one"}, {"texts": ["a"], "model": "other"}, {"texts": ["a " * 65]}, {},
        ]  # fmt: skip
        return [(await client.call_tool("embed", one)) for one in texts]

    codes = [(one.is_error, one.structured_content["code"]) for one in with_provider(provider, work)]
    malformed = (True, "mcp.arguments")
    assert codes == [malformed, malformed, (True, "model.unknown"), (True, "engine.too_long"), malformed]


def test_quote_and_receipt_are_signed_statements(scene: Any, provider: Provider) -> None:
    async def work(client: Client) -> Any:
        quote = await client.call_tool("quote", {})
        meta: Any = await paid_for(scene, (await client.call_tool("embed", ASKED)).structured_content)
        paid = (await client.call_tool("embed", ASKED, meta=meta)).structured_content["payment_id"]
        early = await client.call_tool("receipt", {"payment_id": paid})
        provider.close_interval()
        late = await client.call_tool("receipt", {"payment_id": paid})
        unknown = await client.call_tool("receipt", {"payment_id": "00" * 32})
        return quote, early, late, unknown

    quote, early, late, unknown = with_provider(provider, work)
    for signed in (quote, late):
        assert not signed.is_error
        Envelope.from_json(json.dumps(signed.structured_content).encode())
    assert (early.is_error, early.structured_content["code"]) == (True, "receipt.not_sealed")
    assert unknown.is_error


def test_the_same_over_http_beside_the_providers_own_paths(scene: Any, provider: Provider) -> None:
    app = provider_app(provider)
    mount(app, provider_door(provider))

    async def work(url: str) -> Any:
        async with httpx2.AsyncClient() as http, Client(streamable_http_client(url + PATH, http_client=http)) as client:
            health = await http.get(f"{url}/health")
            meta: Any = await paid_for(scene, (await client.call_tool("embed", ASKED)).structured_content)
            return health.status_code, await client.call_tool("embed", ASKED, meta=meta)

    with serve_in_thread(app) as running:
        status, answered = asyncio.run(work(running.url))
    assert status == 200 and not answered.is_error and answered.meta[RESPONSE]["transaction"].startswith("0x")
