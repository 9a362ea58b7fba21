"""An attacker who pays in another coin or sum, or counts one payment as many; a facilitator that takes more."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import payment_kit as kit
import pytest
from eth_account import Account
from payment_kit import ATTACKER, BODY, FACILITATOR, PAYER, PRICE, PROVIDER, Door, Scene, Stubborn, exact, hexed
from x402.http.utils import decode_payment_required_header, encode_payment_signature_header
from x402.mechanisms.evm.upto.client import UptoEvmScheme
from x402.schemas import PaymentPayload, PaymentRequirements, SettleResponse

from penstock.chain.artefact import call_data, load_artefact
from penstock.chain.well_known import MULTICALL3, PERMIT2
from penstock.connect.x402.asking import CreditClass
from penstock.connect.x402.facilitator import ChainFacilitator
from penstock.connect.x402.payment import read_payment
from penstock.connect.x402.ports import Fate
from penstock.connect.x402.spend import CreditScheme
from penstock.connect.x402.till import Till
from penstock.connect.x402.till_rows import DOLLARS
from penstock.usecases.facilitate import ChainOfPayments, ChainWitness, now_us

CLASS = b"\x07" * 32


async def _offers(door: Door) -> list[PaymentRequirements]:
    async with door.plain() as client:
        refused = await client.post("/answer", content=BODY)
    found: Any = decode_payment_required_header(refused.headers["PAYMENT-REQUIRED"]).accepts
    return list(found)


async def _send(door: Door, payload: PaymentPayload) -> httpx.Response:
    async with door.plain() as client:
        header = {"PAYMENT-SIGNATURE": encode_payment_signature_header(payload)}
        return await client.post("/answer", content=BODY, headers=header)


@pytest.mark.parametrize(
    "signed",
    [{"asset": "0x" + DOLLARS.hex()}, {"asset": "0x" + (b"\x08" * 32).hex()}, {"amount": "1"}, {"amount": "1000"}],
)
def test_units_of_one_class_pay_for_no_other_and_no_other_sum(
    scene: Scene, till: Till, facilitator: ChainFacilitator, signed: dict[str, str]
) -> None:
    terms = scene.terms(schemes=("credit",), credits=(CreditClass(CLASS, frozenset({"model"}), True, PRICE),))
    door = Door(kit.make_gate(scene, till, facilitator, terms=terms))

    async def ask() -> tuple[httpx.Response, list[int]]:
        for place, one in enumerate((DOLLARS, CLASS, b"\x08" * 32)):
            await till.deposit(bytes([place]) * 32, PAYER.address, one, 5_000)
        way = (await _offers(door))[0]
        assert way.asset == "0x" + CLASS.hex() and way.amount == "1"
        told = signed if signed != {"amount": "1"} else {"amount": "0"}
        body = CreditScheme(PAYER, now_us).create_payment_payload(way.model_copy(update=told))
        answer = await _send(door, PaymentPayload(payload=body, accepted=way))
        return answer, [await till.balance(PAYER.address, one) for one in (DOLLARS, CLASS, b"\x08" * 32)]

    answer, balances = asyncio.run(ask())
    assert answer.status_code == 402 and answer.json()["error"] == "payment.not_offered"
    assert (door.works, balances) == (0, [5_000] * 3)


def test_a_coin_of_the_attackers_own_buys_nothing(scene: Scene, till: Till, facilitator: ChainFacilitator) -> None:
    """Permit2 moves any token: what the chain says was paid in another is no payment here."""
    junk = scene.client.deploy(ATTACKER, load_artefact("Dollar"), hexed(ATTACKER.address))
    scene.client.transact(ATTACKER, junk, call_data(load_artefact("Dollar"), "mint", hexed(ATTACKER.address), 10**9))
    scene.client.transact(ATTACKER, junk, call_data(load_artefact("Dollar"), "approve", hexed(PERMIT2), 10**9))
    terms = scene.terms(schemes=("upto",), upto_usdc_micro=20_000)
    door = Door(kit.make_gate(scene, till, facilitator, terms=terms))

    async def ask() -> httpx.Response:
        way = (await _offers(door))[0]
        asked = way.model_copy(
            update={"asset": hexed(junk), "extra": {**way.extra, "facilitatorAddress": hexed(ATTACKER.address)}}
        )
        body = UptoEvmScheme(Account.from_key(ATTACKER.secret)).create_payment_payload(asked)
        own = ChainFacilitator(ChainOfPayments(scene.client, ATTACKER), _memory(), [junk])
        paid = await own.settle(PaymentPayload(payload=body, accepted=asked), asked)
        own.close()
        assert paid.success
        return await _send(door, PaymentPayload(payload=body, accepted=way))

    answer = asyncio.run(ask())
    assert answer.status_code == 402 and door.works == 0
    assert asyncio.run(till.balance(ATTACKER.address)) == 0


def _memory() -> Any:
    from penstock.connect.x402.settlements import Settlements

    return Settlements(None, now_us)


def _three_words(payload: PaymentPayload, dollar: bytes) -> tuple[str, bool, bytes]:
    """One payment as a call for the contract that batches."""
    body, signature = payload.payload["authorization"], bytes.fromhex(payload.payload["signature"][2:])
    data = call_data(
        load_artefact("Dollar"), "transferWithAuthorization", body["from"], body["to"], int(body["value"]),
        int(body["validAfter"]), int(body["validBefore"]), bytes.fromhex(body["nonce"][2:]), signature[64],
        signature[:32], signature[32:64],
    )  # fmt: skip
    return hexed(dollar), False, data


def test_payments_in_one_transaction_count_each_for_itself(
    scene: Scene, till: Till, facilitator: ChainFacilitator
) -> None:
    """Whoever brings a small and a large payment in one transaction has not paid the sum twice."""
    door = Door(kit.make_gate(scene, till, facilitator))

    async def ask() -> httpx.Response:
        way = (await _offers(door))[0]
        small = PaymentPayload(payload=exact().create_payment_payload(way), accepted=way)
        large = kit.signed(way.model_copy(update={"amount": "1000000"}))
        batch = [_three_words(one, scene.dollar) for one in (large, small, kit.signed(way))]
        scene.client.transact(ATTACKER, MULTICALL3, call_data(load_artefact("Calls"), "aggregate3", batch))
        return await _send(door, small)

    before = scene.balance(PROVIDER)
    answer = asyncio.run(ask())
    assert scene.balance(PROVIDER) == before + 1_000_000 + 2 * PRICE
    assert answer.status_code == 200
    assert [row.charged for row in asyncio.run(till.answers(0))] == [PRICE]
    assert asyncio.run(till.balance(PAYER.address)) == 0


def test_a_signature_in_the_tail_of_a_call_is_no_payment(scene: Scene, tmp_path: Any) -> None:
    """Permit2 tells of no nonce: what counts is the call of x402's proxy, and not what else was written behind it."""
    scene.approve_permit2(PAYER)
    paid, lure = kit.signed(scene.upto()), kit.signed(scene.upto())
    settled = _with_tail(scene, paid, bytes.fromhex(lure.payload["signature"][2:]))
    nonce = int(lure.payload["permit2Authorization"]["nonce"])
    used = call_data(load_artefact("Permit"), "invalidateUnorderedNonces", nonce >> 8, 1 << (nonce & 255))
    scene.client.transact(PAYER, PERMIT2, used)
    witness = ChainWitness(scene.client)
    assert witness.look(read_payment(lure), now_us()).fate is Fate.VOID
    assert witness.brought(read_payment(lure), settled) == 0
    found = witness.look(read_payment(paid), now_us())
    assert (found.fate, found.tx, found.amount) == (Fate.PAID, settled, 20_000)


