"""The field's own programs against ours: npm's client, Python's resource server and facilitator client, unmodified."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from payment_kit import BODY, NETWORK, PAYER, PRICE, PROVIDER, ROOT, Door, Scene, hexed, make_gate, official, signed
from x402.http.clients import x402AsyncTransport
from x402.http.facilitator_client import HTTPFacilitatorClient
from x402.http.facilitator_client_base import FacilitatorConfig
from x402.http.middleware.fastapi import PaymentMiddlewareASGI
from x402.http.types import PaymentOption, RouteConfig
from x402.mechanisms.evm.exact.server import ExactEvmScheme as ExactServer
from x402.schemas import AssetAmount
from x402.server import x402ResourceServer

from penstock.api.facilitator.app import make_facilitator_app
from penstock.api.running import serve_in_thread
from penstock.connect.x402.facilitator import ChainFacilitator
from penstock.connect.x402.remote import RemoteFacilitator
from penstock.connect.x402.till import Till

NODE_JS = ROOT / ".venv" / "bin" / "node"
SCRIPT = ROOT / "tests" / "connect" / "x402" / "pay.mjs"


@pytest.fixture
def service(facilitator: ChainFacilitator) -> Iterator[str]:
    """The facilitator as a service: its address."""
    with serve_in_thread(make_facilitator_app(facilitator, NETWORK)) as running:
        yield running.url


@pytest.mark.skipif(not (ROOT / "node_modules" / "@x402" / "fetch").is_dir(), reason="npm packages are not installed")
@pytest.mark.parametrize(("scheme", "times"), [("exact", 3), ("upto", 2)])
def test_the_npm_client_pays_us_unmodified(scene: Scene, till: Till, service: str, scheme: str, times: int) -> None:
    scene.approve_permit2(PAYER)
    before, terms = scene.balance(PROVIDER), scene.terms(upto_usdc_micro=20_000)
    door = Door(make_gate(scene, till, RemoteFacilitator(service), terms=terms))
    with serve_in_thread(door.app) as running:  # type: ignore[arg-type]
        run = subprocess.run(
            [NODE_JS, SCRIPT, running.url + "/answer", "0x" + PAYER.secret.hex(), NETWORK, hexed(scene.dollar), scheme,
             str(times)],
            capture_output=True, text=True, timeout=60, cwd=ROOT, check=False,
        )  # fmt: skip
    assert run.returncode == 0, run.stderr
    answers = json.loads(run.stdout)
    assert [(one["status"], one["settled"]["success"], one["settled"]["amount"]) for one in answers] == [
        (200, True, str(PRICE))
    ] * times
    assert len({one["settled"]["transaction"] for one in answers}) == times
    assert scene.balance(PROVIDER) == before + times * PRICE


def test_the_official_facilitator_client_is_served(scene: Scene, service: str) -> None:
    asked, before = scene.requirements(), scene.balance(PROVIDER)
    payload = signed(asked)

    async def ask() -> list[Any]:
        async with HTTPFacilitatorClient(FacilitatorConfig(url=service)) as client:
            supported = client.get_supported()
            verified, settled = await client.verify(payload, asked), await client.settle(payload, asked)
            return [supported, verified, settled, await client.settle(payload, asked)]

    supported, verified, settled, again = asyncio.run(ask())
    assert {one.scheme for one in supported.kinds} == {"exact", "upto"}
    assert (verified.is_valid, settled.success, again.success) == (True, True, False)
    assert scene.balance(PROVIDER) == before + PRICE


def test_the_official_resource_server_settles_over_ours(scene: Scene, facilitator: ChainFacilitator) -> None:
    before, app = scene.balance(PROVIDER), FastAPI()

    @app.post("/answer")
    async def answer() -> dict[str, str]:
        return {"answer": "yes"}

    price = AssetAmount(amount=str(PRICE), asset=hexed(scene.dollar), extra={"name": "Test Dollar", "version": "2"})
    option = PaymentOption(scheme="exact", network=NETWORK, price=price, pay_to=hexed(PROVIDER.address))
    server = x402ResourceServer(facilitator)
    server.register(NETWORK, ExactServer())  # type: ignore[arg-type, no-untyped-call]
    app.add_middleware(PaymentMiddlewareASGI, routes={"POST /answer": RouteConfig(accepts=[option])}, server=server)

    async def ask() -> httpx.Response:
        transport = x402AsyncTransport(official(scene), httpx.ASGITransport(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://provider.test") as client:
            return await client.post("/answer", content=BODY)

    answer_ = asyncio.run(ask())
    assert (answer_.status_code, answer_.json()) == (200, {"answer": "yes"})
    assert scene.balance(PROVIDER) == before + PRICE


@pytest.mark.parametrize("path", ["/verify", "/settle"])
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[" * 40_000, b"{}", b'{"x402Version":1,"paymentPayload":{},"paymentRequirements":{}}', b"x" * 70_000],
    ids=["empty", "torn", "deep", "nothing", "version 1", "large"],
)
def test_what_is_no_payment_is_refused_clearly(service: str, path: str, body: bytes) -> None:
    refused = httpx.post(service + path, content=body)
    said = refused.json()
    assert refused.status_code == 400
    assert (said.get("invalidReason") or said.get("errorReason")) == "invalid_payload"
    assert "secret" not in refused.text and len(refused.content) < 500


def test_supported_and_health(service: str) -> None:
    kinds = httpx.get(service + "/supported").json()["kinds"]
    assert [(one["scheme"], one["network"]) for one in kinds] == [("exact", NETWORK), ("upto", NETWORK)]
    assert httpx.get(service + "/health").json() == {"status": "up", "network": NETWORK}


def test_a_payment_with_extra_fields_in_its_terms_is_judged_by_ours(scene: Scene, service: str) -> None:
    asked = scene.requirements()
    payload = signed(asked).model_dump(by_alias=True, exclude_none=True)
    payload["accepted"]["extra"]["name"] = "Another Dollar"
    body = {"x402Version": 2, "paymentPayload": payload, "paymentRequirements": asked.model_dump(by_alias=True)}
    assert httpx.post(service + "/settle", json=body).json()["success"]


def test_two_services_share_a_record(scene: Scene, tmp_path: Any) -> None:
    """A payer's provider may reach either: the second is told that the payment is used."""
    asked = scene.requirements()
    body = {
        "x402Version": 2,
        "paymentPayload": signed(asked).model_dump(by_alias=True, exclude_none=True),
        "paymentRequirements": asked.model_dump(by_alias=True, exclude_none=True),
    }
    with ExitStack() as stack:
        both = [scene.facilitator(tmp_path / "shared.sqlite") for _ in range(2)]
        urls = [stack.enter_context(serve_in_thread(make_facilitator_app(one, NETWORK))).url for one in both]
        first, second = (httpx.post(url + "/settle", json=body).json() for url in urls)
    assert (first["success"], second["success"]) == (True, False)
    assert second["transaction"] == first["transaction"]
    for one in both:
        one.close()
