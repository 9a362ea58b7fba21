"""A provider's till as served: refunds and credits followed up, offers and receipts signed, old bodies dropped."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import payment_kit as kit
import pytest
from eth_utils.crypto import keccak
from payment_kit import PAYER, PROVIDER, Scene, exact
from x402.http.utils import decode_payment_required_header, encode_payment_signature_header
from x402.schemas import PaymentPayload

from penstock.api.facilitator.app import make_facilitator_app
from penstock.api.inference.papers import provider_app
from penstock.api.running import serve_in_thread
from penstock.chain.artefact import call_data, load_artefact, result
from penstock.chain.client import ChainClient
from penstock.chain.node import CHAIN_ID, Genesis, Node, wall_clock
from penstock.chain.provider import NodeProvider
from penstock.chain.rpc import serve
from penstock.chain.typed_data import Authorization, dollar_domain, purchase_nonce, receive_message, sign_typed
from penstock.chain.well_known import well_known_code
from penstock.compute.work import open_report
from penstock.connect.x402 import offers
from penstock.connect.x402.spend import CreditScheme
from penstock.errors import Invalid, NotFound, PenstockError
from penstock.keys import ChainKey
from penstock.keys.dsse import Envelope
from penstock.usecases.facilitate import now_us
from penstock.usecases.provider.offer import Offer
from penstock.usecases.provider.open_gate import OpenedTill, open_till
from penstock.usecases.provider.provider import Provider, open_keys
from penstock.usecases.provider.upkeep import Kept, Upkeep
from penstock.usecases.take_credits import TOKENS, request_of

sys.path.append(str(Path(__file__).resolve().parents[2] / "usecases"))
from provider_kit import MODEL, ClockPower, HandClock, WordEngine, offer

CREDIT, DOLLAR = load_artefact("Credit"), load_artefact("Dollar")
PER_CREDIT, GRACE_S, DAY_US = 2, 3_600, 86_400 * 1_000_000
BODY = {"model": MODEL, "input": "one two three four"}


@dataclass
class Later:
    """The real time [s, us], moved on by the test."""

    ahead_s: int = 0

    def __call__(self) -> int:
        return wall_clock() + self.ahead_s

    def us(self) -> int:
        return now_us() + self.ahead_s * 1_000_000


@dataclass
class Shop:
    """A chain over HTTP, a facilitator over HTTP, and where providers are opened."""

    scene: Scene
    clock: Later
    rpc: str
    facilitator: str
    folder: Path
    stack: ExitStack

    def offer(self, **more: object) -> Offer:
        known = {
            "pay_to": kit.hexed(PROVIDER.address), "asset": kit.hexed(self.scene.dollar), "asset_name": "Test Dollar",
            "asset_version": "2", "network": kit.NETWORK, "schemes": ["exact", "credit"],
        }  # fmt: skip
        return offer(**{**known, **more})

    def open(self, terms: Offer, key: ChainKey | None) -> tuple[OpenedTill, Provider, list[str]]:
        """A provider with its till, and where its upkeep's failures are told."""
        till = self.stack.enter_context(
            open_till(
                terms, self.folder, self.facilitator, self.rpc, self.clock.us, models=(MODEL,), key=key,
                work_key=open_keys(self.folder).work,
            )
        )  # fmt: skip
        power = ClockPower(HandClock(step_us=1_000))
        provider = Provider(
            self.folder, WordEngine(), terms, self.clock.us, gate=till.gate, power=power, reports=False
        )  # fmt: skip
        return till, self.stack.enter_context(provider), []


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    clock = Later()
    rich = {key.address: 10**21 for key in (kit.OPERATOR, kit.FACILITATOR, PROVIDER, PAYER)}
    node = Node(Genesis(rich, code=well_known_code()), now=clock)
    client = ChainClient(NodeProvider(node))
    scene = Scene(node, client, client.deploy(kit.OPERATOR, DOLLAR, kit.hexed(kit.OPERATOR.address)))
    scene.mint(PAYER)
    with ExitStack() as stack:
        stack.callback(node.close)
        rpc = stack.enter_context(serve(node, 0))
        settles = scene.facilitator()
        stack.callback(settles.close)
        running = stack.enter_context(serve_in_thread(make_facilitator_app(settles, kit.NETWORK)))
        yield Shop(scene, clock, rpc, running.url, tmp_path / "provider", stack)


