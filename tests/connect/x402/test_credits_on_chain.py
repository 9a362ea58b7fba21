"""Credits bought and asked for on the chain, spent call by call at the door without it, stated as delivered."""

from __future__ import annotations

import asyncio
import time

import pytest
from eth_utils.crypto import keccak
from payment_kit import BODY, OPERATOR, PAYER, PROVIDER, Door, Scene, hexed, make_gate, payment_header

from penstock.chain.artefact import call_data, load_artefact, result
from penstock.chain.node import CHAIN_ID
from penstock.chain.typed_data import Authorization, dollar_domain, purchase_nonce, receive_message, sign_typed
from penstock.connect.x402.facilitator import ChainFacilitator
from penstock.connect.x402.spend import CreditScheme
from penstock.connect.x402.till import Till
from penstock.errors import Refused
from penstock.usecases.facilitate import now_us
from penstock.usecases.take_credits import MILLISECONDS, TOKENS, collect_requests, credit_class, deliver

CREDIT, DOLLAR = load_artefact("Credit"), load_artefact("Dollar")
PER_CREDIT, CREDIT_PRICE, COLLATERAL = 50, 500, 100


def _class(scene: Scene, contract: bytes, unit: int) -> int:
    """A class of the provider's, open, with its collateral."""
    client, expiry = scene.client, int(time.time()) + 86_400
    terms = (
        hexed(PROVIDER.address), hexed(OPERATOR.address), keccak(text="sku"), unit, PER_CREDIT, CREDIT_PRICE,
        COLLATERAL, expiry, 3_600,
    )  # fmt: skip
    scene.mint(PROVIDER)
    client.transact(PROVIDER, scene.dollar, call_data(DOLLAR, "approve", hexed(contract), 10 * COLLATERAL))
    client.transact(PROVIDER, contract, call_data(CREDIT, "open", terms, 10, 10 * COLLATERAL))
    return int(result(CREDIT, "id_of", client.call(contract, call_data(CREDIT, "id_of", terms)))[0])


def _buy_and_ask(scene: Scene, contract: bytes, class_id: int, amount: int) -> None:
    """The payer buys by signature, and asks for the work."""
    salt, until = bytes(32), int(time.time()) + 600
    paid = Authorization(
        hexed(PAYER.address), hexed(contract), amount * CREDIT_PRICE, 0, until, purchase_nonce(class_id, amount, salt)
    )
    signature = sign_typed(PAYER.secret, receive_message(dollar_domain(CHAIN_ID, hexed(scene.dollar)), paid))
    bought = call_data(CREDIT, "buy", class_id, amount, hexed(PAYER.address), 0, until, salt, signature)
    scene.client.transact(OPERATOR, contract, bought)
    scene.client.transact(PAYER, contract, call_data(CREDIT, "request", class_id, amount))


def _contract(scene: Scene) -> bytes:
    return scene.client.deploy(OPERATOR, CREDIT, hexed(scene.dollar), hexed(OPERATOR.address), "urn:credit:{id}")


def test_what_was_asked_for_is_spent_call_by_call(scene: Scene, till: Till, facilitator: ChainFacilitator) -> None:
    contract = _contract(scene)
    class_id = _class(scene, contract, TOKENS)
    _buy_and_ask(scene, contract, class_id, 2)
    taken = credit_class(scene.client, contract, class_id, ["model"])
    door = Door(make_gate(scene, till, facilitator, terms=scene.terms(credits=(taken,))))
    head = scene.client.head().number

    async def go() -> tuple[list[int], list[int], int]:
        counts = [await collect_requests(scene.client, contract, PROVIDER.address, till, 0, head) for _ in range(2)]
        codes = []
        async with door.plain() as client:
            for _ in range(3):
                header = await payment_header(door, CreditScheme(PAYER, now_us), 2)
                codes.append((await client.post("/answer", content=BODY, headers=header)).status_code)
        return counts, codes, await till.balance(PAYER.address, taken.id)

    before = scene.balance(PAYER)
    assert asyncio.run(go()) == ([1, 1], [200, 200, 402], 2 * PER_CREDIT - 2 * 37)
    assert scene.balance(PAYER) == before
    assert deliver(scene.client, PROVIDER, contract, taken.id, PAYER.address, keccak(text="work")).succeeded
    worth = {row.payment.scheme: row.charged for row in asyncio.run(till.answers(0))}
    assert worth == {"credit": 37} and taken.worth_usdc_micro == CREDIT_PRICE


def test_anothers_classes_are_none_of_ours(scene: Scene, till: Till) -> None:
    contract = _contract(scene)
    _buy_and_ask(scene, contract, _class(scene, contract, TOKENS), 1)
    head = scene.client.head().number
    assert asyncio.run(collect_requests(scene.client, contract, OPERATOR.address, till, 0, head)) == 0


def test_milliseconds_are_not_charged_before_the_work(scene: Scene) -> None:
    contract = _contract(scene)
    class_id = _class(scene, contract, MILLISECONDS)
    with pytest.raises(Refused, match=r"payment\.unit"):
        credit_class(scene.client, contract, class_id, ["model"])


def test_what_the_chain_refunds_leaves_the_balance(till: Till) -> None:
    async def go() -> list[int]:
        class_id = b"\x09" * 32
        left = [await till.deposit(b"asked".ljust(32), PAYER.address, class_id, 100)]
        for _ in range(2):
            left.append(await till.withdraw(b"refunded".ljust(32), PAYER.address, class_id, 60))
        left.append(await till.withdraw(b"again".ljust(32), PAYER.address, class_id, 60))
        return left

    assert asyncio.run(go()) == [100, 40, 40, 0]
