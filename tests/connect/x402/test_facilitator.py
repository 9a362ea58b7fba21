"""The facilitator: what it lets through, what it refuses and why, and that a payment is settled once whatever dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import payment_kit as kit
import pytest
from payment_kit import ATTACKER, FACILITATOR, NETWORK, OPERATOR, PAYER, PRICE, PROVIDER, Scene, hexed, settle, signed
from x402.schemas import PaymentPayload, PaymentRequirements

from penstock.chain.artefact import load_artefact
from penstock.connect.x402.facilitator import ChainFacilitator
from penstock.connect.x402.payment import read_payment
from penstock.connect.x402.ports import Fate
from penstock.connect.x402.settlements import LEASE_US, Claim, Settlements
from penstock.errors import Unavailable
from penstock.usecases.facilitate import ChainOfPayments, ChainWitness, now_us

Change = Callable[[dict[str, Any]], None]


def altered(payload: PaymentPayload, change: Change) -> PaymentPayload:
    """The payment with its fields changed after it was signed."""
    body = payload.model_dump(by_alias=True, exclude_none=True)
    change(body)
    return PaymentPayload.model_validate(body)


def test_an_exact_payment_is_verified_and_settled(scene: Scene, facilitator: ChainFacilitator) -> None:
    asked, before = scene.requirements(), scene.balance(PROVIDER)
    payload = signed(asked)
    assert asyncio.run(facilitator.verify(payload, asked)).is_valid
    settled = settle(facilitator, payload, asked)
    assert (settled.success, settled.payer, settled.network) == (True, hexed(PAYER.address), NETWORK)
    assert scene.balance(PROVIDER) == before + PRICE
    found = ChainWitness(scene.client).look(read_payment(payload), now_us())
    assert (found.fate, found.tx.hex(), found.amount) == (Fate.PAID, settled.transaction[2:], PRICE)


def test_a_payment_is_settled_once(scene: Scene, facilitator: ChainFacilitator) -> None:
    asked, before = scene.requirements(), scene.balance(PROVIDER)
    payload = signed(asked)
    first, again = settle(facilitator, payload, asked), settle(facilitator, payload, asked)
    assert first.success
    assert (again.success, again.error_reason) == (False, "invalid_exact_evm_nonce_already_used")
    assert again.transaction == first.transaction
    assert asyncio.run(facilitator.verify(payload, asked)).invalid_reason == "invalid_exact_evm_nonce_already_used"
    assert scene.balance(PROVIDER) == before + PRICE


def _set(*path: str, to: str) -> Change:
    def change(body: dict[str, Any]) -> None:
        for name in path[:-1]:
            body = body[name]
        body[path[-1]] = to

    return change


BAD_PAYMENTS: dict[str, tuple[Change, str]] = {
    "underpaid": (_set("payload", "authorization", "value", to="369"), "authorization_value_mismatch"),
    "overpaid": (_set("payload", "authorization", "value", to="371"), "authorization_value_mismatch"),
    "other payee": (_set("payload", "authorization", "to", to=hexed(ATTACKER.address)), "recipient_mismatch"),
    "other payer": (_set("payload", "authorization", "from", to=hexed(ATTACKER.address)), "payload_signature"),
    "other nonce": (_set("payload", "authorization", "nonce", to="0x" + "11" * 32), "payload_signature"),
    "expired": (_set("payload", "authorization", "validBefore", to="1700000000"), "valid_before"),
    "not yet": (_set("payload", "authorization", "validAfter", to="4000000000"), "valid_after"),
    "other network": (_set("accepted", "network", to="eip155:8453"), "network_mismatch"),
    "other token": (_set("accepted", "asset", to=hexed(OPERATOR.address)), "unsupported_asset"),
    "other scheme": (_set("accepted", "scheme", to="upto"), "unsupported_scheme"),
    "no signature": (_set("payload", "signature", to=""), "invalid_payload"),
    "garbage": (_set("payload", "signature", to="0x" + "00" * 65), "payload_signature"),
}


@pytest.mark.parametrize("name", BAD_PAYMENTS)
def test_a_bad_payment_moves_nothing(scene: Scene, facilitator: ChainFacilitator, name: str) -> None:
    change, reason = BAD_PAYMENTS[name]
    asked, before = scene.requirements(), (scene.balance(PAYER), scene.balance(PROVIDER))
    payload = altered(signed(asked), change)
    assert reason in (asyncio.run(facilitator.verify(payload, asked)).invalid_reason or "")
    settled = settle(facilitator, payload, asked)
    assert not settled.success and reason in (settled.error_reason or "")
    assert (scene.balance(PAYER), scene.balance(PROVIDER)) == before


def test_a_payer_without_money_is_told_so(scene: Scene, facilitator: ChainFacilitator) -> None:
    asked = scene.requirements()
    settled = settle(facilitator, signed(asked, kit.role("poor payer")), asked)
    assert settled.error_reason == "invalid_exact_evm_insufficient_balance"


def test_a_token_it_was_not_told_of_costs_it_no_gas(scene: Scene, facilitator: ChainFacilitator) -> None:
    other = scene.client.deploy(OPERATOR, load_artefact("Dollar"), hexed(OPERATOR.address))
    asked, nonce = scene.requirements(asset=hexed(other)), scene.client.nonce(FACILITATOR.address)
    assert settle(facilitator, signed(asked), asked).error_reason == "unsupported_asset"
    assert scene.client.nonce(FACILITATOR.address) == nonce


def test_a_failed_payment_may_be_tried_again(scene: Scene, facilitator: ChainFacilitator) -> None:
    asked, payer = scene.requirements(), kit.role("payer who is paid later")
    payload = signed(asked, payer)
    assert not settle(facilitator, payload, asked).success
    scene.mint(payer, PRICE)
    assert settle(facilitator, payload, asked).success
    assert scene.balance(payer) == 0


@pytest.mark.parametrize(("charged", "moved"), [(370, 370), (0, 0), (5_120, 5_120), (20_000, 20_000)])
def test_upto_charges_what_was_used(scene: Scene, facilitator: ChainFacilitator, charged: int, moved: int) -> None:
    scene.approve_permit2(PAYER)
    asked, before = scene.upto(), scene.balance(PROVIDER)
    payload = signed(asked)
    assert asyncio.run(facilitator.verify(payload, asked)).is_valid
    settled = settle(facilitator, payload, asked.model_copy(update={"amount": str(charged)}))
    assert (settled.success, settled.amount) == (True, str(charged))
    assert scene.balance(PROVIDER) == before + moved
    if charged:
        found = ChainWitness(scene.client).look(read_payment(payload), now_us())
        assert (found.fate, found.amount) == (Fate.PAID, charged)
        assert not settle(facilitator, payload, asked).success


def test_upto_never_charges_above_its_cap(scene: Scene, facilitator: ChainFacilitator) -> None:
    scene.approve_permit2(PAYER)
    asked, before = scene.upto(), scene.balance(PAYER)
    settled = settle(facilitator, signed(asked), asked.model_copy(update={"amount": "20001"}))
    assert settled.error_reason == "invalid_upto_evm_payload_settlement_exceeds_amount"
    assert scene.balance(PAYER) == before


def test_upto_names_its_facilitator(scene: Scene, tmp_path: Path) -> None:
    scene.approve_permit2(PAYER)
    other = scene.facilitator(tmp_path / "other.sqlite", key=OPERATOR)
    asked = scene.upto()
    assert settle(other, signed(asked), asked).error_reason == "upto_facilitator_mismatch"
    other.close()


def test_fifty_payers_at_once(scene: Scene, facilitator: ChainFacilitator) -> None:
    asked, before = scene.requirements(), scene.balance(PROVIDER)
    payers = [scene.mint(kit.role(f"payer {number}"), PRICE) for number in range(50)]
    payloads = [signed(asked, payer) for payer in payers]

    async def together() -> list[bool]:
        return [one.success for one in await asyncio.gather(*(facilitator.settle(each, asked) for each in payloads))]

    assert all(asyncio.run(together()))
    assert scene.balance(PROVIDER) == before + 50 * PRICE
    assert all(scene.balance(payer) == 0 for payer in payers)


# two processes, and what a crash leaves


def test_two_facilitators_share_a_record_and_a_key(scene: Scene, tmp_path: Path) -> None:
    store, asked, before = tmp_path / "shared.sqlite", scene.requirements(), scene.balance(PROVIDER)
    first, second = scene.facilitator(store), scene.facilitator(store)
    payloads = [signed(asked) for _ in range(20)]

    async def both() -> list[Any]:
        turns = [first.settle(each, asked) for each in payloads] + [second.settle(each, asked) for each in payloads]
        return await asyncio.gather(*turns)

    answers = asyncio.run(both())
    assert sum(one.success for one in answers) == 20
    assert {one.error_reason for one in answers if not one.success} <= {
        "settlement_pending",
        "invalid_exact_evm_nonce_already_used",
    }
    assert scene.balance(PROVIDER) == before + 20 * PRICE
    first.close()
    second.close()


class Dies(ChainOfPayments):
    """A chain whose caller dies at a point."""

    point = ""

    def send(self, raw: bytes) -> None:
        if self.point == "before sending":
            raise KeyboardInterrupt
        super().send(raw)
        if self.point == "after sending":
            raise KeyboardInterrupt


@pytest.mark.parametrize("point", ["before sending", "after sending"])
def test_who_comes_after_a_crash_finishes_the_settlement(scene: Scene, tmp_path: Path, point: str) -> None:
    store, clock, asked, before = tmp_path / "crash.sqlite", kit.Later(), scene.requirements(), scene.balance(PROVIDER)
    payload, dying = signed(asked), Dies(scene.client, FACILITATOR)
    dying.point = point
    with pytest.raises(KeyboardInterrupt):
        ChainFacilitator(dying, Settlements(store, clock), [scene.dollar]).settle_now(payload, asked)
    after = ChainFacilitator(ChainOfPayments(scene.client, FACILITATOR), Settlements(store, clock), [scene.dollar])
    assert after.settle_now(payload, asked).error_reason == "settlement_pending"  # the dead one's lease still runs
    clock.ahead_us = LEASE_US + 1
    settled = after.settle_now(payload, asked)
    assert settled.success and scene.balance(PROVIDER) == before + PRICE
    after.close()


def test_altered_terms_do_not_ride_on_a_sent_payment(scene: Scene, tmp_path: Path) -> None:
    scene.approve_permit2(PAYER)
    store, clock, asked = tmp_path / "terms.sqlite", kit.Later(), scene.upto()
    payload, dying = signed(asked), Dies(scene.client, FACILITATOR)
    dying.point = "after sending"
    with pytest.raises(KeyboardInterrupt):
        ChainFacilitator(dying, Settlements(store, clock), [scene.dollar]).settle_now(payload, asked)
    clock.ahead_us = LEASE_US + 1
    after = ChainFacilitator(ChainOfPayments(scene.client, FACILITATOR), Settlements(store, clock), [scene.dollar])
    more = asked.model_copy(update={"amount": "19999"})
    assert after.settle_now(payload, more).error_reason == "payment_altered"
    assert after.settle_now(payload, asked).success
    after.close()


def test_a_chain_that_is_away_leaves_a_payment_to_be_tried_again(scene: Scene, tmp_path: Path) -> None:
    class Away(ChainOfPayments):
        def call(self, to: bytes, data: bytes) -> bytes:
            raise Unavailable("chain.unreachable", "The chain does not answer.")

    record, asked = Settlements(tmp_path / "away.sqlite", now_us), scene.requirements()
    payload, before = signed(asked), scene.balance(PROVIDER)
    away = ChainFacilitator(Away(scene.client, FACILITATOR), record, [scene.dollar])
    assert not settle(away, payload, asked).success
    back = ChainFacilitator(ChainOfPayments(scene.client, FACILITATOR), record, [scene.dollar])
    assert settle(back, payload, asked).success and scene.balance(PROVIDER) == before + PRICE


def test_claims_in_order(tmp_path: Path) -> None:
    clock = kit.Later()
    with Settlements(tmp_path / "claims.sqlite", clock) as record:
        assert record.claim(b"1", b"terms") == (Claim.OURS, None)
        assert record.claim(b"1", b"terms")[0] is Claim.BUSY
        sent = record.send(b"1", b"sender", lambda: 7, lambda nonce: (b"raw%d" % nonce, b"tx"))
        assert (sent.nonce, record.send(b"1", b"sender", lambda: 9, lambda nonce: (b"", b""))) == (7, sent)
        assert record.claim(b"2", b"terms")[0] is Claim.OURS
        assert record.send(b"2", b"sender", lambda: 7, lambda nonce: (b"raw%d" % nonce, b"tx2")).nonce == 8
        assert [one.nonce for one in record.waiting(b"sender")] == [7, 8]
        record.release(b"1")
        assert record.claim(b"1", b"other")[0] is Claim.ALTERED
        assert record.claim(b"1", b"terms") == (Claim.SENT, sent)
        record.settled(b"1")
        assert record.claim(b"1", b"terms")[0] is Claim.DONE
        record.forget(b"1")
        assert record.claim(b"1", b"terms")[0] is Claim.DONE


def test_supported_names_the_account_that_settles_upto(scene: Scene, facilitator: ChainFacilitator) -> None:
    kinds = {one.scheme: one for one in facilitator.get_supported().kinds}
    assert set(kinds) == {"exact", "upto"} and {one.network for one in kinds.values()} == {NETWORK}
    assert kinds["upto"].extra == {"facilitatorAddress": hexed(FACILITATOR.address)}


def test_requirements_are_those_of_the_payee(scene: Scene, facilitator: ChainFacilitator) -> None:
    """A facilitator is asked with what the payee demands, whatever the payment says it accepted."""
    asked = scene.requirements()
    cheap = altered(signed(asked), _set("accepted", "amount", to="1"))
    dear = PaymentRequirements.model_validate(asked.model_dump(by_alias=True) | {"amount": "371"})
    assert "value_mismatch" in (settle(facilitator, cheap, dear).error_reason or "")
