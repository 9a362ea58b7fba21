"""Credit on both nodes: a class from opening to refund, payments that cannot be redirected, and what it all costs."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from nodes import CHAIN_ID, GENESIS_AT_S, Chain
from web3.contract import Contract

from penstock.chain.typed_data import (
    ZERO_ADDRESS,
    Authorization,
    credit_domain,
    dollar_domain,
    purchase_nonce,
    receipt_message,
    receive_message,
    sign_typed,
)

PINNED = json.loads((Path(__file__).parent / "gas_anchor_credit.json").read_text())
SKU, WORK, SALT = b"\x11" * 32, b"\x77" * 32, b"\x5a" * 32
TOKENS, PRICE, COLLATERAL, CAPACITY = 1_000_000, 2_500_000, 500_000, 100
POSTED = 80 * COLLATERAL
FAR_S = GENESIS_AT_S + 10 * 365 * 86_400
END_S = 2**40
RICHES = 10**12


@dataclass
class Scene:
    """Dollars, an open class of 100 credits with collateral for 80, and a buyer with dollars but no gas to spend."""

    chain: Chain
    dollar: Contract
    credit: Contract
    class_id: int
    expiry: int

    @property
    def act(self) -> Any:
        return self.credit.functions

    def one(self, role: str) -> LocalAccount:
        return self.chain.account(role)

    def payment(self, amount: int, class_id: int | None = None, salt: bytes = SALT) -> Authorization:
        nonce = purchase_nonce(self.class_id if class_id is None else class_id, amount, salt)
        return Authorization(self.one("buyer").address, self.credit.address, amount * PRICE, 0, END_S, nonce)

    def purchase(self, amount: int, signed: Authorization, salt: bytes = SALT, class_id: int | None = None) -> Any:
        domain = dollar_domain(CHAIN_ID, self.dollar.address)
        signature = sign_typed(bytes(self.one("buyer").key), receive_message(domain, signed))
        asked = self.class_id if class_id is None else class_id
        return self.act.buy(asked, amount, self.one("buyer").address, 0, END_S, salt, signature)

    def buy(self, amount: int, salt: bytes = SALT) -> None:
        self.chain.send(self.purchase(amount, self.payment(amount, salt=salt), salt), self.one("relayer"))

    def receipt(self, amount: int, signer: str = "buyer", salt: bytes = SALT) -> Any:
        holder = self.one("buyer").address
        message = receipt_message(
            credit_domain(CHAIN_ID, self.credit.address), self.class_id, holder, amount, WORK, salt
        )
        signature = sign_typed(bytes(self.one(signer).key), message)
        return self.act.redeem_signed(self.class_id, amount, holder, WORK, salt, signature)

    def dollars(self, role: str) -> int:
        return int(self.dollar.functions.balanceOf(self.one(role).address).call())

    def held(self, role: str = "buyer") -> int:
        return int(self.act.balanceOf(self.one(role).address, self.class_id).call())

    def stock(self) -> tuple[int, int, int]:
        capacity, outstanding, collateral = self.act.stock_of(self.class_id).call()
        return capacity, outstanding, collateral


def opened(chain: Chain, expiry: int) -> Scene:
    minter, provider, buyer = (chain.account(role) for role in ("minter", "provider", "buyer"))
    dollar = chain.deploy("Dollar", minter.address)
    credit = chain.deploy("Credit", dollar.address, "https://credits.example/{id}.json")
    for one in (provider, buyer):
        chain.send(dollar.functions.mint(one.address, RICHES), minter)
    chain.send(dollar.functions.approve(credit.address, 2**256 - 1), provider)
    deal = chain.account("deal").address
    chain.send(credit.functions.open(SKU, TOKENS, PRICE, COLLATERAL, expiry, deal, CAPACITY, POSTED), provider)
    terms = (provider.address, deal, SKU, TOKENS, PRICE, COLLATERAL, expiry)
    return Scene(chain, dollar, credit, credit.functions.id_of(terms).call(), expiry)


@pytest.fixture
def scene(chain: Chain) -> Scene:
    return opened(chain, FAR_S)


@pytest.fixture
def brief(chain: Chain) -> Scene:
    """The same with a class that expires within the hour."""
    return opened(chain, chain.now() + 3600)


def test_terms_and_surface(scene: Scene) -> None:
    terms = scene.act.terms_of(scene.class_id).call()
    people = scene.one("provider").address, scene.one("deal").address
    assert terms == (*people, SKU, TOKENS, PRICE, COLLATERAL, FAR_S)
    assert scene.stock() == (CAPACITY, 0, POSTED)
    assert scene.act.uri(scene.class_id).call() == "https://credits.example/{id}.json"
    known = {"01ffc9a7": True, "d9b67a26": True, "0e89341c": True, "ffffffff": False, "80ac58cd": False}
    assert {one: scene.act.supportsInterface(bytes.fromhex(one)).call() for one in known} == known


def test_bought_by_signature_paid_on_delivery(scene: Scene) -> None:
    chain = scene.chain
    scene.buy(10)
    assert (scene.held(), scene.dollars("buyer"), scene.dollars("deal")) == (10, RICHES - 10 * PRICE, 0)
    receipt = chain.send(scene.act.redeem(scene.class_id, 4, WORK), scene.one("buyer"))
    logged = scene.credit.events.Redeemed().process_receipt(receipt)[0]["args"]
    assert (logged["amount"], logged["work_root"], logged["paid_usdc_micro"]) == (4, WORK, 4 * PRICE)
    chain.send(scene.receipt(5), scene.one("provider"))
    assert (scene.held(), scene.dollars("deal"), scene.stock()) == (1, 9 * PRICE, (CAPACITY, 1, POSTED))


def test_relayer_cannot_redirect_a_payment(scene: Scene) -> None:
    chain, relayer, signed = scene.chain, scene.one("relayer"), scene.payment(10)
    for call in (
        scene.purchase(10, signed, salt=b"\x5b" * 32),
        scene.purchase(5, scene.payment(10)),  # half the credits for the dollars of ten
        scene.purchase(10, replace(signed, amount_usdc_micro=1)),
        scene.purchase(10, scene.payment(10, class_id=scene.class_id + 1)),
    ):
        assert chain.refused(call, relayer) == "signed.wrong_signer"
    assert chain.refused(scene.purchase(10, signed, class_id=7), relayer) == "credit.class"
    chain.send(scene.purchase(10, signed), relayer)
    assert chain.refused(scene.purchase(10, signed), relayer) == "dollar.used"
    assert (scene.held("relayer"), scene.held()) == (0, 10)


def test_sold_only_against_capacity_and_collateral(scene: Scene) -> None:
    chain, provider, relayer = scene.chain, scene.one("provider"), scene.one("relayer")
    assert chain.refused(scene.purchase(101, scene.payment(101)), relayer) == "credit.capacity"
    assert chain.refused(scene.purchase(81, scene.payment(81)), relayer) == "credit.collateral"
    scene.buy(80)
    assert chain.refused(scene.act.reclaim(scene.class_id, 1), provider) == "credit.collateral"
    assert chain.refused(scene.act.lower_capacity(scene.class_id, 79), provider) == "credit.capacity"
    chain.send(scene.act.redeem(scene.class_id, 30, WORK), scene.one("buyer"))
    chain.send(scene.act.reclaim(scene.class_id, 30 * COLLATERAL), provider)
    chain.send(scene.act.lower_capacity(scene.class_id, 50), provider)
    assert chain.refused(scene.act.lower_capacity(scene.class_id, 50), provider) == "credit.capacity"
    assert scene.stock() == (50, 50, 50 * COLLATERAL)
    for call in (scene.act.reclaim(scene.class_id, 0), scene.act.lower_capacity(scene.class_id, 0)):
        assert chain.refused(call, scene.one("attacker")) == "credit.not_provider"


def test_receipt_works_once_and_only_the_holders(scene: Scene) -> None:
    chain, provider = scene.chain, scene.one("provider")
    scene.buy(10)
    assert chain.refused(scene.receipt(5, signer="provider"), provider) == "signed.wrong_signer"
    assert chain.refused(scene.receipt(5), scene.one("attacker")) == "credit.not_provider"
    chain.send(scene.receipt(5), provider)
    assert chain.refused(scene.receipt(5), provider) == "credit.used"
    chain.send(scene.receipt(5, salt=b"\x01" * 32), provider)
    assert chain.refused(scene.act.redeem(scene.class_id, 1, WORK), scene.one("buyer")) == "credit.balance"


def test_unredeemed_is_refunded_with_its_collateral(brief: Scene) -> None:
    scene, chain, buyer = brief, brief.chain, brief.one("buyer")
    scene.buy(10)
    chain.send(scene.act.safeTransferFrom(buyer.address, scene.one("holder").address, scene.class_id, 4, b""), buyer)
    refund = scene.act.refund
    assert chain.refused(refund(buyer.address, scene.class_id), scene.one("relayer")) == "credit.not_expired"
    chain.advance(3601)
    assert chain.refused(scene.act.redeem(scene.class_id, 1, WORK), buyer) == "credit.expired"
    assert chain.refused(scene.receipt(1), scene.one("provider")) == "credit.expired"
    late = scene.payment(1, salt=WORK)
    assert chain.refused(scene.purchase(1, late, WORK), scene.one("relayer")) == "credit.expired"
    for role, amount in (("holder", 4), ("buyer", 6)):
        before = scene.dollars(role)
        chain.send(refund(scene.one(role).address, scene.class_id), scene.one("relayer"))
        assert scene.dollars(role) - before == amount * (PRICE + COLLATERAL)
    assert chain.refused(refund(buyer.address, scene.class_id), scene.one("relayer")) == "credit.balance"
    chain.send(scene.act.reclaim(scene.class_id, POSTED - 10 * COLLATERAL), scene.one("provider"))
    assert scene.dollar.functions.balanceOf(scene.credit.address).call() == 0


def test_impossible_classes(scene: Scene) -> None:
    chain, provider, deal = scene.chain, scene.one("provider"), scene.one("deal").address
    good = {"sku": SKU, "tokens": TOKENS, "price": PRICE, "each": COLLATERAL, "expiry": FAR_S, "deal": deal}
    for other, why in (
        ({"tokens": 0}, "credit.terms"),
        ({"price": 0}, "credit.terms"),
        ({"each": 0}, "credit.terms"),
        ({"deal": ZERO_ADDRESS}, "credit.deal"),
        ({"deal": scene.credit.address}, "credit.deal"),
        ({"expiry": GENESIS_AT_S}, "credit.expired"),
        ({}, "credit.open"),
    ):
        call = scene.act.open(*(good | other).values(), CAPACITY, POSTED)
        assert chain.refused(call, provider) == why
    unfunded = scene.act.open(*good.values(), CAPACITY, POSTED)
    assert chain.refused(unfunded, scene.one("attacker")) == "dollar.allowance"


def test_gas(scene: Scene) -> None:
    """Whole receipts, equal on both nodes."""
    chain, act, buyer, provider = scene.chain, scene.act, scene.one("buyer"), scene.one("provider")
    relayer, holder, found = scene.one("relayer"), scene.one("holder").address, {}
    opening = act.open(WORK, TOKENS, PRICE, COLLATERAL, FAR_S, scene.one("deal").address, CAPACITY, POSTED)
    found["open"] = chain.gas(opening, provider)
    found["first buy"] = chain.gas(scene.purchase(10, scene.payment(10)), relayer)
    found["later buy"] = chain.gas(scene.purchase(10, scene.payment(10, salt=WORK), WORK), relayer)
    found["first redeem"] = chain.gas(act.redeem(scene.class_id, 1, WORK), buyer)
    found["later redeem"] = chain.gas(act.redeem(scene.class_id, 1, WORK), buyer)
    found["redeem_signed"] = chain.gas(scene.receipt(5), provider)
    found["safeTransferFrom, new holder"] = chain.gas(
        act.safeTransferFrom(buyer.address, holder, scene.class_id, 2, b""), buyer
    )
    found["reclaim"] = chain.gas(act.reclaim(scene.class_id, COLLATERAL), provider)
    found["lower_capacity"] = chain.gas(act.lower_capacity(scene.class_id, 90), provider)
    assert found == PINNED["Credit"]


def test_gas_of_refund(brief: Scene) -> None:
    """The id holds the expiry, so the price of call data varies: it is taken off."""
    brief.buy(10)
    brief.chain.advance(3601)
    call = brief.act.refund(brief.one("buyer").address, brief.class_id)
    data = bytes.fromhex(call._encode_transaction_data()[2:])
    priced = sum(16 if byte else 4 for byte in data)
    found = brief.chain.gas(call, brief.one("relayer")) - priced
    assert found == PINNED["Credit, without call data"]["refund"]
