"""Facts of votes: a change of a deal that was put to its classes, in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class ChangeProposed:
    """A vote was opened on a change of a deal; ``proposal`` is its number with the deal's ballot.

    ``change`` is amendment, waiver or replacement, and only its own words are filled: ``text``; ``test`` and
    ``through_period``, counting from 1; ``payee`` and ``account`` (20 bytes). What was carried out is another fact.
    """

    KIND: ClassVar[str] = "change.proposed"
    VERSION: ClassVar[int] = 1
    deal: str
    proposal: int
    change: str
    text: str
    test: str
    through_period: int
    payee: str
    account: bytes
    reason: str
    by: str = ""