def asked(provider: Provider, scheme: Any = None, place: int = 0) -> httpx.Response:
    """One answer asked for, paid by ``scheme`` where one is given."""

    async def go() -> httpx.Response:
        how = httpx.ASGITransport(provider_app(provider))
        async with httpx.AsyncClient(transport=how, base_url="http://127.0.0.1") as client:
            refused = await client.post("/v1/embeddings", json=BODY)
            if scheme is None:
                return refused
            terms: Any = decode_payment_required_header(refused.headers["PAYMENT-REQUIRED"]).accepts[place]
            payload = PaymentPayload(payload=scheme.create_payment_payload(terms), accepted=terms)
            header = {"PAYMENT-SIGNATURE": encode_payment_signature_header(payload)}
            return await client.post("/v1/embeddings", json=BODY, headers=header)

    return asyncio.run(go())


def signed_offers(answer: httpx.Response) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer.json()["extensions"]["offer-receipt"]["info"]["offers"]
    return found


def test_offers_and_receipts_are_signed_by_the_payee_where_its_key_is_there(shop: Shop) -> None:
    _, provider, _ = shop.open(shop.offer(), PROVIDER)
    for one in signed_offers(asked(provider)):
        assert offers.signer_of("Offer", one)[0] == PROVIDER.address
    said = kit.told(asked(provider, exact()))
    receipt = said["extensions"]["offer-receipt"]["info"]["receipt"]
    signer, fields = offers.signer_of("Receipt", receipt)
    assert (signer, fields["transaction"]) == (PROVIDER.address, said["transaction"])


def test_without_the_payees_key_the_work_key_signs(shop: Shop) -> None:
    _, provider, _ = shop.open(shop.offer(), None)
    public = provider.keys.work.public
    fields = [offers.fields_of(one, public) for one in signed_offers(asked(provider))]
    assert {one["payTo"] for one in fields} == {kit.hexed(PROVIDER.address).lower()} or {
        one["payTo"] for one in fields
    } == {kit.hexed(PROVIDER.address)}
    head = json.loads(base64.urlsafe_b64decode(signed_offers(asked(provider))[0]["signature"].split(".")[0] + "=="))
    assert head["kid"] == public.hex()


@pytest.mark.parametrize("holds_key", [True, False])
def test_dollars_of_work_that_failed_go_back(shop: Shop, holds_key: bool) -> None:
    till, provider, told = shop.open(shop.offer(), PROVIDER if holds_key else None)
    assert till.refunds == ("on the chain" if holds_key else "kept as the payer's balance here")
    engine = provider.desk.engine
    assert isinstance(engine, WordEngine)
    engine.breaks = True
    before = shop.scene.balance(PAYER)
    assert asked(provider, exact()).status_code == 500
    Upkeep(provider, till.gate, tell=told.append).once()
    left = asyncio.run(till.gate.till.balance(PAYER.address))
    price = provider.offer.price.cost_up(4)
    assert (shop.scene.balance(PAYER) - before, left) == ((0, 0) if holds_key else (-price, price))
    assert not told


def test_what_was_paid_and_never_asked_for_again_goes_back(shop: Shop) -> None:
    till, provider, _ = shop.open(shop.offer(), PROVIDER)
    before = shop.scene.balance(PAYER)

    async def dies(*_: object, **__: object) -> None:
        raise SystemExit

    gate = till.gate
    keep, gate.failed = gate.failed, dies  # type: ignore[method-assign]
    engine = provider.desk.engine
    assert isinstance(engine, WordEngine)
    engine.breaks = True
    with pytest.raises(SystemExit):
        asked(provider, exact())
    gate.failed = keep  # type: ignore[method-assign]
    gate._working.clear()  # as after a restart
    upkeep = Upkeep(provider, gate)
    assert upkeep.once().payments == 0
    assert shop.scene.balance(PAYER) < before
    shop.clock.ahead_s = 601
    assert upkeep.once().payments == 1
    assert shop.scene.balance(PAYER) == before


def credit_class(shop: Shop) -> tuple[bytes, int]:
    """A class of the provider's, of two tokens a credit; three are the payer's, who asked for their work."""
    scene, client = shop.scene, shop.scene.client
    contract = client.deploy(kit.OPERATOR, CREDIT, kit.hexed(scene.dollar), kit.hexed(kit.OPERATOR.address), "urn:{id}")
    expiry = int(time.time()) + 86_400
    terms = (
        kit.hexed(PROVIDER.address), kit.hexed(kit.OPERATOR.address), keccak(text="sku"), TOKENS, PER_CREDIT, 500, 100,
        expiry, GRACE_S,
    )  # fmt: skip
    scene.mint(PROVIDER)
    client.transact(PROVIDER, scene.dollar, call_data(DOLLAR, "approve", kit.hexed(contract), 1_000))
    client.transact(PROVIDER, contract, call_data(CREDIT, "open", terms, 10, 1_000))
    number = int(result(CREDIT, "id_of", client.call(contract, call_data(CREDIT, "id_of", terms)))[0])
    salt, until = bytes(32), int(time.time()) + 600
    paid = Authorization(
        kit.hexed(PAYER.address), kit.hexed(contract), 4 * 500, 0, until, purchase_nonce(number, 4, salt)
    )
    signature = sign_typed(PAYER.secret, receive_message(dollar_domain(CHAIN_ID, kit.hexed(scene.dollar)), paid))
    bought = call_data(CREDIT, "buy", number, 4, kit.hexed(PAYER.address), 0, until, salt, signature)
    client.transact(kit.OPERATOR, contract, bought)
    client.transact(PAYER, contract, call_data(CREDIT, "request", number, 4))
    return contract, number


