"""Facts of the energy wing: sites, devices, packets, readings, and titles and links over what they counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from penstock.journal.segment import SegmentRef
from penstock.journal.words import Assurance, LinkKind, Right, Technology, TitleState
from penstock.keys import KeyKind


@dataclass(frozen=True, slots=True)
class SiteRegistered:
    """A place with a measuring-point tree, in a grid zone; ``cell`` is its location as coarse as the owner allows.

    ``owner_key`` is the owner's Ed25519 key (empty: none), which consents to a transfer and helps reclaim a device.
    Readings of a ``personal`` site are sealed so that they can be erased.
    """

    KIND: ClassVar[str] = "site.registered"
    VERSION: ClassVar[int] = 2
    site: str
    zone: str
    cell: str
    owner: str
    owner_key: bytes = b""
    personal: bool = False


@dataclass(frozen=True, slots=True)
class ProgrammeLock:
    """A device takes part in one programme alone, from ``start_us`` to ``stop_us``; a part of other facts."""

    programme: str
    start_us: int
    stop_us: int


@dataclass(frozen=True, slots=True)
class DeviceEnrolled:
    """A device that signs its readings. Devices are numbered 0, 1, ... in order of enrolment.

    ``capacity_w`` bounds what ``register`` can count; tilt and azimuth [degrees, south = 180] where it has them.
    ``register`` is its channel 0, ``more_registers`` channels 1, 2, ...; each passes its last digit at
    ``rolls_over_wh`` (0: never). ``assurance`` is the most that its readings can have. ``start_counts_wh`` is what the
    device's own counters showed when it was commissioned, by channel, 0 where nothing is said: nothing of that counts.
    """

    KIND: ClassVar[str] = "device.enrolled"
    VERSION: ClassVar[int] = 2
    device: str
    site: str
    technology: Technology
    public_key: bytes
    register: str
    capacity_w: int
    commissioned_us: int
    tilt_deg: int | None = None
    azimuth_deg: int | None = None
    key_kind: KeyKind = KeyKind.ED25519
    assurance: Assurance = Assurance.METER_SIGNED
    more_registers: tuple[str, ...] = ()
    rolls_over_wh: int = 0
    programmes: tuple[ProgrammeLock, ...] = ()
    start_counts_wh: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DevicesEnrolled:
    """Many devices on one site (segment ``device/1``), numbered in row order, with their registers opened at 0.

    Device i counts the registers ``<device>/<channel>``, numbered device by device in the order of ``channels``; the
    first issues the rights ``issues``, the others check.
    """

    KIND: ClassVar[str] = "devices.enrolled"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    site: str
    channels: tuple[str, ...]
    issues: tuple[Right, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of what."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class PacketsReceived:
    """Packets came in and were judged, the refused kept beside the accepted (``packet/2``, once ``packet/1``)."""

    KIND: ClassVar[str] = "packets.received"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    rules: str
    verdicts: tuple[Tally, ...]


@dataclass(frozen=True, slots=True)
class ReadingsVerified:
    """Readings of accepted packets, each with its verdict (``reading/2``, once ``reading/1``); those that count move
    ``read``.

    Right behind their packets, or judged again after a decision on their quarantine; ``packets_root`` says of which.
    """

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
    """Spans of ``right`` issued to holders (segment ``title/1``). A certificate is a title to an attribute.

    What all of them share makes a lot: ``interval_us`` is the length of an interval, ``carbon_mg_per_kwh`` what a kWh
    emitted where it was generated, ``support`` public money that it had (empty: none). A title expires ``valid_us``
    after its interval ends (0: never). ``stored``: it left a storage, which ``technology`` and ``assurance`` look
    through to where the energy was generated.
    """

    KIND: ClassVar[str] = "titles.issued"
    VERSION: ClassVar[int] = 2
    segment: SegmentRef
    right: Right
    zone: str
    technology: Technology
    assurance: Assurance
    interval_us: int
    quantity: int
    carbon_mg_per_kwh: int = 0
    valid_us: int = 0
    support: str = ""
    stored: bool = False


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
    """Titles changed holder or state (segment ``move/1``): transfer, reservation, claim, retirement and the like.

    ``purpose`` says for what: a claim names the consumption, a retirement its reason; ``statement`` is for the public.
    ``start_us`` to ``stop_us`` is the time of what a claim is for, 0 where none is stated. ``by`` asked for it.
    """

    KIND: ClassVar[str] = "titles.moved"
    VERSION: ClassVar[int] = 2
    segment: SegmentRef
    right: Right
    state: TitleState
    purpose: str
    beneficiary: str
    quantity: int
    statement: str = ""
    start_us: int = 0
    stop_us: int = 0
    by: str = ""
