"""Packets: a batch of readings, signed once, chained to the packet before.

A packet is a COSE_Sign1 message (RFC 9052, 4.2) over CBOR (RFC 8949, core
deterministic encoding), EdDSA (alg -8), with the device's name as ``kid``. The
payload is an array: device, sequence number, sha256 of the packet before (32
zero bytes for the first), the readings' instants [us] and the register's
positions [Wh] at those instants.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import cbor2

from penstock.errors import Invalid
from penstock.keys import SigningKey, verify
from penstock.units import INT64_MAX

FIRST: Final = bytes(32)
READINGS_MAX: Final = 4_096
PACKET_BYTES_MAX: Final = 131_072
_COSE_SIGN1: Final = 18
_PROTECTED: Final = cbor2.dumps({1: -8}, canonical=True)
UNREADABLE: Final = (
    cbor2.CBORError,
    ArithmeticError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""All that hostile bytes make the CBOR decoder raise (its decimals, dates and shared values each in their own way)."""


@dataclass(frozen=True, slots=True)
class Packet:
    """What a device says: where its register stood [Wh] at each instant [us], oldest first."""

    device: str
    sequence: int
    previous: bytes
    at_us: tuple[int, ...]
    position_wh: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SignedPacket:
    """A packet as parsed: its content, the very bytes that were signed, and the signature."""

    packet: Packet
    signed: bytes
    signature: bytes

    def is_signed_by(self, public_key: bytes) -> bool:
        """Whether the signature is ``public_key``'s (RFC 9052, 4.4)."""
        return verify(public_key, self.signed, self.signature)


def packet_hash(raw: bytes) -> bytes:
    """What the next packet names as the one before: sha256 of the whole message."""
    return hashlib.sha256(raw).digest()


def sign(packet: Packet, key: SigningKey) -> bytes:
    """The signed message of ``packet``."""
    return _message(packet, key.sign(_to_be_signed(_payload(packet))))


def parse(raw: bytes) -> SignedPacket:
    """Read a message without believing it.

    A packet has one form: were another accepted, whoever carries it could change its hash, and with it the
    device's chain, without breaking the signature.

    Raises:
        Invalid: ``packet.malformed`` for anything but a well-formed packet of this format, in its one form.
    """
    try:
        return _parse(raw)
    except UNREADABLE:
        raise Invalid("packet.malformed", "This is not a signed packet of readings.") from None


def _parse(raw: bytes) -> SignedPacket:
    if len(raw) > PACKET_BYTES_MAX:
        raise ValueError("too long")
    _, _, payload, signature = _expect(cbor2.loads(raw), cbor2.CBORTag).value
    device, sequence, previous, at_us, position_wh = cbor2.loads(_expect(payload, bytes))
    packet = Packet(
        _expect(device, str), _count(sequence), _expect(previous, bytes), _counts(at_us), _counts(position_wh)
    )
    if len(packet.previous) != len(FIRST):
        raise ValueError("not a hash")
    if not 0 < len(packet.at_us) == len(packet.position_wh) <= READINGS_MAX:
        raise ValueError("ragged readings")
    if _message(packet, _expect(signature, bytes)) != raw:
        raise ValueError("not COSE_Sign1 with EdDSA by the named device, in the one form")
    return SignedPacket(packet, _to_be_signed(payload), signature)


def _payload(packet: Packet) -> bytes:
    fields = [packet.device, packet.sequence, packet.previous, list(packet.at_us), list(packet.position_wh)]
    return cbor2.dumps(fields, canonical=True)


def _to_be_signed(payload: bytes) -> bytes:
    return cbor2.dumps(["Signature1", _PROTECTED, b"", payload], canonical=True)


def _message(packet: Packet, signature: bytes) -> bytes:
    parts = [_PROTECTED, {4: packet.device.encode()}, _payload(packet), signature]
    return cbor2.dumps(cbor2.CBORTag(_COSE_SIGN1, parts), canonical=True)


def _expect(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(kind.__name__)
    return value


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= INT64_MAX:
        raise ValueError("not a count")
    return value


def _counts(values: Any) -> tuple[int, ...]:
    return tuple(_count(value) for value in _expect(values, list))
