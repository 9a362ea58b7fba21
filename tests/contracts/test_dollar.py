"""Dollar on both nodes: ERC-20, signed approvals and transfers, and every way to forge them."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from nodes import CHAIN_ID, Chain
from signing import sign
from web3.contract import Contract

FAR_S = 2**40 - 1
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
ZERO = "0x" + "00" * 20
NONCE = b"\x5a" * 32


def signature(
    dollar: Contract, signer: LocalAccount, kind: str, *terms: Any, chain_id: int = CHAIN_ID
) -> tuple[Any, ...]:
    """(v, r, s) under the domain as a wallet would know it."""
    return sign(dollar, "Test Dollar", "2", signer, kind, *terms, chain_id=chain_id)


def mirrored(v: int, r: bytes, s: bytes) -> tuple[Any, ...]:
    """The other signature of the same message: s on the far half of the curve's order."""
    return 55 - v, r, (ORDER - int.from_bytes(s, "big")).to_bytes(32, "big")


@pytest.fixture
def dollar(chain: Chain) -> Contract:
    made = chain.deploy("Dollar", chain.account("minter").address)
    chain.send(made.functions.mint(chain.account("payer").address, 1_000_000), chain.account("minter"))
    return made


def test_moves_and_counts(chain: Chain, dollar: Contract) -> None:
    payer, payee = chain.account("payer"), chain.account("payee")
    receipt = chain.send(dollar.functions.transfer(payee.address, 400_000), payer)
    logged = dollar.events.Transfer().process_receipt(receipt)[0]["args"]
    assert dict(logged) == {"sender": payer.address, "receiver": payee.address, "value": 400_000}
    balances = [dollar.functions.balanceOf(one.address).call() for one in (payer, payee)]
    assert balances == [600_000, 400_000]
    assert dollar.functions.totalSupply().call() == 1_000_000
    chain.send(dollar.functions.transfer(payer.address, 600_000), payer)  # to oneself
    assert dollar.functions.balanceOf(payer.address).call() == 600_000


def test_refusals(chain: Chain, dollar: Contract) -> None:
    payer, payee = chain.account("payer"), chain.account("payee")
    act = dollar.functions
    assert chain.refused(act.transfer(payee.address, 1_000_001), payer) == "dollar.balance"
    assert chain.refused(act.transfer(ZERO, 1), payer) == "dollar.zero"
    assert chain.refused(act.mint(payee.address, 1), payee) == "roles.not_holder"
    assert chain.refused(act.mint(payee.address, 2**256 - 1), chain.account("minter")) == ""  # checked addition
    assert chain.refused(act.transferFrom(payer.address, payee.address, 1), payee) == "dollar.allowance"
    assert dollar.functions.balanceOf(payer.address).call() == 1_000_000


def test_allowance_is_used_up_unless_unlimited(chain: Chain, dollar: Contract) -> None:
    payer, spender = chain.account("payer"), chain.account("spender")
    for granted, left in ((10, 3), (2**256 - 1, 2**256 - 1)):
        chain.send(dollar.functions.approve(spender.address, granted), payer)
        chain.send(dollar.functions.transferFrom(payer.address, spender.address, 7), spender)
        assert dollar.functions.allowance(payer.address, spender.address).call() == left


def test_permit(chain: Chain, dollar: Contract) -> None:
    payer, spender, relayer = chain.account("payer"), chain.account("spender"), chain.account("relayer")
    terms = (payer.address, spender.address, 5, 0, FAR_S)
    sig = signature(dollar, payer, "Permit", *terms)
    asked = (payer.address, spender.address, 5, FAR_S)
    permit = dollar.functions.permit
    assert chain.refused(permit(*asked, *mirrored(*sig)), relayer) == "signed.high_s"
    assert chain.refused(permit(*asked, 29, *sig[1:]), relayer) == "signed.wrong_signer"
    assert chain.refused(permit(payer.address, spender.address, 6, FAR_S, *sig), relayer) == "signed.wrong_signer"
    assert chain.refused(permit(ZERO, spender.address, 5, FAR_S, 29, *sig[1:]), relayer) == "signed.wrong_signer"
    assert chain.refused(permit(payer.address, spender.address, 5, 1, *sig), relayer) == "dollar.expired"
    elsewhere = signature(dollar, payer, "Permit", *terms, chain_id=1)
    assert chain.refused(permit(*asked, *elsewhere), relayer) == "signed.wrong_signer"
    chain.send(permit(*asked, *sig), relayer)
    assert dollar.functions.allowance(payer.address, spender.address).call() == 5
    assert dollar.functions.nonces(payer.address).call() == 1
    assert chain.refused(permit(*asked, *sig), relayer) == "signed.wrong_signer"  # its nonce is used


