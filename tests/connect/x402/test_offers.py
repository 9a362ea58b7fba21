"""Signed offers, receipts and spendings: hashed as EIP-712 says, refused after any change."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from coincurve import PrivateKey
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from payment_kit import ATTACKER, NETWORK, PAYER, PROVIDER, hexed
from x402.schemas import PaymentPayload, PaymentRequirements

from penstock.chain.node import CHAIN_ID
from penstock.connect.x402 import offers
from penstock.connect.x402.payment import Method, Payment, read_payment, spend_id
from penstock.connect.x402.spend import SPEND, CreditScheme, check_spend, spend_digest
from penstock.connect.x402.typed_hash import digest, domain_separator
from penstock.errors import Refused, Unverified
from penstock.keys import SigningKey

URL = "http://provider.test/answer"
ASKED = PaymentRequirements(
    scheme="exact", network=NETWORK, asset=hexed(b"\x11" * 20), amount="370", pay_to=hexed(PROVIDER.address),
    max_timeout_seconds=60,
)  # fmt: skip
KEY = SigningKey(b"\x05" * 32)


def _oracle(domain: dict[str, Any], kind: str, fields: Any, values: dict[str, Any]) -> bytes:
    named = [("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address")]
    types = {
        "EIP712Domain": [{"name": name, "type": of} for name, of in named if name in domain],
        kind: [{"name": name, "type": of} for name, of in fields],
    }
    message = {"types": types, "primaryType": kind, "domain": domain, "message": values}
    signable = encode_typed_data(full_message=message)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def test_digests_are_those_of_the_ethereum_library() -> None:
    values = offers.offer(lambda _, fields: dict(fields), URL, ASKED, 1_700_000_000)
    domain = {"name": "x402 offer", "version": "1", "chainId": CHAIN_ID}
    ours = digest(domain_separator("x402 offer", "1", CHAIN_ID), "Offer", offers.OFFER, values)
    assert ours == _oracle(domain, "Offer", offers.OFFER, values)
    spend = {
        "classId": b"\x07" * 32, "holder": hexed(PAYER.address), "units": 37, "salt": b"\x08" * 32, "validBefore": 9,
    }  # fmt: skip
    bound = {"name": "Penstock Till", "version": "1", "chainId": 1, "verifyingContract": hexed(PROVIDER.address)}
    ours = digest(domain_separator("Penstock Till", "1", 1, PROVIDER.address), "Spend", SPEND, spend)
    assert ours == _oracle(bound, "Spend", SPEND, spend)


@pytest.mark.parametrize("name", [name for name, _ in offers.OFFER])
def test_an_offer_changed_in_any_field_is_not_its_signers(name: str) -> None:
    signed = offers.offer(offers.by_account(PROVIDER), URL, ASKED, 1_700_000_000)
    assert offers.signer_of("Offer", signed)[0] == PROVIDER.address
    changed = copy.deepcopy(signed)
    was = changed["payload"][name]
    changed["payload"][name] = was + 1 if isinstance(was, int) else {
        "payTo": hexed(ATTACKER.address), "network": "eip155:1"
    }.get(name, was + "x")  # fmt: skip
    assert offers.signer_of("Offer", changed)[0] != PROVIDER.address


@pytest.mark.parametrize("broken", [{}, {"payload": {}, "signature": "0x"}, {"payload": [], "signature": "zz"}])
def test_what_is_no_offer_is_unverified(broken: dict[str, Any]) -> None:
    with pytest.raises(Unverified, match=r"offer\.signature"):
        offers.signer_of("Offer", broken)


def test_a_receipt_as_jws() -> None:
    sign = offers.by_key(KEY, "did:web:provider.test#1")
    signed = offers.receipt(sign, URL, NETWORK, PAYER.address, b"", 1_700_000_000)
    assert set(signed) == {"format", "signature"}
    found = offers.fields_of(signed, KEY.public)
    assert found == {
        "network": NETWORK, "resourceUrl": URL, "payer": hexed(PAYER.address), "issuedAt": 1_700_000_000,
    }  # fmt: skip


@pytest.mark.parametrize("place", [0, 30, 90, -1])
def test_a_jws_changed_anywhere_is_unverified(place: int) -> None:
    signed = offers.receipt(offers.by_key(KEY, "k"), URL, NETWORK, PAYER.address, b"\x01" * 32, 1_700_000_000)
    text = signed["signature"]
    place %= len(text)
    swapped = "B" if text[place] == "A" else "A"
    if place == len(text) - 1:
        swapped = "." if text[place] != "." else "A"
    with pytest.raises(Unverified, match=r"offer\.signature"):
        offers.fields_of(signed | {"signature": text[:place] + swapped + text[place + 1 :]}, KEY.public)


def _spending(valid_before_s: int = 2_000_000_000) -> Payment:
    class_id, salt = b"\x07" * 32, b"\x08" * 32
    unsigned = Payment(
        spend_id(class_id, PAYER.address, salt), "credit", Method.SPEND, CHAIN_ID, class_id, PAYER.address,
        PROVIDER.address, 37, salt, valid_before_s, b"",
    )  # fmt: skip
    return _signed(unsigned)


def _signed(payment: Payment) -> Payment:
    raw = PrivateKey(PAYER.secret).sign_recoverable(spend_digest(payment), hasher=None)
    return replace(payment, signature=raw[:64] + bytes([27 + raw[64]]))


def test_a_spending_is_for_one_till_one_class_one_amount() -> None:
    good = _spending()
    check_spend(good, 0)
    for change in (
        {"payee": ATTACKER.address}, {"token": bytes(32)}, {"amount": 38}, {"chain_id": 1}, {"nonce": bytes(32)},
        {"payer": ATTACKER.address}, {"valid_before_s": 2_000_000_001}, {"signature": bytes(65)},
        {"signature": good.signature[:64]},
    ):  # fmt: skip
        with pytest.raises(Unverified, match=r"payment\.signature"):
            check_spend(replace(good, **change), 0)
    with pytest.raises(Refused, match=r"payment\.expired"):
        check_spend(good, good.valid_before_s * 1_000_000)


def test_the_clients_scheme_signs_what_the_till_checks() -> None:
    asked = ASKED.model_copy(update={"scheme": "credit", "asset": "0x" + "07" * 32, "amount": "37"})
    scheme = CreditScheme(PAYER, lambda: 1_700_000_000_000_000)
    found = read_payment(PaymentPayload(payload=scheme.create_payment_payload(asked), accepted=asked))
    check_spend(found, 1_700_000_000_000_000)
    assert (found.amount, found.token, found.payer) == (37, b"\x07" * 32, PAYER.address)
