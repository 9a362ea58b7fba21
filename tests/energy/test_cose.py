"""Packets: COSE as an independent encoder writes it, one form only, and no bytes that crash the reader."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from energy_kit import chain, key_of, packet, resealed
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.energy.forms.cose import (
    FIRST,
    PACKET_BYTES_MAX,
    READINGS_MAX,
    Packet,
    packet_hash,
    packet_in,
    parse,
    sign,
)
from penstock.errors import Invalid
from penstock.keys import KeyKind, PointKey, Scheme, SigningKey, verify, verify_by

counts = st.integers(0, 2**63 - 1)
rows = st.tuples(counts, counts, st.integers(0, 255), st.integers(-1, 2**63 - 1), st.integers(0, 3))
KEYS = (
    key_of("roof"),
    PointKey(KeyKind.P256, bytes(range(1, 33))),
    PointKey(KeyKind.SECP256K1, bytes(range(1, 33))),
)


def packet_of(device: str, sequence: int, previous: bytes, rows: list[tuple[int, ...]]) -> Packet:
    """A packet of these rows; columns that say nothing are left empty, as `packet_in` gives them."""
    at_us, position_wh, channel, power_mw, clock = zip(*rows, strict=True)
    more = [column if set(column) - {silent} else () for column, silent in ((channel, 0), (power_mw, -1), (clock, 0))]
    return Packet(device, sequence, previous, at_us, position_wh, *more)


packets = st.builds(
    packet_of,
    st.text(max_size=12),
    counts,
    st.binary(min_size=32, max_size=32),
    st.lists(rows, min_size=1, max_size=6)
    | st.lists(st.tuples(counts, counts, st.just(0), st.just(-1), st.just(0)), min_size=1, max_size=6),
)
SIGNED = sign(packet("roof"), key_of("roof"))


def refused(raw: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        parse(raw)
    assert caught.value.code == "packet.malformed"


@settings(max_examples=60, deadline=None)
@given(packets, st.sampled_from(KEYS))
def test_a_packet_survives_its_bytes(sent: Packet, key: SigningKey | PointKey) -> None:
    raw = sign(sent, key)
    said = parse(raw)
    assert packet_in(raw) == sent
    assert (said.at_us, said.position_wh, said.key_kind) == (sent.at_us, sent.position_wh, key.kind)
    assert said.channel == (sent.channel or (0,) * len(sent.at_us))
    assert said.power_mw == (sent.power_mw or (-1,) * len(sent.at_us))
    assert said.clock == (sent.clock or (0,) * len(sent.at_us))
    assert said.is_signed_by(key.public)
    assert not any(said.is_signed_by(other.public) for other in KEYS if other is not key)
    assert sign(packet_in(raw), key) == raw


@pytest.mark.parametrize("key", KEYS[1:], ids=lambda key: key.kind)
def test_the_other_signature_of_two_is_not_taken(key: PointKey) -> None:
    """Of (r, s) and (r, n - s) both solve the equation: taking both would let a carrier change a packet's hash."""
    raw = sign(packet("roof"), key)
    curve = {KeyKind.P256: ec.SECP256R1(), KeyKind.SECP256K1: ec.SECP256K1()}[key.kind]
    order, s = curve.group_order, int.from_bytes(raw[-32:], "big")
    twin = parse(raw[:-32] + (order - s).to_bytes(32, "big"))
    assert parse(raw).is_signed_by(key.public)
    assert not twin.is_signed_by(key.public)
    other = encode_dss_signature(int.from_bytes(twin.signature[:32], "big"), order - s)
    assert verify_by(key.kind, key.public, Scheme.ECDSA_SHA256_DER, twin.signed, other)


@settings(max_examples=40, deadline=None)
@given(packets)
def test_the_message_is_cose_sign1(sent: Packet) -> None:
    """RFC 9052, 4.2 and 4.4, written out with a general CBOR encoder."""
    raw = sign(sent, key_of("roof"))
    protected = cbor2.dumps({1: -8})
    columns = {1: sent.channel, 2: sent.power_mw, 3: sent.clock}
    more = {key: list(column) for key, column in columns.items() if column}
    fields = [sent.device, sent.sequence, sent.previous, list(sent.at_us), list(sent.position_wh)]
    payload = cbor2.dumps([*fields, more] if more else fields)
    message = cbor2.loads(raw)
    assert (message.tag, message.value[:3]) == (18, [protected, {4: sent.device.encode()}, payload])
    signature = message.value[3]
    assert verify(key_of("roof").public, cbor2.dumps(["Signature1", protected, b"", payload]), signature)
    assert raw == cbor2.dumps(cbor2.CBORTag(18, [protected, {4: sent.device.encode()}, payload, signature]))


def test_the_hash_is_sha256_of_the_whole_message() -> None:
    one, other = chain("roof", 2)
    assert parse(other).previous == packet_hash(one)
    assert len(packet_hash(one)) == len(FIRST) == 32


