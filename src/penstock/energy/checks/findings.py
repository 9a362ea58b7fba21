"""Findings as bits, and the verdict they come to."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.energy.verdict import READING_RULES, ReadingVerdict
from penstock.journal.words import Outcome

Bools = NDArray[np.bool_]
Ints = NDArray[Any]
Findings = NDArray[np.uint32]


def bit(verdict: ReadingVerdict) -> np.uint32:
    """The bit of ``findings`` that stands for a verdict."""
    return np.uint32(1 << verdict)


def mask_of(outcome: Outcome) -> np.uint32:
    """The bits of every verdict with that outcome."""
    return np.uint32(sum(1 << verdict for verdict, rule in READING_RULES.items() if rule.outcome is outcome))


REFUSES: Final = mask_of(Outcome.REFUSED)
QUARANTINES: Final = mask_of(Outcome.QUARANTINED)


def marked(found: Bools, verdict: ReadingVerdict) -> Findings:
    """``found`` as the bit of ``verdict``; same shape."""
    return np.where(found, bit(verdict), np.uint32(0))


def verdicts_of(findings: Findings) -> NDArray[np.uint8]:
    """The first finding that refuses, else the first that quarantines, else 0: what is merely noted still counts."""
    verdicts = np.zeros(len(findings), dtype=np.uint8)
    rows = np.flatnonzero(findings & (REFUSES | QUARANTINES))
    some = findings[rows]
    deciding = np.where(some & REFUSES, some & REFUSES, some & QUARANTINES).astype(np.int64)
    verdicts[rows] = np.frexp((deciding & -deciding).astype(np.float64))[1] - 1  # the place of the lowest bit
    return verdicts
