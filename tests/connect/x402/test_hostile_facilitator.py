"""A facilitator that lies, dies or dawdles: whatever it does, nobody is charged twice and nothing is lost.

Each case says how the facilitator behaves, and what must have happened when the payer has asked, and asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from payment_kit import (
    BODY,
    NETWORK,
    PAYER,
    PRICE,
    PROVIDER,
    Door,
    Later,
    Scene,
    Stubborn,
    exact,
    hexed,
    make_gate,
    payment_header,
    told,
    upto,
)
from x402.schemas import PaymentPayload, PaymentRequirements, SettleResponse

from penstock.connect.x402.facilitator import ChainFacilitator
from penstock.connect.x402.payment import read_header
from penstock.connect.x402.till import Till
from penstock.connect.x402.till_rows import State
from penstock.errors import Unavailable

Act = Callable[[ChainFacilitator, PaymentPayload, PaymentRequirements], Awaitable[SettleResponse]]
TX = "0x" + "ab" * 32


def _no(reason: str = "transaction_failed") -> SettleResponse:
    return SettleResponse(success=False, error_reason=reason, transaction="", network=NETWORK)


def _yes(tx: str = TX, **more: Any) -> SettleResponse:
    return SettleResponse(success=True, transaction=tx, network=NETWORK, **more)


async def _settles_then_is_silent(inner: ChainFacilitator, payload: Any, asked: Any) -> SettleResponse:
    await inner.settle(payload, asked)
    await asyncio.sleep(60)
    raise AssertionError


async def _settles_then_502(inner: ChainFacilitator, payload: Any, asked: Any) -> SettleResponse:
    await inner.settle(payload, asked)
    raise Unavailable("payment.facilitator", "The facilitator did not answer: status 502.")


async def _settles_then_says_no(inner: ChainFacilitator, payload: Any, asked: Any) -> SettleResponse:
    await inner.settle(payload, asked)
    return _no("payment required again")


async def _settles_then_says_pending(inner: ChainFacilitator, payload: Any, asked: Any) -> SettleResponse:
    await inner.settle(payload, asked)
    return _no("settlement_pending")


async def _settles_twice(inner: ChainFacilitator, payload: Any, asked: Any) -> SettleResponse:
    await inner.settle(payload, asked)
    return await inner.settle(payload, asked)


async def _settles_and_names_another_transaction(inner: ChainFacilitator, payload: Any, asked: Any) -> SettleResponse:
    await inner.settle(payload, asked)
    return _yes()


async def _settles_and_garbles(inner: ChainFacilitator, payload: Any, asked: Any) -> SettleResponse:
    return (await inner.settle(payload, asked)).model_copy(update={"transaction": "not a hash", "network": "eip155:1"})


SERVED: dict[str, Act] = {
    "timeout after settle": _settles_then_is_silent,
    "502 after settle": _settles_then_502,
    "double 402": _settles_then_says_no,
    "pending after settle": _settles_then_says_pending,
    "settled twice": _settles_twice,
    "another transaction": _settles_and_names_another_transaction,
    "a garbled answer": _settles_and_garbles,
}


@dataclass
class Outcome:
    """What a payer saw, asking twice with one payment."""

    first: httpx.Response
    again: httpx.Response
    works: int


async def _ask_twice(scene: Scene, till: Till, act: Act, scheme: Any = None, place: int = 0) -> Outcome:
    inner = scene.facilitator()
    door = Door(make_gate(scene, till, Stubborn(inner, act), settle_s=0.5, look_s=0.3))
    header = await payment_header(door, scheme or exact(), place)
    async with door.plain() as client:
        first = await client.post("/answer", content=BODY, headers=header)
        again = await client.post("/answer", content=BODY, headers=header)
    inner.close()
    return Outcome(first, again, door.works)


@pytest.mark.parametrize("name", SERVED)
@pytest.mark.parametrize("scheme", ["exact", "upto"])
def test_who_paid_is_served_once_and_charged_once(scene: Scene, till: Till, name: str, scheme: str) -> None:
    scene.approve_permit2(PAYER)
    before = scene.balance(PAYER), scene.balance(PROVIDER)
    signer, place = (exact(), 0) if scheme == "exact" else (upto(), 1)
    found = asyncio.run(_ask_twice(scene, till, SERVED[name], signer, place))
    assert (found.first.status_code, found.again.status_code, found.works) == (200, 200, 1)
    assert found.first.content == found.again.content
    assert (scene.balance(PAYER), scene.balance(PROVIDER)) == (before[0] - PRICE, before[1] + PRICE)
    settled = scene.client.receipt(bytes.fromhex(told(found.first)["transaction"][2:]))
    assert settled is not None and settled.succeeded


async def _says_yes_and_does_nothing(inner: ChainFacilitator, payload: Any, asked: Any) -> SettleResponse:
    return _yes(payer=hexed(PAYER.address), amount=str(PRICE))


async def _is_silent(inner: ChainFacilitator, payload: Any, asked: Any) -> SettleResponse:
    await asyncio.sleep(60)
    raise AssertionError


async def _says_no(inner: ChainFacilitator, payload: Any, asked: Any) -> SettleResponse:
    return _no()


UNSERVED: dict[str, tuple[Act, int]] = {
    "yes without a settlement": (_says_yes_and_does_nothing, 503),
    "silence": (_is_silent, 503),
    "no": (_says_no, 402),
}


@pytest.mark.parametrize("name", UNSERVED)
def test_who_was_not_charged_is_not_served_and_may_try_again(scene: Scene, till: Till, name: str) -> None:
    act, status = UNSERVED[name]
    before = scene.balance(PAYER)

    async def ask() -> tuple[int, int, int]:
        inner = scene.facilitator()
        hostile = Stubborn(inner, act)
        door = Door(make_gate(scene, till, hostile, settle_s=0.3, look_s=0.2))
        header = await payment_header(door, exact())
        async with door.plain() as client:
            first = await client.post("/answer", content=BODY, headers=header)
            works, unmoved = door.works, scene.balance(PAYER)
            hostile.act = ChainFacilitator.settle  # it has come to its senses
            again = await client.post("/answer", content=BODY, headers=header)
        inner.close()
        assert (works, unmoved) == (0, before)
        return first.status_code, again.status_code, door.works

    assert asyncio.run(ask()) == (status, 200, 1)
    assert scene.balance(PAYER) == before - PRICE


def test_a_payment_settled_behind_our_back_goes_back(scene: Scene, till: Till) -> None:
    """It says no, and settles an hour later: the payer has gone, and gets the money as a balance."""
    before, late = scene.balance(PAYER), Later()

    async def ask() -> tuple[int, list[int], int]:
        inner = scene.facilitator()
        door = Door(make_gate(scene, till, Stubborn(inner, _says_no), clock=late))
        header = await payment_header(door, exact())
        async with door.plain() as client:
            refused = await client.post("/answer", content=BODY, headers=header)
        row = (await till.open_rows())[0]
        assert row.state is State.FAILED
        asked = scene.requirements()
        assert (await inner.settle(read_header(header["PAYMENT-SIGNATURE"]), asked)).success
        swept = [await door.gate.sweep()]  # type: ignore[attr-defined]
        late.ahead_us = 601 * 1_000_000
        swept.append(await door.gate.sweep())  # type: ignore[attr-defined]
        inner.close()
        return refused.status_code, swept, await till.balance(PAYER.address)

    assert asyncio.run(ask()) == (402, [0, 1], PRICE)
    assert scene.balance(PAYER) == before - PRICE


def test_a_payment_that_was_never_settled_is_closed_when_it_has_ended(scene: Scene, till: Till) -> None:
    late = Later()

    async def ask() -> list[int]:
        inner = scene.facilitator()
        door = Door(make_gate(scene, till, Stubborn(inner, _says_no), clock=late))
        header = await payment_header(door, exact())
        async with door.plain() as client:
            await client.post("/answer", content=BODY, headers=header)
        swept = [await door.gate.sweep()]  # type: ignore[attr-defined]
        late.ahead_us = 400 * 1_000_000
        swept += [await door.gate.sweep(), len(await till.open_rows())]  # type: ignore[attr-defined]
        inner.close()
        return swept

    assert asyncio.run(ask()) == [0, 1, 0]


def test_upto_settled_for_less_is_not_served_and_goes_back(scene: Scene, till: Till) -> None:
    async def cheap(inner: ChainFacilitator, payload: Any, asked: Any) -> SettleResponse:
        return await inner.settle(payload, asked.model_copy(update={"amount": "1"}))

    scene.approve_permit2(PAYER)
    found = asyncio.run(_ask_twice(scene, till, cheap, upto(), 1))
    assert (found.first.status_code, found.again.status_code, found.works) == (409, 409, 0)
    assert asyncio.run(till.balance(PAYER.address)) == 1


def test_without_a_witness_the_facilitator_is_believed_but_not_its_nonsense(scene: Scene, till: Till) -> None:
    async def nonsense(inner: ChainFacilitator, payload: Any, asked: Any) -> SettleResponse:
        return _yes(tx="0x12")

    async def ask() -> int:
        inner = scene.facilitator()
        door = Door(make_gate(scene, till, Stubborn(inner, nonsense), witness=False, look_s=0.1))
        header = await payment_header(door, exact())
        async with door.plain() as client:
            found = await client.post("/answer", content=BODY, headers=header)
        inner.close()
        assert door.works == 0
        return found.status_code

    assert asyncio.run(ask()) == 503
