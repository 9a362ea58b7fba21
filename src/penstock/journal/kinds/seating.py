"""Facts of seats: an attester left a deal's set, and nobody took its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class AttesterUnseated:
    """From now on ``account`` attests a deal no more; where another takes its seat it is a ``role.appointed``."""

    KIND: ClassVar[str] = "attester.unseated"
    VERSION: ClassVar[int] = 1
    deal: str
    account: str
    reason: str
    by: str = ""