def test_credits_are_taken_in_spent_reported_delivered_and_settled(shop: Shop) -> None:
    contract, number = credit_class(shop)
    terms = shop.offer(credit_contract=kit.hexed(contract), credit_classes=[str(number)])
    till, provider, told = shop.open(terms, PROVIDER)
    upkeep, class_id = Upkeep(provider, till.gate, till.credits, tell=told.append), number.to_bytes(32, "big")
    assert (upkeep.once().requests, upkeep.once().requests) == (1, 0)
    for _ in range(2):  # four tokens each, eight asked for
        assert asked(provider, CreditScheme(PAYER, shop.clock.us), 1).status_code == 200
    assert asked(provider, CreditScheme(PAYER, shop.clock.us), 1).status_code == 402
    assert upkeep.once().delivered == 0  # no report tells of it yet
    row = provider.close_interval()
    assert row is not None
    report = open_report(Envelope.from_json(json.dumps(json.loads(row.written)["work"])), provider.keys.work.public)
    assert report.paid_usdc_micro == 0
    assert [bytes(one) for one in report.sales["tx"]] == [class_id] * 2
    assert [bytes(one) for one in report.sales["payer"]] == [PAYER.address] * 2
    assert upkeep.once().delivered == 1
    assert request_of(shop.scene.client, contract, class_id, PAYER.address).work_root == report.root
    shop.clock.ahead_s = GRACE_S + 5
    shop.scene.node.mine()
    before = shop.scene.balance(kit.OPERATOR)  # the deal
    assert upkeep.once().settled == 1
    assert shop.scene.balance(kit.OPERATOR) == before + 4 * 500
    assert (upkeep.once(), told) == (Kept(), [])


def test_who_asks_and_never_comes_gains_nothing(shop: Shop) -> None:
    contract, number = credit_class(shop)
    terms = shop.offer(credit_contract=kit.hexed(contract), credit_classes=[str(number)])
    till, provider, _ = shop.open(terms, PROVIDER)
    upkeep, class_id = Upkeep(provider, till.gate, till.credits), number.to_bytes(32, "big")
    upkeep.once()
    assert asked(provider, CreditScheme(PAYER, shop.clock.us), 1).status_code == 200
    assert provider.close_interval() is not None
    assert upkeep.once().delivered == 0
    shop.clock.ahead_s = GRACE_S * 4 // 5
    shop.scene.node.mine()
    assert upkeep.once().delivered == 1
    assert asyncio.run(till.gate.till.balance(PAYER.address, class_id)) == 2 * PER_CREDIT  # still to be spent


def test_classes_are_told_as_numbers(shop: Shop) -> None:
    with pytest.raises(Invalid, match=r"provider\.offer"):
        shop.open(shop.offer(credit_contract="0x" + "11" * 20, credit_classes=["first"]), None)


def test_old_bodies_are_dropped_once_they_are_reported(shop: Shop) -> None:
    till, provider, _ = shop.open(shop.offer(keep_bodies_days=2), PROVIDER)
    payment = bytes.fromhex(asked(provider, exact()).headers["Penstock-Payment"])
    upkeep, number = Upkeep(provider, till.gate), provider.workbook.number_of(payment)
    shop.clock.ahead_s = 3 * 86_400
    assert upkeep.once().bodies == 1  # the till's; no report tells of the answer yet
    assert provider.workbook.bodies(number)[0]
    provider.close_interval()
    assert upkeep.once().bodies == 1
    with pytest.raises(NotFound, match=r"workbook\.body_gone"):
        provider.workbook.bodies(number)
    assert upkeep.once().bodies == 0
    assert provider.receipt(payment)  # what it drew is told all the same


def test_what_fails_is_told_and_the_rest_goes_on(shop: Shop) -> None:
    till, provider, told = shop.open(shop.offer(), PROVIDER)

    async def fails() -> int:
        raise PenstockError("chain.unreachable", "The chain does not answer.")

    till.gate.sweep = fails  # type: ignore[method-assign]
    with Upkeep(provider, till.gate, tell=told.append, every_s=0.01):
        until = time.monotonic() + 20
        while len(told) < 3 and time.monotonic() < until:
            time.sleep(0.01)
    assert set(told) == {"chain.unreachable"} and len(told) >= 3
