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
from web3.logs import DISCARD

from penstock.chain.typed_data import (
    ZERO_ADDRESS,
    Attestation,
    Authorization,
    anchor_domain,
    attestation_message,
    credit_domain,
    dollar_domain,
    fault_subject,
    purchase_nonce,
    receipt_message,
    receive_message,
    report_word,
    sign_typed,
)

PINNED = json.loads((Path(__file__).parent / "gas_anchor_credit.json").read_text())
SKU, WORK, SALT = b"\x11" * 32, b"\x77" * 32, b"\x5a" * 32
UNIT, UNITS, PRICE, COLLATERAL, CAPACITY = 2, 1_000_000, 2_500_000, 500_000, 100
GRACE_S, VERDICT_S = 900, 3_600
POSTED = 80 * COLLATERAL
FAR_S = GENESIS_AT_S + 10 * 365 * 86_400
END_S = 2**40
RICHES = 10**12


@dataclass
class Scene:
    """Dollars, an open class of 100 credits with collateral for 80, and a buyer with dollars but no gas to spend."""

    chain: Chain
    dollar: Contract
    anchor: Contract
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

    def deliver(self, work_root: bytes = WORK) -> Any:
        return self.act.deliver(self.class_id, self.one("buyer").address, work_root)

    def judge(self, failures: int, size: int) -> None:
        """Two attesters report so many failures of the class, from the checkpoint of that size."""
        subject, now = fault_subject(self.credit.address, self.class_id), self.chain.now()
        act, operator, root = self.anchor.functions, self.one("operator"), size.to_bytes(32, "big")
        if size == 1:
            self.chain.send(act.register(subject, self.one("provider").address), operator)
            self.chain.send(act.publish(1, root, 0, []), operator)
        word = report_word((failures, 0, 0), now, now + VERDICT_S)
        said = Attestation(subject, word, bytes(32), 1, (1).to_bytes(32, "big"), 0)
        for number in range(2):
            key = bytes(self.one(f"attester {number}").key)
            signature = sign_typed(key, attestation_message(anchor_domain(CHAIN_ID, self.anchor.address), said))
            self.chain.send(act.attest(said.as_tuple(), signature), operator)
        self.chain.advance(1)

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
    seats = [chain.account(f"attester {number}").address for number in range(2)]
    anchor = chain.deploy("Anchor", chain.account("operator").address, seats, 2)
    credit = chain.deploy("Credit", dollar.address, anchor.address, "https://credits.example/{id}.json")
    for one in (provider, buyer):
        chain.send(dollar.functions.mint(one.address, RICHES), minter)
    chain.send(dollar.functions.approve(credit.address, 2**256 - 1), provider)
    deal = chain.account("deal").address
    terms = (provider.address, deal, SKU, UNIT, UNITS, PRICE, COLLATERAL, expiry, GRACE_S)
    chain.send(credit.functions.open(terms, CAPACITY, POSTED), provider)
    return Scene(chain, dollar, anchor, credit, credit.functions.id_of(terms).call(), expiry)


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
    assert terms == (*people, SKU, UNIT, UNITS, PRICE, COLLATERAL, FAR_S, GRACE_S)
    assert scene.stock() == (CAPACITY, 0, POSTED)
    assert scene.act.uri(scene.class_id).call() == "https://credits.example/{id}.json"
    known = {"01ffc9a7": True, "d9b67a26": True, "0e89341c": True, "ffffffff": False, "80ac58cd": False}
    assert {one: scene.act.supportsInterface(bytes.fromhex(one)).call() for one in known} == known


def test_bought_by_signature_paid_on_delivery(scene: Scene) -> None:
    chain = scene.chain
    scene.buy(10)
    assert (scene.held(), scene.dollars("buyer"), scene.dollars("deal")) == (10, RICHES - 10 * PRICE, 0)
    receipt = chain.send(scene.act.redeem(scene.class_id, 4, WORK), scene.one("buyer"))
    logged = scene.credit.events.Redeemed().process_receipt(receipt, errors=DISCARD)[0]["args"]
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


