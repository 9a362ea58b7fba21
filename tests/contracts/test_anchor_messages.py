"""The package's EIP-712 messages: eth-account digests and signs the same, and the packed report survives the way."""

from __future__ import annotations

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.chain import typed_data as typed
from penstock.errors import Invalid

ONE, TWO = "0x" + "11" * 20, "0x" + "22" * 20
SECRET = keccak(text="attester")
ANCHOR, CREDIT, DOLLAR = typed.anchor_domain(31337, ONE), typed.credit_domain(1, TWO), typed.dollar_domain(8453, ONE)
PAYMENT = typed.Authorization(ONE, TWO, 5, 1, 2**40, b"\x05" * 32)
MESSAGES = {
    "Checkpoint": typed.checkpoint_message(ANCHOR, 7, b"\x01" * 32),
    "Attestation": typed.attestation_message(
        ANCHOR, typed.Attestation(TWO, 2**255 + 3, b"\x02" * 32, 9, b"\x03" * 32, 4)
    ),
    "SetChange": typed.set_change_message(ANCHOR, typed.SetChange(3, 8, added=ONE, operator=TWO)),
    "Receipt": typed.receipt_message(CREDIT, 2**200 + 1, ONE, 12, b"\x06" * 32, b"\x07" * 32),
    "ReceiveWithAuthorization": typed.receive_message(DOLLAR, PAYMENT),
    "TransferWithAuthorization": typed.transfer_message(DOLLAR, PAYMENT),
    "CancelAuthorization": typed.cancel_message(DOLLAR, ONE, b"\x08" * 32),
    "Permit": typed.permit_message(DOLLAR, ONE, TWO, 6, 0, 2**32),
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_eth_account_signs_the_same(kind: str) -> None:
    message = MESSAGES[kind]
    assert message["primaryType"] == kind
    by_eth_account = Account.sign_message(encode_typed_data(full_message=message), SECRET)
    v, r, s = typed.sign_typed(SECRET, message)
    assert typed.message_digest(message) == bytes(by_eth_account.message_hash)
    assert (v, r + s) == (by_eth_account.v, bytes(by_eth_account.signature)[:64])


def test_published_example_digest() -> None:
    """The worked example of EIP-712 ("Ether Mail"), whose digest the standard prints."""
    person = [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}]
    mail = [
        {"name": "from", "type": "Person"},
        {"name": "to", "type": "Person"},
        {"name": "contents", "type": "string"},
    ]
    message = typed.checkpoint_message(
        typed.Domain("Ether Mail", "1", 1, "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"), 1, bytes(32)
    )
    message["types"] = {"EIP712Domain": message["types"]["EIP712Domain"], "Person": person, "Mail": mail}
    message["primaryType"] = "Mail"
    message["message"] = {
        "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
        "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
        "contents": "Hello, Bob!",
    }
    assert typed.message_digest(message).hex() == "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"


def test_every_message_has_its_own_digest() -> None:
    assert len({typed.message_digest(message) for message in MESSAGES.values()}) == len(MESSAGES)


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(*[st.integers(-(2**63), 2**63 - 1)] * 3),
    st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=2, unique=True),
)
def test_report_word_round_trip(measures: tuple[int, int, int], instants: list[int]) -> None:
    as_of_s, expiry_s = sorted(instants)
    word = typed.report_word(measures, as_of_s, expiry_s)
    assert word < 2**256
    assert typed.report_parts(word) == (measures, as_of_s, expiry_s)


@pytest.mark.parametrize(
    ("measures", "as_of_s", "expiry_s", "code"),
    [
        ((2**63, 0, 0), 1, 2, "report.measure"),
        ((0, -(2**63) - 1, 0), 1, 2, "report.measure"),
        ((0, 0, 0), 2, 2, "report.instant"),
        ((0, 0, 0), -1, 2, "report.instant"),
        ((0, 0, 0), 1, 2**32, "report.instant"),
    ],
)
def test_report_word_refusals(measures: tuple[int, int, int], as_of_s: int, expiry_s: int, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        typed.report_word(measures, as_of_s, expiry_s)
    assert caught.value.code == code


def test_secret_of_another_length_is_invalid_and_unseen() -> None:
    with pytest.raises(Invalid) as caught:
        typed.sign_typed(b"\x99" * 31, MESSAGES["Permit"])
    assert caught.value.code == "key.seed_length"
    assert "99" not in str(caught.value)


def test_purchase_nonce_binds_class_amount_and_salt() -> None:
    nonces = {
        typed.purchase_nonce(*terms)
        for terms in ((1, 2, bytes(32)), (2, 1, bytes(32)), (1, 3, bytes(32)), (1, 2, b"\x01" * 32))
    }
    assert len(nonces) == 4
