"""Each answer's share of the energy its rack's meter counted, adding up exactly.

The rule of shares in its plainest form, for racks that say no more than how many tokens they answered and when: cells
are hours, idle is set apart all the time, and an answer weighs its tokens. What an hour's meter counted above the idle
draw, a named loss, is cut over its answers at floors of their cumulative tokens, in order of arrival. Answers plus
idle are the meter, to the millijoule, always.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penstock.compute.attribution import cut_cells
from penstock.errors import Invalid
from penstock.journal.segment import Column
from penstock.period import HOUR_US
from penstock.units import MJ_PER_WH


@dataclass(frozen=True, slots=True, eq=False)
class EnergyShare:
    """Consecutive spans of the rack's energy register [mJ].

    ``answer_start``/``answer_stop`` one row an answer; ``idle_start``/``idle_stop`` one row an hour that ran.
    """

    answer_start: Column
    answer_stop: Column
    idle_start: Column
    idle_stop: Column


def share_metered(
    start_mj: int, hour_us: Column, import_wh: Column, idle_mj_per_hour: int, arrived_us: Column, tokens: Column
) -> EnergyShare:
    """Cut each hour's metered energy into idle and answers.

    Args:
        start_mj: where the rack's energy register stands before the first hour [mJ].
        hour_us, import_wh: hours in order and what the meter counted in each [Wh].
        idle_mj_per_hour: the stated idle draw [mJ].
        arrived_us, tokens: the answered requests, in order of arrival.

    Raises:
        Invalid: ``energy_share.no_answers`` where an hour has energy and no answer, or less than its idle draw.
    """
    ran = import_wh > 0
    first = np.searchsorted(arrived_us, hour_us[ran])
    stop = np.searchsorted(arrived_us, hour_us[ran] + HOUR_US)
    energy_mj = import_wh[ran].astype(np.int64) * MJ_PER_WH
    if np.any(stop == first) or np.any(energy_mj < idle_mj_per_hour) or int(np.sum(stop - first)) != len(tokens):
        raise Invalid("energy_share.no_answers", "An hour's metered energy needs answers that bear it, above idle.")
    hour_start = start_mj + np.cumsum(energy_mj) - energy_mj
    work_start = hour_start + idle_mj_per_hour
    start, end = cut_cells(energy_mj - idle_mj_per_hour, stop - first, tokens)
    work = np.repeat(work_start, stop - first)
    return EnergyShare(answer_start=work + start, answer_stop=work + end, idle_start=hour_start, idle_stop=work_start)
