"""Facts of certificates that come from other registries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from penstock.journal.kinds.energy import Tally
from penstock.journal.segment import SegmentRef


@dataclass(frozen=True, slots=True)
class CertificatesImported:
    """Another registry's certificates live here now (segment ``foreign/1``), on registers of their own.

    A register stands for one device of one ``registry``: ``import/<registry>/<device>``. Their titles follow, as
    declared: nobody here saw a meter. ``file_hash`` is the sha256 of the file that they came in; what they said of
    themselves there is each row's ``said``. ``verdicts`` counts what became of the file's rows.
    """

    KIND: ClassVar[str] = "certificates.imported"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    registry: str
    account: str
    quantity: int
    file_hash: bytes
    verdicts: tuple[Tally, ...]
    by: str = ""
