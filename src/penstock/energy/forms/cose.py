"""Our own form: a COSE_Sign1 message (RFC 9052, 4.2) over CBOR (RFC 8949, core deterministic encoding).

EdDSA (alg -8, RFC 9053), ES256 (-7) or ES256K (-47, RFC 8812), with the device's name as ``kid``. The payload is an
array: device, sequence number, sha256 of the message before (32 zero bytes for the first), the readings' instants
[us], the registers' positions [Wh] at those instants and, only where there is more to say, a map of columns as long
as those: 1 the device's registers (else all 0), 2 power [mW] (-1 where not said), 3 clock (`Clock`, else all 0).

A packet has one form: were another accepted, whoever carries it could change its hash, and with it the device's
chain, without breaking the signature. So a column that says nothing is left out, and ECDSA takes the lower ``s``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final, Protocol

import cbor2

from penstock.energy.forms.cbor import read, read_item
from penstock.energy.message import NO_POWER, Clock, MeterState, Said
from penstock.errors import Invalid
from penstock.keys import KeyKind, Scheme
from penstock.units import INT64_MAX

FIRST: Final = bytes(32)
READINGS_MAX: Final = 4_096
PACKET_BYTES_MAX: Final = 131_072
DEVICE_BYTES_MAX: Final = 256
CHANNEL_MAX: Final = 255
_COSE_SIGN1: Final = 18
_SIGNATURE_BYTES: Final = 64
_ENVELOPE: Final = b"\xd2\x84"
"""The tag and an array of four."""
PROTECTED: Final = {
    KeyKind.ED25519: cbor2.dumps({1: -8}),
    KeyKind.P256: cbor2.dumps({1: -7}),
    KeyKind.SECP256K1: cbor2.dumps({1: -47}),
}
"""The protected header by kind of key: nothing but the algorithm."""
_SIGNED_BEFORE: Final = {
    protected: b"\x84\x6aSignature1" + cbor2.dumps(protected) + b"\x40" for protected in PROTECTED.values()
}
"""What stands before the payload in the bytes that are signed (RFC 9052, 4.4): an array of four, no external data."""
_SIGNS: Final = {
    protected: (kind, Scheme.EDDSA if kind is KeyKind.ED25519 else Scheme.ECDSA_SHA256_RAW)
    for kind, protected in PROTECTED.items()
}
_CHANNEL, _POWER_MW, _CLOCK = 1, 2, 3
_SILENT: Final = {_CHANNEL: 0, _POWER_MW: NO_POWER, _CLOCK: Clock.SYNCHRONISED}
"""What a column that is left out stands for."""
_HIGHEST: Final = {_CHANNEL: CHANNEL_MAX, _POWER_MW: INT64_MAX, _CLOCK: Clock.UNSET}
UNREADABLE: Final = (
    cbor2.CBORError,
    ArithmeticError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""All that hostile bytes make a general CBOR decoder raise (decimals, dates and shared values each in its own way)."""


class Signs(Protocol):
    """A device's private key."""

    @property
    def kind(self) -> KeyKind:
        """Which of the three kinds."""

    def sign(self, message: bytes) -> bytes:
        """64 bytes: Ed25519's signature, or r || s with the lower s."""


@dataclass(frozen=True, slots=True)
class Packet:
    """What a device says: where its registers stood [Wh] at each instant [us].

    ``channel``, ``power_mw`` and ``clock`` are as long as ``at_us``, or empty where they say nothing.
    """

    device: str
    sequence: int
    previous: bytes
    at_us: tuple[int, ...]
    position_wh: tuple[int, ...]
    channel: tuple[int, ...] = ()
    power_mw: tuple[int, ...] = ()
    clock: tuple[int, ...] = ()


def packet_hash(raw: bytes) -> bytes:
    """What the next packet names as the one before: sha256 of the whole message."""
    return hashlib.sha256(raw).digest()


def sign(packet: Packet, key: Signs) -> bytes:
    """The signed message of ``packet``."""
    protected, payload = PROTECTED[key.kind], payload_of(packet)
    parts = [protected, {4: packet.device.encode()}, payload, key.sign(to_be_signed(protected, payload))]
    return cbor2.dumps(cbor2.CBORTag(_COSE_SIGN1, parts), canonical=True)


def payload_of(packet: Packet) -> bytes:
    """The payload's bytes; columns that say nothing are left out."""
    fields = [packet.device, packet.sequence, packet.previous, list(packet.at_us), list(packet.position_wh)]
    said = {_CHANNEL: packet.channel, _POWER_MW: packet.power_mw, _CLOCK: packet.clock}
    more = {key: list(column) for key, column in said.items() if set(column) - {_SILENT[key]}}
    return cbor2.dumps([*fields, more] if more else fields, canonical=True)


