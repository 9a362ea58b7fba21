"""Lots: what all titles of one issue share. A title names its lot; what moves a certificate's price is said once.

A certificate's own interval, register and holder are the title's; its device's commissioning is the device's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import NotFound
from penstock.journal.kinds.energy import TitlesIssued
from penstock.journal.register import grown
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, Assurance, Right, Technology

RIGHTS: Final = tuple(Right)
_COLUMNS: Final = {
    "right": "uint8",
    "zone": "int32",
    "technology": "uint8",
    "assurance": "uint8",
    "interval_us": "int64",
    "carbon_mg_per_kwh": "int64",
    "valid_us": "int64",
    "support": "int32",
    "stored": "bool",
}


@dataclass(frozen=True, slots=True)
class Lot:
    """One issue: its number, the fact that made it, and what that fact says all its titles share."""

    number: int
    seq: int
    right: Right
    zone: str
    technology: Technology
    assurance: Assurance
    interval_us: int
    carbon_mg_per_kwh: int
    valid_us: int
    support: str
    stored: bool


class Lots:
    """All issues in order, as columns by number: codes for words, ``zone`` and ``support`` index `texts`."""

    def __init__(self) -> None:
        self._columns: dict[str, NDArray[Any]] = {name: np.zeros(16, dtype=d) for name, d in _COLUMNS.items()}
        self._seq = np.zeros(16, dtype=np.int64)
        self._size = 0
        self._text_ids: dict[str, int] = {}
        self.expire = False  # whether any is valid for a time only
        self.texts: list[str] = []

    def __len__(self) -> int:
        return self._size

    def add(self, seq: int, fact: TitlesIssued) -> int:
        """Number the next issue."""
        number, self._size = self._size, self._size + 1
        said = {
            "right": RIGHTS.index(fact.right),
            "zone": self._text(fact.zone),
            "technology": TECHNOLOGIES.index(fact.technology),
            "assurance": ASSURANCES.index(fact.assurance),
            "support": self._text(fact.support),
        }
        for name in _COLUMNS:
            self._columns[name] = grown(self._columns[name], self._size)
            self._columns[name][number] = said[name] if name in said else getattr(fact, name)
        self._seq = grown(self._seq, self._size)
        self._seq[number] = seq
        self.expire |= fact.valid_us > 0
        return number

    def column(self, name: str) -> NDArray[Any]:
        """One property of every lot, by number; a view: do not change it."""
        return self._columns[name][: self._size]

    def text(self, text: str) -> int:
        """The number of a zone or support as columns hold it; -1 where no lot has it."""
        return self._text_ids.get(text, -1)

    def __getitem__(self, number: int) -> Lot:
        """A lot by number; raises NotFound ``lot.unknown``."""
        if not 0 <= number < self._size:
            raise NotFound("lot.unknown", f"There is no lot {number}.", lot=number)
        at = {name: column[number].item() for name, column in self._columns.items()}
        return Lot(
            number,
            int(self._seq[number]),
            RIGHTS[at["right"]],
            self.texts[at["zone"]],
            TECHNOLOGIES[at["technology"]],
            ASSURANCES[at["assurance"]],
            at["interval_us"],
            at["carbon_mg_per_kwh"],
            at["valid_us"],
            self.texts[at["support"]],
            at["stored"],
        )

    def _text(self, text: str) -> int:
        if text not in self._text_ids:
            self._text_ids[text] = len(self.texts)
            self.texts.append(text)
        return self._text_ids[text]

    def digest(self) -> bytes:
        """sha256 over all of it."""
        digest = hashlib.sha256(repr(self.texts).encode() + self._seq[: self._size].tobytes())
        for name in sorted(_COLUMNS):
            digest.update(name.encode() + self.column(name).tobytes())
        return digest.digest()
