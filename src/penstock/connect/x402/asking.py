"""What a door asks for an answer: the ways to pay it, as x402 writes them, and the choice a payer made among them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from x402.http.constants import PAYMENT_REQUIRED_HEADER, PAYMENT_RESPONSE_HEADER, PAYMENT_SIGNATURE_HEADER
from x402.schemas import PaymentPayload, PaymentRequired, PaymentRequirements, ResourceInfo, SettleResponse

from penstock.connect.inference.gate import Asked, TurnedAway
from penstock.connect.x402 import offers, spend
from penstock.connect.x402.payment import Method, Payment, written
from penstock.connect.x402.till_rows import DOLLARS
from penstock.errors import PenstockError, Refused

TIMEOUT_S: Final = 300
"""How long a payer lets a payment be settled [s]."""
EXPOSED: Final = f"{PAYMENT_REQUIRED_HEADER}, {PAYMENT_RESPONSE_HEADER}"
"""Headers a page of another origin may read."""
_METHODS: Final = {
    "exact": (Method.EIP3009, Method.PERMIT2), "upto": (Method.PERMIT2,), spend.SCHEME: (Method.SPEND,),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CreditClass:
    """Credits taken beside dollars: a class (32 bytes), the models it is good for, and what a unit is worth.

    ``per_request`` makes one unit an answer; else a unit is a token. ``worth_usdc_micro`` is for ``per_units`` units.
    """

    id: bytes
    models: frozenset[str]
    per_request: bool
    worth_usdc_micro: int
    per_units: int = 1

    def units(self, tokens: int) -> int:
        """What an answer of so many tokens costs."""
        return 1 if self.per_request else max(1, tokens)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a door takes: which token on which chain, to whom, by which schemes.

    ``upto_usdc_micro`` is the least cap asked for in ``upto``: one signature then fits requests of many sizes, and each
    is charged what its tokens cost. ``facilitator`` is the account that may settle ``upto``.
    """

    chain_id: int
    asset: bytes
    asset_name: str
    asset_version: str
    pay_to: bytes
    facilitator: bytes = b""
    schemes: tuple[str, ...] = ("exact", "upto", "credit")
    upto_usdc_micro: int = 0
    credits: tuple[CreditClass, ...] = ()
    timeout_s: int = TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Way:
    """One way to pay: what the payer signs for, what is charged [units of it], and that in dollars [micro]."""

    requirements: PaymentRequirements
    price: int
    worth_usdc_micro: int

    @property
    def charged(self) -> PaymentRequirements:
        """What is settled: in ``upto`` less than what was signed."""
        return self.requirements.model_copy(update={"amount": str(self.price)})

    def at(self, price: int) -> Way:
        """The same way at the price it had when the payment came in."""
        return self if price == self.price else Way(self.requirements, price, self._worth(price))

    def _worth(self, price: int) -> int:
        return self.worth_usdc_micro * price // max(self.price, 1)


def ways(terms: Terms, asked: Asked) -> list[Way]:
    """All ways to pay for an answer, dollars first."""
    return list(_ways(terms, asked.price_usdc_micro, asked.tokens, asked.model))


@lru_cache(maxsize=1_024)
def _ways(terms: Terms, price: int, tokens: int, model: str) -> tuple[Way, ...]:
    found = []
    if "exact" in terms.schemes:
        extra = {"name": terms.asset_name, "version": terms.asset_version, "paymentFlow": "upfront"}
        found.append(Way(_dollars(terms, "exact", price, extra), price, price))
    if "upto" in terms.schemes and terms.facilitator:
        extra = {
            "name": terms.asset_name, "version": terms.asset_version, "assetTransferMethod": "permit2",
            "facilitatorAddress": written(terms.facilitator),
        }  # fmt: skip
        found.append(Way(_dollars(terms, "upto", max(price, terms.upto_usdc_micro), extra), price, price))
    if "credit" in terms.schemes:
        found += [_credits(terms, one, tokens) for one in terms.credits if model in one.models]
        found.append(Way(_spend(terms, DOLLARS, price, "usdc_micro"), price, price))
    return tuple(found)


def chosen(offered: Sequence[Way], payload: PaymentPayload) -> Way:
    """The way a payer chose.

    Raises:
        Refused: ``payment.not_offered`` where scheme, network, asset, payee or amount differ from every offer.
    """
    for way in offered:
        if _core(way.requirements) == _core(payload.accepted):
            return way
    hint = "Ask without a payment first, and sign one of the offers as it is."
    raise Refused("payment.not_offered", "What was signed is none of the offers.", hint=hint)


