"""Readings judged again once somebody decided about their quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from penstock.energy.checks.findings import QUARANTINES, verdicts_of
from penstock.energy.checks.register import Walk
from penstock.energy.device import Devices
from penstock.energy.verdict import ReadingVerdict
from penstock.journal.segment import Column, Columns

HELD_BACK: Final = ReadingVerdict.HELD_BACK.name.lower()
_HELD_BACK_BIT: Final = 1 << ReadingVerdict.HELD_BACK


def judge_again(parts: Sequence[Columns], overruled: int, until_us: int, devices: Devices) -> list[dict[str, Column]]:
    """Verdicts and findings anew for readings that waited (columns of reading/2, part by part as they came).

    Of what was found before, HELD_BACK falls, and up to ``until_us`` what is ``overruled`` (bits); the rest stands.
    Each reading is then held against the last one of its register that counts, as when it came; after one that still
    waits, the later ones of its register are held back again.
    """
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    keeps = np.where(joined["at_us"] <= until_us, ~np.int64(overruled | _HELD_BACK_BIT), ~np.int64(_HELD_BACK_BIT))
    findings = (joined["findings"] & keeps).astype(np.uint32)
    order = np.argsort(joined["register"], kind="stable")
    starts = np.flatnonzero(np.diff(joined["register"][order])) + 1
    for rows in np.split(order, starts):
        findings[rows] = _register(joined, rows, findings[rows], devices)
    judged = joined | {"findings": findings, "verdict": verdicts_of(findings)}
    ends = np.cumsum([len(part["register"]) for part in parts])
    return [
        {name: column[end - len(part["register"]) : end] for name, column in judged.items()}
        for part, end in zip(parts, ends.tolist(), strict=True)
    ]


def _register(joined: Columns, rows: Column, findings: Column, devices: Devices) -> Column:
    """The findings of one register's readings."""
    number = int(joined["register"][rows[0]])
    walk = Walk(
        (int(devices.last_at_us[number]), int(devices.last_wh[number])),
        int(devices.capacities_w(joined["register"][rows[:1]])[0]),
        int(devices.epoch_start_wh[number]),
        int(devices.rolls_over_wh[number]),
    )
    found, waits = findings.copy(), False
    for place, row in enumerate(rows.tolist()):
        if waits:
            found[place] |= _HELD_BACK_BIT
        elif not found[place] & QUARANTINES:
            (verdict,), _ = walk.walk([int(joined["at_us"][row])], [int(joined["position_wh"][row])])
            found[place] |= 1 << int(verdict) & ~1  # 0 has no bit
        waits |= bool(found[place] & QUARANTINES)
    return found
