"""Signed offers and receipts: the seller binds itself to its terms, and confirms that it was paid and has delivered.

Two forms of signature, EIP-712 (the account of a chain) and JWS (Ed25519, RFC 7515, RFC 8037). Source: x402 extension
"offer and receipt" (https://github.com/coinbase/x402), sections 3 to 5.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from coincurve import PrivateKey, PublicKey
from eth_utils.crypto import keccak
from x402.schemas import PaymentRequirements

from penstock.connect.x402.payment import chain_id_of, written
from penstock.connect.x402.typed_hash import digest, domain_separator
from penstock.errors import Unverified
from penstock.keys import ChainKey, KeyKind, Scheme, SigningKey, verify_by

EXTENSION: Final = "offer-receipt"
VERSION: Final = 1
OFFER: Final = (
    ("resourceUrl", "string"), ("scheme", "string"), ("network", "string"), ("asset", "string"), ("payTo", "address"),
    ("amount", "string"), ("maxTimeoutSeconds", "uint256"), ("issuedAt", "uint256"),
)  # fmt: skip
RECEIPT: Final = (
    ("network", "string"), ("resourceUrl", "string"), ("payer", "string"), ("issuedAt", "uint256"),
    ("transaction", "string"),
)  # fmt: skip
Sign = Callable[[str, Mapping[str, Any]], dict[str, Any]]
"""The name of a type (``Offer``, ``Receipt``) and its fields in, the signed object out."""


def by_account(key: ChainKey) -> Sign:
    """Signs as an account of a chain (EIP-712), as a rule the payee's."""
    secret = PrivateKey(key.secret)

    def sign(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        raw = secret.sign_recoverable(_digest(kind, fields), hasher=None)
        signature = raw[:64] + bytes([27 + raw[64]])
        return {"format": "eip712", "payload": dict(fields), "signature": "0x" + signature.hex()}

    return sign


def by_key(key: SigningKey, kid: str) -> Sign:
    """Signs with Ed25519 as JWS; ``kid`` tells verifiers where to find the public key."""
    head = _base64url(json.dumps({"alg": "EdDSA", "kid": kid}, separators=(",", ":")).encode())

    def sign(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG001 (the fields tell the kinds apart)
        used = {name: value for name, value in fields.items() if value not in (0, "")}
        body = head + "." + _base64url(json.dumps(used, separators=(",", ":")).encode())
        return {"format": "jws", "signature": body + "." + _base64url(key.sign(body.encode()))}

    return sign


def offer(sign: Sign, url: str, requirements: PaymentRequirements, issued_at_s: int) -> dict[str, Any]:
    """The terms of one way to pay, signed."""
    return sign(
        "Offer",
        {
            "resourceUrl": url,
            "scheme": requirements.scheme,
            "network": requirements.network,
            "asset": requirements.asset,
            "payTo": requirements.pay_to,
            "amount": requirements.amount,
            "maxTimeoutSeconds": requirements.max_timeout_seconds,
            "issuedAt": issued_at_s,
        },
    )


def receipt(sign: Sign, url: str, network: str, payer: bytes, tx: bytes, issued_at_s: int) -> dict[str, Any]:
    """That ``payer`` paid and was served, signed. ``tx`` empty leaves the transaction out."""
    fields = {
        "network": network,
        "resourceUrl": url,
        "payer": written(payer),
        "issuedAt": issued_at_s,
        "transaction": "0x" + tx.hex() if tx else "",
    }
    return sign("Receipt", fields)


def offers_extension(offers: list[dict[str, Any]]) -> dict[str, Any]:
    """``extensions`` of a refusal that carries signed offers."""
    return {EXTENSION: {"info": {"version": VERSION, "offers": offers}}}


def receipt_extension(signed: dict[str, Any]) -> dict[str, Any]:
    """``extensions`` of a settlement that carries a signed receipt."""
    return {EXTENSION: {"info": {"version": VERSION, "receipt": signed}}}


def signer_of(kind: str, signed: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """Who signed an EIP-712 offer or receipt (20 bytes), and its fields; whether it may is the caller's to judge.

    Raises:
        Unverified: ``offer.signature``.
    """
    try:
        fields, raw = dict(signed["payload"]), bytes.fromhex(str(signed["signature"]).removeprefix("0x"))
        recovery = bytes([raw[64] - 27 if raw[64] >= 27 else raw[64]])
        point = PublicKey.from_signature_and_message(raw[:64] + recovery, _digest(kind, fields), hasher=None)
        return keccak(point.format(compressed=False)[1:])[-20:], fields
    except Exception:  # whatever is wrong with it: the library raises many kinds
        raise _unverified() from None


def fields_of(signed: Mapping[str, Any], public_key: bytes) -> dict[str, Any]:
    """The fields of a JWS offer or receipt signed by ``public_key`` (Ed25519).

    Raises:
        Unverified: ``offer.signature``.
    """
    try:
        body, _, signature = str(signed["signature"]).rpartition(".")
        if json.loads(_unbase64url(body.partition(".")[0]))["alg"] != "EdDSA":
            raise _unverified()
        if not verify_by(KeyKind.ED25519, public_key, Scheme.EDDSA, body.encode(), _unbase64url(signature)):
            raise _unverified()
        found: dict[str, Any] = json.loads(_unbase64url(body.partition(".")[2]))
        return found
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise _unverified() from None


def _digest(kind: str, fields: Mapping[str, Any]) -> bytes:
    domain = domain_separator(f"x402 {kind.lower()}", "1", chain_id_of(str(fields["network"])))
    return digest(domain, kind, OFFER if kind == "Offer" else RECEIPT, fields)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unbase64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _unverified() -> Unverified:
    return Unverified("offer.signature", "The offer or receipt is not signed by whom it should be.")
