"""Facts of storages: what they are, what they lose, what was charged and discharged, and from which charge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from penstock.journal.segment import SegmentRef
from penstock.journal.words import Direction


@dataclass(frozen=True, slots=True)
class StorageRegistered:
    """A storage in a grid zone: a register counts what is charged, another what is discharged; the rest is loss.

    ``operator`` is the account that claims certificates for the charge and gets those of the discharge.
    """

    KIND: ClassVar[str] = "storage.registered"
    VERSION: ClassVar[int] = 1
    storage: str
    operator: str
    zone: str
    charge_register: str
    discharge_register: str
    loss_register: str


@dataclass(frozen=True, slots=True)
class EfficiencyStated:
    """Of ``den`` Wh charged ``num`` are discharged, for discharges of intervals that start in a period.

    Fixed before it is used. It rests on ``basis_out_wh`` of ``basis_in_wh`` over the basis period, standby losses
    included, found by ``method``.
    """

    KIND: ClassVar[str] = "storage.efficiency"
    VERSION: ClassVar[int] = 1
    storage: str
    num: int
    den: int
    start_us: int
    stop_us: int
    basis_in_wh: int
    basis_out_wh: int
    basis_start_us: int
    basis_stop_us: int
    method: str


@dataclass(frozen=True, slots=True)
class StorageCharged:
    """Charge records (segment ``charge/1``): what was charged in intervals of ``interval_us``, and from which origin.

    The certificates were claimed for it just before (links of *claim*).
    """

    KIND: ClassVar[str] = "storage.charged"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    storage: str
    interval_us: int
    charged_wh: int
    certified_wh: int


@dataclass(frozen=True, slots=True)
class StorageDischarged:
    """Discharge records (segment ``discharge/1``): what was discharged, each from one charge record, oldest first.

    Links of *store* follow: ``drawn_wh`` of charge became what was discharged and ``loss_wh``. What is above that,
    ``discharged_wh - drawn_wh + loss_wh``, no recorded charge supports.
    """

    KIND: ClassVar[str] = "storage.discharged"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    storage: str
    interval_us: int
    discharged_wh: int
    drawn_wh: int
    loss_wh: int


@dataclass(frozen=True, slots=True)
class StorageRecordsWithdrawn:
    """Records of a storage from number ``first`` on certify nothing any more; their units keep their places."""

    KIND: ClassVar[str] = "storage.records_withdrawn"
    VERSION: ClassVar[int] = 1
    storage: str
    direction: Direction
    first: int
    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class StorageClosed:
    """A storage takes no more records; what was recorded is still certified."""

    KIND: ClassVar[str] = "storage.closed"
    VERSION: ClassVar[int] = 1
    storage: str
    reason: str
