"""Meters: what one says of itself."""

from __future__ import annotations

from penstock.energy.checks.findings import Findings, Ints, marked
from penstock.energy.message import MeterState
from penstock.energy.verdict import ReadingVerdict


def meter_status(meter: Ints) -> Findings:
    """Any status but good, or any error flag, refuses the reading (OCMF 1.4, ST and EF)."""
    return marked(meter != MeterState.GOOD, ReadingVerdict.METER_ERROR)