def test_who_never_asked_gets_its_price_back_and_no_more(brief: Scene) -> None:
    scene, chain, buyer = brief, brief.chain, brief.one("buyer")
    scene.buy(10)
    chain.send(scene.act.safeTransferFrom(buyer.address, scene.one("holder").address, scene.class_id, 4, b""), buyer)
    refund = scene.act.refund
    assert chain.refused(refund(buyer.address, scene.class_id), scene.one("relayer")) == "credit.not_due"
    chain.advance(3601)
    assert chain.refused(scene.act.redeem(scene.class_id, 1, WORK), buyer) == "credit.expired"
    assert chain.refused(scene.act.request(scene.class_id, 1), buyer) == "credit.expired"
    assert chain.refused(scene.receipt(1), scene.one("provider")) == "credit.expired"
    late = scene.payment(1, salt=WORK)
    assert chain.refused(scene.purchase(1, late, WORK), scene.one("relayer")) == "credit.expired"
    for role, amount in (("holder", 4), ("buyer", 6)):
        before = scene.dollars(role)
        chain.send(refund(scene.one(role).address, scene.class_id), scene.one("relayer"))
        assert scene.dollars(role) - before == amount * PRICE
    assert chain.refused(refund(buyer.address, scene.class_id), scene.one("relayer")) == "credit.balance"
    chain.send(scene.act.reclaim(scene.class_id, POSTED), scene.one("provider"))
    assert scene.dollar.functions.balanceOf(scene.credit.address).call() == 0


def test_who_asks_and_gets_nothing_is_refunded_with_collateral(scene: Scene) -> None:
    chain, buyer, relayer = scene.chain, scene.one("buyer"), scene.one("relayer")
    scene.buy(10)
    before = scene.dollars("buyer")
    chain.send(scene.act.request(scene.class_id, 7), buyer)
    amount, due, root = scene.act.request_of(scene.class_id, buyer.address).call()
    assert (amount, due, root) == (7, chain.now() + GRACE_S, bytes(32))
    refund = scene.act.refund(buyer.address, scene.class_id)
    assert chain.refused(refund, relayer) == "credit.not_due"
    assert chain.refused(scene.act.request(scene.class_id, 1), buyer) == "credit.requested"
    move = scene.act.safeTransferFrom
    assert chain.refused(move(buyer.address, relayer.address, scene.class_id, 4, b""), buyer) == "credit.balance"
    chain.advance(GRACE_S + 1)
    assert chain.refused(scene.deliver(), scene.one("provider")) == "credit.late"
    chain.send(refund, relayer)
    assert scene.dollars("buyer") - before == 7 * (PRICE + COLLATERAL)
    assert (scene.held(), scene.stock()) == (3, (CAPACITY, 3, POSTED - 7 * COLLATERAL))
    assert chain.refused(refund, relayer) == "credit.not_due"
    chain.send(scene.act.request(scene.class_id, 3), buyer)  # and may ask again


def test_delivery_with_a_receipt_ends_a_request(brief: Scene) -> None:
    """Parts of it too, and after expiry: what was asked for in time is still delivered."""
    scene, chain, buyer = brief, brief.chain, brief.one("buyer")
    scene.buy(10)
    chain.advance(3600 - 60)
    chain.send(scene.act.request(scene.class_id, 7), buyer)
    chain.send(scene.receipt(2), scene.one("provider"))
    assert scene.act.request_of(scene.class_id, buyer.address).call()[0] == 5
    chain.advance(120)
    assert chain.refused(scene.receipt(6, salt=WORK), scene.one("provider")) == "credit.expired"
    chain.send(scene.receipt(5, salt=WORK), scene.one("provider"))
    assert scene.act.request_of(scene.class_id, buyer.address).call() == [0, 0, bytes(32)]
    assert scene.dollars("deal") == 7 * PRICE
    before = scene.dollars("buyer")
    chain.send(scene.act.refund(buyer.address, scene.class_id), buyer)
    assert scene.dollars("buyer") - before == 3 * PRICE


