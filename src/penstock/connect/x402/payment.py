"""A payment as it travels (x402 v2), read once into values: who pays whom how much, and the id it has for good.

Nothing is checked against the chain here, and no signature. Source: x402 specification v2, transports/http, schemes
``exact`` (EIP-3009, Permit2) and ``upto`` (Permit2).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, cast

from eth_utils.address import to_checksum_address
from pydantic import ValidationError
from x402.schemas import PaymentPayload, PaymentRequirements

from penstock.errors import Invalid

HEADER_CHARS_MAX: Final = 65_536
"""The longest payment header [characters]."""
PERMIT2: Final = bytes.fromhex("000000000022d473030f116ddee9f6b43ac78ba3")
UINT256_LIMIT: Final = 2**256
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_DIGITS: Final = re.compile(r"(0|[1-9][0-9]{0,77})")
_NONCE: Final = re.compile(r"0x[0-9a-fA-F]{64}")
_NETWORK: Final = re.compile(r"eip155:(0|[1-9][0-9]{0,17})")
_SIGNATURE: Final = re.compile(r"0x([0-9a-fA-F]{2}){1,4096}")


class Method(StrEnum):
    """How the money moves."""

    EIP3009 = "eip3009"
    PERMIT2 = "permit2"
    SPEND = "spend"  # credits or a balance kept at the payee's till


@dataclass(frozen=True, slots=True)
class Payment:
    """What a payer signed. ``amount`` in the token's smallest unit: the sum of ``exact``, the cap of ``upto``.

    ``id`` names it for good: two payments have one id only if the chain would let one of them through (facts
    `sale/1`, receipts and the till all use it). ``token`` is 20 bytes, or the 32 of a credit class.
    """

    id: bytes
    scheme: str
    method: Method
    chain_id: int
    token: bytes
    payer: bytes
    payee: bytes
    amount: int
    nonce: bytes
    valid_before_s: int
    signature: bytes = field(repr=False)


def exact_id(chain_id: int, token: bytes, payer: bytes, nonce: bytes) -> bytes:
    """Id of an EIP-3009 payment: sha256 of chain id (uint256), token, payer, nonce (bytes32)."""
    return sha256(chain_id.to_bytes(32, "big") + token + payer + nonce).digest()


def permit2_id(chain_id: int, payer: bytes, nonce: int) -> bytes:
    """Id of a Permit2 payment, ``upto`` or ``exact``: sha256 of chain id, Permit2's address, payer, nonce (uint256)."""
    return sha256(chain_id.to_bytes(32, "big") + PERMIT2 + payer + nonce.to_bytes(32, "big")).digest()


def spend_id(class_id: bytes, holder: bytes, salt: bytes) -> bytes:
    """Id of credits spent: sha256 of class id (bytes32), holder, salt (bytes32)."""
    return sha256(class_id + holder + salt).digest()


def read_header(value: str) -> PaymentPayload:
    """The payment in a ``PAYMENT-SIGNATURE`` header: base64 of JSON.

    Raises:
        Invalid: ``payment.malformed``, ``payment.version`` for another version than 2.
    """
    if len(value) > HEADER_CHARS_MAX:
        raise _malformed(f"it is longer than {HEADER_CHARS_MAX} characters")
    try:
        return read_payload(json.loads(base64.b64decode(value, validate=True)))
    except (binascii.Error, ValueError, RecursionError):
        raise _malformed("it is no base64 of JSON") from None


def read_payload(body: object) -> PaymentPayload:
    """The payment in parsed JSON, as MCP carries it in ``_meta``. Raises as `read_header`."""
    if not isinstance(body, dict):
        raise _malformed("it is no JSON object")
    if body.get("x402Version") != 2:
        raise Invalid("payment.version", "Only version 2 of x402 is spoken here.", hint="Pay with an x402 v2 client.")
    try:
        return PaymentPayload.model_validate(body)
    except ValidationError as wrong:
        where = ".".join(str(part) for part in wrong.errors()[0]["loc"])
        raise _malformed(f"{where}: {wrong.errors()[0]['msg']}") from None


def read_payment(payload: PaymentPayload) -> Payment:
    """What the payer signed.

    Raises:
        Invalid: ``payment.malformed``, ``payment.network`` where the chain is none of the EVM's.
    """
    body = payload.payload
    if "permit2Authorization" in body:
        return _permit2(payload, _object(body, "permit2Authorization"))
    if "spend" in body:
        return _spend(payload, _object(body, "spend"))
    return _eip3009(payload, _object(body, "authorization"))


