"""Public keys as meters and their containers write them: hex or base64, a DER SubjectPublicKeyInfo or a bare point."""

from __future__ import annotations

import base64
from typing import Final

from penstock.keys import KeyKind, compressed_point

KEY_TEXT_MAX: Final = 1_024
_DER_MAX: Final = 255
_EC_PUBLIC_KEY: Final = bytes.fromhex("06072a8648ce3d0201")
_CURVES: Final = {
    KeyKind.P256: bytes.fromhex("06082a8648ce3d030107"),
    KeyKind.SECP256K1: bytes.fromhex("06052b8104000a"),
    KeyKind.P384: bytes.fromhex("06052b81040022"),
    KeyKind.BRAINPOOL_P256R1: bytes.fromhex("06092b2403030208010107"),
    KeyKind.BRAINPOOL_P384R1: bytes.fromhex("06092b240303020801010b"),
    KeyKind.SECP192R1: bytes.fromhex("06082a8648ce3d030101"),
    KeyKind.SECP192K1: bytes.fromhex("06052b8104001f"),
}
"""Object identifiers of the curves in DER (SEC 2, appendix A; RFC 5639)."""


def read_public_key(text: str, kind: KeyKind) -> tuple[KeyKind, bytes]:
    """Kind and compressed point of a key's text; ``kind`` is taken for a bare point, which does not say its own.

    Raises:
        ValueError: for anything that is not a point of a curve we know.
    """
    raw = _decoded("".join(text.split()))
    if len(raw) > _DER_MAX:
        raise ValueError("longer than any key")
    if raw[:1] != b"\x30":
        return kind, _point(kind, raw)
    for found, curve in _CURVES.items():
        algorithm = _der(0x30, _EC_PUBLIC_KEY + curve)
        point = raw[_head_bytes(raw) + len(algorithm) :]
        if raw == _der(0x30, algorithm + point) and point[2:3] == b"\x00" and point == _der(0x03, point[2:]):
            return found, _point(found, point[3:])
    raise ValueError("a curve we do not know")


def _decoded(text: str) -> bytes:
    if len(text) > KEY_TEXT_MAX:
        raise ValueError("too long")
    try:
        return bytes.fromhex(text)
    except ValueError:
        return base64.b64decode(text, validate=True)


def _point(kind: KeyKind, raw: bytes) -> bytes:
    """The compressed point; a bare one may come without the byte that says it is not compressed."""
    return compressed_point(kind, raw if raw[:1] in (b"\x02", b"\x03", b"\x04") and len(raw) % 2 else b"\x04" + raw)


def _head_bytes(raw: bytes) -> int:
    return 3 if raw[1:2] == b"\x81" else 2


def _der(tag: int, content: bytes) -> bytes:
    """One DER value of at most 255 bytes."""
    length = bytes([len(content)]) if len(content) < 128 else b"\x81" + len(content).to_bytes(1, "big")
    return bytes([tag]) + length + content
