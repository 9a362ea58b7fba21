"""Half a character in JSON is refused by every reader whose text goes on to a file, a terminal or an engine."""

from __future__ import annotations

import json

import pytest

from penstock.agent.mandate_file import BadMandate, read_mandate
from penstock.api.inference.forms import read_chat, read_embeddings
from penstock.connect.telemetry.otlp_read import read_json as read_spans
from penstock.errors import Invalid
from penstock.keys import SigningKey
from penstock.keys.dsse import STATEMENT, Envelope, read_statement, seal
from penstock.keys.half_character import half_character
from penstock.trace.receipt import VerificationError, verify

KEY = SigningKey(bytes(32))


@pytest.mark.parametrize("text", [r'"\ud800"', r'"a\uDFFF"', r'["\udc00\ud800"]', r'{"\ud83d": 1}'])
def test_half_a_character_is_found(text: str) -> None:
    assert half_character(text, json.loads(text))


@pytest.mark.parametrize("text", [r'"\ud83d\ude00"', r'"\\ud800"', r'"\u00e9"', '"é"', "1"])
def test_whole_ones_pass(text: str) -> None:
    assert not half_character(text, json.loads(text))


@pytest.mark.parametrize("read", [read_embeddings, read_chat])
def test_no_engine_is_asked_about_it(read: object) -> None:
    body = {"model": "m", "input": "a \ud800", "messages": [{"role": "user", "content": "a \ud800"}]}
    with pytest.raises(Invalid, match=r"request\.malformed"):
        read(json.dumps(body).encode())  # type: ignore[operator]


def test_no_signed_paper_holds_it() -> None:
    payload = b'{"_type": "\\ud800"}'
    with pytest.raises(Invalid, match=r"statement\.malformed"):
        read_statement(payload, "any")
    sealed = seal(payload, STATEMENT, KEY)
    with pytest.raises(VerificationError) as caught:
        verify(sealed.to_json(), KEY.public)
    assert caught.value.code == "receipt.malformed"
    named = json.dumps(json.loads(sealed.to_json()) | {"payloadType": "\ud800"})
    with pytest.raises(Invalid, match=r"dsse\.malformed"):
        Envelope.from_json(named)


def test_no_mandate_and_no_span_holds_it() -> None:
    with pytest.raises(BadMandate):
        read_mandate('{penstock: mandate/1, name: "\\ud800"}')
    with pytest.raises(Invalid, match=r"telemetry\.malformed"):
        read_spans(b'{"resourceSpans": [], "x": "\\ud800"}')
