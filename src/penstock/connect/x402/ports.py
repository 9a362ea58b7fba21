"""What this folder needs of others: a chain to settle on, and somebody who tells what became of a payment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from x402.schemas import PaymentPayload, PaymentRequirements, SettleResponse, SupportedResponse, VerifyResponse

from penstock.connect.x402.payment import Payment


@dataclass(frozen=True, slots=True)
class Mined:
    """A transaction in a block; ``logs`` are (address, topics, data)."""

    succeeded: bool
    block: int
    logs: tuple[tuple[bytes, tuple[bytes, ...], bytes], ...]


class PaymentChain(Protocol):
    """The chain a facilitator settles on, and the one key it pays gas with.

    Raises (all methods):
        Refused: ``chain.reverted``, ``chain.refused``. Unavailable: ``chain.unreachable``.
    """

    @property
    def chain_id(self) -> int:
        """EIP-155 id."""

    @property
    def address(self) -> bytes:
        """The account that sends."""

    def call(self, to: bytes, data: bytes) -> bytes:
        """What a call from `address` would return now."""

    def code(self, account: bytes) -> bytes:
        """The code at an account; empty for a plain one."""

    def next_nonce(self) -> int:
        """The account's nonce after everything the chain has of it, waiting ones included."""

    def mined_nonce(self) -> int:
        """The account's nonce after the newest block."""

    def sign(self, nonce: int, to: bytes, data: bytes, gas: int) -> tuple[bytes, bytes]:
        """A signed transaction and its hash; nothing is sent."""

    def send(self, raw: bytes) -> None:
        """Hand it in; one the chain knows already is fine."""

    def mined(self, tx_hash: bytes) -> Mined | None:
        """What became of it; None while it is in no block."""


class Fate(StrEnum):
    """What a chain says of a payment."""

    PAID = "paid"  # the payee has the money
    UNUSED = "unused"  # it may still be used
    VOID = "void"  # it can never be used again, and the payee got nothing by it
    UNKNOWN = "unknown"  # the chain cannot be asked now


@dataclass(frozen=True, slots=True)
class Found:
    """A payment's fate, the transaction that used it and what the payee got by it [smallest units]."""

    fate: Fate
    tx: bytes = b""
    amount: int = 0


class Witness(Protocol):
    """Tells what became of a payment by asking the chain itself, not whoever settled it."""

    def look(self, payment: Payment, now_us: int) -> Found:
        """The payment's fate; `Fate.UNKNOWN` instead of an error where the chain does not answer."""

    def brought(self, payment: Payment, tx: bytes) -> int:
        """What transaction ``tx`` brought the payee by this payment and no other [smallest units]; 0 for nothing."""


class Payout(Protocol):
    """Sends dollars back."""

    def pay(self, reference: bytes, payee: bytes, token: bytes, amount: int) -> bytes:
        """Pay once for each ``reference``, whatever dies in between; the transaction's hash, once it is mined.

        Raises:
            Unavailable: ``payment.refund_pending``. Refused: ``payment.refund_refused``.
        """


class Facilitator(Protocol):
    """Who checks and settles payments: ours in this process, ours or another's over HTTP."""

    async def verify(self, payload: PaymentPayload, requirements: PaymentRequirements) -> VerifyResponse:
        """Whether the payment would settle now."""

    async def settle(self, payload: PaymentPayload, requirements: PaymentRequirements) -> SettleResponse:
        """Settle it."""

    def get_supported(self) -> SupportedResponse:
        """Schemes, networks, extensions, signers."""
