"""``Spender`` in Python: the same state, the same refusals in the same order. Signatures arrive as their signer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from on_boa import Refusal

from penstock.chain.typed_data import ZERO_ADDRESS

STEP_S, HOUR_STEPS, LIFE_MAX_S = 600, 7, 3_600
METERED = 2


def need(condition: bool, why: str) -> None:
    if not condition:
        raise Refusal(why)


class Mandate(NamedTuple):
    """The bounds, in the contract's order."""

    per_call: int
    per_hour: int
    total: int
    approval_above: int
    expires_at: int


class Payment(NamedTuple):
    """One payment, in the contract's order."""

    kind: int
    payee: str
    facilitator: str
    amount: int
    valid_after: int
    valid_before: int
    nonce: bytes


@dataclass
class SpenderTwin:
    """State of one Spender; ``used`` is what token and Permit2 know of its nonces."""

    address: str
    owner: str
    agent: str
    mandate: Mandate
    payees: set[str]
    epoch: int = 0
    committed: int = 0
    steps: Counter[int] = field(default_factory=Counter)
    reserved: dict[Payment, tuple[int, int]] = field(default_factory=dict)  # -> step, epoch
    used: set[tuple[bool, bytes]] = field(default_factory=set)

    def set_mandate(self, sender: str, mandate: Mandate) -> None:
        need(sender == self.owner, "spender.not_owner")
        need(mandate.per_call <= mandate.per_hour <= mandate.total, "spender.mandate")
        self.mandate = mandate

    def allow_payee(self, sender: str, payee: str, allowed: bool) -> None:
        need(sender == self.owner, "spender.not_owner")
        (self.payees.add if allowed else self.payees.discard)(payee)

    def set_agent(self, sender: str, agent: str) -> None:
        need(sender == self.owner, "spender.not_owner")
        need(agent != self.owner, "spender.parties")
        self.agent, self.epoch = agent, self.epoch + 1

    def authorize(self, now: int, sender: str, payment: Payment, approved_by: str) -> None:
        need(sender == self.agent, "spender.not_agent")
        need(now < self.mandate.expires_at, "spender.expired")
        need(payment.kind <= METERED, "spender.kind")
        need((payment.facilitator != ZERO_ADDRESS) == (payment.kind == METERED), "spender.facilitator")
        payable = payment.payee in self.payees or ZERO_ADDRESS in self.payees
        need(payable and payment.payee not in (ZERO_ADDRESS, self.address), "spender.payee")
        need(now < payment.valid_before, "spender.too_late")
        need(payment.valid_before <= now + LIFE_MAX_S, "spender.too_long")
        need(0 < payment.amount <= self.mandate.per_call, "spender.per_call")
        need(self.hour(now) + payment.amount <= self.mandate.per_hour, "spender.per_hour")
        need(self.committed + payment.amount <= self.mandate.total, "spender.total")
        if payment.amount > self.mandate.approval_above:
            need(approved_by != "", "signed.length")
            need(approved_by == self.owner, "signed.wrong_signer")
        need(payment not in self.reserved, "spender.authorized")
        need(not self._used(payment), "spender.used")
        self.committed += payment.amount
        self.steps[now // STEP_S] += payment.amount
        self.reserved[payment] = (now // STEP_S, self.epoch)

    def release(self, now: int, sender: str, payment: Payment) -> None:
        need(payment in self.reserved, "spender.unknown")
        step, epoch = self.reserved[payment]
        if sender not in (self.agent, self.owner) and epoch == self.epoch:
            need(now >= payment.valid_before, "spender.still_valid")
        need(not self._used(payment), "spender.used")
        del self.reserved[payment]
        self.committed -= payment.amount
        self.steps[step] -= payment.amount

    def says_yes(self, now: int, payment: Payment) -> bool:
        """Whether the account stands by the payment (ERC-1271)."""
        known = self.reserved.get(payment)
        return known is not None and known[1] == self.epoch and now < self.mandate.expires_at

    def hour(self, now: int) -> int:
        return sum(self.steps[now // STEP_S - back] for back in range(HOUR_STEPS))

    def _used(self, payment: Payment) -> bool:
        return (payment.kind == METERED, payment.nonce) in self.used
