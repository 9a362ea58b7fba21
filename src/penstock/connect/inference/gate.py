"""The port to whoever takes the money: a request is admitted before the work, and told of the answer after it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from penstock.connect.inference.engine import Usage

ADDRESS_BYTES = 20
HASH_BYTES = 32


class Scheme(StrEnum):
    """How an answer was paid for; the first three in the order of the codes of ``sale/1``."""

    EXACT = "exact"
    UPTO = "upto"
    CREDIT = "credit"
    UNPAID = "unpaid"  # a door without a gate


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is well formed and can be answered, and its price.

    ``price_usdc_micro`` is for the tokens as counted. Where the answer's length is not known ahead (``capped``) it is
    for the most that the request allows, and what is not used is the payer's again. ``body_sha256`` is the request's.
    """

    url: str
    headers: Mapping[str, str]
    body_sha256: bytes
    model: str
    tokens: int
    price_usdc_micro: int
    capped: bool = False


@dataclass(frozen=True, slots=True)
class Admitted:
    """Paid, settled, and to be answered. ``stored`` is the answer where this payment was answered before."""

    payment_id: bytes
    scheme: Scheme
    payer: bytes = bytes(ADDRESS_BYTES)
    tx: bytes = bytes(HASH_BYTES)
    paid_usdc_micro: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    stored: bytes | None = None


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """What to answer instead: the 402 that says how to pay, or why a payment is not taken."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    media_type: str = "application/json"


class Gate(Protocol):
    """Reserves, settles, remembers; nothing costly is done before `admit` says so."""

    async def admit(self, asked: Asked) -> Admitted | TurnedAway:
        """Take the payment that came with the request, or say what to pay."""

    async def answered(self, admitted: Admitted, body: bytes, usage: Usage, cost_usdc_micro: int) -> Mapping[str, str]:
        """The answer, to be kept before it is sent, and what it cost by tokens used; more headers for it.

        Where ``cost_usdc_micro`` is below what was paid, the rest is the payer's.
        """

    async def failed(self, admitted: Admitted, reason: str) -> None:
        """No answer came: the payment goes back."""


class OpenGate:
    """A door without a gate: whoever asks is answered. Payment ids are drawn, and name answers all the same."""

    async def admit(self, asked: Asked) -> Admitted | TurnedAway:
        """Everybody."""
        salted = b"unpaid" + secrets.token_bytes(HASH_BYTES) + asked.body_sha256
        return Admitted(hashlib.sha256(salted).digest(), Scheme.UNPAID)

    async def answered(
        self,
        admitted: Admitted,  # noqa: ARG002 (the port's)
        body: bytes,  # noqa: ARG002
        usage: Usage,  # noqa: ARG002
        cost_usdc_micro: int,  # noqa: ARG002
    ) -> Mapping[str, str]:
        """Nothing to keep."""
        return {}

    async def failed(self, admitted: Admitted, reason: str) -> None:
        """Nothing to give back."""
