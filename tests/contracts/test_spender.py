"""Spender on both nodes: an agent pays by x402 within bounds, its owner stops it; credits bought and used."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from nodes import CHAIN_ID, Chain
from web3.contract import Contract
from x402.mechanisms.evm import constants as x402
from x402.mechanisms.evm.eip712 import hash_eip3009_authorization
from x402.mechanisms.evm.types import ExactEIP3009Authorization

from penstock.chain.typed_data import ZERO_ADDRESS, purchase_nonce

PINNED = json.loads((Path(__file__).parent / "gas_payments.json").read_text())
FUNDS, HOUR_S = 1_000_000, 3_600
PER_CALL, PER_HOUR, TOTAL, APPROVAL = 20_000, 30_000, 50_000, 15_000
TRANSFER, RECEIVE, METERED = 0, 1, 2
NONCE = b"\x5a" * 32


@dataclass
class Scene:
    """A spender with dollars, its owner, its agent, and one payee that is allowed."""

    chain: Chain
    dollar: Contract
    spender: Contract

    @property
    def act(self) -> Any:
        return self.spender.functions

    def one(self, role: str) -> LocalAccount:
        return self.chain.account(role)

    def payment(self, amount: int, **changed: Any) -> tuple[Any, ...]:
        good = {"kind": TRANSFER, "payee": self.one("payee").address, "facilitator": ZERO_ADDRESS, "amount": amount}
        good |= {"valid_after": 0, "valid_before": self.chain.now() + 600, "nonce": NONCE}
        return tuple((good | changed).values())

    def authorize(self, payment: tuple[Any, ...], approval: bytes = b"") -> Any:
        return self.act.authorize(payment, approval)

    def settle(self, payment: tuple[Any, ...], signature: bytes) -> Any:
        """As x402's facilitator calls the token for a payer whose signature is no (v, r, s)."""
        abi = x402.TRANSFER_WITH_AUTHORIZATION_BYTES_ABI
        token = self.chain.w3.eth.contract(address=self.dollar.address, abi=abi)
        _, payee, _, amount, after, before, nonce = payment
        terms = (self.spender.address, payee, amount, after, before, nonce)
        return token.functions.transferWithAuthorization(*terms, signature)

    def says(self, digest: bytes) -> bytes:
        return bytes(self.act.isValidSignature(digest, b"").call())

    def dollars(self, role: str) -> int:
        return int(self.dollar.functions.balanceOf(self.one(role).address).call())


@pytest.fixture
def scene(chain: Chain) -> Scene:
    dollar = chain.deploy("Dollar", chain.account("minter").address)
    mandate = (PER_CALL, PER_HOUR, TOTAL, APPROVAL, chain.now() + 30 * HOUR_S)
    people = (chain.account("owner").address, chain.account("agent").address)
    spender = chain.deploy("Spender", *people, dollar.address, mandate, [chain.account("payee").address])
    chain.send(dollar.functions.mint(spender.address, FUNDS), chain.account("minter"))
    return Scene(chain, dollar, spender)


YES, NO = bytes.fromhex("1626ba7e"), bytes.fromhex("ffffffff")


@pytest.mark.parametrize("signature", [b"", b"\x07" * 32, b"\x07" * 66])
def test_says_yes_to_the_message_that_x402_shows_and_to_no_other(scene: Scene, signature: bytes) -> None:
    chain, agent, relayer = scene.chain, scene.one("agent"), scene.one("relayer")
    payment = scene.payment(9_000)
    shown = ExactEIP3009Authorization(
        from_address=scene.spender.address,
        to=payment[1],
        value=str(payment[3]),
        valid_after=str(payment[4]),
        valid_before=str(payment[5]),
        nonce="0x" + NONCE.hex(),
    )
    digest = hash_eip3009_authorization(shown, CHAIN_ID, scene.dollar.address, "Test Dollar", "2")
    assert bytes(scene.act.digest_of(payment).call()) == digest
    assert scene.says(digest) == NO
    assert chain.refused(scene.settle(payment, signature), relayer) == "signed.wrong_signer"
    chain.send(scene.authorize(payment), agent)
    assert scene.says(digest) == YES
    assert scene.says(bytes(32)) == NO
    more = (*payment[:3], 9_001, *payment[4:])
    assert chain.refused(scene.settle(more, signature), relayer) == "signed.wrong_signer"
    chain.send(scene.settle(payment, signature), relayer)
    assert scene.dollars("payee") == 9_000
    assert chain.refused(scene.settle(payment, signature), relayer) == "dollar.used"
    assert chain.refused(scene.authorize(payment), agent) == "spender.authorized"


