"""Carried messages: one encoding, bounds, no bytes that crash the reader; what the strict CBOR reader refuses."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.energy.forms import table
from penstock.energy.forms.carried import (
    MESSAGE_BYTES_MAX,
    READINGS_MAX,
    Carried,
    messages_of,
    origin_of,
    parse,
    write,
)
from penstock.energy.forms.cbor import DEPTH_MAX, read
from penstock.energy.message import NO_SEQUENCE
from penstock.errors import Invalid
from penstock.journal.words import Assurance, Form
from penstock.keys import Scheme

ORIGIN = origin_of(b"a file")
counts = st.integers(0, 2**63 - 1)
names = st.text(min_size=1, max_size=12).filter(str.isprintable)


def carried(
    at_us: tuple[int, ...] = (1, 2), position_wh: tuple[int, ...] = (5, 6), power_mw: tuple[int, ...] = ()
) -> Carried:
    return Carried("csv", "roof", 0, Assurance.DECLARED, ORIGIN, at_us, position_wh, power_mw)


def refused(raw: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        parse(raw)
    assert caught.value.code == "carried.malformed"


@settings(max_examples=60, deadline=None)
@given(
    names,
    names,
    st.integers(0, 255),
    st.sampled_from([Assurance.DECLARED, Assurance.VENDOR_ATTESTED]),
    st.dictionaries(counts, st.tuples(counts, st.integers(-1, 2**63 - 1)), min_size=1, max_size=5),
)
def test_readings_survive_their_bytes(
    source: str, device: str, channel: int, level: Assurance, rows: dict[int, tuple[int, int]]
) -> None:
    at_us = tuple(sorted(rows))
    position_wh, power_mw = (tuple(rows[at][place] for at in at_us) for place in (0, 1))
    raw = write(Carried(source, device, channel, level, ORIGIN, at_us, position_wh, power_mw))
    said = parse(raw)
    assert (said.device, said.assurance, said.channel) == (device, level, (channel,) * len(at_us))
    assert (said.at_us, said.position_wh, said.power_mw) == (at_us, position_wh, power_mw)
    assert (said.scheme, said.sequence, said.previous, said.signature) == (Scheme.NONE, NO_SEQUENCE, b"", b"")
    assert not said.is_signed_by(bytes(32))


def test_many_readings_are_several_messages() -> None:
    count = 2 * READINGS_MAX + 1
    raws = messages_of(
        carried(tuple(range(count)), tuple(range(count)), (-1,) * READINGS_MAX + (7,) * (READINGS_MAX + 1))
    )
    parts = [parse(raw) for raw in raws]
    assert [len(part.at_us) for part in parts] == [READINGS_MAX, READINGS_MAX, 1]
    assert [at for part in parts for at in part.at_us] == list(range(count))
    assert [set(part.power_mw) for part in parts] == [{-1}, {7}, {7}]
    assert max(map(len, raws)) < MESSAGE_BYTES_MAX


def test_the_longest_message_fits() -> None:
    high = 2**63 - 1
    at_us = tuple(range(high - READINGS_MAX + 1, high + 1))
    (raw,) = messages_of(
        Carried(
            "s" * 256, "d" * 256, 255, Assurance.DECLARED, ORIGIN, at_us, (high,) * READINGS_MAX, (high,) * READINGS_MAX
        )
    )
    assert parse(raw).at_us == at_us
    assert len(raw) < MESSAGE_BYTES_MAX


def test_what_cannot_be_carried_is_not_written() -> None:
    for each in (
        carried((2, 1)),
        carried((1, 1)),
        carried((-1, 1)),
        carried((1, 2), (5,)),
        carried((1, 2), (5, 2**63)),
    ):
        with pytest.raises(Invalid) as caught:
            messages_of(each)
        assert caught.value.code == "carried.malformed"


def message(**fields: Any) -> bytes:
    good = {"source": "csv", "device": "roof", "channel": 0, "level": "declared", "origin": ORIGIN}
    columns = {"at_us": [1, 2], "position_wh": [5, 6]}
    return cbor2.dumps(list((good | columns | fields).values()), canonical=True)


GOOD = message()
MALFORMED = {
    "nothing": b"",
    "bytes behind": GOOD + b"\0",
    "cut short": GOOD[:-1],
    "long count": GOOD.replace(b"\x64roof", b"\x78\x04roof"),
    "no stated length": b"\x9f" + GOOD[1:] + b"\xff",
    "a tag": b"\xc1" + GOOD,
    "a map": b"\xa0",
    "six fields": cbor2.dumps(read(GOOD)[:6]),
    "nine fields": message(power=[1, 2], more=0),
    "no source": message(source=""),
    "a source with a break": message(source="csv\n"),
    "a source too long": message(source="s" * 257),
    "a device of bytes": message(device=b"roof"),
    "a device not shown": message(device="roof\u202e"),
    "a channel too high": message(channel=256),
    "a channel negative": message(channel=-1),
    "a channel true": message(channel=True),
    "signed by a meter": message(level="meter_signed"),
    "signed by a gateway": message(level="gateway_signed"),
    "of no level": message(level="true"),
    "level a number": message(level=2),
    "level a list": message(level=[1]),
    "no hash": message(origin=b""),
    "a hash in text": message(origin="0" * 32),
    "no readings": message(at_us=[], position_wh=[]),
    "ragged": message(at_us=[1]),
    "ragged power": message(power=[1]),
    "no power at all": message(power=[-1, -1]),
    "power below nothing": message(power=[-2, 1]),
    "newest first": message(at_us=[2, 1]),
    "an instant twice": message(at_us=[1, 1]),
    "a time negative": message(at_us=[-1, 1]),
    "a time beyond 63 bits": message(at_us=[1, 2**63]),
    "a position a float": message(position_wh=[1, 1.5]),
    "a position not a number": message(position_wh=[1, float("nan")]),
    "a position null": message(position_wh=[1, None]),
    "a position negative": message(position_wh=[1, -1]),
    "a position beyond 64 bits": message(position_wh=[1, 2**70]),
    "too many readings": message(at_us=list(range(READINGS_MAX + 1)), position_wh=list(range(READINGS_MAX + 1))),
    "deep": b"\x81" * 100_000,
    "deep maps": b"\xa1\x01" * 50_000,
    "an array that is not there": b"\x9b\x00\x00\x00\x0f\xff\xff\xff\xff",
    "a text that is not there": b"\x87\x7b\x7f\xff\xff\xff\xff\xff\xff\xff",
    "too long": GOOD + bytes(MESSAGE_BYTES_MAX),
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_invalid(raw: bytes) -> None:
    refused(raw)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.integers(0, len(GOOD)))
def test_any_bytes_are_a_message_in_its_one_encoding_or_invalid(raw: bytes, at: int) -> None:
    for each in (raw, GOOD[:at] + raw, GOOD[:at] + raw + GOOD[at + len(raw) :]):
        try:
            said = parse(each)
        except Invalid as error:
            assert error.code == "carried.malformed"
        else:
            fields = read(each)
            power_mw = tuple(fields[7]) if len(fields) == 8 else ()
            again = Carried(
                fields[0],
                said.device,
                said.channel[0],
                said.assurance,
                fields[4],
                said.at_us,
                said.position_wh,
                power_mw,
            )
            assert write(again) == each


values = st.recursive(
    st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=30) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(0, 2**64 - 1) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=10,
)


def depth(value: Any) -> int:
    inner = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    return 1 + max(map(depth, inner), default=0) if isinstance(value, (list, dict)) else 0


def ordered(value: Any) -> Any:
    """Maps in the bytewise order of their keys' encodings (RFC 8949, 4.2.1), as the library then writes them."""
    if isinstance(value, list):
        return [ordered(item) for item in value]
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value, key=cbor2.dumps)}
    return value


@settings(max_examples=150, deadline=None)
@given(values)
def test_the_reader_agrees_with_the_library_on_deterministic_encoding(value: Any) -> None:
    raw = cbor2.dumps(ordered(value))
    if depth(value) > DEPTH_MAX:
        with pytest.raises(ValueError, match="deep"):
            read(raw)
    else:
        assert read(raw) == value


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=24))
def test_what_is_read_has_one_encoding(raw: bytes) -> None:
    try:
        value = read(raw)
    except ValueError:
        return
    assert cbor2.dumps(ordered(value)) == raw


@pytest.mark.parametrize("form", Form)
def test_the_table_has_every_form_and_its_own_code(form: Form) -> None:
    with pytest.raises(Invalid) as caught:
        table.parse(form, b"\xff")
    assert caught.value.code.endswith((".malformed", ".not_ocmf"))


def test_no_other_form() -> None:
    for form in (-1, 4, 255):
        with pytest.raises(Invalid) as caught:
            table.parse(form, GOOD)
        assert caught.value.code == "form.unknown"
    assert table.parse(Form.CARRIED, GOOD) == parse(GOOD)
