"""Signed checkpoints: the journal's size and root as a note that logs, witnesses and clients elsewhere read too.

Sources: C2SP tlog-checkpoint (the text), C2SP signed-note (the signature lines; type 0x01, Ed25519 of RFC 8032) and
C2SP tlog-cosignature (type 0x04, a witness's Ed25519 signature with the time it made it).
The text is the origin, the size in decimal and the root in base64, a line each, then extension lines; after an empty
line comes one line a signature. A signature covers the text with its last newline. Signatures of unknown keys are
carried along, so that witnesses' cosignatures and key rotation pass through.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from penstock.errors import Invalid, Unverified
from penstock.keys import SigningKey, verify

ED25519: Final = b"\x01"
WITNESS: Final = b"\x04"
TIME_BYTES: Final = 8
PUBLIC_BYTES: Final = 32
KEY_ID_BYTES: Final = 4
ROOT_BYTES: Final = 32
SIZE_END: Final = 1 << 63
TIME_END: Final = 1 << 63
SIGNATURES_MAX: Final = 64
TEXT_MAX: Final = 1 << 20
DASH: Final = "\u2014 "
DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
KEY_ID_HEX: Final = re.compile(r"[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log states about itself: the ``root`` of its first ``size`` leaves (C2SP tlog-checkpoint, note text).

    ``origin`` names the log. ``extensions`` are opaque lines, best left empty. Raises Invalid
    ``checkpoint.malformed`` for an empty or broken line, a size outside [0, 2**63) or a root not of 32 bytes.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(_is_line(line) for line in (self.origin, *self.extensions)):
            raise _malformed("The origin and each extension are one non-empty line.")
        if not 0 <= self.size < SIZE_END or len(self.root) != ROOT_BYTES:
            raise _malformed("The size lies in [0, 2**63) and the root has 32 bytes.")

    @property
    def text(self) -> str:
        """The text that signatures cover, last newline included."""
        return "\n".join((self.origin, str(self.size), _encoded(self.root), *self.extensions, ""))


@dataclass(frozen=True, slots=True)
class Verifier:
    """A key that is trusted under a name; together with the key id the name tells whose signature a line is.

    ``kind`` is ``ED25519`` for a log's plain signatures, ``WITNESS`` for a witness's timestamped ones. Raises Invalid
    ``checkpoint.key`` for a name with spaces or a plus sign, a key not of 32 bytes, or another kind.
    """

    name: str
    public: bytes
    kind: bytes = ED25519

    def __post_init__(self) -> None:
        if not _is_name(self.name) or len(self.public) != PUBLIC_BYTES or self.kind not in (ED25519, WITNESS):
            raise Invalid("checkpoint.key", "A key has a name without spaces or plus signs, and 32 bytes.")

    @property
    def key_id(self) -> bytes:
        """First 4 bytes of sha256(name || newline || kind || public) (C2SP signed-note, signatures)."""
        return hashlib.sha256(self.name.encode() + b"\n" + self.kind + self.public).digest()[:KEY_ID_BYTES]

    def accepts(self, text: str, value: bytes) -> bool:
        """Whether ``value``, the bytes behind the key id, is this key's signature over the checkpoint's ``text``."""
        if self.kind == ED25519:
            return verify(self.public, text.encode(), value)
        at_s = int.from_bytes(value[:TIME_BYTES], "big")
        return at_s < TIME_END and verify(self.public, _witnessed(text, at_s), value[TIME_BYTES:])

    @property
    def vkey(self) -> str:
        """The key as one line: name, key id in hex and base64(kind || public), joined by plus signs."""
        return f"{self.name}+{self.key_id.hex()}+{_encoded(self.kind + self.public)}"

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """Read ``vkey``. Raises Invalid ``checkpoint.key`` if it is malformed or its key id does not fit."""
        name, _, rest = vkey.partition("+")
        key_id, _, encoded = rest.partition("+")
        data = _decoded(encoded) or b""
        if KEY_ID_HEX.fullmatch(key_id):
            verifier = cls(name, data[1:], data[:1])
            if verifier.key_id.hex() == key_id:
                return verifier
        raise Invalid("checkpoint.key", "The verifier key is malformed or its key id does not fit.")


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who signed, by name and key id, and the signature's bytes."""

    name: str
    key_id: bytes
    value: bytes

    @property
    def line(self) -> str:
        """The line as it stands in the note, newline included."""
        return f"{DASH}{self.name} {_encoded(self.key_id + self.value)}\n"


def sign(checkpoint: Checkpoint, name: str, key: SigningKey) -> str:
    """The note of ``checkpoint`` signed by the log's key under ``name``, which should equal the origin.

    Raises Invalid ``checkpoint.key`` for a name that cannot stand in a signature line.
    """
    return f"{checkpoint.text}\n{_signature(checkpoint.text, name, key).line}"


def cosign(note: str, name: str, key: SigningKey) -> str:
    """``note`` with one more plain signature line, as a log adds for its next key; the other lines stay.

    An older line of this same key is replaced. The caller has verified the note first. Raises Invalid
    ``checkpoint.malformed`` or ``checkpoint.key``.
    """
    checkpoint, signatures = parse(note)
    return _note(checkpoint, signatures, _signature(checkpoint.text, name, key))