def test_pays_with_65_bytes_as_a_key_would(scene: Scene) -> None:
    """A client that looks at the length alone hands them over as (v, r, s)."""
    payment = scene.payment(9_000)
    scene.chain.send(scene.authorize(payment), scene.one("agent"))
    _, payee, _, amount, after, before, nonce = payment
    terms = (scene.spender.address, payee, amount, after, before, nonce)
    call = scene.dollar.functions.transferWithAuthorization(*terms, 27, b"\x01" * 32, b"\xff" * 32)
    scene.chain.send(call, scene.one("relayer"))
    assert scene.dollars("payee") == 9_000


def test_bounds(scene: Scene) -> None:
    chain, agent, owner = scene.chain, scene.one("agent"), scene.one("owner")
    chain.send(scene.act.set_mandate((PER_CALL, PER_HOUR, TOTAL, PER_CALL, chain.now() + 30 * HOUR_S)), owner)

    def why(amount: int, who: LocalAccount = agent, **changed: Any) -> str:
        return chain.refused(scene.authorize(scene.payment(amount, **changed)), who)

    assert why(1, scene.one("attacker")) == why(1, owner) == "spender.not_agent"
    assert why(PER_CALL + 1) == why(0) == "spender.per_call"
    assert why(1, payee=scene.one("attacker").address) == why(1, payee=scene.spender.address) == "spender.payee"
    assert why(1, payee=ZERO_ADDRESS) == "spender.payee"
    assert why(1, kind=3) == "spender.kind"
    assert why(1, kind=METERED) == why(1, facilitator=owner.address) == "spender.facilitator"
    assert why(1, valid_before=chain.now()) == "spender.too_late"
    assert why(1, valid_before=chain.now() + 2 * HOUR_S) == "spender.too_long"
    chain.send(scene.authorize(scene.payment(PER_CALL)), agent)
    assert why(10_001, nonce=b"\x01" * 32) == "spender.per_hour"
    assert scene.act.left().call() == [10_000, 30_000]
    chain.advance(HOUR_S + 600)
    chain.send(scene.authorize(scene.payment(PER_CALL, nonce=b"\x01" * 32)), agent)
    chain.advance(HOUR_S + 600)
    assert scene.act.left().call() == [PER_HOUR, 10_000]
    assert why(10_001, nonce=b"\x02" * 32) == "spender.total"
    chain.advance(30 * HOUR_S)
    assert why(1) == "spender.expired"


def test_owner_signs_what_is_above_the_limit(scene: Scene) -> None:
    chain, agent, owner = scene.chain, scene.one("agent"), scene.one("owner")
    payment = scene.payment(APPROVAL + 1)
    assert chain.refused(scene.authorize(payment), agent) == "signed.length"
    fields = ["kind:uint256", "payee:address", "facilitator:address", "amount:uint256", "validAfter:uint256"]
    fields += ["validBefore:uint256", "nonce:bytes32"]
    types = {"Approval": [dict(zip(("name", "type"), one.split(":"), strict=True)) for one in fields]}
    domain = {"name": "Penstock Spender", "version": "1", "chainId": CHAIN_ID}
    domain["verifyingContract"] = scene.spender.address
    message = dict(zip([one["name"] for one in types["Approval"]], payment, strict=True))
    signed = encode_typed_data(domain, types, message)
    forged, approval = (bytes(one.sign_message(signed).signature) for one in (agent, owner))
    assert chain.refused(scene.authorize(payment, forged), agent) == "signed.wrong_signer"
    other = (*payment[:3], APPROVAL + 2, *payment[4:])
    assert chain.refused(scene.authorize(other, approval), agent) == "signed.wrong_signer"
    chain.send(scene.authorize(payment, approval), agent)
    chain.send(scene.settle(payment, b""), agent)
    assert scene.dollars("payee") == APPROVAL + 1


