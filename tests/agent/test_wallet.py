"""The wallet signs the one payment that was permitted; every change of it is refused, each by what differs."""

from __future__ import annotations

from typing import Any

import pytest
from agent_kit import AGENT, ASSET, NETWORK, NOW_US
from eth_account import Account
from eth_account.messages import encode_typed_data

from penstock.agent.admission import Ask
from penstock.agent.wallet import FIELDS, PERMIT, UPTO_PROXY, Permission, PermittedSigner, Wallet
from penstock.errors import Refused

PAYEE = "0x" + "77" * 20
PAYER = "0x" + AGENT.address.hex()
NOW_S = NOW_US // 1_000_000
DOMAIN = {"name": "Test Dollar", "version": "1", "chainId": 743100, "verifyingContract": ASSET}
TYPES: dict[str, Any] = {
    "TransferWithAuthorization": [
        {"name": name, "type": kind}
        for name, kind in zip(
            FIELDS["TransferWithAuthorization"], ["address", "address", *["uint256"] * 3, "bytes32"], strict=True
        )
    ]
}
MESSAGE: dict[str, Any] = {
    "from": PAYER, "to": PAYEE, "value": 10, "validAfter": 0, "validBefore": NOW_S + 300, "nonce": b"\7" * 32,
}  # fmt: skip
PERMIT_DOMAIN = {"name": "Permit2", "chainId": 743100, "verifyingContract": PERMIT}
PERMIT_TYPES: dict[str, Any] = {
    "PermitWitnessTransferFrom": [
        {"name": "permitted", "type": "TokenPermissions"}, {"name": "spender", "type": "address"},
        {"name": "nonce", "type": "uint256"}, {"name": "deadline", "type": "uint256"},
        {"name": "witness", "type": "Witness"},
    ],
    "TokenPermissions": [{"name": "token", "type": "address"}, {"name": "amount", "type": "uint256"}],
    "Witness": [
        {"name": "to", "type": "address"}, {"name": "facilitator", "type": "address"},
        {"name": "validAfter", "type": "uint256"},
    ],
}  # fmt: skip
PERMITTED: dict[str, Any] = {
    "permitted": {"token": ASSET, "amount": 10}, "spender": UPTO_PROXY, "nonce": 5, "deadline": NOW_S + 300,
    "witness": {"to": PAYEE, "facilitator": "0x" + "88" * 20, "validAfter": 0},
}  # fmt: skip


def signer(scheme: str = "exact") -> PermittedSigner:
    ask = Ask("http://a.test", PAYEE, NETWORK, ASSET, scheme, 10, 100, 0, "solar_pv", 0, 1)
    return Wallet(AGENT).permitted(Permission(ask, NOW_US))


def sign(domain: Any = DOMAIN, types: Any = TYPES, kind: str = "TransferWithAuthorization", **changes: Any) -> bytes:
    return signer().sign_typed_data(domain, types, kind, MESSAGE | changes)


def sign_upto(domain: Any = PERMIT_DOMAIN, **changes: Any) -> bytes:
    return signer("upto").sign_typed_data(domain, PERMIT_TYPES, "PermitWitnessTransferFrom", PERMITTED | changes)


def test_the_permitted_payment_is_signed_and_is_the_agents() -> None:
    typed = encode_typed_data(DOMAIN, TYPES, MESSAGE)
    assert Account.recover_message(typed, signature=sign()).lower() == PAYER
    upto = encode_typed_data(PERMIT_DOMAIN, PERMIT_TYPES, PERMITTED)
    assert Account.recover_message(upto, signature=sign_upto()).lower() == PAYER


def test_less_may_be_signed() -> None:
    assert len(sign(value=9)) == 65


@pytest.mark.parametrize(
    "changes",
    [
        {"value": 11},
        {"value": -1},
        {"to": "0x" + "78" * 20},
        {"from": PAYEE},
        {"validBefore": NOW_S + 3_601},
        {"also": 1},
        {"domain": DOMAIN | {"chainId": 1}},
        {"domain": DOMAIN | {"verifyingContract": PAYEE}},
        {"kind": "Permit"},
        {"types": {"TransferWithAuthorization": [*TYPES["TransferWithAuthorization"], {"name": "x", "type": "bytes"}]}},
    ],
    ids=str,
)
def test_beyond_it_nothing_is(changes: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        sign(**changes)
    assert caught.value.code == "wallet.beyond"


@pytest.mark.parametrize(
    "changes",
    [
        {"permitted": {"token": ASSET, "amount": 11}},
        {"permitted": {"token": PAYEE, "amount": 10}},
        {"spender": PAYEE},
        {"witness": PERMITTED["witness"] | {"to": "0x" + "78" * 20}},
        {"deadline": NOW_S + 3_601},
        {"domain": PERMIT_DOMAIN | {"verifyingContract": ASSET}},
    ],
    ids=str,
)
def test_nor_metered(changes: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        sign_upto(**changes)
    assert caught.value.code == "wallet.beyond"


def test_a_scheme_that_was_not_permitted_is_refused() -> None:
    with pytest.raises(Refused):
        signer().sign_typed_data(PERMIT_DOMAIN, PERMIT_TYPES, "PermitWitnessTransferFrom", PERMITTED)
    with pytest.raises(Refused):
        signer("upto").sign_typed_data(DOMAIN, TYPES, "TransferWithAuthorization", MESSAGE)


def test_a_permission_is_used_once() -> None:
    once = signer()
    once.sign_typed_data(DOMAIN, TYPES, "TransferWithAuthorization", MESSAGE)
    with pytest.raises(Refused) as caught:
        once.sign_typed_data(DOMAIN, TYPES, "TransferWithAuthorization", MESSAGE)
    assert caught.value.code == "wallet.signed"
