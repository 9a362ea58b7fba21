"""DSSE envelopes and in-toto statements: the published encoding, a foreign reader, and every way to be wrong."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from securesystemslib.dsse import Envelope as ForeignEnvelope
from securesystemslib.signer._key import SSlibKey

from penstock.errors import Invalid, Unverified
from penstock.keys import SigningKey, derive_seed
from penstock.keys.dsse import (
    STATEMENT,
    WORK,
    Envelope,
    canonical,
    key_id,
    open_sealed,
    pae,
    read_statement,
    seal,
    statement,
)

KEY = SigningKey(derive_seed(b"dsse", "provider"))
OTHER = SigningKey(derive_seed(b"dsse", "attacker"))
DIGEST = "ab" * 32
PAYLOAD = statement("work", DIGEST, WORK, {"rows": 2, "rack": "r1"})
ENVELOPE = seal(PAYLOAD, STATEMENT, KEY)


def test_the_signed_bytes_are_those_of_the_protocols_example() -> None:
    # DSSE protocol.md, test vector
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "  # lengths count bytes


def test_an_envelope_comes_back_as_it_was_written_and_opens_under_its_key() -> None:
    again = Envelope.from_json(ENVELOPE.to_json())
    assert again == ENVELOPE and again.digest == ENVELOPE.digest
    assert open_sealed(again, KEY.public) == PAYLOAD
    assert again.keyid == key_id(KEY.public)


def test_a_foreign_reader_accepts_it() -> None:
    key = SSlibKey(ENVELOPE.keyid, "ed25519", "ed25519", {"public": KEY.public.hex()})
    foreign = ForeignEnvelope.from_dict(json.loads(ENVELOPE.to_json()))
    assert foreign.verify([key], 1)
    assert foreign.pae() == pae(STATEMENT, PAYLOAD)


def test_a_statement_says_what_it_was_given() -> None:
    found = read_statement(PAYLOAD, WORK)
    assert (found.subject_name, found.subject_sha256, found.predicate_type) == ("work", DIGEST, WORK)
    assert found.predicate == {"rows": 2, "rack": "r1"}


def test_another_key_another_type_another_byte_is_refused() -> None:
    with pytest.raises(Unverified, match=r"dsse\.signature"):
        open_sealed(ENVELOPE, OTHER.public)
    changed = Envelope(STATEMENT, PAYLOAD + b" ", ENVELOPE.keyid, ENVELOPE.signature)
    with pytest.raises(Unverified, match=r"dsse\.signature"):
        open_sealed(changed, KEY.public)
    retyped = Envelope("text/plain", PAYLOAD, ENVELOPE.keyid, ENVELOPE.signature)
    with pytest.raises(Unverified, match=r"dsse\.payload_type"):
        open_sealed(retyped, KEY.public)
    with pytest.raises(Unverified, match=r"dsse\.signature"):
        open_sealed(retyped, KEY.public, "text/plain")


def test_the_key_name_is_no_proof_and_changes_nothing() -> None:
    renamed = Envelope(STATEMENT, PAYLOAD, key_id(OTHER.public), ENVELOPE.signature)
    assert open_sealed(renamed, KEY.public) == PAYLOAD


def _written(**changes: Any) -> str:
    fields = json.loads(ENVELOPE.to_json()) | changes
    return json.dumps({name: value for name, value in fields.items() if value is not None})


SIGNED = json.loads(ENVELOPE.to_json())["signatures"][0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        b"\xff\xfe",
        "[" * 200_000,
        _written(extra=1),
        _written(payloadType=None),
        _written(payloadType=7),
        _written(payload="%%%"),
        _written(payload=b64encode(PAYLOAD).decode().rstrip("=") + "\n"),
        _written(payload="aGk"),
        _written(payload="aGl="),  # unused bits set
        _written(signatures=[]),
        _written(signatures=[SIGNED, SIGNED]),
        _written(signatures=[SIGNED | {"cert": "x"}]),
        _written(signatures=[SIGNED | {"sig": "AAAA"}]),
        '{"payload":"","payload":"","payloadType":"","signatures":[]}',
        '{"payload":NaN}',
        '{"payload":' + "9" * 5000 + "}",
    ],
    ids=lambda text: repr(text)[:24],
)
def test_what_is_no_envelope_is_refused(text: str | bytes) -> None:
    with pytest.raises(Invalid, match=r"dsse\.malformed"):
        Envelope.from_json(text)


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b"[]",
        b"x",
        PAYLOAD.replace(b"statement", b"statement2").replace(b"Statement/v1", b"Statement/v2"),
        PAYLOAD.replace(DIGEST.encode(), DIGEST.upper().encode()),
        PAYLOAD.replace(b'"subject":[', b'"subject":[1,'),
        canonical(json.loads(PAYLOAD) | {"predicate": []}),
        b'{"predicate":{},' + PAYLOAD[1:],
    ],
)
def test_what_is_no_statement_is_refused(payload: bytes) -> None:
    with pytest.raises(Invalid, match=r"statement\.malformed"):
        read_statement(payload, WORK)


def test_a_statement_of_another_type_is_refused() -> None:
    with pytest.raises(Unverified, match=r"statement\.predicate_type"):
        read_statement(PAYLOAD, "https://penstock.dev/bill/1")


@pytest.mark.parametrize("bad", [{"at": float("nan")}, {"x": b"bytes"}, {"x": {1}}])
def test_a_predicate_holds_what_json_holds(bad: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match=r"statement\.malformed"):
        statement("work", DIGEST, WORK, bad)


def test_a_subject_has_a_digest() -> None:
    with pytest.raises(Invalid, match=r"statement\.malformed"):
        statement("work", "AB" * 32, WORK, {})