def _with_tail(scene: Scene, payload: PaymentPayload, tail: bytes) -> bytes:
    """The payment settled to its cap, the tail written behind the call."""
    body = payload.payload["permit2Authorization"]
    permitted, witness = body["permitted"], body["witness"]
    data = call_data(
        load_artefact("UptoPayment"), "settle",
        ((permitted["token"], int(permitted["amount"])), int(body["nonce"]), int(body["deadline"])),
        int(permitted["amount"]), body["from"], (witness["to"], witness["facilitator"], int(witness["validAfter"])),
        bytes.fromhex(payload.payload["signature"][2:]),
    )  # fmt: skip
    proxy = bytes.fromhex(body["spender"][2:])
    return scene.client.transact(FACILITATOR, proxy, data + tail).tx_hash


async def _takes_the_cap(inner: ChainFacilitator, payload: Any, asked: PaymentRequirements) -> SettleResponse:
    most = payload.payload["permit2Authorization"]["permitted"]["amount"]
    settled = await inner.settle(payload, asked.model_copy(update={"amount": most}))
    return settled.model_copy(update={"amount": asked.amount})


def test_what_a_facilitator_took_beyond_the_price_stays_the_payers(scene: Scene, till: Till) -> None:
    scene.approve_permit2(PAYER)
    inner = scene.facilitator()
    terms = scene.terms(schemes=("upto",), upto_usdc_micro=20_000)
    door = Door(kit.make_gate(scene, till, Stubborn(inner, _takes_the_cap), terms=terms))

    async def ask() -> httpx.Response:
        async with door.paying(scene, schemes=("upto",)) as client:
            return await client.post("/answer", content=BODY)

    before = scene.balance(PROVIDER)
    answer = asyncio.run(ask())
    inner.close()
    assert answer.status_code == 200 and scene.balance(PROVIDER) == before + 20_000
    assert [(row.charged, row.spent) for row in asyncio.run(till.answers(0))] == [(20_000, PRICE)]
    assert asyncio.run(till.balance(PAYER.address)) == 20_000 - PRICE
    assert answer.headers["Penstock-Prepaid"] == str(20_000 - PRICE)


