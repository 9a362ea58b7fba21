"""Facts of withdrawals: an issuer takes certificates back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from penstock.journal.segment import SegmentRef


@dataclass(frozen=True, slots=True)
class CertificatesWithdrawn:
    """The issuer takes back the certificates of spans (segment ``span/1``), for a ``reason``.

    Of ``quantity`` Wh ``owed`` were used by somebody and stand: the issuer's debt. What nobody used is withdrawn right
    behind this, with the certificates that were issued for a storage's discharge of it. ``statement`` is public.
    """

    KIND: ClassVar[str] = "certificates.withdrawn"
    VERSION: ClassVar[int] = 1
    segment: SegmentRef
    reason: str
    statement: str
    by: str
    quantity: int
    owed: int
