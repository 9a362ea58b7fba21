"""The weights of a rule of shares, fitted to the meter itself: what tokens, context and steps took, by least squares.

A sample's energy above idle is taken for a sum of what was done in it, each at a weight not below 0. So no table of a
card and no model of it is needed: whatever runs, its own meter says. The parts are those of a transformer's arithmetic:
each prompt token and pair of prompt tokens, each output token and each token of context read for it, and each step of
the engine, which reads the weights once for all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.optimize import nnls  # type: ignore[import-untyped]

from penstock.compute.attribution import Rule
from penstock.compute.batch_time import Cells, Floats, Ints, Work, cells_of, work_of
from penstock.compute.idle import NJ_PER_MJ, idle_mj_down, observed_idle_mw
from penstock.compute.pue import it_mj_down
from penstock.errors import Invalid
from penstock.journal.segment import Columns

WEIGHTS: Final = ("prompt_nj", "pair_nj", "output_nj", "context_nj", "step_nj")
BLOCKS_MIN: Final = 30
BLOCK_US: Final = 2_000_000
"""Weights are fitted to sums over two seconds: a step torn between two samples would pull its weight down."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted rule, the share of variance it explains [1], and over how many blocks with somebody there."""

    rule: Rule
    explained: float
    blocks: int


def fit(requests: Columns, samples: Columns, stated: Rule) -> Fit:
    """Weights that best explain what the meter counted; idle is as the meter shows it where nobody was there.

    ``stated`` gives PUE, how idle is borne, and the idle draw where no sample was empty. Columns as `share` takes them.

    Raises:
        Invalid: as `share`; ``attribution.few_samples`` with less than 30 blocks in which somebody was there,
            ``attribution.unexplained`` where no work explains any energy.
    """
    cells = cells_of(samples)
    work, columns = _done(requests, cells)
    it_mj = cells.it_mj if cells.it_mj is not None else it_mj_down(cells.meter_mj, stated.pue_bp)
    long_us = np.diff(cells.edges_us)
    idle_mw = observed_idle_mw(it_mj[cells.good], long_us[cells.good], work.empty_us[cells.good])
    rule = stated if idle_mw is None else replace(stated, idle_mw=idle_mw)
    idle_mj = idle_mj_down(it_mj, long_us if rule.idle_always else work.empty_us, rule.idle_mw)
    rows = cells.good & (work.present_us > 0)
    blocks = (cells.edges_us[:-1][rows] - cells.edges_us[0]) // BLOCK_US
    done, energy_mj = _summed(columns[:, rows], blocks), _summed((it_mj - idle_mj)[None, rows], blocks)[0]
    weights, explained = _least_squares(done, energy_mj)
    figures = {name: round(weight * NJ_PER_MJ) for name, weight in zip(WEIGHTS, weights, strict=True)}
    return Fit(replace(rule, **figures), explained, len(energy_mj))


def _done(requests: Columns, cells: Cells) -> tuple[Work, Floats]:
    """What was done in each cell, by `WEIGHTS`: (5, cells)."""
    each = [work_of(requests, cells, *one) for one in ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))]
    return each[0], np.stack([*(work.mass / float(1 << work.shift) for work in each), each[0].steps])


def _summed(columns: Floats | Ints, blocks: Ints) -> Floats:
    """Columns (k, n) summed over samples of the same block."""
    _, number = np.unique(blocks, return_inverse=True)
    return np.stack([np.bincount(number, weights=column) for column in columns.astype(np.float64)])


def _least_squares(columns: Floats, energy_mj: Floats) -> tuple[Floats, float]:
    """Weights not below 0 [mJ each], and the share of variance they explain."""
    if len(energy_mj) < BLOCKS_MIN:
        hint = "State the weights, or fit over a longer time."
        raise Invalid(
            "attribution.few_samples", "Too few samples to fit weights to.", hint=hint, samples=len(energy_mj)
        )
    size = np.maximum(np.sqrt((columns**2).mean(axis=1)), 1e-300)
    scaled, _ = nnls((columns / size[:, None]).T, energy_mj)
    if not scaled.any():
        raise Invalid("attribution.unexplained", "No work explains any of this energy.", hint="State the weights.")
    told = (scaled / size) @ columns
    spread = float(((energy_mj - energy_mj.mean()) ** 2).sum())
    explained = 1.0 - float(((energy_mj - told) ** 2).sum()) / spread if spread else 1.0
    return scaled / size, explained
