"""Copies: a day of sunshine that is a neighbour's, scaled, or the clear sky itself - told by scale and residual.

A raw cosine takes any bell curve for any other. Here the best scale is taken out first, and what is left is the
residual: the share of the day's energy by which two curves differ. Real neighbours under one sky differ by their own
shadows, dirt, heat and clouds; a copy differs by its register's rounding alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from penstock.energy.checks.bounds import NO_PLANE, Bounds
from penstock.energy.checks.findings import Bools, Findings, Ints, marked
from penstock.energy.checks.step import Steps, runs, spread
from penstock.energy.verdict import ReadingVerdict

LIT_STEPS: Final = 16
"""So many steps of daylight a day must show to be compared."""
SKY_RESIDUAL_PERMILLE: Final = 10
NEIGHBOUR_RESIDUAL_PERMILLE: Final = 5
NEAREST: Final = 2
"""With how many of the most alike in shape each day is compared."""


def copied(steps: Steps, bounds: Bounds) -> Findings:
    """COPIED for register days whose residual to the clear sky, or to another register's day that came first, is nil.

    Asked of planes whose bound is known, on days with sixteen lit steps or more in the batch. The rounding of one Wh a
    step is taken off before; a day too small for that to matter less than the threshold is not asked.
    """
    plane = bounds.planes(steps.device, steps.capacity_w)
    scored = (plane != NO_PLANE) & bounds.covers(steps.at0_us) & bounds.covers(steps.at_us)
    rows = np.flatnonzero(scored)
    found = np.zeros(len(steps), dtype=np.bool_)
    if len(rows) < LIT_STEPS:
        return marked(found, ReadingVerdict.COPIED)
    plane, at = plane[rows], steps.at_us[rows]
    most = bounds.most_wh(plane, steps.at0_us[rows], at, steps.capacity_w[rows])
    lit = np.flatnonzero(most > 0)
    rows, most, at = rows[lit], most[lit], at[lit]
    energy, day = steps.energy_wh[rows], bounds.day(plane[lit], at)
    starts = runs(steps.register[rows], day)
    if len(starts):
        guilty = _of_the_sky(energy, most, starts) | _of_a_neighbour(steps.row[rows], at, energy, starts)
        found[rows] = spread(guilty, starts, len(rows))
    return marked(found, ReadingVerdict.COPIED)


def residual(energy: Ints, model: Ints) -> Ints:
    """The share of each row's energy by which it differs from its model at the best scale; rounding taken off.

    Args: energy, model: (days, steps). Returns (days,) float64; infinity where there is too little energy to say.
    """
    total, modelled = energy.sum(axis=1, keepdims=True), model.sum(axis=1, keepdims=True)
    scale = total / np.maximum(modelled, 1)
    apart = np.maximum(np.abs(energy - scale * model) - (1 + scale), 0).sum(axis=1)
    telling = total[:, 0] * NEIGHBOUR_RESIDUAL_PERMILLE > 1_000 * energy.shape[1] * (1 + scale[:, 0]) / 4
    with np.errstate(divide="ignore", invalid="ignore"):
        share: Ints = np.where(telling, apart / total[:, 0], np.inf)
    return share


def _of_the_sky(energy: Ints, most: Ints, starts: Ints) -> Bools:
    guilty = np.zeros(len(starts), dtype=np.bool_)
    for days, columns in _by_length(starts, len(energy)):
        guilty[days] = residual(energy[columns], most[columns]) * 1_000 < SKY_RESIDUAL_PERMILLE
    return guilty


def _of_a_neighbour(row: Ints, at: Ints, energy: Ints, starts: Ints) -> Bools:
    """Days at the same instants, sorted by their shape: a copy lies next to what it copies."""
    guilty = np.zeros(len(starts), dtype=np.bool_)
    for days, columns in _by_length(starts, len(energy)):
        for same in _same_instants(at[columns]):
            chosen, table = days[same], energy[columns[same]].astype(np.float64)
            order = np.lexsort((row[starts[chosen]], _centre(table)))
            for apart in range(1, NEAREST + 1):
                one, other = order[:-apart], order[apart:]
                alike = residual(table[one], table[other]) * 1_000 < NEIGHBOUR_RESIDUAL_PERMILLE
                later = np.where(row[starts[chosen[one]]] > row[starts[chosen[other]]], one, other)
                guilty[chosen[later[alike]]] = True
    return guilty


def _by_length(starts: Ints, rows: int) -> list[tuple[Ints, Ints]]:
    """Days of equally many steps as tables: their numbers, and where their steps lie (days, steps)."""
    lengths = np.diff(np.r_[starts, rows])
    tables = []
    for length in np.unique(lengths[lengths >= LIT_STEPS]):
        days = np.flatnonzero(lengths == length)
        tables.append((days, starts[days][:, None] + np.arange(length)))
    return tables


def _same_instants(at: Ints) -> list[Ints]:
    """Groups of rows of a table with the same instants, of two or more."""
    _, group, count = np.unique(at, axis=0, return_inverse=True, return_counts=True)
    return [np.flatnonzero(group.ravel() == number) for number in np.flatnonzero(count > 1)]


def _centre(table: Ints) -> Ints:
    """When half of each day's energy had come, as the mean place of it: the same for any scale."""
    total = np.maximum(table.sum(axis=1), 1)
    centre: Ints = np.round(table @ np.arange(table.shape[1]) / total, 3)
    return centre