def check_signed(way: Way, payment: Payment) -> None:
    """That what was signed is the way that was chosen, whatever a facilitator thinks of it: a payment in another token
    or of another sum may well be paid, and is still no payment for this.

    Raises:
        Refused: ``payment.not_offered``.
    """
    asked = way.requirements
    signed = ("0x" + payment.token.hex(), written(payment.payee).lower(), str(payment.amount))
    due = (asked.asset.lower(), asked.pay_to.lower(), asked.amount)
    if payment.method not in _METHODS[asked.scheme] or signed != due:
        hint = "Sign the offer that you accept: its asset, its payTo, its amount."
        raise Refused("payment.not_offered", "What was signed is not what was accepted.", hint=hint)


def payment_header(headers: Mapping[str, str]) -> str:
    """The payment that came with a request; empty where none did."""
    wanted = PAYMENT_SIGNATURE_HEADER.lower()
    return next((value for name, value in headers.items() if name.lower() == wanted), "")


def required(asked: Asked, offered: Sequence[Way], why: str, sign: offers.Sign | None, now_us: int) -> PaymentRequired:
    """The refusal that says how to pay."""
    accepts = [way.requirements for way in offered]
    resource = ResourceInfo(url=asked.url, description=f"{asked.tokens} tokens of {asked.model}")
    signed = [offers.offer(sign, asked.url, one, now_us // 1_000_000) for one in accepts] if sign else []
    extensions = offers.offers_extension(signed) if signed else None
    return PaymentRequired(error=why, resource=resource, accepts=accepts, extensions=extensions)


def unpaid(body: PaymentRequired) -> TurnedAway:
    """Status 402 with the terms in header and body."""
    text = body.model_dump_json(by_alias=True, exclude_none=True).encode()
    headers = {
        PAYMENT_REQUIRED_HEADER: base64.b64encode(text).decode(),
        "Access-Control-Expose-Headers": EXPOSED,
        "Cache-Control": "no-store",
    }
    return TurnedAway(402, headers, text)


def turned_away(refused: PenstockError, status: int, retry_after_s: int = 0) -> TurnedAway:
    """Why a payment is not taken, in the shape the field's clients read errors in."""
    error = {"message": refused.message, "type": "payment_error", "code": refused.code, "param": None}
    body = {"error": error | {"hint": refused.hint} | refused.ids}
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s else {}
    return TurnedAway(status, headers | {"Cache-Control": "no-store"}, json.dumps(body).encode())


def confirmed(settled: SettleResponse) -> dict[str, str]:
    """The header that tells a payer it was charged."""
    text = settled.model_dump_json(by_alias=True, exclude_none=True).encode()
    return {
        PAYMENT_RESPONSE_HEADER: base64.b64encode(text).decode(), "Access-Control-Expose-Headers": EXPOSED,
        "Cache-Control": "private, no-store",
    }  # fmt: skip


def _core(one: PaymentRequirements) -> tuple[str, str, str, str, str]:
    return one.scheme, one.network, one.asset.lower(), one.pay_to.lower(), one.amount


def _dollars(terms: Terms, scheme: str, amount: int, extra: dict[str, Any]) -> PaymentRequirements:
    return _requirements(terms, scheme, written(terms.asset), amount, extra)


def _credits(terms: Terms, one: CreditClass, tokens: int) -> Way:
    units = one.units(tokens)
    unit = "requests" if one.per_request else "tokens"
    return Way(_spend(terms, one.id, units, unit), units, units * one.worth_usdc_micro // one.per_units)


def _spend(terms: Terms, class_id: bytes, units: int, unit: str) -> PaymentRequirements:
    extra = {"name": spend.TILL_NAME, "version": spend.TILL_VERSION, "unit": unit}
    return _requirements(terms, spend.SCHEME, "0x" + class_id.hex(), units, extra)


def _requirements(terms: Terms, scheme: str, asset: str, amount: int, extra: dict[str, Any]) -> PaymentRequirements:
    return PaymentRequirements(
        scheme=scheme, network=f"eip155:{terms.chain_id}", asset=asset, amount=str(amount),
        pay_to=written(terms.pay_to), max_timeout_seconds=terms.timeout_s, extra=extra,
    )  # fmt: skip