def chain_id_of(network: str) -> int:
    """The chain id in a CAIP-2 name of an EVM chain. Raises Invalid ``payment.network``."""
    found = _NETWORK.fullmatch(network)
    if not found:
        hint = "Networks are named eip155:CHAIN_ID."
        raise Invalid("payment.network", f"{network[:80]!r} names no EVM chain.", hint=hint)
    return int(found[1])


def address(text: object, name: str) -> bytes:
    """The 20 bytes of an address in hex. Raises Invalid ``payment.malformed``."""
    if not isinstance(text, str) or not _ADDRESS.fullmatch(text):
        raise _malformed(f"{name} is no address")
    return bytes.fromhex(text[2:])


@lru_cache(maxsize=4_096)
def written(account: bytes) -> str:
    """An address as wallets write it (ERC-55)."""
    return str(to_checksum_address(account))


def terms_digest(payment: Payment, requirements: PaymentRequirements) -> bytes:
    """What a settlement is bound to: the payment with its sum and payee, and the amount that is asked of it."""
    asked = requirements.model_dump(by_alias=True, include={"scheme", "network", "amount"})
    asked |= {"asset": requirements.asset.lower(), "payTo": requirements.pay_to.lower()}
    signed = [payment.id.hex(), payment.payee.hex(), payment.amount, payment.valid_before_s]
    return sha256(json.dumps([asked, signed], sort_keys=True).encode()).digest()


def _eip3009(payload: PaymentPayload, body: Mapping[str, Any]) -> Payment:
    chain_id, token = chain_id_of(payload.accepted.network), address(payload.accepted.asset, "asset")
    payer, nonce = address(body.get("from"), "from"), _bytes32(body.get("nonce"), "nonce")
    return Payment(
        exact_id(chain_id, token, payer, nonce), payload.accepted.scheme, Method.EIP3009, chain_id, token, payer,
        address(body.get("to"), "to"), _uint(body.get("value"), "value"), nonce,
        _uint(body.get("validBefore"), "validBefore"), _signature(payload.payload),
    )  # fmt: skip


def _permit2(payload: PaymentPayload, body: Mapping[str, Any]) -> Payment:
    permitted, witness = _object(body, "permitted"), _object(body, "witness")
    chain_id, payer = chain_id_of(payload.accepted.network), address(body.get("from"), "from")
    nonce = _uint(body.get("nonce"), "nonce")
    return Payment(
        permit2_id(chain_id, payer, nonce), payload.accepted.scheme, Method.PERMIT2, chain_id,
        address(permitted.get("token"), "token"), payer, address(witness.get("to"), "witness.to"),
        _uint(permitted.get("amount"), "amount"), nonce.to_bytes(32, "big"),
        _uint(body.get("deadline"), "deadline"), _signature(payload.payload),
    )  # fmt: skip


def _spend(payload: PaymentPayload, body: Mapping[str, Any]) -> Payment:
    class_id, salt = _bytes32(body.get("classId"), "classId"), _bytes32(body.get("salt"), "salt")
    holder = address(body.get("holder"), "holder")
    return Payment(
        spend_id(class_id, holder, salt), payload.accepted.scheme, Method.SPEND, chain_id_of(payload.accepted.network),
        class_id, holder, address(payload.accepted.pay_to, "payTo"), _uint(body.get("units"), "units"), salt,
        _uint(body.get("validBefore"), "validBefore"), _signature(payload.payload),
    )  # fmt: skip


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = body.get(name)
    if not isinstance(found, dict):
        raise _malformed(f"{name} is missing")
    return cast("Mapping[str, Any]", found)


def _uint(text: object, name: str) -> int:
    if not isinstance(text, str) or not _DIGITS.fullmatch(text) or int(text) >= UINT256_LIMIT:
        raise _malformed(f"{name} is no whole number in decimal")
    return int(text)


def _bytes32(text: object, name: str) -> bytes:
    if not isinstance(text, str) or not _NONCE.fullmatch(text):
        raise _malformed(f"{name} is not 32 bytes in hex")
    return bytes.fromhex(text[2:])


def _signature(body: Mapping[str, Any]) -> bytes:
    text = body.get("signature")
    if not isinstance(text, str) or not _SIGNATURE.fullmatch(text):
        raise _malformed("signature is missing, or no hex")
    return bytes.fromhex(text[2:])


def _malformed(why: str) -> Invalid:
    hint = "Pay with an x402 v2 client, or read docs/payments.md."
    return Invalid("payment.malformed", f"The payment cannot be read: {why}.", hint=hint)