def payload_of(*fields: Any) -> bytes:
    return resealed(SIGNED, payload=cbor2.dumps(list(fields), canonical=True))


OTHER_FORMS = {
    "bytes behind": SIGNED + b"\x00",
    "a packet behind": SIGNED + SIGNED,
    "tag in two bytes": b"\xd8\x12" + SIGNED[1:],
    "array in two bytes": b"\xd2\x98\x04" + SIGNED[2:],
    "array of no stated length": b"\xd2\x9f" + SIGNED[2:] + b"\xff",
    "map of no stated length": SIGNED.replace(b"\xa1\x04", b"\xbf\x04", 1).replace(b"roof", b"roof\xff", 1),
    "long string": SIGNED.replace(b"\x44roof", b"\x58\x04roof", 1),
    "string in pieces": SIGNED.replace(b"\x44roof", b"\x5f\x42ro\x42of\xff", 1),
    "self-described": b"\xd9\xd9\xf7" + SIGNED,
    "payload in another form": resealed(
        SIGNED, payload=cbor2.loads(SIGNED).value[2].replace(b"\x64roof", b"\x78\x04roof")
    ),
}


@pytest.mark.parametrize("raw", OTHER_FORMS.values(), ids=OTHER_FORMS)
def test_a_packet_has_one_form(raw: bytes) -> None:
    """Whoever carries a packet must not be able to change its hash without breaking its signature."""
    assert raw != SIGNED
    refused(raw)


