"""Facts of the downlink: what a device was asked to do, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class CommandState(StrEnum):
    """Where a command stands."""

    ASKED = "asked"
    RECEIVED = "received"
    DONE = "done"
    REFUSED = "refused"  # by the device
    FAILED = "failed"  # the device tried
    EXPIRED = "expired"  # not received in time: void


@dataclass(frozen=True, slots=True)
class CommandAsked:
    """An operator asks a device for ``power_w`` from ``start_us`` to ``stop_us``.

    It is void unless received before ``expires_us``. ``signature`` is that of ``signer`` (Ed25519) over the canonical
    command, which the device may check.
    """

    KIND: ClassVar[str] = "command.asked"
    VERSION: ClassVar[int] = 1
    command: str
    device: str
    verb: str
    power_w: int
    start_us: int
    stop_us: int
    expires_us: int
    signer: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class CommandAnswered:
    """What became of a command: the device's word and its own instant [us], or that it expired."""

    KIND: ClassVar[str] = "command.answered"
    VERSION: ClassVar[int] = 1
    command: str
    state: CommandState
    device_us: int
    note: str
