"""Copies: a day of sunshine that is a neighbour's, scaled, or the clear sky itself - told by scale and residual.

A raw cosine takes any bell curve for any other. Here the best scale is taken out first, and what is left is the
residual: the share of the day's energy by which two curves differ. Real neighbours under one sky differ by their own
shadows, dirt, heat and clouds; a copy differs by its register's rounding alone.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from penstock.energy.checks.findings import Bools, Findings, Ints, marked
from penstock.energy.checks.step import Steps, runs, spread
from penstock.energy.checks.sun import SkySteps
from penstock.energy.verdict import ReadingVerdict

LIT_STEPS: Final = 16
"""So many steps of daylight a day must show to be compared."""
NEAREST: Final = 2
"""With how many of the most alike in shape each day is compared."""


class Alike(NamedTuple):
    """How small a residual is a copy's [permille of the day's energy], and how much of it rounding may make up."""

    permille: int
    rounding_permille: int


OF_THE_SKY: Final = Alike(30, 15)
"""The clearest of a thousand real days differs from the model by 68 in a thousand."""
OF_A_NEIGHBOUR: Final = Alike(1, 6)
"""The two most alike of 840 real days of one array differ by 9 in a thousand."""


def copied(steps: Steps, sky: SkySteps) -> Findings:
    """COPIED for register days whose residual to the clear sky, or to another register's day that came first, is nil.

    Asked of planes whose bound is known, on days with sixteen lit steps or more in the batch.
    """
    found = np.zeros(len(steps), dtype=np.bool_)
    lit = np.flatnonzero(sky.most_wh > 0)
    rows, most = sky.rows[lit], sky.most_wh[lit]
    starts = runs(steps.register[rows], sky.day[lit])
    if np.any(np.diff(np.r_[starts, len(rows)]) >= LIT_STEPS):
        energy, at = steps.energy_wh[rows], steps.at_us[rows]
        guilty = _of_the_sky(energy, most, starts) | _of_a_neighbour(steps.row[rows], at, energy, starts)
        found[rows] = spread(guilty, starts, len(rows))
    return marked(found, ReadingVerdict.COPIED)


def is_copy(energy: Ints, model: Ints, alike: Alike) -> Bools:
    """Whether each day is its model at the best scale: the share of energy by which they differ is within ``alike``.

    Whole watt-hours leave, between a curve and its copy at scale s, about a third of a Wh times sqrt(1 + s^2) a step,
    by chance up to one and a tenth more over the root of the steps. A day with too little energy for that to be small
    is not asked. Args: energy, model: (days, steps). Returns (days,).
    """
    total, modelled = energy.sum(axis=1, dtype=np.float64), model.sum(axis=1, dtype=np.float64)
    scale, steps = total / np.maximum(modelled, 1.0), energy.shape[1]
    apart = np.abs(energy - scale[:, None] * model).sum(axis=1) * 1_000.0
    rounding = np.sqrt(1.0 + scale**2) * (steps / 3 + 1.1 * np.sqrt(steps)) * 1_000.0
    copy = (rounding <= alike.rounding_permille * total) & (apart <= alike.permille * total + rounding)
    asked: Bools = copy & (total > 0)
    return asked


def _of_the_sky(energy: Ints, most: Ints, starts: Ints) -> Bools:
    guilty = np.zeros(len(starts), dtype=np.bool_)
    for days, columns in _by_length(starts, len(energy)):
        guilty[days] = is_copy(energy[columns], most[columns], OF_THE_SKY)
    return guilty


def _of_a_neighbour(row: Ints, at: Ints, energy: Ints, starts: Ints) -> Bools:
    """Days at the same instants, sorted by their shape: a copy lies next to what it copies. Who came first counts."""
    guilty = np.zeros(len(starts), dtype=np.bool_)
    for days, columns in _by_length(starts, len(energy)):
        for same in _same_instants(at[columns]):
            chosen, table = days[same], energy[columns[same]]
            came = row[starts[chosen]]
            order = np.lexsort((came, _centre(table)))
            for apart in range(1, NEAREST + 1):
                one, other = order[:-apart], order[apart:]
                copy = is_copy(table[one], table[other], OF_A_NEIGHBOUR)
                guilty[chosen[np.where(came[one] > came[other], one, other)[copy]]] = True
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
    weights = (np.arange(at.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    _, group, count = np.unique(at.astype(np.uint64) @ weights, return_inverse=True, return_counts=True)
    return [np.flatnonzero(group == number) for number in np.flatnonzero(count > 1)]


def _centre(table: Ints) -> Ints:
    """When half of each day's energy had come, as the mean place of it: the same for any scale."""
    total = np.maximum(table.sum(axis=1), 1)
    centre: Ints = np.round(table @ np.arange(table.shape[1]) / total, 3)
    return centre
