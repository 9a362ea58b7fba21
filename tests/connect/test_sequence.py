"""Streams cut into messages, whatever the chunks; hostile ones end where they stop making sense."""

from __future__ import annotations

import cbor2
import pytest
from connect_kit import chain_of
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.connect.envelope import MESSAGE_BYTES_MAX, open_envelope, seal_envelope
from penstock.connect.ports import Arrived
from penstock.connect.sequence import CborItems, Lines, Splitter, Whole
from penstock.errors import Invalid
from penstock.journal.words import Form

PACKETS = [one.raw for one in chain_of("roof-a", 5)]


def fed(splitter: Splitter, raw: bytes, step: int) -> list[bytes]:
    found: list[bytes] = []
    for at in range(0, len(raw), step):
        found += splitter.feed(raw[at : at + step])
    return found + splitter.finish()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=300) | st.integers(0, 2**40) | st.text(max_size=9), max_size=8), st.integers(1, 50))
def test_items_come_out_as_they_went_in(values: list[object], step: int) -> None:
    items = [cbor2.dumps(value) for value in values]
    assert fed(CborItems(), b"".join(items), step) == items


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_packets_and_pairs_are_items(step: int) -> None:
    pairs = [seal_envelope(Arrived(Form.OCMF, b"OCMF|{}|{}")), *PACKETS]
    assert fed(CborItems(), b"".join(pairs), step) == pairs


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        (PACKETS[0][:-1], "connect.not_a_sequence"),
        (b"\x9f\x01\xff", "connect.not_a_sequence"),  # indefinite length
        (b"\x1c", "connect.not_a_sequence"),  # a reserved head
        (b"\x81" * 2_000, "connect.not_a_sequence"),  # deep
        (b"\x9b" + b"\x7f" * 8, "connect.not_a_sequence"),  # wide
        (b"\x5b" + b"\x7f" * 8, "connect.message_too_long"),
        (cbor2.dumps(bytes(MESSAGE_BYTES_MAX + 1)), "connect.message_too_long"),
    ],
)
@pytest.mark.parametrize("step", [5, 1_000_000])
def test_what_is_no_sequence_ends_where_it_stops_being_one(tail: bytes, code: str, step: int) -> None:
    splitter, found = CborItems(), []
    raw = PACKETS[0] + PACKETS[1] + tail
    with pytest.raises(Invalid) as caught:
        for at in range(0, len(raw), step):
            found += splitter.feed(raw[at : at + step])
        splitter.finish()
    assert caught.value.code == code
    assert found == PACKETS[:2]
    if code == "connect.not_a_sequence":
        assert caught.value.ids["at_byte"] == str(len(PACKETS[0] + PACKETS[1]))


def test_lines_and_whole_bodies() -> None:
    assert fed(Lines(), b"one\r\n\n two\nthree", 2) == [b"one", b" two", b"three"]
    assert fed(Whole(), b' {"a": 1}\n', 3) == [b'{"a": 1}']
    assert fed(Whole(), b"", 3) == fed(Lines(), b"", 3) == []
    for splitter in (Lines(), Whole()):
        with pytest.raises(Invalid, match="at most"):
            fed(splitter, b"x" * (MESSAGE_BYTES_MAX + 2), 60_000)


def test_a_message_tells_its_form() -> None:
    assert open_envelope(PACKETS[0]) == Arrived(Form.COSE, PACKETS[0])
    assert open_envelope(b"OCMF|{}|{}").form == Form.OCMF
    assert open_envelope(b'{"jsonrpc":"2.0"}').form == Form.POGG
    for form in Form:
        assert open_envelope(seal_envelope(Arrived(form, b"raw"))) == Arrived(form, b"raw")


@pytest.mark.parametrize(
    "item", [b"", b"\x05", b"\x82", b"\x82\x01", b"\x82\x09\x41a", b"\x82\xf5\x41a", b"\x82\x00\x61a"]
)
def test_what_names_no_form_is_refused(item: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        open_envelope(item)
    assert caught.value.code == "connect.unknown_form"