MALFORMED = {
    "nothing": b"",
    "text": b"hello",
    "cut short": SIGNED[:-1],
    "no tag": SIGNED[1:],
    "another tag": resealed(SIGNED, tag=17),
    "another algorithm": resealed(SIGNED, protected=cbor2.dumps({1: -35})),
    "more than the algorithm": resealed(SIGNED, protected=cbor2.dumps({1: -8, 4: b"roof"}, canonical=True)),
    "signature too short": resealed(SIGNED, signature=bytes(63)),
    "signature too long": resealed(SIGNED, signature=bytes(65)),
    "no algorithm": resealed(SIGNED, protected=b""),
    "protected as a map": resealed(SIGNED, protected={1: -8}),
    "no kid": resealed(SIGNED, unprotected={}),
    "another kid": resealed(SIGNED, unprotected={4: b"hill"}),
    "kid as text": resealed(SIGNED, unprotected={4: "roof"}),
    "kid and more": resealed(SIGNED, unprotected={4: b"roof", 5: b""}),
    "no signature": resealed(SIGNED, signature=None),
    "signature as text": resealed(SIGNED, signature="s"),
    "payload as an array": resealed(SIGNED, payload=["roof", 0, FIRST, [1], [1]]),
    "detached payload": resealed(SIGNED, payload=None),
    "tag of a number": cbor2.dumps(cbor2.CBORTag(18, 5)),
    "tag of a map": cbor2.dumps(cbor2.CBORTag(18, {1: 1, 2: 2, 3: 3, 4: 4})),
    "payload not CBOR": resealed(SIGNED, payload=b"\xff"),
    "payload a number": resealed(SIGNED, payload=b"\x05"),
    "four fields": payload_of("roof", 0, FIRST, [1]),
    "six fields": payload_of("roof", 0, FIRST, [1], [1], 0),
    "seven fields": payload_of("roof", 0, FIRST, [1], [1], {1: [1]}, 0),
    "an empty map": payload_of("roof", 0, FIRST, [1], [1], {}),
    "an unknown column": payload_of("roof", 0, FIRST, [1], [1], {4: [1]}),
    "a column named by a text": payload_of("roof", 0, FIRST, [1], [1], {"1": [1]}),
    "a ragged column": payload_of("roof", 0, FIRST, [1], [1], {1: [1, 1]}),
    "a column that is none": payload_of("roof", 0, FIRST, [1], [1], {1: 1}),
    "all of register 0": payload_of("roof", 0, FIRST, [1], [1], {1: [0]}),
    "no power at all": payload_of("roof", 0, FIRST, [1], [1], {2: [-1]}),
    "all synchronised": payload_of("roof", 0, FIRST, [1], [1], {3: [0]}),
    "a register of no number": payload_of("roof", 0, FIRST, [1], [1], {1: [256]}),
    "a negative register": payload_of("roof", 0, FIRST, [1], [1], {1: [-1]}),
    "power below nothing": payload_of("roof", 0, FIRST, [1], [1], {2: [-2]}),
    "power not a number": payload_of("roof", 0, FIRST, [1], [1], {2: [float("inf")]}),
    "a clock of no status": payload_of("roof", 0, FIRST, [1], [1], {3: [4]}),
    "columns out of order": payload_of("roof", 0, FIRST, [1], [1], {1: [1], 3: [1]}).replace(
        b"\x01\x81\x01\x03\x81\x01", b"\x03\x81\x01\x01\x81\x01"
    ),
    "a column twice": payload_of("roof", 0, FIRST, [1], [1], {1: [1], 3: [1]}).replace(
        b"\x01\x81\x01\x03\x81\x01", b"\x01\x81\x01\x01\x81\x01"
    ),
    "a name too long": payload_of("r" * 257, 0, FIRST, [1], [1]),
    "device a number": payload_of(4, 0, FIRST, [1], [1]),
    "sequence negative": payload_of("roof", -1, FIRST, [1], [1]),
    "sequence a float": payload_of("roof", 0.0, FIRST, [1], [1]),
    "sequence a boolean": payload_of("roof", False, FIRST, [1], [1]),
    "sequence beyond 63 bits": payload_of("roof", 2**63, FIRST, [1], [1]),
    "sequence beyond 64 bits": payload_of("roof", 2**70, FIRST, [1], [1]),
    "previous too short": payload_of("roof", 0, FIRST[:-1], [1], [1]),
    "previous a text": payload_of("roof", 0, "0" * 32, [1], [1]),
    "no readings": payload_of("roof", 0, FIRST, [], []),
    "ragged": payload_of("roof", 0, FIRST, [1, 2], [1]),
    "times not a list": payload_of("roof", 0, FIRST, 1, 1),
    "times a map": payload_of("roof", 0, FIRST, {1: 1}, [1]),
    "time negative": payload_of("roof", 0, FIRST, [-1], [1]),
    "time null": payload_of("roof", 0, FIRST, [None], [1]),
    "position a text": payload_of("roof", 0, FIRST, [1], ["1"]),
    "position beyond 63 bits": payload_of("roof", 0, FIRST, [1], [2**63]),
    "position not a number": payload_of("roof", 0, FIRST, [1], [float("nan")]),
    "half a surrogate pair": SIGNED.replace(b"roof", b"\xed\xa0\x80f"),
    "too many readings": payload_of("roof", 0, FIRST, [1] * (READINGS_MAX + 1), [1] * (READINGS_MAX + 1)),
    "too long": b"\x5a" + PACKET_BYTES_MAX.to_bytes(4, "big") + bytes(PACKET_BYTES_MAX),
    "deep": b"\x81" * 100_000,
    "deep tags": b"\xc1" * 100_000,
    "deep without end": b"\x9f" * 100_000,
    "a length that is not there": b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
    "an array that is not there": b"\x9b\x00\x00\x00\x0f\xff\xff\xff\xff",
    "a map that is not there": b"\xbb\x00\x00\x00\x0f\xff\xff\xff\xff",
    "a decimal beyond all": bytes.fromhex("c4821b7fffffffffffffff01"),
    "a float beyond all": bytes.fromhex("c5821b7fffffffffffffff03"),
    "a fraction over 0": cbor2.dumps(cbor2.CBORTag(30, [1, 0])),
    "a broken pattern": cbor2.dumps(cbor2.CBORTag(35, "(")),
    "a date beyond all": b"\xc1" + cbor2.dumps(1e300),
    "no date": b"\xc0\x61x",
    "a value shared before it is there": b"\xd8\x1d\x05",
    "a value within itself": bytes.fromhex("d81c81d81d00"),
    "no address": cbor2.dumps(cbor2.CBORTag(260, b"1")),
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_invalid(raw: bytes) -> None:
    refused(raw)
    refused(resealed(SIGNED, payload=raw))


def test_the_most_readings_a_packet_may_have() -> None:
    at_us = tuple(range(READINGS_MAX))
    assert parse(sign(Packet("roof", 0, FIRST, at_us, at_us), key_of("roof"))).at_us == at_us


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_packet_or_invalid(raw: bytes) -> None:
    refused(raw)


tags = st.sampled_from([0, 1, 2, 3, 4, 5, 18, 24, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000])
heads = st.sampled_from([0x00, 0x18, 0x1B, 0x20, 0x3B, 0x41, 0x5F, 0x61, 0x81, 0x82, 0x84, 0x9F, 0xA1, 0xBF])
pieces = st.one_of(
    tags.map(lambda tag: b"\xd9" + tag.to_bytes(2, "big")),
    heads.map(lambda head: bytes([head])),
    st.sampled_from(
        [b"\xf4", b"\xf6", b"\xf7", b"\xf9\x7e\x00", b"\xfb" + b"\x7f" * 8, b"\xff", b"\x1b" + b"\x7f" * 8]
    ),
    st.binary(max_size=4),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(pieces, max_size=14).map(b"".join))
def test_any_cbor_is_a_packet_or_invalid(raw: bytes) -> None:
    refused(raw)
    refused(resealed(SIGNED, payload=raw))
    refused(SIGNED[:3] + raw)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_a_changed_byte_is_malformed_or_not_signed(at: int, by: int) -> None:
    raw = SIGNED[:at] + bytes([SIGNED[at] ^ by]) + SIGNED[at + 1 :]
    try:
        signed = parse(raw)
    except Invalid as error:
        assert error.code == "packet.malformed"
    else:
        assert not signed.is_signed_by(key_of("roof").public)
