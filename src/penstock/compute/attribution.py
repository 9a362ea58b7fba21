"""Each request's share of what a meter counted: aware of batching, and adding up to the meter, always.

Rule ``batch-share/1``. In every sample of the meter, overhead (by stated PUE, where IT has no counter of its own) and
idle are set apart. What is left is for those present, in proportion to what they did in that sample:

- each prompt token, output token, token of context read and pair of prompt tokens at its own weight [nJ], laid evenly
  over the request's prefill (start to first token) and decode (first token to done);
- each step of the engine at its weight [nJ], in equal parts to all requests present: weights are read once for all, so
  a request alone bears the step alone. That is what a flat figure a token misses.

Weights are fitted to the meter (`energy_fit`) or stated; only their proportions matter, since every sample's energy is
shared out whole. A sample that is late, torn by a counter's reset or not a number is marked: all its energy is
unattributed, and so is what was drawn above idle with nobody there. Requests bear the total at floors of their
cumulative shares, in their order: ``requests + idle + overhead + unattributed == meter``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from penstock.compute.batch_time import Cells, Work, cells_of, work_of
from penstock.compute.idle import idle_mj_down
from penstock.compute.pue import PUE_ONE_BP, check_pue, it_mj_down
from penstock.errors import Invalid
from penstock.journal.cutting import cut_down, positions_of, ratio_down
from penstock.journal.segment import Column, Columns

METHOD: Final = "batch-share/1"
WEIGHT_MAX_NJ: Final = 10**15


@dataclass(frozen=True, slots=True)
class Rule:
    """The weights of `share`, each in nanojoules and none negative, and what is set apart before.

    Attributes:
        prompt_nj: a prompt token. output_nj: an output token.
        pair_nj: a pair of prompt tokens, of which a prompt has the half of its square.
        context_nj: a token of context, read anew for every output token.
        step_nj: a step of the engine, shared equally by those present.
        idle_mw: the idle draw [mW]. idle_always: whether it is set apart all the time, or in empty time only.
        pue_bp: stated PUE of what the meter counts, 10,000 where it counts IT alone [bp].
    """

    prompt_nj: int = 1
    output_nj: int = 1
    pair_nj: int = 0
    context_nj: int = 0
    step_nj: int = 0
    idle_mw: int = 0
    idle_always: bool = False
    pue_bp: int = PUE_ONE_BP

    def __post_init__(self) -> None:
        weights = (self.prompt_nj, self.output_nj, self.pair_nj, self.context_nj, self.step_nj, self.idle_mw)
        if not all(type(weight) is int and 0 <= weight <= WEIGHT_MAX_NJ for weight in weights):
            raise Invalid("attribution.rule", "Weights are whole numbers from 0 to 10**15.")
        check_pue(self.pue_bp)

    def parameters(self) -> str:
        """The rule's figures as canonical JSON: what is published beside every result."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def of(cls, parameters: str) -> Rule:
        """The rule of published parameters. Raises Invalid ``attribution.rule``."""
        try:
            return cls(**json.loads(parameters))
        except (TypeError, ValueError):
            raise Invalid("attribution.rule", "These are not the figures of a rule of shares.") from None


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """Who bears what the meter counted [mJ]: ``request_mj`` one row a request, in their order, and three parts."""

    request_mj: Column
    idle_mj: int
    overhead_mj: int
    unattributed_mj: int

    @property
    def answers_mj(self) -> int:
        """All requests together [mJ]."""
        return int(self.request_mj.sum())

    @property
    def meter_mj(self) -> int:
        """All of it [mJ]: what the meter counted."""
        return self.answers_mj + self.idle_mj + self.overhead_mj + self.unattributed_mj

    @property
    def parts_mj(self) -> tuple[int, int, int]:
        """Idle, overhead, unattributed, in the order in which an interval is sealed [mJ]."""
        return self.idle_mj, self.overhead_mj, self.unattributed_mj


def share(requests: Columns, samples: Columns, rule: Rule) -> Shares:
    """Share out what the meter counted in ``samples``: over ``requests``, idle, overhead and unattributed.

    Args:
        requests: one row a request, in the order in which cuts fall: ``arrived_us``, ``first_us``, ``done_us`` [us],
            ``prompt_tokens``, ``output_tokens``; ``started_us`` where the engine tells when it left the queue.
        samples: the meter's intervals in order, without overlap: ``start_us``, ``stop_us`` [us], ``meter_mj`` [mJ];
            where known ``it_mj``, what accelerators and hosts counted of it, ``steps`` of the engine, and ``good``
            (bool), false for a sample that is late or torn.

    Raises:
        Invalid: ``attribution.columns`` for columns missing or of other lengths, ``attribution.samples`` for samples
            out of order or energy below 0, ``attribution.requests`` for instants out of order or tokens below 0,
            ``attribution.too_large`` beyond 63 bits.
    """
    cells = cells_of(samples)
    work = work_of(requests, cells, rule.prompt_nj, rule.pair_nj, rule.output_nj, rule.context_nj)
    it_mj = _it_mj(cells, rule.pue_bp)
    idle_mj = _idle_mj(cells, work, it_mj, rule)
    shared = (work.present_us > 0) & cells.good
    left_mj = it_mj - idle_mj
    answers_mj = int(left_mj[shared].sum())
    weights = work.shares(np.where(shared, left_mj, 0), rule.step_nj, cells.edges_us)
    borne = bool(weights.any())
    return Shares(
        request_mj=np.diff(cut_down(answers_mj if borne else 0, weights)),
        idle_mj=int(idle_mj.sum()),
        overhead_mj=int((cells.meter_mj - it_mj).sum()),
        unattributed_mj=int(left_mj[~shared].sum()) + (0 if borne else answers_mj),
    )


def cut_cells(total_mj: Column, counts: Column, weights: Column) -> tuple[Column, Column]:
    """Spans of each cell's total that rows bear, at floors of cumulative weight in it: starts and stops from 0 on [mJ].

    ``total_mj`` one row a cell; its rows are the next ``counts`` of ``weights``. Raises as `cut_down`.
    """
    at = positions_of(weights)
    first = np.cumsum(counts) - counts
    base, whole = at[first], at[first + counts] - at[first]
    if ((whole == 0) & (total_mj > 0)).any():
        raise Invalid("cut.no_weight", "Energy cannot be shared over weights that sum to 0.")
    cell = np.repeat(np.arange(len(counts)), counts)
    stop = ratio_down(at[1:] - base[cell], total_mj[cell], np.maximum(whole, 1)[cell])
    start = np.concatenate([np.zeros(1, np.int64), stop])[:-1]
    start[first[counts > 0]] = 0
    return start, stop


def _it_mj(cells: Cells, pue_bp: int) -> Column:
    """IT's part of each cell; none of a bad cell is overhead, since nobody knows what it was."""
    told = cells.it_mj if cells.it_mj is not None else it_mj_down(np.where(cells.good, cells.meter_mj, 0), pue_bp)
    return np.where(cells.good, told, cells.meter_mj)


def _idle_mj(cells: Cells, work: Work, it_mj: Column, rule: Rule) -> Column:
    us = np.diff(cells.edges_us) if rule.idle_always else work.empty_us
    return np.where(cells.good, idle_mj_down(it_mj, us, rule.idle_mw), 0)
