"""Facts of a device's life after enrolment: its keys, its owner, its meter and registers, its place, its end.

Signatures cover the statement of the fact (``energy/statement.py``). What carries none is the operator's word, which
signs the journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from penstock.journal.words import Direction, EpochCause, PointRole
from penstock.keys import KeyKind


@dataclass(frozen=True, slots=True)
class KeyRotated:
    """A device's old key names its new one. ``last_sequence`` is the last message of the old key, -1 for none.

    ``signature`` is the old key's, ``proof`` the new one's.
    """

    KIND: ClassVar[str] = "key.rotated"
    VERSION: ClassVar[int] = 1
    device: str
    key_kind: KeyKind
    public_key: bytes
    from_us: int
    last_sequence: int
    signature: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class KeyRevoked:
    """A device's key is not trusted from an instant on; nothing more that it signs counts."""

    KIND: ClassVar[str] = "key.revoked"
    VERSION: ClassVar[int] = 1
    device: str
    from_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class KeyReclaimed:
    """A lost or revoked key is followed by a new one: the owner signs, the operator records, the new key proves."""

    KIND: ClassVar[str] = "key.reclaimed"
    VERSION: ClassVar[int] = 1
    device: str
    key_kind: KeyKind
    public_key: bytes
    from_us: int
    reason: str
    owner_signature: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class DeviceTransferred:
    """Output from ``from_us`` on is ``owner``'s; the owner before signs where the site names an owner's key."""

    KIND: ClassVar[str] = "device.transferred"
    VERSION: ClassVar[int] = 1
    device: str
    owner: str
    owner_key: bytes
    from_us: int
    owner_signature: bytes


@dataclass(frozen=True, slots=True)
class MeterReplaced:
    """Another meter, with its own key, counts for the device; its epochs follow, one a register."""

    KIND: ClassVar[str] = "meter.replaced"
    VERSION: ClassVar[int] = 1
    device: str
    key_kind: KeyKind
    public_key: bytes
    from_us: int
    owner_signature: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class EpochOpened:
    """``register`` continues ``predecessor``, which ended at ``predecessor_position_wh``.

    The device's own count stood at ``start_count_wh`` where the new register stands at 0; after a roll-over that is
    below zero, so that what was counted across it is kept. ``debt_wh`` is what a downward correction found to be used
    already: the issuer owes it. ``signature`` is the key's that counts from here on; a correction has none.
    """

    KIND: ClassVar[str] = "epoch.opened"
    VERSION: ClassVar[int] = 1
    device: str
    channel: int
    register: str
    predecessor: str
    cause: EpochCause
    predecessor_position_wh: int
    start_count_wh: int
    from_us: int
    rolls_over_wh: int
    debt_wh: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class RegisterCorrected:
    """``register`` truly stood at ``true_wh`` where its last counted reading has it elsewhere; ``by`` found so.

    The device's own counter shows ``shown_wh`` from then on, as much as it truly counted or more: a correction makes
    nothing count that the device does not show. The epoch that it opens follows, and the titles it withdraws.
    """

    KIND: ClassVar[str] = "register.corrected"
    VERSION: ClassVar[int] = 1
    device: str
    channel: int
    register: str
    true_wh: int
    shown_wh: int
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class PointPlaced:
    """A register's place in its site's measuring-point tree: below ``parent``, which counts it too (None: a root)."""

    KIND: ClassVar[str] = "point.placed"
    VERSION: ClassVar[int] = 1
    register: str
    direction: Direction
    role: PointRole
    parent: str | None


@dataclass(frozen=True, slots=True)
class DeviceLocked:
    """A device takes part in one programme alone, from ``start_us`` to ``stop_us``."""

    KIND: ClassVar[str] = "device.locked"
    VERSION: ClassVar[int] = 1
    device: str
    programme: str
    start_us: int
    stop_us: int


@dataclass(frozen=True, slots=True)
class DeviceRetired:
    """A device counts no more: readings from ``from_us`` on are not valid."""

    KIND: ClassVar[str] = "device.retired"
    VERSION: ClassVar[int] = 1
    device: str
    from_us: int
    reason: str
