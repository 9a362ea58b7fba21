"""Facts of the energy wing: sites, devices, packets, readings, and titles and links over what they counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from penstock.journal.segment import SegmentRef
from penstock.journal.words import Assurance, LinkKind, Right, Technology, TitleState


@dataclass(frozen=True, slots=True)
class SiteRegistered:
    """A place with a measuring-point tree, in a grid zone; ``cell`` is its location as coarse as the owner allows."""

    KIND: ClassVar[str] = "site.registered"
    VERSION: ClassVar[int] = 1
    site: str
    zone: str
    cell: str
    owner: str


@dataclass(frozen=True, slots=True)
class DeviceEnrolled:
    """A device that signs its readings. Devices are numbered 0, 1, ... in order of enrolment.

    ``capacity_w`` bounds what ``register`` can count; tilt and azimuth [degrees, south = 180] where it has them.
    """

    KIND: ClassVar[str] = "device.enrolled"
    VERSION: ClassVar[int] = 1
    device: str
    site: str
    technology: Technology
    public_key: bytes
    register: str
    capacity_w: int
    commissioned_us: int
    tilt_deg: int | None = None
    azimuth_deg: int | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of what."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class PacketsReceived:
    """Packets came in and were judged, the refused kept beside the accepted (segment ``packet/1``)."""

    KIND: ClassVar[str] = "packets.received"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    rules: str
    verdicts: tuple[Tally, ...]


@dataclass(frozen=True, slots=True)
class ReadingsVerified:
    """Readings of accepted packets, each with its verdict (segment ``reading/1``); accepted ones move ``read``."""

    KIND: ClassVar[str] = "readings.verified"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    packets_root: bytes
    rules: str
    assurance: Assurance
    counted_wh: int
    verdicts: tuple[Tally, ...]


@dataclass(frozen=True, slots=True)
class TitlesIssued:
    """Spans of ``right`` issued to holders (segment ``title/1``). A certificate is a title to an attribute."""

    KIND: ClassVar[str] = "titles.issued"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    right: Right
    zone: str
    technology: Technology
    assurance: Assurance
    interval_us: int
    quantity: int


@dataclass(frozen=True, slots=True)
class SpansLinked:
    """Spans became other spans (segment ``link/1``)."""

    KIND: ClassVar[str] = "spans.linked"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    link: LinkKind
    start_us: int
    stop_us: int
    quantity_in: int
    quantity_out: int
    loss: int


@dataclass(frozen=True, slots=True)
class TitlesMoved:
    """Titles changed holder or state (segment ``move/1``): transfer, claim, retirement.

    ``purpose`` says for what: a claim names the consumption register and its beneficiary.
    """

    KIND: ClassVar[str] = "titles.moved"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    right: Right
    state: TitleState
    purpose: str
    beneficiary: str
    quantity: int
