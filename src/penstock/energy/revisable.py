"""Readings that stand of sources which may say otherwise later: vendors' clouds and files, which sign nothing."""

from __future__ import annotations

from typing import Final

import numpy as np

from penstock.energy.standing_readings import StandingReadings
from penstock.journal.fact import Recorded
from penstock.journal.kinds.energy import ReadingsVerified
from penstock.journal.segment import Column, Columns
from penstock.journal.words import ASSURANCES, Assurance

UNSIGNED: Final = ASSURANCES.index(Assurance.VENDOR_ATTESTED)
"""From this level on nobody signed."""


class Revisable:
    """Folded from facts; signed devices' readings are not kept, for their registers and chains say enough."""

    def __init__(self) -> None:
        self._readings = StandingReadings()

    def positions(self, register: Column, at_us: Column) -> Column:
        """Where a reading of that register and instant stands [Wh], `NOT_SEEN` where there is none."""
        return self._readings.positions(register, at_us)

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        """Fold one fact: unsigned readings that count."""
        if isinstance(recorded.fact, ReadingsVerified) and columns is not None and "assurance" in columns:
            rows = np.flatnonzero((columns["verdict"] == 0) & (columns["assurance"] >= UNSIGNED))
            register, at_us = columns["register"][rows], columns["at_us"][rows]
            new = self._readings.new(register, at_us)
            self._readings.add(register[new], at_us[new], columns["position_wh"][rows][new])
