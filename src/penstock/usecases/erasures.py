"""Erasures, held against the facts that tell of them: as many rows are gone as were told, and stand-ins say no more.

The leaf of a stand-in is a hash that nobody can open, so what it says must not lie beyond what the fact of its erasure
sealed of the register.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from penstock.journal.kinds.upkeep import ReadingsErased
from penstock.journal.sealed_rows import SealedRows
from penstock.journal.segment import Columns


@dataclass(slots=True)
class Erasures:
    """What was seen to be gone, and what was told."""

    gone: int = 0
    told: int = 0
    _seen: set[str] = field(default_factory=set)
    _stand_ins: dict[int, int] = field(default_factory=dict)
    _stood: dict[int, int] = field(default_factory=dict)

    def look(self, digest: str, rows: SealedRows) -> None:
        """Take note of a segment, once however many facts name it."""
        if rows.erased is None or digest in self._seen:
            return
        self._seen.add(digest)
        self.gone += int(rows.erased.sum())
        if "register" in rows.columns:
            standing = np.flatnonzero(rows.erased & (rows.columns["verdict"] == 0))
            for row in standing.tolist():
                register, position_wh = int(rows.columns["register"][row]), int(rows.columns["position_wh"][row])
                self._stand_ins[register] = max(position_wh, self._stand_ins.get(register, 0))

    def tell(self, fact: ReadingsErased, standings: Columns) -> None:
        """Take note of what a fact tells."""
        self.told += fact.messages + fact.readings
        self._stood.update(zip(standings["register"].tolist(), standings["last_wh"].tolist(), strict=True))

    def wrong(self, *, saw_all: bool = True) -> Iterator[str]:
        """What of it does not hold, in sentences; who did not see all segments may have seen fewer rows gone."""
        if self.gone > self.told or (saw_all and self.gone < self.told):
            yield f"{self.gone} rows are erased, and facts tell of {self.told}."
        for register, position_wh in self._stand_ins.items():
            if position_wh > self._stood.get(register, -1):
                yield f"The stand-in of register {register} says more than the fact of its erasure."
