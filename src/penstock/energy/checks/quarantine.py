"""Quarantine is sticky: a register counts on, so what came after a doubtful reading carries its energy."""

from __future__ import annotations

import numpy as np

from penstock.energy.checks.findings import QUARANTINES, REFUSES, Bools, Findings, Ints, bit
from penstock.energy.verdict import ReadingVerdict


def held_back(findings: Findings, starts: Ints, held: Bools) -> Findings:
    """HELD_BACK for every row after a register's first quarantined one, and all of a register that waits already.

    Rows are sorted by register, in order of arrival; ``starts`` is where each register's begin, ``held`` whether
    it waits. Refused rows carry nothing on and are left alone.
    """
    if not len(starts):
        return np.zeros(0, dtype=np.uint32)
    refused = (findings & REFUSES) != 0
    doubtful = ((findings & QUARANTINES) != 0) & ~refused
    before = np.cumsum(doubtful) - doubtful
    lengths = np.diff(np.r_[starts, len(findings)])
    waits = (before > np.repeat(before[starts], lengths)) | np.repeat(held, lengths)
    return np.where(waits & ~refused, bit(ReadingVerdict.HELD_BACK), np.uint32(0))