def witness(note: str, name: str, key: SigningKey, at_us: int) -> str:
    """``note`` with a witness's cosignature: as of ``at_us`` [us] this is the largest consistent head it has seen.

    C2SP tlog-cosignature, Ed25519; the time is kept in whole seconds, rounded down. The caller has verified the note
    and its consistency with the head it witnessed last. Raises Invalid ``checkpoint.malformed`` (an instant before
    1970 included) or ``checkpoint.key``.
    """
    checkpoint, signatures = parse(note)
    at_s = at_us // 1_000_000
    if not 0 <= at_s < TIME_END:
        raise _malformed("A witness signs at an instant since 1970.")
    value = at_s.to_bytes(TIME_BYTES, "big") + key.sign(_witnessed(checkpoint.text, at_s))
    return _note(checkpoint, signatures, Signature(name, Verifier(name, key.public, WITNESS).key_id, value))


def open_note(note: str, verifiers: Iterable[Verifier]) -> Checkpoint:
    """The checkpoint of ``note``, once a trusted key's signature holds and none fails.

    Raises Invalid ``checkpoint.malformed`` if the note is not exactly of the form; Unverified
    ``checkpoint.signature`` if no known key signed it, or a known key's signature fails.
    """
    checkpoint, signatures = parse(note)
    if not _verified(checkpoint, signatures, verifiers):
        raise Unverified("checkpoint.signature", "No trusted key signed the checkpoint.", origin=checkpoint.origin)
    return checkpoint


def signers(note: str, verifiers: Iterable[Verifier]) -> frozenset[Verifier]:
    """Which of ``verifiers`` signed ``note``: what a quorum of witnesses is counted on. Raises as ``open_note``,
    except that no signature at all is an empty set."""
    return _verified(*parse(note), verifiers)


def parse(note: str) -> tuple[Checkpoint, tuple[Signature, ...]]:
    """The checkpoint and all signature lines of ``note``, none of them verified.

    Raises Invalid ``checkpoint.malformed``; whatever it accepts is rendered back to the same text.
    """
    if len(note) > TEXT_MAX or not note.endswith("\n"):
        raise _malformed("A note ends in a newline and is at most a megabyte.")
    text, gap, tail = note[:-1].rpartition("\n\n")
    lines = tail.split("\n")
    if not gap or len(lines) > SIGNATURES_MAX:
        raise _malformed("An empty line and one to 64 signature lines follow the text.")
    return _checkpoint(text.split("\n")), tuple(_signature_of(line) for line in lines)


def _checkpoint(lines: list[str]) -> Checkpoint:
    if len(lines) < 3 or not DECIMAL.fullmatch(lines[1]):
        raise _malformed("The text is an origin, a decimal size and a root, a line each.")
    return Checkpoint(lines[0], int(lines[1]), _decoded(lines[2]) or b"", tuple(lines[3:]))


def _signature_of(line: str) -> Signature:
    name, _, encoded = line.removeprefix(DASH).partition(" ")
    data = _decoded(encoded)
    if not line.startswith(DASH) or not _is_name(name) or data is None or len(data) <= KEY_ID_BYTES:
        raise _malformed("A signature line is a dash, a name, and base64 of key id and signature.")
    return Signature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def _signature(text: str, name: str, key: SigningKey) -> Signature:
    return Signature(name, Verifier(name, key.public).key_id, key.sign(text.encode()))


def _witnessed(text: str, at_s: int) -> bytes:
    """What a witness signs (C2SP tlog-cosignature, Ed25519 signed message)."""
    return f"cosignature/v1\ntime {at_s}\n{text}".encode()


def _note(checkpoint: Checkpoint, signatures: Iterable[Signature], new: Signature) -> str:
    kept = [item for item in signatures if (item.name, item.key_id) != (new.name, new.key_id)]
    return f"{checkpoint.text}\n{''.join(item.line for item in (*kept, new))}"


def _verified(
    checkpoint: Checkpoint, signatures: Iterable[Signature], verifiers: Iterable[Verifier]
) -> frozenset[Verifier]:
    known: dict[tuple[str, bytes], Verifier] = {}
    for verifier in verifiers:
        if known.setdefault((verifier.name, verifier.key_id), verifier) != verifier:
            raise Invalid("checkpoint.key", "Two trusted keys share name and key id.", name=verifier.name)
    text, found = checkpoint.text, set()
    for item in signatures:
        key = known.get((item.name, item.key_id))
        if key and not key.accepts(text, item.value):
            raise Unverified("checkpoint.signature", "A trusted key's signature fails.", name=item.name)
        found |= {key} if key else set()
    return frozenset(found)


def _is_line(text: str) -> bool:
    """Non-empty UTF-8 without control characters (C2SP signed-note, format)."""
    return bool(text) and all(char >= " " and not "\ud800" <= char <= "\udfff" for char in text)


def _is_name(name: str) -> bool:
    """A line without Unicode spaces or plus signs (C2SP signed-note, format)."""
    return _is_line(name) and not any(char == "+" or char.isspace() for char in name)


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decoded(text: str) -> bytes | None:
    """Base64 in its one canonical form (RFC 4648, 3.5 and 4), or None."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if _encoded(data) == text else None


def _malformed(message: str) -> Invalid:
    return Invalid("checkpoint.malformed", message, hint="See C2SP tlog-checkpoint and signed-note.")