def to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """The bytes that are signed (RFC 9052, 4.4)."""
    return _SIGNED_BEFORE[protected] + cbor2.dumps(payload)


def parse(raw: bytes) -> Said:
    """Read a message without believing it.

    Raises:
        Invalid: ``packet.malformed`` for anything but a well-formed packet of this form, in its one encoding.
    """
    packet, protected, signed, signature = _opened(raw)
    kind, scheme = _SIGNS[protected]
    count = len(packet.at_us)
    return Said(
        device=packet.device,
        sequence=packet.sequence,
        previous=packet.previous,
        channel=packet.channel or (0,) * count,
        at_us=packet.at_us,
        position_wh=packet.position_wh,
        power_mw=packet.power_mw or (NO_POWER,) * count,
        clock=packet.clock or (Clock.SYNCHRONISED,) * count,
        meter=(MeterState.GOOD,) * count,
        scheme=scheme,
        signed=signed,
        signature=signature,
        key_kind=kind,
    )


def packet_in(raw: bytes) -> Packet:
    """The packet a message holds, as it could be signed again; raises as `parse`."""
    return _opened(raw)[0]


def _opened(raw: bytes) -> tuple[Packet, bytes, bytes, bytes]:
    """Packet, protected header, signed bytes and signature of a message."""
    try:
        protected, named, (start, stop), signature = _four_parts(raw)
        payload, _ = read_item(raw, start)
        packet = _packet(read(payload))
        if named != {4: packet.device.encode()}:
            raise ValueError("not by the named device")
    except (ValueError, TypeError):
        raise Invalid("packet.malformed", "This is not a signed packet of readings.") from None
    return packet, protected, _SIGNED_BEFORE[protected] + raw[start:stop], signature


def _four_parts(raw: bytes) -> tuple[bytes, Any, tuple[int, int], bytes]:
    """Protected header, unprotected map, where the payload's encoding lies, signature."""
    if len(raw) > PACKET_BYTES_MAX or raw[:2] != _ENVELOPE:
        raise ValueError("not COSE_Sign1 of a size we take")
    protected, at = read_item(raw, 2)
    named, at = read_item(raw, at)
    start = at
    payload, stop = read_item(raw, at)
    signature, at = read_item(raw, stop)
    if at != len(raw) or type(protected) is not bytes or protected not in _SIGNS:
        raise ValueError("not one message by an algorithm we take")
    if type(payload) is not bytes or type(signature) is not bytes or len(signature) != _SIGNATURE_BYTES:
        raise ValueError("not a payload and a signature")
    return protected, named, (start, stop), signature


def _packet(fields: Any) -> Packet:
    if type(fields) is not list or len(fields) not in (5, 6):
        raise ValueError("not a packet")
    device, sequence, previous, at_us, position_wh, *more = fields
    if type(device) is not str or len(device.encode()) > DEVICE_BYTES_MAX:
        raise ValueError("not a name")
    if type(previous) is not bytes or len(previous) != len(FIRST):
        raise ValueError("not a hash")
    _column([sequence], 1, 0, INT64_MAX)
    if type(at_us) is not list or not 0 < len(at_us) <= READINGS_MAX:
        raise ValueError("no readings, or too many")
    channel, power_mw, clock = _more(more[0], len(at_us)) if more else ((), (), ())
    times, positions = _column(at_us, len(at_us), 0, INT64_MAX), _column(position_wh, len(at_us), 0, INT64_MAX)
    return Packet(device, sequence, previous, times, positions, channel, power_mw, clock)


def _more(said: Any, count: int) -> list[tuple[int, ...]]:
    if type(said) is not dict or not said or said.keys() - _SILENT.keys():
        raise ValueError("not a map of columns")
    columns = {key: _column(values, count, min(_SILENT[key], 0), _HIGHEST[key]) for key, values in said.items()}
    if any(set(column) == {_SILENT[key]} for key, column in columns.items()):
        raise ValueError("a column that says nothing")
    return [columns.get(key, ()) for key in _SILENT]


def _column(values: Any, count: int, least: int, most: int) -> tuple[int, ...]:
    """Numbers between the bounds; ValueError for anything else (the reader makes no booleans and no floats)."""
    if type(values) is not list or len(values) != count:
        raise ValueError("not a column")
    for value in values:
        if type(value) is not int or not least <= value <= most:
            raise ValueError("not a number in its bounds")
    return tuple(values)
