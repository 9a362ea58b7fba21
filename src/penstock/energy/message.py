"""Messages: what devices, gateways and vendors send, in any form, and what a batch of them says once parsed.

A form is one file in ``forms/``: it reads the bytes of one message into `Said`, believing nothing. Many messages
together are a `Batch`, the columns that signature and plausibility checks work on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.journal.words import Assurance
from penstock.keys import KeyKind, Scheme, verify_by

NO_POWER: Final = -1
NO_SEQUENCE: Final = -1


class Clock(IntEnum):
    """What a meter says of its own clock (OCMF 1.4, table 5); forms without the word count as synchronised."""

    SYNCHRONISED = 0
    INFORMATIVE = 1
    RELATIVE = 2
    UNSET = 3


class MeterState(IntEnum):
    """What a meter says of itself at a reading."""

    GOOD = 0
    ERROR = 1  # any status that is not good, or an error flag on energy
    TIME_ERROR = 2  # an error flag on time alone


@dataclass(frozen=True, slots=True)
class Said:
    """One message as parsed, before any of it is believed.

    Attributes:
        device: the name under which the form knows its device: an enrolled name, a meter serial, an address.
        sequence: its number in the device's chain or pagination, `NO_SEQUENCE` where the form has none.
        previous: sha256 of the message before (32 bytes), empty where the form has no such chain.
        channel: which of the device's registers each reading is of (0, 1, ...), aligned with ``at_us``.
        at_us, position_wh: instants [us] and whole register positions [Wh, rounded down].
        power_mw: power at the instant [mW], `NO_POWER` where not said. clock: `Clock`. meter: `MeterState`.
        scheme, signed, signature: what to verify. public_key: a key that came with the message, else empty; it
            proves that nothing was altered, not whose it is.
        key_kind: the kind of key that the message says signed it, None where the form does not say. Another kind than
            the enrolled key's is `WRONG_KEY`.
        assurance: the most that the message can vouch for; what the device was enrolled with may be weaker.
    """

    device: str
    sequence: int
    previous: bytes
    channel: tuple[int, ...]
    at_us: tuple[int, ...]
    position_wh: tuple[int, ...]
    power_mw: tuple[int, ...]
    clock: tuple[int, ...]
    meter: tuple[int, ...]
    scheme: Scheme
    signed: bytes
    signature: bytes
    public_key: bytes = b""
    key_kind: KeyKind | None = None
    assurance: Assurance = Assurance.METER_SIGNED

    def is_signed_by(self, public_key: bytes) -> bool:
        """Whether the signature is this key's, of the kind that the message says."""
        return self.key_kind is not None and verify_by(
            self.key_kind, public_key, self.scheme, self.signed, self.signature
        )


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Messages in order of arrival (n rows) and their readings (m rows, in the order of their messages).

    ``device`` is the device's number, -1 where unknown; ``reached`` says how far each message came on its own
    (a `MessageVerdict`), before its place in the chain is looked at. ``form`` holds `Form` codes; ``since_us`` and
    ``until_us`` are the validity [us], half-open, of the key that signed, ``former`` whether that was a former key.
    """

    form: NDArray[Any]  # uint8[n]
    device: NDArray[Any]  # int32[n]
    reached: NDArray[Any]  # uint8[n]
    assurance: NDArray[Any]  # uint8[n]
    since_us: NDArray[Any]  # int64[n]
    until_us: NDArray[Any]  # int64[n]
    former: NDArray[Any]  # bool[n]
    sequence: NDArray[Any]  # int64[n]
    previous: NDArray[Any]  # uint8[n, 32]; zeros where the form has no chain
    hash: NDArray[Any]  # uint8[n, 32]: sha256 of the raw message
    message: NDArray[Any]  # int32[m]: the row of the message each reading came in
    channel: NDArray[Any]  # uint8[m]
    at_us: NDArray[Any]  # int64[m]
    position_wh: NDArray[Any]  # int64[m]
    power_mw: NDArray[Any]  # int64[m]
    clock: NDArray[Any]  # uint8[m]
    meter: NDArray[Any]  # uint8[m]


def joined(parts: Sequence[Batch]) -> Batch:
    """Batches, at least one, as one after the other."""
    columns = {one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Batch)}
    before = np.cumsum([0] + [len(part.device) for part in parts[:-1]])
    columns["message"] = columns["message"] + np.repeat(before, [len(part.message) for part in parts]).astype(np.int32)
    return Batch(**columns)