def test_transfer_with_authorization(chain: Chain, dollar: Contract) -> None:
    payer, payee, relayer = chain.account("payer"), chain.account("payee"), chain.account("relayer")
    terms = (payer.address, payee.address, 9, 0, FAR_S, NONCE)
    sig = signature(dollar, payer, "TransferWithAuthorization", *terms)
    act = dollar.functions.transferWithAuthorization
    assert chain.refused(act(*terms, *mirrored(*sig)), relayer) == "signed.high_s"
    assert chain.refused(act(payer.address, relayer.address, *terms[2:], *sig), relayer) == "signed.wrong_signer"
    assert chain.refused(act(*terms[:3], FAR_S, FAR_S, NONCE, *sig), relayer) == "dollar.not_yet"
    assert chain.refused(act(*terms[:3], 0, 1, NONCE, *sig), relayer) == "dollar.expired"
    receive = dollar.functions.receiveWithAuthorization(*terms, *sig)
    assert chain.refused(receive, payee) == "signed.wrong_signer"  # one kind never serves as the other
    chain.send(act(*terms, *sig), relayer)
    assert dollar.functions.balanceOf(payee.address).call() == 9
    assert dollar.functions.authorizationState(payer.address, NONCE).call()
    assert chain.refused(act(*terms, *sig), relayer) == "dollar.used"


def test_receive_with_authorization_is_for_the_payee(chain: Chain, dollar: Contract) -> None:
    payer, payee = chain.account("payer"), chain.account("payee")
    terms = (payer.address, payee.address, 9, 0, FAR_S, NONCE)
    act = dollar.functions.receiveWithAuthorization(
        *terms, *signature(dollar, payer, "ReceiveWithAuthorization", *terms)
    )
    assert chain.refused(act, chain.account("attacker")) == "dollar.not_payee"
    chain.send(act, payee)
    assert dollar.functions.balanceOf(payee.address).call() == 9


def test_cancel_authorization(chain: Chain, dollar: Contract) -> None:
    payer, payee, relayer = chain.account("payer"), chain.account("payee"), chain.account("relayer")
    cancel = dollar.functions.cancelAuthorization
    stranger = signature(dollar, relayer, "CancelAuthorization", payer.address, NONCE)
    assert chain.refused(cancel(payer.address, NONCE, *stranger), relayer) == "signed.wrong_signer"
    sig = signature(dollar, payer, "CancelAuthorization", payer.address, NONCE)
    chain.send(cancel(payer.address, NONCE, *sig), relayer)
    assert chain.refused(cancel(payer.address, NONCE, *sig), relayer) == "dollar.used"
    terms = (payer.address, payee.address, 9, 0, FAR_S, NONCE)
    sig = signature(dollar, payer, "TransferWithAuthorization", *terms)
    assert chain.refused(dollar.functions.transferWithAuthorization(*terms, *sig), relayer) == "dollar.used"


def test_domain_is_the_published_one(chain: Chain, dollar: Contract) -> None:
    fields, name, version, chain_id, contract, salt, extensions = dollar.functions.eip712Domain().call()
    assert (fields, name, version, chain_id, contract) == (b"\x0f", "Test Dollar", "2", 31337, dollar.address)
    assert (salt, extensions) == (bytes(32), [])
    assert dollar.functions.decimals().call() == 6


def test_minter_hands_over_in_two_steps(chain: Chain, dollar: Contract) -> None:
    minter, heir, attacker = chain.account("minter"), chain.account("heir"), chain.account("attacker")
    role = chain.w3.keccak(text="minter")
    act = dollar.functions
    assert chain.refused(act.offer_role(role, attacker.address), attacker) == "roles.not_holder"
    assert chain.refused(act.accept_role(role), attacker) == "roles.not_offered"
    chain.send(act.offer_role(role, heir.address), minter)
    assert dollar.functions.minter().call() == minter.address  # an offer takes nothing away
    chain.send(act.accept_role(role), heir)
    assert dollar.functions.minter().call() == heir.address
    assert chain.refused(act.mint(heir.address, 1), minter) == "roles.not_holder"
    assert chain.refused(act.accept_role(role), heir) == "roles.not_offered"
    assert chain.refused(act.accept_role(b"\0" * 32), attacker) == "roles.not_offered"
