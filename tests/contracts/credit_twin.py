"""``Credit`` in Python, with the dollars it moves: the same state, the same refusals in the same order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from on_boa import Refusal

from penstock.chain.typed_data import ZERO_ADDRESS, Authorization

Place = tuple[int, str]  # class, holder


def need(condition: bool, why: str) -> None:
    if not condition:
        raise Refusal(why)


@dataclass
class DollarTwin:
    """As much of the stablecoin as the credits meet."""

    balances: Counter[str] = field(default_factory=Counter)
    allowances: Counter[str] = field(default_factory=Counter)  # to the credit contract
    used: set[tuple[str, bytes]] = field(default_factory=set)

    def move(self, sender: str, receiver: str, amount: int) -> None:
        need(self.balances[sender] >= amount, "dollar.balance")
        self.balances[sender] -= amount
        self.balances[receiver] += amount

    def pull(self, sender: str, receiver: str, amount: int) -> None:
        need(self.allowances[sender] >= amount, "dollar.allowance")
        self.move(sender, receiver, amount)
        self.allowances[sender] -= amount

    def receive(self, now: int, signer: str, signed: Authorization, asked: Authorization) -> None:
        """``signed`` is what the buyer signed, ``asked`` what the contract presents with it."""
        need(now > asked.valid_after_s, "dollar.not_yet")
        need(now < asked.valid_before_s, "dollar.expired")
        need(signer == asked.payer and signed == asked, "signed.wrong_signer")
        need((asked.payer, asked.nonce) not in self.used, "dollar.used")
        self.move(asked.payer, asked.payee, asked.amount_usdc_micro)
        self.used.add((asked.payer, asked.nonce))


@dataclass
class ClassTwin:
    """One class of credits."""

    provider: str
    deal: str
    price: int
    collateral_each: int
    expiry: int
    capacity: int
    collateral: int
    grace: int = 60
    outstanding: int = 0
    closed: bool = False


@dataclass
class RequestTwin:
    """What one holder asked for."""

    amount: int
    due: int
    work_root: bytes = b""


@dataclass
class CreditTwin:
    """State of one Credit; every method is one call and takes the time it happens at."""

    address: str
    dollar: DollarTwin
    classes: dict[int, ClassTwin] = field(default_factory=dict)
    balances: Counter[Place] = field(default_factory=Counter)
    approved: set[tuple[str, str]] = field(default_factory=set)
    requests: dict[Place, RequestTwin] = field(default_factory=dict)
    verdicts: dict[int, tuple[int, int]] = field(default_factory=dict)  # class -> failures, expiry
    receipts: set[tuple[int, str, int, bytes, bytes]] = field(default_factory=set)

    def open(self, now: int, class_id: int, made: ClassTwin) -> None:
        need(made.price > 0 and made.collateral_each > 0 and made.grace > 0, "credit.terms")
        need(made.deal not in (ZERO_ADDRESS, self.address), "credit.deal")
        need(made.expiry > now, "credit.expired")
        need(class_id not in self.classes, "credit.open")
        self.dollar.pull(made.provider, self.address, made.collateral)
        self.classes[class_id] = made

    def post(self, sender: str, class_id: int, amount: int) -> None:
        one = self._provided(sender, class_id)
        self.dollar.pull(sender, self.address, amount)
        one.collateral += amount

    def reclaim(self, sender: str, class_id: int, amount: int) -> None:
        one = self._provided(sender, class_id)
        need(one.collateral - amount >= one.outstanding * one.collateral_each, "credit.collateral")
        one.collateral -= amount
        self.dollar.move(self.address, sender, amount)

    def lower_capacity(self, sender: str, class_id: int, capacity: int) -> None:
        one = self._provided(sender, class_id)
        need(one.outstanding <= capacity < one.capacity, "credit.capacity")
        one.capacity = capacity

    def buy(
        self, now: int, class_id: int, amount: int, signer: str, signed: Authorization, asked: Authorization
    ) -> None:
        one = self._live(class_id, amount)
        need(now < one.expiry, "credit.expired")
        need(one.outstanding + amount <= one.capacity, "credit.capacity")
        need((one.outstanding + amount) * one.collateral_each <= one.collateral, "credit.collateral")
        self.dollar.receive(now, signer, signed, asked)
        one.outstanding += amount
        self.balances[class_id, asked.payer] += amount

    def request(self, now: int, class_id: int, holder: str, amount: int) -> None:
        one = self._live(class_id, amount)
        need(now < one.expiry, "credit.expired")
        need((class_id, holder) not in self.requests, "credit.requested")
        need(self.balances[class_id, holder] >= amount, "credit.balance")
        self.requests[class_id, holder] = RequestTwin(amount, now + one.grace)

    def deliver(self, now: int, sender: str, class_id: int, holder: str, work_root: bytes) -> None:
        one = self._provided(sender, class_id)
        need(not one.closed, "credit.closed")
        asked = self.requests.get((class_id, holder))
        if asked is None:
            raise Refusal("credit.not_requested")
        need(any(work_root), "credit.work")
        need(not asked.work_root, "credit.delivered")
        need(now < asked.due, "credit.late")
        asked.work_root, asked.due = work_root, now + one.grace

    def settle(self, now: int, class_id: int, holder: str) -> None:
        asked = self.requests.get((class_id, holder))
        if asked is None or not asked.work_root:
            raise Refusal("credit.not_delivered")
        need(now >= asked.due, "credit.not_due")
        self.redeem(now, class_id, holder, asked.amount)

    def slash(self, now: int, class_id: int) -> None:
        need(class_id in self.classes, "credit.class")
        need(not self.classes[class_id].closed, "credit.closed")
        failures, expiry = self.verdicts.get(class_id, (0, 0))
        need(failures > 0 and expiry > now, "credit.no_verdict")
        self.classes[class_id].closed = True

    def redeem(self, now: int, class_id: int, holder: str, amount: int) -> None:
        one, asked = self._live(class_id, amount), self.requests.get((class_id, holder))
        need(now < one.expiry or (asked is not None and amount <= asked.amount), "credit.expired")
        self._burn(class_id, holder, amount)
        if asked is not None:
            asked.amount -= amount
            if asked.amount <= 0:
                del self.requests[class_id, holder]
        self.dollar.move(self.address, one.deal, amount * one.price)

    def redeem_signed(self, now: int, sender: str, signer: str, receipt: tuple[int, str, int, bytes, bytes]) -> None:
        class_id, holder, amount, _, _ = receipt
        self._provided(sender, class_id)
        need(signer == holder, "signed.wrong_signer")
        need(receipt not in self.receipts, "credit.used")
        self.redeem(now, class_id, holder, amount)
        self.receipts.add(receipt)

    def refund(self, now: int, holder: str, class_id: int) -> None:
        need(class_id in self.classes, "credit.class")
        one, held = self.classes[class_id], self.balances[class_id, holder]
        need(held > 0, "credit.balance")
        failed = held if one.closed else self._failed(now, class_id, holder)
        unasked = held - self.asked(class_id, holder) if now >= one.expiry and not one.closed else 0
        need(failed + unasked > 0, "credit.not_due")
        self._burn(class_id, holder, failed + unasked)
        if failed:
            self.requests.pop((class_id, holder), None)
        one.collateral -= failed * one.collateral_each
        self.dollar.move(self.address, holder, (failed + unasked) * one.price + failed * one.collateral_each)

    def asked(self, class_id: int, holder: str) -> int:
        """Credits that a holder asked for."""
        found = self.requests.get((class_id, holder))
        return found.amount if found else 0

    def _failed(self, now: int, class_id: int, holder: str) -> int:
        found = self.requests.get((class_id, holder))
        return found.amount if found and not found.work_root and now >= found.due else 0

    def transfer(self, mover: str, sender: str, receiver: str, amounts: list[tuple[int, int]]) -> None:
        need(receiver != ZERO_ADDRESS, "credit.zero")
        need(mover == sender or (sender, mover) in self.approved, "credit.not_approved")
        after = self.balances.copy()
        for class_id, amount in amounts:
            need(after[class_id, sender] - self.asked(class_id, sender) >= amount, "credit.balance")
            after[class_id, sender] -= amount
            after[class_id, receiver] += amount
        self.balances = after

    def liabilities(self) -> int:
        """What the dollars held must equal: unredeemed price and posted collateral of every class."""
        return sum(one.outstanding * one.price + one.collateral for one in self.classes.values())

    def _provided(self, sender: str, class_id: int) -> ClassTwin:
        one = self.classes.get(class_id)
        if one is None or one.provider != sender:
            raise Refusal("credit.not_provider")
        return one

    def _live(self, class_id: int, amount: int) -> ClassTwin:
        need(class_id in self.classes, "credit.class")
        need(amount > 0, "credit.amount")
        need(not self.classes[class_id].closed, "credit.closed")
        return self.classes[class_id]

    def _burn(self, class_id: int, holder: str, amount: int) -> None:
        need(self.balances[class_id, holder] >= amount, "credit.balance")
        self.balances[class_id, holder] -= amount
        self.classes[class_id].outstanding -= amount
