"""The gate with the official Python client in front: paid before work, charged once, nothing lost."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import payment_kit as kit
import pytest
from payment_kit import (
    BODY,
    PAYER,
    PRICE,
    PROVIDER,
    RICH,
    Door,
    Later,
    Scene,
    exact,
    hexed,
    make_gate,
    payment_header,
    told,
)
from x402.http.utils import decode_payment_required_header

from penstock.connect.x402 import offers
from penstock.connect.x402.asking import CreditClass
from penstock.connect.x402.facilitator import ChainFacilitator
from penstock.connect.x402.gate import Hands, PaymentGate
from penstock.connect.x402.spend import CreditScheme
from penstock.connect.x402.till import Till
from penstock.connect.x402.till_rows import DOLLARS, State
from penstock.errors import Unavailable
from penstock.usecases.facilitate import ChainWitness, now_us


def test_who_does_not_pay_is_told_how(scene: Scene, till: Till, facilitator: ChainFacilitator) -> None:
    door = Door(make_gate(scene, till, facilitator))

    async def ask() -> httpx.Response:
        async with door.plain() as client:
            return await client.post("/answer", content=BODY)

    refused = asyncio.run(ask())
    asked = decode_payment_required_header(refused.headers["PAYMENT-REQUIRED"])
    assert refused.status_code == 402 and door.works == 0
    assert [one.scheme for one in asked.accepts] == ["exact", "upto", "credit"]
    assert json.loads(refused.content) == json.loads(base64.b64decode(refused.headers["PAYMENT-REQUIRED"]))
    assert not [name for name in refused.headers if name.lower() == "settlement-overrides"]


def test_the_official_client_pays_and_is_answered(scene: Scene, till: Till, facilitator: ChainFacilitator) -> None:
    door, before = Door(make_gate(scene, till, facilitator)), scene.balance(PROVIDER)

    async def ask() -> httpx.Response:
        async with door.paying(scene) as client:
            return await client.post("/answer", content=BODY)

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()["digest"]) == (200, hashlib.sha256(BODY).hexdigest())
    assert scene.balance(PROVIDER) == before + PRICE
    said = told(answer)
    assert (said["success"], said["payer"], said["amount"]) == (True, hexed(PAYER.address), str(PRICE))
    assert scene.client.receipt(bytes.fromhex(said["transaction"][2:])) is not None
    rows = asyncio.run(till.answers(0))
    assert [(row.number, row.state, row.spent, row.tx.hex()) for row in rows] == [
        (1, State.ANSWERED, PRICE, said["transaction"][2:])
    ]


def test_the_official_client_pays_by_upto_what_was_counted(
    scene: Scene, till: Till, facilitator: ChainFacilitator
) -> None:
    scene.approve_permit2(PAYER)
    terms = scene.terms(schemes=("upto",), upto_usdc_micro=20_000)
    door, before = Door(make_gate(scene, till, facilitator, terms=terms)), scene.balance(PROVIDER)

    async def ask() -> httpx.Response:
        async with door.paying(scene, schemes=("upto",)) as client:
            return await client.post("/answer", content=BODY)

    answer = asyncio.run(ask())
    assert answer.status_code == 200 and told(answer)["amount"] == str(PRICE)
    assert scene.balance(PROVIDER) == before + PRICE


def test_the_same_payment_gets_the_same_answer_and_no_second_charge(
    scene: Scene, till: Till, facilitator: ChainFacilitator
) -> None:
    door, before = Door(make_gate(scene, till, facilitator)), scene.balance(PROVIDER)

    async def ask() -> list[httpx.Response]:
        header = await payment_header(door, exact())
        async with door.plain() as client:
            at_once = await asyncio.gather(*(client.post("/answer", content=BODY, headers=header) for _ in range(5)))
            return [*at_once, await client.post("/answer", content=BODY, headers=header)]

    answers = asyncio.run(ask())
    assert [one.status_code for one in answers] == [200] * 6
    assert len({one.content for one in answers}) == 1 and door.works == 1
    assert len({one.headers["PAYMENT-RESPONSE"] for one in answers}) == 1
    assert scene.balance(PROVIDER) == before + PRICE


def test_a_payment_for_one_request_buys_no_other(scene: Scene, till: Till, facilitator: ChainFacilitator) -> None:
    door, before = Door(make_gate(scene, till, facilitator)), scene.balance(PROVIDER)

    async def ask() -> tuple[httpx.Response, httpx.Response]:
        header = await payment_header(door, exact())
        async with door.plain() as client:
            first = await client.post("/answer", content=BODY, headers=header)
            return first, await client.post("/answer", content=b"another", headers=header)

    first, other = asyncio.run(ask())
    assert (first.status_code, other.status_code, door.works) == (200, 409, 1)
    assert other.json()["error"]["code"] == "payment.replayed"
    assert scene.balance(PROVIDER) == before + PRICE


def _reencoded(header: dict[str, str], **accepted: object) -> dict[str, str]:
    body = json.loads(base64.b64decode(header["PAYMENT-SIGNATURE"]))
    body["accepted"] |= accepted
    return {"PAYMENT-SIGNATURE": base64.b64encode(json.dumps(body).encode()).decode()}


@pytest.mark.parametrize(
    ("name", "value"),
    [("amount", "1"), ("payTo", hexed(PAYER.address)), ("network", "eip155:1"), ("asset", hexed(PROVIDER.address)),
     ("scheme", "batch-settlement")],
)  # fmt: skip
def test_only_what_is_offered_is_taken(
    scene: Scene, till: Till, facilitator: ChainFacilitator, name: str, value: str
) -> None:
    door, before = Door(make_gate(scene, till, facilitator)), scene.balance(PAYER)

    async def ask() -> httpx.Response:
        header = _reencoded(await payment_header(door, exact()), **{name: value})
        async with door.plain() as client:
            return await client.post("/answer", content=BODY, headers=header)

    refused = asyncio.run(ask())
    assert (refused.status_code, refused.json()["error"], door.works) == (402, "payment.not_offered", 0)
    assert scene.balance(PAYER) == before


@pytest.mark.parametrize(
    ("header", "code"),
    [("%%%", "payment.malformed"), ("bnVsbA==", "payment.malformed"), ("A" * 70_000, "payment.malformed"),
     (base64.b64encode(b'{"x402Version":1}').decode(), "payment.version"),
     (base64.b64encode(b"[" * 3_000).decode(), "payment.malformed"),
     (base64.b64encode(b'{"x402Version":2,"payload":{},"accepted":{}}').decode(), "payment.malformed")],
)  # fmt: skip
def test_what_is_no_payment_is_told_so(
    scene: Scene, till: Till, facilitator: ChainFacilitator, header: str, code: str
) -> None:
    door = Door(make_gate(scene, till, facilitator))

    async def ask() -> httpx.Response:
        async with door.plain() as client:
            return await client.post("/answer", content=BODY, headers={"PAYMENT-SIGNATURE": header})

    refused = asyncio.run(ask())
    assert (refused.status_code, refused.json()["error"], door.works) == (402, code, 0)


def test_a_poor_payer_is_not_served(scene: Scene, till: Till, facilitator: ChainFacilitator) -> None:
    door = Door(make_gate(scene, till, facilitator))

    async def ask() -> httpx.Response:
        async with door.paying(scene, kit.role("poor payer")) as client:
            return await client.post("/answer", content=BODY)

    refused = asyncio.run(ask())
    assert (refused.status_code, door.works) == (402, 0)
    assert refused.json()["error"] == "invalid_exact_evm_insufficient_balance"


def test_fifty_payers_at_once_are_all_answered(scene: Scene, till: Till, facilitator: ChainFacilitator) -> None:
    door, before = Door(make_gate(scene, till, facilitator)), scene.balance(PROVIDER)
    payers = [scene.mint(kit.role(f"payer {number}"), PRICE) for number in range(50)]

    async def one(payer: Any) -> int:
        async with door.paying(scene, payer) as client:
            return (await client.post("/answer", content=BODY)).status_code

    async def all_() -> list[int]:
        return await asyncio.gather(*(one(payer) for payer in payers))

    assert asyncio.run(all_()) == [200] * 50
    assert (scene.balance(PROVIDER), door.works) == (before + 50 * PRICE, 50)
    assert [row.number for row in asyncio.run(till.answers(0))] == list(range(1, 51))


def test_a_payer_has_so_many_payments_under_way_and_no_more(scene: Scene, tmp_path: Path) -> None:
    release = asyncio.Event()

    async def slow(inner: ChainFacilitator, payload: Any, asked: Any) -> Any:
        await release.wait()
        return await inner.settle(payload, asked)

    async def ask() -> list[int]:
        inner = scene.facilitator()
        with Till(tmp_path / "till.sqlite", now_us, unsettled_max=2) as till:
            door = Door(make_gate(scene, till, kit.Stubborn(inner, slow)))
            headers = [await payment_header(door, exact()) for _ in range(3)]
            async with door.plain() as client:
                asked = [asyncio.create_task(client.post("/answer", content=BODY, headers=one)) for one in headers[:2]]
                await asyncio.sleep(0.2)
                third = await client.post("/answer", content=BODY, headers=headers[2])
                release.set()
                answered = await asyncio.gather(*asked)
        inner.close()
        assert third.json()["error"] == "payment.too_many_unsettled"
        return [third.status_code, *(one.status_code for one in answered)]

    assert asyncio.run(ask()) == [402, 200, 200]


# what is left over, and credits


def test_what_an_answer_did_not_cost_is_prepaid(scene: Scene, till: Till, facilitator: ChainFacilitator) -> None:
    door = Door(make_gate(scene, till, facilitator), cost=300)

    async def ask() -> tuple[httpx.Response, int, httpx.Response, int]:
        async with door.paying(scene) as client:
            first = await client.post("/answer", content=BODY)
        left, door.price = await till.balance(PAYER.address), 70
        door.cost = 70
        async with door.paying(scene, schemes=("credit",)) as client:
            return first, left, await client.post("/answer", content=BODY), await till.balance(PAYER.address)

    before = scene.balance(PROVIDER)
    first, left, second, after = asyncio.run(ask())
    assert (first.headers["Penstock-Prepaid"], left) == ("70", 70)
    assert (second.status_code, told(second)["amount"], after) == (200, "70", 0)
    assert scene.balance(PROVIDER) == before + PRICE


def test_credits_of_a_class_pay_in_tokens(scene: Scene, till: Till, facilitator: ChainFacilitator) -> None:
    tokens = CreditClass(b"\x07" * 32, frozenset({"model"}), False, 10)
    door = Door(make_gate(scene, till, facilitator, terms=scene.terms(credits=(tokens,))))

    async def ask() -> tuple[list[int], int]:
        await till.deposit(b"lot 1".ljust(32), PAYER.address, tokens.id, 100)
        assert await till.deposit(b"lot 1".ljust(32), PAYER.address, tokens.id, 100) == 100  # once for each source
        codes = []
        for _ in range(3):
            header = await payment_header(door, CreditScheme(PAYER, now_us), 2)
            async with door.plain() as client:
                codes.append((await client.post("/answer", content=BODY, headers=header)).status_code)
        return codes, await till.balance(PAYER.address, tokens.id)

    before = scene.balance(PAYER)
    assert asyncio.run(ask()) == ([200, 200, 402], 100 - 2 * 37)
    assert scene.balance(PAYER) == before


def test_a_balance_is_spent_by_its_holder_alone(scene: Scene, till: Till, facilitator: ChainFacilitator) -> None:
    door = Door(make_gate(scene, till, facilitator))

    async def ask() -> tuple[httpx.Response, int]:
        await till.deposit(bytes(32), PAYER.address, DOLLARS, RICH)
        header = await payment_header(door, CreditScheme(kit.ATTACKER, now_us), 2)
        body = json.loads(base64.b64decode(header["PAYMENT-SIGNATURE"]))
        body["payload"]["spend"]["holder"] = hexed(PAYER.address)
        forged = {"PAYMENT-SIGNATURE": base64.b64encode(json.dumps(body).encode()).decode()}
        async with door.plain() as client:
            return await client.post("/answer", content=BODY, headers=forged), await till.balance(PAYER.address)

    refused, left = asyncio.run(ask())
    assert (refused.status_code, refused.json()["error"], left) == (402, "payment.signature", RICH)


# work that fails


def test_a_failed_answer_is_paid_back_on_the_chain(
    scene: Scene, till: Till, facilitator: ChainFacilitator, tmp_path: Path
) -> None:
    scene.mint(PROVIDER)
    door = Door(make_gate(scene, till, facilitator, refunds=tmp_path / "refunds.sqlite"), fails=True)
    before = scene.balance(PAYER), scene.balance(PROVIDER)

    async def ask() -> tuple[int, httpx.Response]:
        header = await payment_header(door, exact())
        async with door.plain() as client:
            failed = await client.post("/answer", content=BODY, headers=header)
            return failed.status_code, await client.post("/answer", content=BODY, headers=header)

    status, again = asyncio.run(ask())
    assert (status, again.status_code, again.json()["error"]["code"]) == (500, 409, "payment.refunded")
    assert (scene.balance(PAYER), scene.balance(PROVIDER)) == before


def test_without_a_way_to_pay_back_it_is_prepaid(scene: Scene, till: Till, facilitator: ChainFacilitator) -> None:
    door = Door(make_gate(scene, till, facilitator), fails=True)

    async def ask() -> int:
        async with door.paying(scene) as client:
            await client.post("/answer", content=BODY)
        return await till.balance(PAYER.address)

    assert asyncio.run(ask()) == PRICE


def test_an_answer_nobody_asks_for_again_is_paid_back(
    scene: Scene, till: Till, facilitator: ChainFacilitator, tmp_path: Path
) -> None:
    """The provider dies after the money came; nobody comes back for the answer."""
    scene.mint(PROVIDER)
    before, clock = scene.balance(PAYER), Later()
    gate = make_gate(scene, till, facilitator, refunds=tmp_path / "refunds.sqlite", clock=clock)

    async def dies() -> None:
        raise asyncio.CancelledError

    door = Door(gate, before_work=dies)

    async def ask() -> list[int]:
        with pytest.raises(asyncio.CancelledError):
            async with door.plain() as client:
                await client.post("/answer", content=BODY, headers=await payment_header(door, exact()))
        reborn = make_gate(scene, till, facilitator, refunds=tmp_path / "refunds.sqlite", clock=clock)
        early = await reborn.sweep()
        clock.ahead_us = 601 * 1_000_000
        return [early, await reborn.sweep(), await reborn.sweep()]

    assert asyncio.run(ask()) == [0, 1, 0]
    assert scene.balance(PAYER) == before


def test_a_refund_that_cannot_be_sent_now_is_sent_later(
    scene: Scene, till: Till, facilitator: ChainFacilitator
) -> None:
    class Slow:
        tries = 0

        def pay(self, reference: bytes, payee: bytes, token: bytes, amount: int) -> bytes:
            self.tries += 1
            if self.tries == 1:
                raise Unavailable("payment.refund_pending", "Later.")
            return b"\x01" * 32

    slow = Slow()
    hands = Hands(facilitator, ChainWitness(scene.client), slow)
    door = Door(PaymentGate(scene.terms(), till, hands, now_us), fails=True)

    async def ask() -> tuple[int, list[Any]]:
        async with door.paying(scene) as client:
            await client.post("/answer", content=BODY)
        waiting = [row.state for row in await till.open_rows()]
        return await door.gate.sweep(), waiting  # type: ignore[attr-defined]

    assert asyncio.run(ask()) == (1, [State.REFUNDING])
    assert slow.tries == 2


# signed offers and receipts


def test_offers_and_receipts_are_signed_by_the_payee(scene: Scene, till: Till, facilitator: ChainFacilitator) -> None:
    hands = Hands(facilitator, ChainWitness(scene.client), None, offers.by_account(PROVIDER))
    door = Door(PaymentGate(scene.terms(), till, hands, now_us))

    async def ask() -> tuple[httpx.Response, httpx.Response]:
        async with door.plain() as client:
            refused = await client.post("/answer", content=BODY)
        async with door.paying(scene) as client:
            return refused, await client.post("/answer", content=BODY)

    refused, answer = asyncio.run(ask())
    asked = refused.json()
    signed = asked["extensions"]["offer-receipt"]["info"]["offers"]
    for one, terms in zip(signed, asked["accepts"], strict=True):
        signer, fields = offers.signer_of("Offer", one)
        assert signer == PROVIDER.address
        assert {name: fields[name] for name in ("scheme", "amount", "asset")} == {
            name: terms[name] for name in ("scheme", "amount", "asset")
        }
    receipt = told(answer)["extensions"]["offer-receipt"]["info"]["receipt"]
    signer, fields = offers.signer_of("Receipt", receipt)
    assert (signer, fields["payer"]) == (PROVIDER.address, hexed(PAYER.address))
    assert fields["transaction"] == told(answer)["transaction"]