def test_a_paid_request_is_answered_at_its_price_when_prices_change(
    scene: Scene, till: Till, facilitator: ChainFacilitator
) -> None:
    door, before = Door(kit.make_gate(scene, till, facilitator)), scene.balance(PROVIDER)

    async def ask() -> list[httpx.Response]:
        way = (await _offers(door))[0]
        payload = kit.signed(way)
        first = await _send(door, payload)
        door.price = 2 * PRICE
        again = await _send(door, payload)
        async with door.plain() as client:
            header = {"PAYMENT-SIGNATURE": encode_payment_signature_header(payload)}
            return [first, again, await client.post("/answer", content=b"another", headers=header)]

    first, again, another = asyncio.run(ask())
    assert (first.status_code, again.status_code, again.content) == (200, 200, first.content)
    assert another.status_code == 402  # no old price for a new request
    assert (door.works, scene.balance(PROVIDER)) == (1, before + PRICE)


def test_who_goes_away_while_paying_finds_the_payment_again(
    scene: Scene, till: Till, facilitator: ChainFacilitator
) -> None:
    """A cancelled call, as MCP has them: what was paid waits for whoever asks again, or goes back."""

    async def slow(inner: ChainFacilitator, payload: Any, asked: Any) -> SettleResponse:
        await asyncio.sleep(0.2)
        return await inner.settle(payload, asked)

    door = Door(kit.make_gate(scene, till, Stubborn(facilitator, slow)))

    async def ask() -> httpx.Response:
        payload = kit.signed((await _offers(door))[0])
        going = asyncio.ensure_future(_send(door, payload))
        await asyncio.sleep(0.1)
        going.cancel()
        await asyncio.sleep(1.0)
        return await asyncio.wait_for(_send(door, payload), 5.0)

    assert asyncio.run(ask()).status_code == 200
    assert door.works == 1


def test_a_payment_that_never_ends_is_not_taken(scene: Scene, till: Till, facilitator: ChainFacilitator) -> None:
    door = Door(kit.make_gate(scene, till, facilitator))

    async def ask() -> httpx.Response:
        way = (await _offers(door))[0]
        body = exact().create_payment_payload(way.model_copy(update={"max_timeout_seconds": 10**7}))
        return await _send(door, PaymentPayload(payload=body, accepted=way))

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()["error"]) == (402, "payment.too_long")
    assert asyncio.run(till.open_rows()) == []