def test_revoked_at_once(scene: Scene) -> None:
    chain, agent, owner = scene.chain, scene.one("agent"), scene.one("owner")
    payment = scene.payment(9_000)
    chain.send(scene.authorize(payment), agent)
    for call in (scene.act.revoke(), scene.act.set_agent(agent.address), scene.act.withdraw(agent.address, 1)):
        assert chain.refused(call, agent) == "spender.not_owner"
    assert chain.refused(scene.act.set_agent(owner.address), owner) == "spender.parties"
    chain.send(scene.act.revoke(), owner)
    assert scene.says(scene.act.digest_of(payment).call()) == NO
    assert chain.refused(scene.settle(payment, b""), agent) == "signed.wrong_signer"
    assert chain.refused(scene.authorize(payment), agent) == "spender.not_agent"
    chain.send(scene.act.release(payment), scene.one("anyone"))  # void, so nobody needs to wait
    chain.send(scene.act.set_agent(agent.address), owner)
    assert chain.refused(scene.settle(payment, b""), agent) == "signed.wrong_signer"
    chain.send(scene.act.withdraw(owner.address, FUNDS), owner)
    assert scene.dollars("owner") == FUNDS


def test_unused_is_released_and_used_is_not(scene: Scene) -> None:
    chain, agent, anyone = scene.chain, scene.one("agent"), scene.one("anyone")
    used, unused = scene.payment(10_000), scene.payment(12_000, nonce=b"\x01" * 32)
    for one in (used, unused):
        chain.send(scene.authorize(one), agent)
    chain.send(scene.settle(used, b""), agent)
    assert chain.refused(scene.act.release(used), agent) == "spender.used"
    assert chain.refused(scene.act.release(unused), anyone) == "spender.still_valid"
    assert chain.refused(scene.act.release(scene.payment(1)), agent) == "spender.unknown"
    assert scene.act.committed_usdc_micro().call() == 22_000
    chain.advance(601)
    chain.send(scene.act.release(unused), anyone)
    assert scene.act.committed_usdc_micro().call() == 10_000
    assert scene.act.left().call() == [PER_HOUR - 10_000, TOTAL - 10_000]
    assert chain.refused(scene.act.release(unused), anyone) == "spender.unknown"


def test_metered_within_its_cap(scene: Scene) -> None:
    chain, agent, facilitator = scene.chain, scene.one("agent"), scene.one("facilitator")
    payment = scene.payment(9_000, kind=METERED, facilitator=facilitator.address)
    proxy = chain.w3.eth.contract(
        address=chain.w3.to_checksum_address(x402.X402_UPTO_PERMIT2_PROXY_ADDRESS), abi=x402.X402_UPTO_PERMIT2_PROXY_ABI
    )
    permit = ((scene.dollar.address, 9_000), int.from_bytes(NONCE, "big"), payment[5])
    witness = (payment[1], facilitator.address, 0)
    call = proxy.functions.settle(permit, 370, scene.spender.address, witness, b"")
    assert chain.refused(call, facilitator) == "signed.wrong_signer"
    chain.send(scene.authorize(payment), agent)
    assert chain.refused(call, facilitator) == "dollar.allowance"
    chain.send(scene.act.allow_metered(True), scene.one("owner"))
    chain.send(call, facilitator)
    assert scene.dollars("payee") == 370
    assert chain.refused(scene.act.release(payment), agent) == "spender.used"
    assert scene.act.left().call()[1] == TOTAL - 9_000  # a cap counts whole