def test_delivery_stated_by_the_provider_stands_after_its_grace(scene: Scene) -> None:
    chain, buyer, provider, relayer = scene.chain, *(scene.one(one) for one in ("buyer", "provider", "relayer"))
    scene.buy(10)
    assert chain.refused(scene.deliver(), provider) == "credit.not_requested"
    settle = scene.act.settle(scene.class_id, buyer.address)
    assert chain.refused(settle, relayer) == "credit.not_delivered"
    chain.send(scene.act.request(scene.class_id, 7), buyer)
    assert chain.refused(scene.deliver(), scene.one("attacker")) == "credit.not_provider"
    assert chain.refused(scene.deliver(bytes(32)), provider) == "credit.work"
    chain.send(scene.deliver(), provider)
    assert scene.act.request_of(scene.class_id, buyer.address).call()[2] == WORK
    assert chain.refused(scene.deliver(), provider) == "credit.delivered"
    assert chain.refused(settle, relayer) == "credit.not_due"
    chain.advance(GRACE_S + 1)
    assert chain.refused(scene.act.refund(buyer.address, scene.class_id), buyer) == "credit.not_due"
    logged = scene.credit.events.Redeemed().process_receipt(chain.send(settle, relayer), errors=DISCARD)[0]["args"]
    assert (logged["holder"], logged["amount"], logged["work_root"]) == (buyer.address, 7, WORK)
    assert (scene.held(), scene.dollars("deal"), scene.stock()) == (3, 7 * PRICE, (CAPACITY, 3, POSTED))
    assert chain.refused(settle, relayer) == "credit.not_delivered"


def test_a_verdict_of_the_attesters_closes_the_class(scene: Scene) -> None:
    chain, buyer, provider, relayer = scene.chain, *(scene.one(one) for one in ("buyer", "provider", "relayer"))
    scene.buy(10)
    chain.send(scene.act.safeTransferFrom(buyer.address, scene.one("holder").address, scene.class_id, 4, b""), buyer)
    chain.send(scene.act.request(scene.class_id, 5), buyer)
    chain.send(scene.deliver(), provider)
    slash = scene.act.slash(scene.class_id)
    assert chain.refused(slash, relayer) == "credit.no_verdict"
    assert chain.refused(scene.act.slash(7), relayer) == "credit.class"
    scene.judge(0, 1)
    assert chain.refused(slash, relayer) == "credit.no_verdict"
    scene.judge(3, 2)
    chain.advance(GRACE_S + 1)
    receipt = chain.send(slash, relayer)
    logged = scene.credit.events.Slashed().process_receipt(receipt)[0]["args"]
    assert (logged["failures"], logged["outstanding"]) == (3, 10)
    assert chain.refused(slash, relayer) == "credit.closed"
    other = b"\x09" * 32
    calls = (
        (scene.act.settle(scene.class_id, buyer.address), relayer),
        (scene.act.redeem(scene.class_id, 1, WORK), buyer),
        (scene.receipt(1), provider),
        (scene.act.request(scene.class_id, 1), scene.one("holder")),
        (scene.purchase(1, scene.payment(1, salt=other), other), relayer),
        (scene.deliver(), provider),
    )
    assert [chain.refused(*one) for one in calls] == ["credit.closed"] * len(calls)
    for role, amount in (("holder", 4), ("buyer", 6)):
        before = scene.dollars(role)
        chain.send(scene.act.refund(scene.one(role).address, scene.class_id), relayer)
        assert scene.dollars(role) - before == amount * (PRICE + COLLATERAL)
    assert (scene.stock(), scene.dollars("deal")) == ((CAPACITY, 0, POSTED - 10 * COLLATERAL), 0)
    chain.send(scene.act.reclaim(scene.class_id, POSTED - 10 * COLLATERAL), provider)


