"""Messages parsed into columns: what a batch says, before anything of it is believed and without knowing any device.

This half of judging needs no state, so it can run anywhere, in as many processes as there are cores; its result
travels as columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.energy.forms.table import parse
from penstock.energy.message import NO_SEQUENCE, Said
from penstock.energy.verdict import MessageVerdict
from penstock.errors import Invalid
from penstock.journal.words import ASSURANCES, Form
from penstock.keys import KEY_KINDS, Scheme

Messages = Sequence[tuple[Form, bytes]]
HASH_BYTES: Final = 32
ANY_KIND: Final = 255
"""In ``key_kind``: the form does not say what kind of key signed."""
_KIND_CODE: Final = {kind: code for code, kind in enumerate(KEY_KINDS)}
_LEVEL_CODE: Final = {level: code for code, level in enumerate(ASSURANCES)}
_READING_COLUMNS: Final = ("channel", "at_us", "position_wh", "power_mw", "clock", "meter")
_DTYPES: Final = {"channel": "u1", "clock": "u1", "meter": "u1"}


@dataclass(frozen=True, slots=True, eq=False)
class Parsed:
    """n messages, in order of arrival, and their m readings; shapes and units as in `Batch` and `Said`.

    ``reached`` says why a message could not be parsed (MALFORMED, UNSUPPORTED_KEY), 0 where it could; ``key_kind``
    is an index into KEY_KINDS or `ANY_KIND`; ``readings`` says how many readings a message has.
    """

    form: NDArray[np.uint8]
    reached: NDArray[np.uint8]
    name: list[str]
    sequence: NDArray[np.int64]
    previous: NDArray[np.uint8]
    hash: NDArray[np.uint8]
    readings: NDArray[np.int64]
    scheme: NDArray[np.uint8]
    key_kind: NDArray[np.uint8]
    assurance: NDArray[np.uint8]
    signed: list[bytes]
    signature: list[bytes]
    public_key: list[bytes]
    channel: NDArray[np.uint8]
    at_us: NDArray[np.int64]
    position_wh: NDArray[np.int64]
    power_mw: NDArray[np.int64]
    clock: NDArray[np.uint8]
    meter: NDArray[np.uint8]


@dataclass(slots=True)
class _Rows:
    """Columns as they grow."""

    reached: list[int] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    sequence: list[int] = field(default_factory=list)
    previous: list[bytes] = field(default_factory=list)
    readings: list[int] = field(default_factory=list)
    scheme: list[int] = field(default_factory=list)
    key_kind: list[int] = field(default_factory=list)
    assurance: list[int] = field(default_factory=list)
    signed: list[bytes] = field(default_factory=list)
    signature: list[bytes] = field(default_factory=list)
    public_key: list[bytes] = field(default_factory=list)
    channel: list[int] = field(default_factory=list)
    at_us: list[int] = field(default_factory=list)
    position_wh: list[int] = field(default_factory=list)
    power_mw: list[int] = field(default_factory=list)
    clock: list[int] = field(default_factory=list)
    meter: list[int] = field(default_factory=list)

    def add(self, said: Said, reached: int) -> None:
        """One message and its readings."""
        self.reached.append(reached)
        self.name.append(said.device)
        self.sequence.append(said.sequence)
        self.previous.append(said.previous or _NO_HASH)
        self.readings.append(len(said.at_us))
        self.scheme.append(said.scheme)
        self.key_kind.append(ANY_KIND if said.key_kind is None else _KIND_CODE[said.key_kind])
        self.assurance.append(_LEVEL_CODE[said.assurance])
        self.signed.append(said.signed)
        self.signature.append(said.signature)
        self.public_key.append(said.public_key)
        self.channel += said.channel
        self.at_us += said.at_us
        self.position_wh += said.position_wh
        self.power_mw += said.power_mw
        self.clock += said.clock
        self.meter += said.meter


def parse_messages(messages: Messages) -> Parsed:
    """Parse and hash each message; what cannot be parsed is a row that says so."""
    rows = _Rows()
    for form, raw in messages:
        try:
            rows.add(parse(form, raw), 0)
        except Invalid as error:
            rows.add(_NOTHING, _reached(error))
    return Parsed(
        form=np.fromiter((form for form, _ in messages), np.uint8, len(messages)),
        reached=np.array(rows.reached, np.uint8),
        name=rows.name,
        sequence=np.array(rows.sequence, np.int64),
        previous=hashes(rows.previous),
        hash=hashes(hashlib.sha256(raw).digest() for _, raw in messages),
        readings=np.array(rows.readings, np.int64),
        scheme=np.array(rows.scheme, np.uint8),
        key_kind=np.array(rows.key_kind, np.uint8),
        assurance=np.array(rows.assurance, np.uint8),
        signed=rows.signed,
        signature=rows.signature,
        public_key=rows.public_key,
        **{name: np.array(getattr(rows, name), _DTYPES.get(name, "i8")) for name in _READING_COLUMNS},
    )


def hashes(each: Iterable[bytes]) -> NDArray[np.uint8]:
    """Hashes as rows of bytes: uint8[n, 32]."""
    return np.frombuffer(b"".join(each), dtype=np.uint8).reshape(-1, HASH_BYTES)


def _reached(error: Invalid) -> int:
    """Bytes of a form we know, made with a key we do not, are not malformed."""
    is_key = error.code.endswith((".unsupported_key", ".unsupported_curve", ".unsupported_algorithm"))
    return MessageVerdict.UNSUPPORTED_KEY if is_key else MessageVerdict.MALFORMED


_NO_HASH: Final = bytes(HASH_BYTES)
_NOTHING: Final = Said("", NO_SEQUENCE, b"", (), (), (), (), (), (), Scheme.NONE, b"", b"")