def test_credits_bought_asked_for_and_taken_out(scene: Scene) -> None:
    chain, agent, owner, provider = scene.chain, *(scene.one(one) for one in ("agent", "owner", "provider"))
    seat = chain.account("attester").address
    anchor = chain.deploy("Anchor", scene.one("operator").address, [seat], 1)
    credit = chain.deploy("Credit", scene.dollar.address, anchor.address, "")
    terms = (provider.address, scene.one("deal").address, bytes(32), 0, 1_000, 500, 100, chain.now() + HOUR_S, 60)
    chain.send(scene.dollar.functions.mint(provider.address, 10_000), scene.one("minter"))
    chain.send(scene.dollar.functions.approve(credit.address, 10_000), provider)
    chain.send(credit.functions.open(terms, 100, 10_000), provider)
    class_id, salt = credit.functions.id_of(terms).call(), b"\x01" * 32
    nonce = purchase_nonce(class_id, 10, salt)
    payment = scene.payment(5_000, kind=RECEIVE, payee=credit.address, nonce=nonce)
    assert chain.refused(scene.authorize(payment), agent) == "spender.payee"
    chain.send(scene.act.allow_payee(credit.address, True), owner)
    chain.send(scene.authorize(payment), agent)
    nothing = (27, bytes(32), bytes(32))
    buy = credit.functions.buy(class_id, 10, scene.spender.address, 0, payment[5], salt, nothing)
    chain.send(buy, scene.one("relayer"))
    held = credit.functions.balanceOf(scene.spender.address, class_id)
    assert held.call() == 10
    asks = scene.act.request_credits(credit.address, class_id, 4)
    assert chain.refused(asks, scene.one("attacker")) == "spender.not_agent"
    chain.send(asks, agent)
    chain.send(scene.act.redeem_credits(credit.address, class_id, 4, b"\x07" * 32), agent)
    assert scene.dollars("deal") == 2_000
    out = scene.act.withdraw_credits(credit.address, owner.address, class_id, 6)
    assert chain.refused(out, agent) == "spender.not_owner"
    chain.send(out, owner)
    assert (held.call(), credit.functions.balanceOf(owner.address, class_id).call()) == (0, 6)
    assert chain.refused(scene.act.onERC1155Received(*[agent.address] * 2, 1, 1, b""), agent) == "spender.payee"


def test_impossible_mandates(scene: Scene) -> None:
    chain, owner, far = scene.chain, scene.one("owner"), 2**40
    for mandate in ((2, 1, 3, 0, far), (1, 3, 2, 0, far), (1, 1, 2**96, 0, far)):
        assert chain.refused(scene.act.set_mandate(mandate), owner) == "spender.mandate"
    people = (owner.address, owner.address)
    good = (1, 1, 1, 1, far)
    assert chain.refused_deploy("Spender", *people, scene.dollar.address, good, []) == "spender.parties"


def test_gas(scene: Scene) -> None:
    """Whole receipts, equal on both nodes; instants are taken off as call data."""
    chain, agent = scene.chain, scene.one("agent")
    chain.advance(600 - chain.now() % 600)  # all within one step of the hour
    found = {}
    for name, payment in (("first", scene.payment(100)), ("later", scene.payment(100, nonce=b"\x01" * 32))):
        found[f"authorize, {name}"] = without_data(scene, scene.authorize(payment), agent)
        found[f"settle, {name}"] = without_data(scene, scene.settle(payment, b""), agent)
    payment = scene.payment(100, nonce=b"\x02" * 32)
    chain.send(scene.authorize(payment), agent)
    found["release"] = without_data(scene, scene.act.release(payment), agent)
    assert found == PINNED["Spender"]


def without_data(scene: Scene, call: Any, sender: LocalAccount) -> int:
    data = bytes.fromhex(call._encode_transaction_data()[2:])
    return scene.chain.gas(call, sender) - sum(16 if byte else 4 for byte in data)


def test_domain(scene: Scene) -> None:
    fields, name, version, chain_id, place, *_ = scene.act.eip712Domain().call()
    assert (fields, name, version, chain_id, place) == (
        b"\x0f",
        "Penstock Spender",
        "1",
        CHAIN_ID,
        scene.spender.address,
    )
    known = {"01ffc9a7": True, "1626ba7e": True, "4e2312e0": True, "ffffffff": False}
    assert {one: scene.act.supportsInterface(bytes.fromhex(one)).call() for one in known} == known
