"""A payment read from what travels: every malformed one is told so, and ids tell payments apart."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from payment_kit import FACILITATOR, NETWORK, PAYER, PROVIDER, exact, hexed, upto
from x402.schemas import PaymentPayload, PaymentRequirements

from penstock.chain.node import CHAIN_ID
from penstock.connect.x402.payment import Method, exact_id, permit2_id, read_payload, read_payment, spend_id
from penstock.errors import Invalid

TOKEN = b"\x11" * 20


def asked(scheme: str = "exact", **more: Any) -> PaymentRequirements:
    extra = {"name": "Test Dollar", "version": "2", "facilitatorAddress": hexed(FACILITATOR.address)}
    found = PaymentRequirements(
        scheme=scheme, network=NETWORK, asset=hexed(TOKEN), amount="370", pay_to=hexed(PROVIDER.address),
        max_timeout_seconds=60, extra=extra,
    )  # fmt: skip
    return found.model_copy(update=more)


def body_of(scheme: str) -> dict[str, Any]:
    signer: Any = upto() if scheme == "upto" else exact()
    terms = asked(scheme)
    payload = PaymentPayload(payload=signer.create_payment_payload(terms), accepted=terms)
    return payload.model_dump(by_alias=True, exclude_none=True)


def test_an_exact_payment_is_read_whole() -> None:
    body = body_of("exact")
    found = read_payment(read_payload(body))
    nonce = bytes.fromhex(body["payload"]["authorization"]["nonce"][2:])
    assert (found.method, found.payer, found.payee, found.amount) == (
        Method.EIP3009, PAYER.address, PROVIDER.address, 370,
    )  # fmt: skip
    words = CHAIN_ID.to_bytes(32, "big") + TOKEN + PAYER.address + nonce
    assert found.id == exact_id(CHAIN_ID, TOKEN, PAYER.address, nonce) == sha256(words).digest()


def test_an_upto_payment_is_read_whole() -> None:
    body = body_of("upto")
    found = read_payment(read_payload(body))
    nonce = int(body["payload"]["permit2Authorization"]["nonce"])
    assert (found.method, found.payer, found.payee, found.amount) == (
        Method.PERMIT2, PAYER.address, PROVIDER.address, 370,
    )  # fmt: skip
    assert found.id == permit2_id(CHAIN_ID, PAYER.address, nonce)


def test_ids_tell_payments_apart() -> None:
    nonce = b"\x01" * 32
    ids = {
        exact_id(1, TOKEN, PAYER.address, nonce),
        exact_id(2, TOKEN, PAYER.address, nonce),
        exact_id(1, PAYER.address, TOKEN, nonce),
        permit2_id(1, PAYER.address, 1),
        permit2_id(1, PAYER.address, 2),
        spend_id(nonce, PAYER.address, nonce),
        spend_id(bytes(32), PAYER.address, nonce),
    }
    assert len(ids) == 7


def test_the_signature_is_not_shown() -> None:
    body = body_of("exact")
    found = read_payment(read_payload(body))
    assert found.signature.hex() in body["payload"]["signature"]
    assert found.signature.hex() not in repr(found) and repr(found.signature) not in repr(found)


BAD: dict[str, tuple[tuple[str, ...], object]] = {
    "amount in floats": (("payload", "authorization", "value"), "3.7"),
    "a negative amount": (("payload", "authorization", "value"), "-1"),
    "an amount as a number": (("payload", "authorization", "value"), 370),
    "an amount beyond 256 bits": (("payload", "authorization", "value"), str(2**256)),
    "digits of another script": (("payload", "authorization", "value"), "٣٧٠"),
    "a short nonce": (("payload", "authorization", "nonce"), "0x12"),
    "an address that is none": (("payload", "authorization", "from"), "0x12"),
    "no authorization": (("payload", "authorization"), None),
    "a list for one": (("payload", "authorization"), []),
    "an odd signature": (("payload", "signature"), "0x123"),
    "a signature of 5 kB": (("payload", "signature"), "0x" + "ab" * 5_000),
    "another chain family": (("accepted", "network"), "solana:mainnet"),
    "a network without number": (("accepted", "network"), "eip155:"),
}


@pytest.mark.parametrize("name", BAD)
def test_malformed_payments_are_told_so(name: str) -> None:
    path, value = BAD[name]
    body = body_of("exact")
    place = body
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(Invalid) as refused:
        read_payment(read_payload(body))
    assert refused.value.code in ("payment.malformed", "payment.network")
