"""Signed statements: DSSE envelopes around in-toto statements.

An envelope signs its payload's type with the payload, so that nobody reads signed bytes as something else. A statement
says of one subject, known by name and sha256, what its predicate holds.

Sources: DSSE protocol and envelope v1.0.2; in-toto Attestation Framework, Statement v1.
"""

from __future__ import annotations

import binascii
import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from penstock.errors import Invalid, Unverified
from penstock.keys.check import verify
from penstock.keys.half_character import half_character
from penstock.keys.nesting import deeper_than
from penstock.keys.private import SigningKey

STATEMENT: Final = "application/vnd.in-toto+json"
"""Payload type of in-toto statements."""
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
WORK: Final = "https://penstock.dev/work/1"
ENERGY_RECEIPT: Final = "https://penstock.dev/energy-receipt/1"
BILL: Final = "https://penstock.dev/bill/1"
QUOTE: Final = "https://penstock.dev/quote/1"
"""Predicate types: names, from which nothing is fetched."""
ENVELOPE_MAX: Final = 64 * 2**20
"""Longest envelope read [bytes]."""
DEPTH_MAX: Final = 32
"""Most brackets open at one place, in envelopes and statements."""
_SIGNATURE_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Envelope:
    """One payload under one Ed25519 signature. ``keyid`` is a hint, `key_id` of the signer: never what one trusts."""

    payload_type: str
    payload: bytes
    keyid: str
    signature: bytes

    def to_json(self) -> bytes:
        """The envelope in its one written form (DSSE envelope, JSON; standard base64)."""
        return canonical(
            {
                "payload": b64encode(self.payload).decode(),
                "payloadType": self.payload_type,
                "signatures": [{"keyid": self.keyid, "sig": b64encode(self.signature).decode()}],
            }
        )

    @classmethod
    def from_json(cls, raw: bytes | str) -> Envelope:
        """The envelope that `to_json`'s text holds: exactly its fields, one signature, base64 in its one way.

        Raises:
            Invalid: ``dsse.malformed``.
        """
        fields = _object(_read(raw, "dsse.malformed"), {"payload", "payloadType", "signatures"})
        signatures = fields["signatures"]
        if not isinstance(signatures, list) or len(signatures) != 1:
            raise _malformed("An envelope here carries exactly one signature.")
        signed = _object(signatures[0], {"keyid", "sig"})
        signature = _base64(signed["sig"])
        if len(signature) != _SIGNATURE_BYTES:
            raise _malformed("An Ed25519 signature has 64 bytes.")
        return cls(_text(fields["payloadType"]), _base64(fields["payload"]), _text(signed["keyid"]), signature)

    @property
    def digest(self) -> bytes:
        """sha256 of the written form [32 bytes]: what facts keep of an envelope."""
        return hashlib.sha256(self.to_json()).digest()


@dataclass(frozen=True, slots=True)
class Statement:
    """What an in-toto statement says: of one subject, by name and sha256 (hex), a predicate of a named type."""

    subject_name: str
    subject_sha256: str
    predicate_type: str
    predicate: dict[str, Any]


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: DSSE's pre-authentication encoding of type and payload (protocol v1)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def key_id(public_key: bytes) -> str:
    """A key's name in envelopes: sha256 of the public key, hex."""
    return hashlib.sha256(public_key).hexdigest()


def seal(payload: bytes, payload_type: str, key: SigningKey) -> Envelope:
    """``payload`` under the signature of ``key``; deterministic."""
    return Envelope(payload_type, payload, key_id(key.public), key.sign(pae(payload_type, payload)))


def open_sealed(envelope: Envelope, public_key: bytes, payload_type: str = STATEMENT) -> bytes:
    """The payload, once the signature holds under ``public_key`` and the type is the one asked for.

    Raises:
        Unverified: ``dsse.signature``, ``dsse.payload_type``.
    """
    if envelope.payload_type != payload_type:
        raise Unverified("dsse.payload_type", f"The envelope holds {envelope.payload_type!r}, not {payload_type!r}.")
    if not verify(public_key, pae(envelope.payload_type, envelope.payload), envelope.signature):
        raise Unverified(
            "dsse.signature",
            "The envelope is not signed by this key.",
            hint="Check it against the work key that the provider registered.",
            keyid=envelope.keyid,
            key=key_id(public_key),
        )
    return envelope.payload


def statement(subject_name: str, subject_sha256: str, predicate_type: str, predicate: Mapping[str, Any]) -> bytes:
    """An in-toto Statement v1 as canonical JSON; ``subject_sha256`` in hex.

    Raises:
        Invalid: ``statement.malformed`` for a digest that is none, or values that JSON does not hold.
    """
    if not _is_sha256(subject_sha256):
        raise Invalid("statement.malformed", "A subject's sha256 is 64 small hexadecimal digits.")
    return canonical(
        {
            "_type": STATEMENT_TYPE,
            "predicate": dict(predicate),
            "predicateType": predicate_type,
            "subject": [{"digest": {"sha256": subject_sha256}, "name": subject_name}],
        }
    )


def read_statement(payload: bytes, predicate_type: str) -> Statement:
    """The statement in ``payload``, which must be about one subject and of the type asked for.

    Raises:
        Invalid: ``statement.malformed``. Unverified: ``statement.predicate_type``.
    """
    fields = _read(payload, "statement.malformed")
    match fields:
        case {
            "_type": str(kind),
            "subject": [{"name": str(name), "digest": {"sha256": str(digest)}}],
            "predicateType": str(found),
            "predicate": dict(predicate),
        } if kind == STATEMENT_TYPE and _is_sha256(digest):
            pass
        case _:
            raise Invalid("statement.malformed", "The payload is not an in-toto statement about one subject.")
    if found != predicate_type:
        raise Unverified("statement.predicate_type", f"The statement is a {found!r}, not a {predicate_type!r}.")
    return Statement(name, digest, found, predicate)


def canonical(value: object) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8; Invalid ``statement.malformed`` for what JSON does not hold."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid("statement.malformed", "The statement holds a value that JSON does not.") from error


def read_json(raw: bytes | str) -> Any:
    """JSON of others: no key twice, no NaN, at most `DEPTH_MAX` levels and `ENVELOPE_MAX` bytes.

    Raises:
        Invalid: ``statement.malformed``.
    """
    return _read(raw, "statement.malformed")


def _read(raw: bytes | str, code: str) -> Any:
    """JSON as parsed: no key twice, no NaN, no deep nesting."""
    if len(raw) > ENVELOPE_MAX:
        raise Invalid(code, f"Longer than {ENVELOPE_MAX} bytes.")
    try:
        text = raw if isinstance(raw, str) else raw.decode()
        if deeper_than(text, DEPTH_MAX):
            raise ValueError("too deep")
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
        if half_character(text, found):
            raise ValueError("half a character")
        return found
    except ValueError as error:
        raise Invalid(code, "Not JSON as read here: UTF-8, no key twice in an object, at most 32 levels.") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(word)


def _object(value: object, names: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != names:
        raise _malformed(f"An envelope's object here has exactly {', '.join(sorted(names))}.")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _malformed("Types and key names are text.")
    return value


def _base64(value: object) -> bytes:
    try:
        raw = b64decode(_text(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("Payload and signature are standard base64.") from error
    if b64encode(raw).decode() != value:
        raise _malformed("Base64 is written in one way: padded, unused bits zero.")
    return raw


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and not set(text) - set("0123456789abcdef")


def _malformed(sentence: str) -> Invalid:
    return Invalid("dsse.malformed", sentence)
