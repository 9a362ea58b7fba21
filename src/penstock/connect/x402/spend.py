"""Credits at a till: a balance bought ahead, spent by the holder's signature without a chain in between.

The scheme is called ``credit``. The payload's ``spend`` names class, holder, units, salt and end, signed as EIP-712
``Spend`` under the domain of the till of ``payTo``; a class of 32 zero bytes is prepaid dollars [micro-dollars].
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

from coincurve import PrivateKey, PublicKey
from eth_utils.crypto import keccak
from x402.schemas import PaymentRequirements

from penstock.connect.x402.payment import Method, Payment, address, chain_id_of, spend_id, written
from penstock.connect.x402.typed_hash import Fields, digest, domain_separator
from penstock.errors import Refused, Unverified
from penstock.keys import ChainKey

SCHEME: Final = "credit"
TILL_NAME: Final = "Penstock Till"
TILL_VERSION: Final = "1"
SPEND: Final[Fields] = (
    ("classId", "bytes32"), ("holder", "address"), ("units", "uint256"), ("salt", "bytes32"),
    ("validBefore", "uint256"),
)  # fmt: skip


def spend_digest(payment: Payment) -> bytes:
    """The 32 bytes a holder signs to spend."""
    domain = domain_separator(TILL_NAME, TILL_VERSION, payment.chain_id, payment.payee)
    values: dict[str, Any] = {
        "classId": payment.token, "holder": payment.payer, "units": payment.amount, "salt": payment.nonce,
        "validBefore": payment.valid_before_s,
    }  # fmt: skip
    return digest(domain, "Spend", SPEND, values)


def check_spend(payment: Payment, now_us: int) -> None:
    """The holder's signature and the end.

    Raises:
        Unverified: ``payment.signature``. Refused: ``payment.expired``.
    """
    if payment.valid_before_s * 1_000_000 <= now_us:
        raise Refused("payment.expired", "The payment is past its end.", hint="Sign a new one.")
    if _signer(payment) != payment.payer:
        raise Unverified("payment.signature", "The spending is not signed by the holder.")


def _signer(payment: Payment) -> bytes:
    raw = payment.signature
    try:
        recovery = bytes([raw[64] - 27 if raw[64] >= 27 else raw[64]])
        point = PublicKey.from_signature_and_message(raw[:64] + recovery, spend_digest(payment), hasher=None)
    except Exception:  # whatever is wrong with it: the library raises many kinds
        return b""
    return keccak(point.format(compressed=False)[1:])[-20:] if len(raw) == 65 else b""


class CreditScheme:
    """The client's side: plugs into the official x402 clients beside their own schemes."""

    scheme = SCHEME

    def __init__(self, key: ChainKey, clock_us: Callable[[], int]) -> None:
        self._key, self._secret, self._clock_us = key, PrivateKey(key.secret), clock_us

    def create_payment_payload(
        self,
        requirements: PaymentRequirements,
        extensions: dict[str, Any] | None = None,  # noqa: ARG002 (the package names it)
    ) -> dict[str, Any]:
        """A spending of ``requirements.amount`` units, signed."""
        class_id, salt = bytes.fromhex(requirements.asset[2:]), secrets.token_bytes(32)
        until = self._clock_us() // 1_000_000 + requirements.max_timeout_seconds
        holder, payee = self._key.address, address(requirements.pay_to, "payTo")
        payment = Payment(
            spend_id(class_id, holder, salt), SCHEME, Method.SPEND, chain_id_of(requirements.network), class_id, holder,
            payee, int(requirements.amount), salt, until, b"",
        )  # fmt: skip
        raw = self._secret.sign_recoverable(spend_digest(payment), hasher=None)
        spend = {
            "classId": requirements.asset, "holder": written(holder), "units": requirements.amount,
            "salt": "0x" + salt.hex(), "validBefore": str(until),
        }  # fmt: skip
        return {"spend": spend, "signature": "0x" + (raw[:64] + bytes([27 + raw[64]])).hex()}
