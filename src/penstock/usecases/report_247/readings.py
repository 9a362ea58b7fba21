"""Readings of a report's registers, from the sealed segments to the borders of hours, one segment after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from penstock.energy.carbon.borders import Borders
from penstock.journal.kinds.energy import ReadingsVerified
from penstock.journal.segment import Columns
from penstock.period import Period
from penstock.usecases.report_247.request import Scope
from penstock.usecases.workspace import FactRow, Workspace


@dataclass(slots=True)
class Read:
    """How far a report's registers had got, and which facts (by seq) it read how many rows of."""

    borders: Borders
    used: dict[int, int]


def read_borders(scope: Scope, period: Period, batches: Iterator[tuple[int, Columns]], registers: int) -> Read:
    """Carry accepted readings (by the seq of their fact, columns of ``reading/2``) to the borders of hours."""
    borders, rows = Borders.of(period, len(scope)), scope.row_of(registers)
    begun = np.flatnonzero(scope.begins_us >= 0)
    borders.begin(begun, scope.begins_us[begun], np.zeros(len(begun), dtype=np.int64))
    used: dict[int, int] = {}
    for seq, columns in batches:
        row = rows[columns["register"]]
        mine = np.flatnonzero((row >= 0) & (columns["verdict"] == 0))
        if not len(mine):
            continue
        at_us = columns["at_us"]
        if (np.diff(at_us[mine]) < 0).any():
            mine = mine[np.argsort(at_us[mine], kind="stable")]
        borders.read(row[mine], at_us[mine], columns["position_wh"][mine])
        used[seq] = len(mine)
    return Read(borders, used)


def reading_batches(workspace: Workspace, size: int) -> Iterator[tuple[int, Columns]]:
    """Readings of the first ``size`` facts, batch by batch."""
    for row in workspace.facts(0, size):
        columns = _readings(workspace, row)
        if columns is not None:
            yield row.recorded.seq, columns


def _readings(workspace: Workspace, row: FactRow) -> Columns | None:
    return workspace.columns(row) if isinstance(row.recorded.fact, ReadingsVerified) else None
