"""What connectors give and take. They know bytes, samples and commands; what a reading means is not theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from penstock.journal.words import Form

NO_POWER: Final = -1


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as a device or its gateway sent it, to be judged as it is."""

    form: Form
    raw: bytes


@dataclass(frozen=True, slots=True)
class Samples:
    """What an unsigned source said of one device's register, oldest first.

    ``source`` names protocol and origin (``sunspec``, ``prometheus``, ``csv``, a vendor's dialect); ``channel`` is the
    device's register; instants in [us], positions in [Wh, rounded down], power in [mW], `NO_POWER` where not said.
    ``origin`` is the sha256 of the answer they were read from, where there was one to keep.
    """

    source: str
    device: str
    channel: int
    at_us: tuple[int, ...]
    position_wh: tuple[int, ...]
    power_mw: tuple[int, ...]
    origin: bytes = b""


class Sink(Protocol):
    """Where a connector puts what it got; returns only once that is durable, so that the connector may acknowledge."""

    def take(self, arrived: Sequence[Arrived | Samples]) -> None:
        """Keep these. Raises Unavailable ``connect.full`` when more must not come just now."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a device is asked to do: ``verb`` set_point, charge or shed, with ``power_w`` until ``stop_us``.

    It takes effect from ``start_us`` and is void when not received before ``expires_us``. ``signature`` is the
    operator's Ed25519 signature over the canonical command, which a device may check.
    """

    id: str
    device: str
    verb: str
    power_w: int
    start_us: int
    stop_us: int
    expires_us: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device answered to a command: received, done, refused or failed, and its own words."""

    command: str
    state: str
    at_us: int
    note: str = ""


class Outlet(Protocol):
    """A connector that reaches devices."""

    def send(self, command: Command) -> Answer:
        """Hand a command over; raises Unavailable ``connect.unreachable`` when the device does not answer."""