def test_a_verdict_counts_only_for_its_class_and_while_it_is_fresh(scene: Scene) -> None:
    chain, provider = scene.chain, scene.one("provider")
    assert scene.act.fault_subject(scene.class_id).call() == fault_subject(scene.credit.address, scene.class_id)
    assert scene.act.fault_subject(scene.class_id + 1).call() == fault_subject(scene.credit.address, scene.class_id + 1)
    terms = (provider.address, scene.one("deal").address, WORK, UNIT, UNITS, PRICE, COLLATERAL, FAR_S, GRACE_S)
    chain.send(scene.act.open(terms, CAPACITY, POSTED), provider)
    scene.judge(1, 1)
    assert chain.refused(scene.act.slash(scene.act.id_of(terms).call()), provider) == "credit.no_verdict"
    chain.advance(VERDICT_S + 1)
    assert chain.refused(scene.act.slash(scene.class_id), provider) == "credit.no_verdict"
    scene.judge(-1, 2)
    assert chain.refused(scene.act.slash(scene.class_id), provider) == "credit.no_verdict"
    scene.judge(1, 3)
    chain.send(scene.act.slash(scene.class_id), provider)


def test_impossible_classes(scene: Scene) -> None:
    chain, provider, deal = scene.chain, scene.one("provider"), scene.one("deal").address
    good = {"provider": provider.address, "deal": deal, "sku": SKU, "unit": UNIT, "units": UNITS, "price": PRICE}
    good |= {"each": COLLATERAL, "expiry": FAR_S, "grace": GRACE_S}
    for other, why in (
        ({"provider": deal}, "credit.not_provider"),
        ({"unit": 3}, "credit.terms"),
        ({"units": 0}, "credit.terms"),
        ({"units": 2**56}, "credit.terms"),
        ({"price": 0}, "credit.terms"),
        ({"each": 0}, "credit.terms"),
        ({"grace": 0}, "credit.terms"),
        ({"grace": 2**24}, "credit.terms"),
        ({"expiry": 2**40}, "credit.terms"),
        ({"deal": ZERO_ADDRESS}, "credit.deal"),
        ({"deal": scene.credit.address}, "credit.deal"),
        ({"expiry": GENESIS_AT_S}, "credit.expired"),
        ({}, "credit.open"),
    ):
        call = scene.act.open(tuple((good | other).values()), CAPACITY, POSTED)
        assert chain.refused(call, provider) == why
    poor = scene.one("attacker")
    unfunded = scene.act.open(tuple((good | {"provider": poor.address}).values()), CAPACITY, POSTED)
    assert chain.refused(unfunded, poor) == "dollar.allowance"


def test_the_largest_terms_keep_their_places(scene: Scene) -> None:
    provider = scene.one("provider")
    terms = (provider.address, scene.one("deal").address, SKU, 2, 2**56 - 1, 2**64 - 1, 2**64 - 1, 2**40 - 1, 2**24 - 1)
    scene.chain.send(scene.act.open(terms, 2**64 - 1, 0), provider)
    class_id = scene.act.id_of(terms).call()
    assert scene.act.terms_of(class_id).call() == terms
    assert scene.act.stock_of(class_id).call() == [2**64 - 1, 0, 0]


def test_gas(scene: Scene) -> None:
    """Whole receipts, equal on both nodes."""
    chain, act, buyer, provider = scene.chain, scene.act, scene.one("buyer"), scene.one("provider")
    relayer, holder, found = scene.one("relayer"), scene.one("holder").address, {}
    terms = (provider.address, scene.one("deal").address, WORK, UNIT, UNITS, PRICE, COLLATERAL, FAR_S, GRACE_S)
    opening = act.open(terms, CAPACITY, POSTED)
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
    found["request"] = chain.gas(act.request(scene.class_id, 2), buyer)
    found["deliver"] = chain.gas(scene.deliver(), provider)
    scene.chain.advance(GRACE_S + 1)
    found["settle"] = chain.gas(act.settle(scene.class_id, buyer.address), relayer)
    scene.judge(1, 1)
    found["slash"] = chain.gas(act.slash(scene.class_id), relayer)
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
