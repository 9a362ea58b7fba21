"""Facts of carbon: grid factors, methods of avoided emissions, credits made by them, and offsets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from penstock.journal.segment import SegmentRef
from penstock.journal.words import Assurance, Technology


@dataclass(frozen=True, slots=True)
class FactorsPublished:
    """Grid factors of zones and intervals (segment ``factor/1``, whose ``zone`` counts ``zones``).

    ``source`` and ``version`` name the series, ``basis`` says what its figures include (direct or life cycle, flows).
    """

    KIND: ClassVar[str] = "factors.published"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    source: str
    version: str
    basis: str
    zones: tuple[str, ...]


class Baseline(StrEnum):
    """What would have generated instead."""

    MARGINAL = "marginal"
    AVERAGE = "average"


@dataclass(frozen=True, slots=True)
class MethodAdopted:
    """How avoided emissions become carbon credits.

    ``baseline`` of the factors ``source`` ``version`` is what each Wh displaced. ``additionality`` says why it would
    not have been generated otherwise; for it a device is commissioned from ``commissioned_from_us`` on, is of one of
    ``technologies`` and at least of ``assurance``. Its output counts for ``crediting_years`` after that. Of each
    credit ``buffer_bp`` are held apart, in the account ``buffer``, against what is withdrawn later.
    """

    KIND: ClassVar[str] = "method.adopted"
    VERSION: ClassVar[int] = 1
    method: str
    version: str
    baseline: Baseline
    source: str
    factors_version: str
    additionality: str
    commissioned_from_us: int
    crediting_years: int
    technologies: tuple[Technology, ...]
    assurance: Assurance
    buffer_bp: int
    buffer: str


@dataclass(frozen=True, slots=True)
class CarbonCredited:
    """Retired attributes became carbon credits: the links right before say which, the titles right after whose.

    ``[start, stop)`` of ``register`` [g CO2e], of which the last ``buffer_g`` are held apart. ``avoided_ug`` is what
    ``energy_wh`` avoided, exactly; what is no whole gram yet is carried to the register's next credit.
    """

    KIND: ClassVar[str] = "carbon.credited"
    VERSION: ClassVar[int] = 1
    method: str
    version: str
    vintage: int
    zone: str
    technology: Technology
    register: str
    start: int
    stop: int
    buffer_g: int
    energy_wh: int
    avoided_ug: int
    holder: str
    by: str = ""


class Work(StrEnum):
    """What an offset is for."""

    RACK = "rack"
    MODEL = "model"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class OffsetRetired:
    """Certificates retired for AI work: the move right before this fact says which.

    ``energy_mj`` is what the work took, ``quantity_wh`` the same rounded up. ``number`` names an answer of a rack, -1
    all that a rack or model did so far. ``start_us`` to ``stop_us`` is when the certificates were produced.
    """

    KIND: ClassVar[str] = "offset.retired"
    VERSION: ClassVar[int] = 1
    work: Work
    name: str
    number: int
    start_us: int
    stop_us: int
    energy_mj: int
    quantity_wh: int
    beneficiary: str
    by: str = ""
